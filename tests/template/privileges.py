"""Compares what each function's SDK clients asked for in the tests with what its role allows.

`make test` lets the fake of AWS write down every operation that a binary has called. An action that is missing would fail on
AWS; one that nothing calls is a right that nobody needs, unless a line below says why it is there.
"""

import json
import sys
from pathlib import Path

from stack import as_list, statements

FUNCTIONS = {
    "backfill": ("BackfillRole",),
    "compress": ("CompressRole",),
    "count": ("CountRole",),
    "purge": ("PurgeRole",),
    "monitor": ("MonitorRole", "MonitorRemovePolicy"),
}

# What IAM asks for an operation. Source: Service Authorization Reference, the page of each service; for mount targets the EFS
# user guide, "Permissions required for creating and deleting mount targets".
ACTIONS = {
    "HeadObject": {"s3:GetObject"},
    "GetObject": {"s3:GetObject"},
    "PutObject": {"s3:PutObject"},
    "DeleteObject": {"s3:DeleteObject"},
    "CreateMultipartUpload": {"s3:PutObject"},
    "UploadPart": {"s3:PutObject"},
    "CompleteMultipartUpload": {"s3:PutObject"},
    "AbortMultipartUpload": {"s3:AbortMultipartUpload"},
    "ListObjectsV2": {"s3:ListBucket"},
    "SendMessage": {"sqs:SendMessage"},
    "SendMessageBatch": {"sqs:SendMessage"},
    "GetItem": {"dynamodb:GetItem"},
    "PutItem": {"dynamodb:PutItem"},
    "UpdateItem": {"dynamodb:UpdateItem"},
    "BatchWriteItem": {"dynamodb:BatchWriteItem"},
    # Nothing by itself: its writes are told one by one, as `PutItem`, `UpdateItem`, `DeleteItem`, `ConditionCheckItem`.
    "TransactWriteItems": set(),
    "ConditionCheckItem": {"dynamodb:ConditionCheckItem"},
    "DeleteItem": {"dynamodb:DeleteItem"},
    "Query": {"dynamodb:Query"},
    "GetParameter": {"ssm:GetParameter"},
    "PutParameter": {"ssm:PutParameter"},
    "DescribeFileSystems": {"elasticfilesystem:DescribeFileSystems"},
    "DescribeMountTargets": {"elasticfilesystem:DescribeMountTargets"},
    "CreateMountTarget": {
        "elasticfilesystem:CreateMountTarget",
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
    },
    "DeleteMountTarget": {"elasticfilesystem:DeleteMountTarget", "ec2:DeleteNetworkInterface"},
    "DescribeSubnets": {"ec2:DescribeSubnets"},
    "GetMetricData": {"cloudwatch:GetMetricData"},
    "PutMetricData": {"cloudwatch:PutMetricData"},
    "DescribeServices": {"ecs:DescribeServices"},
    "UpdateService": {"ecs:UpdateService"},
    "Invoke": {"lambda:InvokeFunction"},
}

LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
# Source: Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC".
IN_A_VPC = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
MOUNTED = {"elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"}
# Without it S3 says "access denied" of what is missing.
TELL_MISSING = {"s3:ListBucket"}
# Lambda polls the queue with the function's role.
POLLED = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}

# Only while the parameter Tracing or KmsKeyArn is set.
TRACED = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
KEYED = {"kms:Decrypt", "kms:GenerateDataKey"}

# What no client of the function calls, and why it is needed: see the names above.
BESIDES = {
    "backfill": LOGS | TRACED | KEYED,
    "compress": LOGS | TRACED | POLLED | TELL_MISSING | KEYED,
    "count": LOGS | TRACED | IN_A_VPC | MOUNTED,
    "purge": LOGS | TRACED | IN_A_VPC | MOUNTED,
    "monitor": LOGS | TRACED | KEYED | TELL_MISSING,
}

# Calls that a deployment by the template never makes, and why.
NOT_DEPLOYED = {
    # The template has no parameter for a service to redeploy; README says which rights it needs.
    "monitor": {"DescribeServices", "UpdateService"},
}


def allowed(template: dict, names: tuple[str, ...]) -> set[str]:
    """The actions of roles and policies."""
    actions: set[str] = set()
    for name in names:
        properties = template["Resources"][name]["Properties"]
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
        for document in documents:
            for statement in statements(document):
                if statement["Effect"] == "Allow":
                    actions |= set(as_list(statement["Action"]))
    return actions


def mistakes(template: dict, seen: dict[str, set[str]]) -> list[str]:
    """One line for each action that is missing, and each that is too many; a function that called nothing is told by its extras."""
    found = []
    for function, names in FUNCTIONS.items():
        called = seen.get(function, set()) - NOT_DEPLOYED.get(function, set())
        if unknown := sorted(called - ACTIONS.keys()):
            found.append(f"{function} called {', '.join(unknown)}: say in ACTIONS what they need")
            called -= set(unknown)
        needed = set().union(*(ACTIONS[operation] for operation in called))
        have = allowed(template, names)
        found += [f"{names[0]} lacks {action}, which {function} needs" for action in sorted(needed - have)]
        extra = have - needed - BESIDES[function]
        found += [f"{names[0]} allows {action}, which no test of {function} needed" for action in sorted(extra)]
        unused = BESIDES[function] - have
        found += [f"{function}: BESIDES names {action}, which {names[0]} does not allow" for action in sorted(unused)]
    return found


def main(template: Path, folder: Path) -> None:
    """`privileges.py TRANSFORMED FOLDER`: the template after SAM, and what the fake has written down."""
    seen = {path.name: {operation.name for operation in path.iterdir()} for path in folder.iterdir()}
    found = mistakes(json.loads(template.read_text(encoding="utf-8")), seen)
    for line in found:
        print(f"template.yaml: {line}", file=sys.stderr)
    if found:
        sys.exit(1)
    called = sum(len(seen.get(function, ())) for function in FUNCTIONS)
    print(f"Least privilege: {called} operations of {len(FUNCTIONS)} functions, each allowed, and nothing else.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
