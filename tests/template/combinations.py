"""Rules about parameters that are given together."""

from collections.abc import Iterator
from itertools import product

from access import Violation
from stack import Stack, references

Given = dict[str, str]

BUCKETS: list[Given] = [
    {},
    {"SourceDisposition": "keep", "UnprocessedExpirationDays": "15"},
    {"ExistingBucketName": "there", "ExistingBucketKeyArn": "arn:aws:kms:…"},
]
FILES: list[Given] = [
    {},
    {"FileSystemAccessPointArn": "arn:…", "EfsSubnetIds": "subnet-1", "EfsSecurityGroupIds": "sg-1"},
    {"NewFileSystem": "true"},
    {"NewFileSystem": "true", "VpcId": "vpc-1", "EfsSubnetIds": "subnet-1,subnet-2"},
]
OTHERS: list[Given] = [
    {},
    {
        "AlarmTopicArn": "arn:…",
        "KmsKeyArn": "arn:…",
        "MonitorScheduleState": "DISABLED",
        "Tracing": "Active",
    },
]

_GIVEN = FILES[1]
_MONITORED = _GIVEN | {"FileSystemId": "fs-1", "MonitorSubnetIds": "subnet-1"}
_NEW: Given = {"NewFileSystem": "true"}
_IN_VPC = _NEW | {"VpcId": "vpc-1", "EfsSubnetIds": "subnet-1,subnet-2"}

# Given together these would do something else than they say.
CONTRADICTIONS: list[Given] = [
    {"SourcePrefix": "a/", "OutputPrefix": "a/"},
    {"SourcePrefix": "sluice/"},
    {"CompressionLevel": "19"},
    {"CompressionFormat": "zstd", "CompressionLevel": "0"},
    {"UnprocessedExpirationDays": "1"},
    {"UnprocessedExpirationDays": "14"},
    {"ExistingBucketName": "there", "UnprocessedExpirationDays": "30"},
    {"ExistingBucketKeyArn": "arn:…"},
    _GIVEN | {"EfsSubnetIds": ""},
    _GIVEN | {"EfsSecurityGroupIds": ""},
    {"EfsSubnetIds": "subnet-1"},
    {"EfsSecurityGroupIds": "sg-1"},
    {"PurgeScheduleState": "ENABLED"},
    {"NewFileSystemKeyArn": "arn:…"},
    {"FileSystemId": "fs-1", "MonitorSubnetIds": "subnet-1"},
    _MONITORED | {"MonitorSubnetIds": ""},
    _MONITORED | {"MonitorScaleIn": "true"},
    _MONITORED | {"MonitorMode": "apply"},
    _GIVEN | {"MonitorSubnetIds": "subnet-1"},
    _GIVEN | {"MonitorSecurityGroupIds": "sg-1"},
    _GIVEN | {"MonitorScaleIn": "true"},
    _GIVEN | {"MonitorProtectedZones": "use1-az1"},
    _IN_VPC | {"FileSystemAccessPointArn": "arn:…"},
    _NEW | {"EfsSubnetIds": "subnet-1"},
    _NEW | {"EfsSecurityGroupIds": "sg-1"},
    _NEW | {"FileSystemId": "fs-1", "MonitorSubnetIds": "subnet-1"},
    _NEW | {"VpcId": "vpc-1"},
    _IN_VPC | {"MonitorNewFileSystem": "true", "MonitorSubnetIds": "subnet-3", "MonitorScaleIn": "true"},
    _IN_VPC | {"MonitorNewFileSystem": "true"},
    _GIVEN | {"VpcId": "vpc-1"},
    {"MonitorNewFileSystem": "true"},
]


def combinations() -> Iterator[Given]:
    """Every kind of bucket with every kind of file system, each with and without monitor and what else may be switched on."""
    for bucket, files, others in product(BUCKETS, FILES, OTHERS):
        yield bucket | files | others | ({"PurgeScheduleState": "ENABLED"} if files and others else {})
        if "NewFileSystem" in files:
            scale_in = {} if "VpcId" in files else {"MonitorScaleIn": "true"}
            yield bucket | files | others | scale_in | {"MonitorNewFileSystem": "true", "MonitorSubnetIds": "subnet-3"}
        elif files:
            removes = {"MonitorScaleIn": "true", "MonitorProtectedZones": "use1-az1"}
            applies = {"MonitorMode": "apply", "MonitorSecurityGroupIds": "sg-1"}
            monitor = {"FileSystemId": "fs-1", "MonitorSubnetIds": "subnet-1"} | (removes | applies if others else {})
            yield bucket | files | others | monitor


def what_is_made_leads_to_what_is_made(stack: Stack) -> Iterator[Violation]:
    """Whatever is switched on, a resource or output refers only to what there is then, and the template's rules let it be."""
    found = set()
    parts = ("Resources", "Outputs")
    everything = {(part, name): set(references(it)) for part in parts for name, it in stack.template[part].items()}
    for given in combinations():
        missing = stack.resources.keys() - stack.made(given).keys()
        for part in parts:
            for name, it in stack.made(given, part).items():
                if not missing & everything[part, name]:
                    continue
                for other in missing & set(references(stack.value(it, given))):
                    found.add(Violation(name, f"it refers to {other}, which is not always there", "use Fn::If"))
        for words in stack.refusals(given):
            found.add(Violation("Rules", f"{words} ({', '.join(given)})", "narrow the rule"))
    yield from sorted(found)


def contradictions_are_refused(stack: Stack) -> Iterator[Violation]:
    """Parameters that contradict each other are refused before anything is made, and each assertion refuses some."""
    used = set()
    for given in CONTRADICTIONS:
        refusals = stack.refusals(given)
        used |= set(refusals)
        if not refusals:
            words = ", ".join(f"{name}={value}" for name, value in given.items())
            yield Violation("Rules", f"nothing refuses {words}", "add a rule")
    for rule in stack.template.get("Rules", {}).values():
        for words in {it["AssertDescription"] for it in rule["Assertions"]} - used:
            yield Violation("Rules", f"no contradiction is refused by: {words}", "add one to CONTRADICTIONS, or remove it")


RULES = [what_is_made_leads_to_what_is_made, contradictions_are_refused]
