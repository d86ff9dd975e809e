"""Rules about parameters that are given together."""

from collections.abc import Iterator
from itertools import product

from access import Violation
from stack import Stack, references

Given = dict[str, str]

BUCKETS: list[Given] = [{}, {"ExistingBucketName": "there", "ExistingBucketKeyArn": "arn:aws:kms:…"}]
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
        "PurgeScheduleState": "ENABLED",
        "Tracing": "Active",
    },
]

# Given together these would do something else than they say.
CONTRADICTIONS: list[Given] = [
    {"SourcePrefix": "a/", "OutputPrefix": "a/"},
    {"SourcePrefix": "sluice/"},
    {"CompressionLevel": "19"},
    {"ExistingBucketName": "there", "UnprocessedExpirationDays": "30"},
    {"ExistingBucketKeyArn": "arn:…"},
    {"FileSystemAccessPointArn": "arn:…"},
    {"FileSystemId": "fs-1", "MonitorSubnetIds": "subnet-1"},
    {"NewFileSystem": "true", "FileSystemAccessPointArn": "arn:…", "EfsSubnetIds": "subnet-1", "EfsSecurityGroupIds": "sg-1"},
    {"NewFileSystem": "true", "EfsSubnetIds": "subnet-1"},
    {"NewFileSystem": "true", "EfsSecurityGroupIds": "sg-1"},
    {"NewFileSystem": "true", "FileSystemId": "fs-1", "MonitorSubnetIds": "subnet-1"},
    {"NewFileSystem": "true", "VpcId": "vpc-1"},
    {"NewFileSystem": "true", "VpcId": "vpc-1", "EfsSubnetIds": "subnet-1,subnet-2", "MonitorScaleIn": "true"},
    {"NewFileSystem": "true", "VpcId": "vpc-1", "EfsSubnetIds": "subnet-1,subnet-2", "MonitorNewFileSystem": "true"},
    {"VpcId": "vpc-1", "EfsSubnetIds": "subnet-1,subnet-2"},
    {"MonitorNewFileSystem": "true"},
]


def combinations() -> Iterator[Given]:
    """Every kind of bucket with every kind of file system, each with and without monitor and what else may be switched on."""
    for bucket, files, others in product(BUCKETS, FILES, OTHERS):
        yield bucket | files | others
        if "NewFileSystem" in files:
            scale_in = {} if "VpcId" in files else {"MonitorScaleIn": "true"}
            yield bucket | files | others | scale_in | {"MonitorNewFileSystem": "true", "MonitorSubnetIds": "subnet-3"}
        elif files:
            monitor = {"FileSystemId": "fs-1", "MonitorSubnetIds": "subnet-1", "MonitorScaleIn": "true"}
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
    """Parameters that contradict each other are refused before anything is made."""
    for given in CONTRADICTIONS:
        if not stack.refusals(given):
            words = ", ".join(f"{name}={value}" for name, value in given.items())
            yield Violation("Rules", f"nothing refuses {words}", "add a rule")


RULES = [what_is_made_leads_to_what_is_made, contradictions_are_refused]
