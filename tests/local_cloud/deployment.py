"""The real template, built and deployed by the real SAM CLI, to the local cloud."""

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path

import boto3

from cloud import REGION, Cloud

ROOT = Path(__file__).resolve().parents[2]
TOOLS_FOLDER = ROOT / ".venv" / "tools" / "bin"
CLOUD_FOLDER = ROOT / ".venv" / "cloud" / "bin"
BUILD_FOLDER = ROOT / ".local-cloud" / "build"
COMMANDS_FOLDER = ROOT / ".local-cloud" / "bin"
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
    """`sam build` into its own folder: a later `sam deploy` to AWS must not find this build. The command line, too.

    SAM keeps Cargo's output to itself for minutes, so Cargo comes first; SAM then finds all of it done. The command line is
    built like a function, since most of it was compiled for them already.
    """
    environment = _with_tools(os.environ | LIGHT_PROFILE | {"AWS_DEFAULT_REGION": REGION})
    compile_one = ["cargo", "lambda", "build", "--locked", "--release"]
    compile_one += ["--arm64"] if architecture == "arm64" else []
    manifests = [*sorted(ROOT.glob("functions/*/Cargo.toml")), ROOT / "cli" / "Cargo.toml"]
    for number, manifest in enumerate(manifests, start=1):
        print(f"build {number} of {len(manifests)}: {manifest.parent.name}", flush=True)
        if subprocess.run(compile_one, cwd=manifest.parent, env=environment, check=False).returncode != 0:
            raise DeploymentError(f"cargo lambda build of {manifest.parent.name} failed, see above")
    package = ["sam", "build", "--build-dir", str(BUILD_FOLDER)]
    _sam([*package, "--parameter-overrides", f"Architecture={architecture}"], environment)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    COMMANDS_FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.copy2(target / "lambda" / "sluice" / "bootstrap", COMMANDS_FOLDER / "sluice")


def deploy(cloud: Cloud, parameters: dict[str, str]) -> Deployment:
    """`sam deploy` of the built template, then what the demos need of the local cloud besides."""
    deployment = deploy_alone(cloud, STACK, parameters)
    _repair_scaling(deployment)
    _grant_what_is_not_told(deployment)
    return deployment


def deploy_alone(cloud: Cloud, stack: str, parameters: dict[str, str]) -> Deployment:
    """`sam deploy` of the built template, as it is."""
    template = BUILD_FOLDER / "template.yaml"
    command = ["sam", "deploy", "--template-file", str(template), "--config-file", str(ROOT / "samconfig.toml")]
    command += ["--stack-name", stack, "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"]
    command += [f"{name}={value}" for name, value in parameters.items()]
    _sam(command, _with_tools(cloud.environment() | {"SAM_CLI_POLL_DELAY": "1"}))
    described = client(cloud, "cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return Deployment(cloud, {o["OutputKey"]: o["OutputValue"] for o in described["Outputs"]})


def delete(cloud: Cloud, stack: str) -> None:
    """`sam delete`."""
    command = ["sam", "delete", "--config-file", str(ROOT / "samconfig.toml"), "--stack-name", stack]
    _sam([*command, "--region", REGION, "--no-prompts"], _with_tools(cloud.environment()))


def _sam(command: list[str], environment: dict[str, str]) -> None:
    """Runs a command whose output matters only when it fails."""
    temporary = BUILD_FOLDER.parent / "tmp"  # SAM leaves folders behind
    temporary.mkdir(parents=True, exist_ok=True)
    environment = environment | {"SAM_CLI_TELEMETRY": "0", "TMPDIR": str(temporary)}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise DeploymentError(f"{' '.join(command[:2])} failed:\n{result.stdout}{result.stderr}")


def _with_tools(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PATH": f"{TOOLS_FOLDER}{os.pathsep}{environment['PATH']}"}


def _repair_scaling(deployment: Deployment) -> None:
    """MiniStack 1.5.33 keeps a number that came from a template parameter as text, and its poller then stops on it."""
    functions = deployment.client("lambda")
    name = deployment.outputs["CompressFunctionName"]
    for mapping in functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
        # Without a bound there is nothing to repair.
        if not (concurrency := int(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 0))):
            continue
        functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": concurrency})


def _grant_what_is_not_told(deployment: Deployment) -> None:
    """MiniStack 1.5.33 evaluates a policy without the file system that an EFS request names outside its path, and without the
    namespace of metrics. So what the role allows for one file system and one namespace alone, it would refuse.

    And it asks for actions that AWS does not have: a batch, and a transaction, is allowed there if each of its parts is.
    """
    file_systems = ("CreateMountTarget", "DescribeFileSystems", "DescribeMountTargets")
    actions = [f"elasticfilesystem:{action}" for action in file_systems] + ["cloudwatch:PutMetricData"]
    if "MonitorFunctionName" in deployment.outputs:
        _grant(deployment, "MonitorFunctionName", actions)
    _grant(deployment, "BackfillFunctionName", ["sqs:SendMessageBatch", "dynamodb:TransactWriteItems"])


def _grant(deployment: Deployment, function: str, actions: list[str]) -> None:
    """Lets the role of the function that the output names do this, too."""
    name = deployment.outputs[function]
    role = deployment.client("lambda").get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    deployment.client("iam").put_role_policy(RoleName=role, PolicyName="not-told", PolicyDocument=policy)
