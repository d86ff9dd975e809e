"""The roles that a deployed stack is to have: who may take them, and which statements they carry under which parameters.

What each statement allows is held by `tests/template` and, call by call, by the cloud that the demos run on."""

from given import ACCOUNT, Given
from observed import Fields

MOUNTED = ["AttachToVpc", "NotFromWithin", "WriteLogs"]


def roles(given: Given) -> dict[str, Fields]:
    """By logical id."""
    traces = ["WriteTraces"] if given["Tracing"] == "Active" else []
    key = ["UseKey"] if given["KmsKeyArn"] else []
    bucket_key = ["UseKeyOfTheBucket"] if given["ExistingBucketKeyArn"] else []
    compress = ["ReadAndRemoveSources", "WriteOutputs", "TellMissingFromForbidden", "PutAsidePermanentFailures", "TellJobs"]
    compress += ["TakeMessages", "WriteLogs"]
    found = {"CompressRole": _role("lambda", {"compress": [*compress, *traces, *key, *bucket_key]})}
    found |= _backfill(given, [*traces, *key, *bucket_key])
    if given.has_files:
        sweep = ["Invoke", "StartRanges", "WatchAndStopRanges", "DeliverLogs"]
        found |= {
            "CountRole": _role("lambda", {"count": ["MountAndKeepTokens", *MOUNTED, *traces]}),
            "PurgeRole": _role("lambda", {"purge": ["MountAndRemove", *MOUNTED, *traces]}),
            "PurgeSweepRole": _machine_role(given, {"purge-sweep": sweep}),
            "PurgeScheduleRole": _role("scheduler", {"start-purge": ["Start", "PutAsideWhatFails", *key]}, _this_account()),
        }
    if given.has_monitor:
        found |= _monitor(given, traces, key, bucket_key)
    return found


def _backfill(given: Given, others: list[str]) -> dict[str, Fields]:
    inventory = ["ReadInventory"] if given["InventoryBucketName"] else []
    backfill = ["List", "LookAtSourcesAndOutputs", *inventory, "Enqueue", "KeepJobs", "WriteLogs", *others]
    machine = ["Invoke", "StartPartitions", "WatchStopAndRedrivePartitions", "DeliverLogs"]
    return {
        "BackfillRole": _role("lambda", {"backfill": backfill}),
        "BackfillMachineRole": _machine_role(given, {"backfill-machine": machine}),
    }


def _machine_role(given: Given, statements: dict[str, list[str]]) -> Fields:
    machines = {"ArnLike": {"aws:SourceArn": given.arn("states", "stateMachine:*")}}
    return _role("states", statements, _this_account() | machines)


def _monitor(given: Given, traces: list[str], key: list[str], bucket_key: list[str]) -> dict[str, Fields]:
    sees = ["SeeAndCreateMountTargets", "MakeTheirInterfaces", "See", "WriteMetrics", "Count", "Documents", "Leases"]
    policies = {"monitor": [*sees, "TellMissingFromForbidden", "WriteLogs", *traces, *key, *bucket_key]}
    removes = given["MonitorScaleIn"] == "true"
    policies |= {"remove-mount-targets": ["RemoveMountTargets", "RemoveTheirInterfaces"]} if removes else {}
    schedule = {"invoke-monitor": ["Invoke", "PutAsideWhatFails", *key]}
    found = {
        "MonitorRole": _role("lambda", policies),
        "MonitorScheduleRole": _role("scheduler", schedule, _this_account()),
    }
    return found | ({"MonitorRemovePolicy": {}} if removes else {})


def _this_account() -> dict:
    return {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def _role(service: str, statements: dict[str, list[str]], condition: dict | None = None) -> Fields:
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Trust": [trust | ({"Condition": condition} if condition else {})], "Statements": statements, "Attached": []}
