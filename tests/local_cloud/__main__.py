"""python tests/local_cloud demo|up|down: the deployed chain on a local cloud. See `make help`."""

import argparse
import platform
import shlex
import sys
import time
from pathlib import Path

import cloud as local
import deployment as sam
from demo import Demo
from samples import OBJECT_BYTES_MAX

SCRATCH = sam.ROOT / ".local-cloud"
STAYS = SCRATCH / "up"
PASSES = SCRATCH / "demo"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["demo", "up", "down"])
    parser.add_argument("--architecture", choices=["arm64", "x86_64"], default=_host_architecture())
    parser.add_argument("--template", type=Path, help="deploy this built template instead of building")
    arguments = parser.parse_args()
    try:
        return {"demo": demo, "up": up, "down": down}[arguments.action](arguments)
    except (local.CloudError, sam.DeploymentError) as error:
        print(f"local cloud: {error}", file=sys.stderr)
        return 1


def demo(arguments: argparse.Namespace) -> int:
    """Everything once, on a cloud of its own that is gone afterwards."""
    started = time.monotonic()
    template = _built(arguments)
    running = local.start(PASSES)
    try:
        deployed = _deployed(running, arguments, template)
        came_true = Demo(deployed).run()
    finally:
        local.stop(running)
    print(f"\n{'Everything came true' if came_true else 'FAILED'} in {time.monotonic() - started:.0f} s, build included.")
    return 0 if came_true else 1


def up(arguments: argparse.Namespace) -> int:
    """Leaves a deployed cloud running."""
    template = _built(arguments)
    running = local.start(STAYS)
    try:
        deployed = _deployed(running, arguments, template)
    except BaseException:
        local.stop(running)
        raise
    _print_commands(deployed)
    return 0


def down(_: argparse.Namespace) -> int:
    """Stops what `up` left."""
    running = local.find(STAYS)
    if running is None:
        print("No local cloud is running.")
        return 0
    local.stop(running)
    print(f"Stopped the local cloud (process {running.pid}, port {running.port}).")
    return 0


def _host_architecture() -> str:
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def _built(arguments: argparse.Namespace) -> Path:
    if arguments.template:
        return arguments.template
    print("Building the real function (sam build, without link-time optimisation) ...", flush=True)
    started = time.monotonic()
    sam.build(arguments.architecture)
    print(f"Built in {time.monotonic() - started:.0f} s.", flush=True)
    return sam.BUILD_FOLDER / "template.yaml"


def _deployed(running: local.Cloud, arguments: argparse.Namespace, template: Path) -> sam.Deployment:
    started = time.monotonic()
    parameters = {"Architecture": arguments.architecture, "MaxObjectBytes": str(OBJECT_BYTES_MAX), "LogSampleRate": "1"}
    deployed = sam.deploy(running, parameters, template)
    print(f"Deployed template.yaml with sam deploy in {time.monotonic() - started:.0f} s.", flush=True)
    return deployed


def _print_commands(deployed: sam.Deployment) -> None:
    settings = STAYS / "env.sh"
    lines = [f"export {name}={shlex.quote(value)}" for name, value in deployed.cloud.settings().items()]
    lines.append(f'export PATH={shlex.quote(str(sam.ROOT / ".venv/cloud/bin"))}:{shlex.quote(str(sam.ROOT / ".venv/tools/bin"))}:"$PATH"')
    settings.write_text("\n".join([*lines, "export SAM_CLI_TELEMETRY=0", ""]))
    print(f"""
The local cloud runs (process {deployed.cloud.pid}, {deployed.cloud.endpoint}). Point this shell at it:

  . {settings.relative_to(sam.ROOT)}

Then, for example:

  aws s3 cp Cargo.lock s3://{deployed.bucket}/incoming/Cargo.lock
  aws s3 ls --recursive s3://{deployed.bucket}/
  aws s3 cp --recursive s3://{deployed.bucket}/processed/ .local-cloud/processed/
  aws sqs send-message --queue-url {deployed.queue} --message-body 'not an event'
  {deployed.outputs["ReadDlqCommand"]}
  sam remote invoke {deployed.outputs["CompressFunctionName"]} --event-file events/s3-test-event.json
  tail -f {deployed.cloud.log.relative_to(sam.ROOT)}

Stop it with: make down""")


if __name__ == "__main__":
    sys.exit(main())
