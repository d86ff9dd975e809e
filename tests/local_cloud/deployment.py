"""The real template, built and deployed by the real SAM CLI, to the local cloud."""

import dataclasses
import os
import subprocess
from pathlib import Path

import boto3

from cloud import REGION, Cloud

ROOT = Path(__file__).resolve().parents[2]
BUILD_FOLDER = ROOT / ".local-cloud" / "build"
STACK = "sluice"

# The release profile without what only pays off on AWS: minutes of link-time optimisation.
LIGHT_PROFILE = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
}


class DeploymentError(Exception):
    """SAM said no; the message is what it printed."""


@dataclasses.dataclass(frozen=True)
class Deployment:
    """The deployed stack, and clients that reach it."""

    cloud: Cloud
    outputs: dict[str, str]

    def client(self, service: str):
        return client(self.cloud, service)

    @property
    def bucket(self) -> str:
        return self.outputs["BucketName"]

    @property
    def queue(self) -> str:
        return self.outputs["CompressQueueUrl"]

    @property
    def dlq(self) -> str:
        return self.outputs["CompressDlqUrl"]


def client(cloud: Cloud, service: str):
    """A boto3 client that can reach the local cloud and nothing else."""
    return boto3.client(
        service,
        endpoint_url=cloud.endpoint,
        verify=str(cloud.certificate),
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def build(architecture: str) -> None:
    """`sam build` into its own folder: a later `sam deploy` to AWS must not find this build."""
    command = ["sam", "build", "--build-dir", str(BUILD_FOLDER), "--parameter-overrides", f"Architecture={architecture}"]
    environment = os.environ | LIGHT_PROFILE | {"AWS_DEFAULT_REGION": REGION}
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0:
        raise DeploymentError("sam build failed, see above")


def deploy(cloud: Cloud, parameters: dict[str, str], template: Path = BUILD_FOLDER / "template.yaml") -> Deployment:
    """`sam deploy` of the built template, as it is."""
    command = ["sam", "deploy", "--template-file", str(template), "--config-file", str(ROOT / "samconfig.toml")]
    command += ["--stack-name", STACK, "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"]
    command += [f"{name}={value}" for name, value in parameters.items()]
    environment = cloud.environment() | {"SAM_CLI_POLL_DELAY": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise DeploymentError(f"sam deploy failed:\n{result.stdout}{result.stderr}")
    stack = client(cloud, "cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    deployment = Deployment(cloud, {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]})
    _repair_scaling(deployment)
    return deployment


def _repair_scaling(deployment: Deployment) -> None:
    """MiniStack 1.5.33 keeps a number that came from a template parameter as text, and its poller then stops on it."""
    functions = deployment.client("lambda")
    name = deployment.outputs["CompressFunctionName"]
    for mapping in functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
        concurrency = int(mapping["ScalingConfig"]["MaximumConcurrency"])
        functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": concurrency})
