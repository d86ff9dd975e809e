"""python tests/local_cloud demo|deployed|backfill|up|down: the deployed chain on a local cloud. See `make help`."""

import argparse
import functools
import json
import os
import platform
import shlex
import sys
import time

import backfill_cases
import cloud as local
import deployed as template
import deployment as sam
import sweep
import targets
from backfill import BackfillDemo
from demo import Demo
from samples import OBJECT_BYTES_MAX

SCRATCH = sam.ROOT / ".local-cloud"
STAYS = SCRATCH / "up"
PASSES = SCRATCH / "demo"
COMPARED = SCRATCH / "deployed"
FILLED = SCRATCH / "backfill"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    actions = {"demo": demo, "deployed": deployed, "backfill": backfill, "up": up, "down": down}
    parser.add_argument("action", nargs="+", choices=actions)
    asked = parser.parse_args().action
    _forget_aws()
    try:
        return max(actions[action]() for action in asked)
    except (local.CloudError, sam.DeploymentError) as error:
        print(f"local cloud: {error}", file=sys.stderr)
        return 1


def _forget_aws() -> None:
    """Nothing here is to read the user's AWS settings, by whichever library."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def demo() -> int:
    """Everything once, on a cloud of its own that is gone afterwards."""
    started = time.monotonic()
    _build()
    running = local.start(PASSES)
    try:
        deployed = _deployed(running)
        came_true = Demo(deployed).run()
        came_true = BackfillDemo(deployed).run() and came_true
        came_true = sweep.SweepDemo(deployed).run() and came_true
        came_true = targets.TargetsDemo(deployed).run() and came_true
    finally:
        local.stop(running)
    result = "Everything came true" if came_true else "FAILED"
    print(f"\n{result} in {time.monotonic() - started:.0f} s, build included.")
    return 0 if came_true else 1


def deployed() -> int:
    """The template itself, resource by resource, on a cloud of its own: what the demos change is not in the way."""
    _build()
    started = time.monotonic()
    running = local.start(COMPARED)
    try:
        came_true = template.DeployedTest(running, _host_architecture()).run()
    finally:
        local.stop(running)
    print(f"\n{'Everything came true' if came_true else 'FAILED'} in {time.monotonic() - started:.0f} s.")
    return 0 if came_true else 1


def backfill() -> int:
    """Backfills of thousands of objects, on a cloud of its own whose state machines wait less."""
    _build()
    started = time.monotonic()
    running = local.start(FILLED, wait_scale=backfill_cases.WAIT_SCALE)
    try:
        came_true = backfill_cases.BackfillTest(running, _host_architecture()).run()
    finally:
        local.stop(running)
    print(f"\n{'Everything came true' if came_true else 'FAILED'} in {time.monotonic() - started:.0f} s.")
    return 0 if came_true else 1


def up() -> int:
    """Leaves a deployed cloud running; one that runs already is left as it is."""
    commands = STAYS / "commands.txt"
    if local.find(STAYS):
        if not commands.exists():
            raise local.CloudError("it is being deployed, or was not deployed whole; 'make down' stops it")
        print(f"It is already running, with what was deployed then; 'make down' stops it.\n{commands.read_text()}")
        return 0
    _build()
    running = local.start(STAYS)
    try:
        deployed = _deployed(running)
        tree = sweep.Tree(STAYS)
        tree.make()
        sweep.point_at(deployed, tree.root, PURGE_DRY_RUN=None)  # the payload decides
    except BaseException:
        local.stop(running)
        raise
    commands.write_text(_commands(deployed, tree))
    print(commands.read_text())
    return 0


def down() -> int:
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


@functools.cache
def _build() -> None:
    print("Building the real functions, without link-time optimisation; a few minutes the first time.", flush=True)
    started = time.monotonic()
    sam.build(_host_architecture())
    print(f"Built in {time.monotonic() - started:.0f} s.", flush=True)


def _deployed(running: local.Cloud) -> sam.Deployment:
    started = time.monotonic()
    parameters = {"Architecture": _host_architecture(), "MaxObjectBytes": str(OBJECT_BYTES_MAX), "LogSampleRate": "1"}
    volume = sweep.file_system(running)
    deployed = sam.deploy(running, parameters | volume | targets.zones(running, volume["FileSystemId"]))
    print(f"Deployed template.yaml with sam deploy in {time.monotonic() - started:.0f} s.", flush=True)
    return deployed


def _commands(deployed: sam.Deployment, tree: sweep.Tree) -> str:
    """What to try; the settings for it are written beside."""
    log_group = f"/aws/lambda/{deployed.outputs['CompressFunctionName']}"
    machine = deployed.outputs["PurgeSweepArn"]
    plan = json.dumps(sweep.PLAN)
    real = json.dumps(sweep.PLAN | {"dry_run": False})
    settings = STAYS / "env.sh"
    cloud_settings = deployed.cloud.settings()
    lines = ["unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in cloud_settings.items()]
    lines.append('export AWS_REGION="$AWS_DEFAULT_REGION" SAM_CLI_TELEMETRY=0')
    lines.append(f'export PATH={shlex.quote(str(sam.COMMANDS_FOLDER))}:{shlex.quote(str(sam.TOOLS_FOLDER))}:"$PATH"')
    # Version 1 of the AWS CLI sends SQS commands to the real endpoint in spite of AWS_ENDPOINT_URL.
    aws = shlex.quote(str(sam.CLOUD_FOLDER / "aws"))
    lines.append(f'aws() {{ {aws} --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }}')
    # cargo-lambda goes by SSL_CERT_FILE alone, with which nothing else would reach the internet.
    trusting = 'SSL_CERT_FILE="$AWS_CA_BUNDLE" command cargo "$@"'
    lines.append(f'cargo() {{ case "$1 $2" in "lambda invoke"|"lambda deploy") {trusting};; *) command cargo "$@";; esac; }}')
    settings.write_text("\n".join([*lines, ""]))
    return f"""
The local cloud runs (process {deployed.cloud.pid}, {deployed.cloud.endpoint}). Point this shell at it (close it to
come back to an account of yours):

  . {settings.relative_to(sam.ROOT)}

Then, for example:

  aws s3 cp Cargo.lock s3://{deployed.bucket}/incoming/Cargo.lock
  aws s3 ls --recursive s3://{deployed.bucket}/
  aws s3 cp --recursive s3://{deployed.bucket}/processed/ .local-cloud/processed/
  aws sqs send-message --queue-url {deployed.queue} --message-body 'not an event'
  {deployed.outputs["ReadDlqCommand"]}
  sam remote invoke CompressFunction --event-file events/s3-test-event.json
  aws logs filter-log-events --log-group-name {log_group} --query 'events[].[message]' --output text

The stack's outputs are written for AWS CLI 2; this shell's `aws` is version 1, which does not know all of their options:
instead of CountCommand there is `sam remote invoke CountFunction`, see below.

Put objects there that nobody tells of, as if they had been there before; count them; compress them; see what could not be;
let the bucket tell again:

  aws s3api get-bucket-notification-configuration --bucket {deployed.bucket} > .local-cloud/told.json
  aws s3api put-bucket-notification-configuration --bucket {deployed.bucket} --notification-configuration '{{}}'
  for n in $(seq 50); do aws s3 cp --quiet README.md s3://{deployed.bucket}/$(sluice key archive/$n.md); done
  sluice backfill start --job-id how-much --dry-run --watch --poll-seconds 1
  sluice backfill start --job-id first --watch --poll-seconds 1
  sluice backfill status first
  sluice dlq list
  aws s3api put-bucket-notification-configuration --bucket {deployed.bucket} --notification-configuration file://.local-cloud/told.json

Below {tree.root.relative_to(sam.ROOT)} are files, some of them old. Count them; see what a sweep would remove; let it:

  sam remote invoke CountFunction --event-file events/count.json
  aws stepfunctions start-execution --state-machine-arn {machine} --input '{plan}'
  aws stepfunctions start-execution --state-machine-arn {machine} --input '{real}'
  {deployed.outputs["SweepResultCommand"]}

Here nothing outranks a payload's "dry_run": with false, files really go, though only from that tree. Age is by "mtime" because
the files were made just now and only set back: by the default, the newer of mtime and ctime, none of them would be old.

Let the controller look after the file system's mount targets, tick by tick; see what it publishes:

  sam remote invoke MonitorFunction --event '{{}}'
  aws ssm get-parameter --name {deployed.outputs["MountTargetsParameter"]} --query Parameter.Value --output text

Stop it with: make down
"""


if __name__ == "__main__":
    sys.exit(main())
