"""What MiniStack 1.5.33 takes from the template and does not keep, or does not take, so that nothing can be said of it here.

Each is looked at all the same: what is kept one day is to be struck from the list, and is then compared like anything else.
Until then a rule of `tests/template` holds it, see `test_losses.py` there.
"""

import dataclasses
import json
from collections.abc import Callable

from botocore.exceptions import ClientError

from cloud import Cloud
from deployment import client


@dataclasses.dataclass(frozen=True)
class Loss:
    """Why a field says nothing, and what it says `instead` of what was wanted."""

    reason: str
    instead: Callable[[object], object] = lambda _: None


def _as_text(scaling: dict) -> dict:
    return {name: str(number) for name, number in scaling.items()}


def _with_its_own_key(_: object) -> list[dict]:
    return [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]


# By type and field, as `observed.py` names them.
LOST = {
    ("DynamoDB::Table", "TimeToLive"): Loss("dropped from templates", lambda _: {"TimeToLiveStatus": "DISABLED"}),
    ("EC2::VPCEndpoint", "Policy"): Loss("dropped"),
    ("Lambda::EventSourceMapping", "ScalingConfig"): Loss("a number that came from a parameter is kept as text", _as_text),
    ("Lambda::Function", "FileSystemConfigs"): Loss("dropped: it mounts no file system"),
    ("Lambda::Function", "ReservedConcurrentExecutions"): Loss("dropped from templates"),
    ("Lambda::Function", "VpcConfig"): Loss("dropped: functions run beside the emulator"),
    ("S3::Bucket", "Encryption"): Loss("dropped from templates: each bucket says AES256", _with_its_own_key),
    ("S3::Bucket", "Lifecycle"): Loss("dropped from templates"),
    ("StepFunctions::StateMachine", "loggingConfiguration"): Loss("dropped from templates", lambda _: {}),
}

# Types that it does not know: parameters that ask for them cannot be deployed here.
REFUSED = {"IAM::RolePolicy": "MonitorScaleIn=true"}


def taken_now(cloud: Cloud) -> list[str]:
    """Which of the refused types it does take."""
    return [kind for kind in REFUSED if _takes(cloud, kind)]


def _takes(cloud: Cloud, kind: str) -> bool:
    """Only asked for: a change set is carried out by a second call."""
    body = json.dumps({"Resources": {"One": {"Type": f"AWS::{kind}", "Properties": {}}}})
    names = {"StackName": "asked-for", "ChangeSetName": "asked-for", "ChangeSetType": "CREATE"}
    try:
        client(cloud, "cloudformation").create_change_set(**names, TemplateBody=body)
    except ClientError as error:
        return "Unrecognized resource types" not in str(error)
    return True
