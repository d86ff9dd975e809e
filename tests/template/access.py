"""Rules about who may do what."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from stack import Stack, as_list, references, statements

LAMBDAS_OWN = "Lambda itself, for a function in a VPC; within the function a Deny takes it back"
LOG_DELIVERY = "log deliveries know no narrower resource"

# Actions that may stand with `Resource: "*"`, and why.
WITHOUT_RESOURCE = {
    "cloudwatch:GetMetricData": "knows no resource",
    "cloudwatch:PutMetricData": "knows no resource; a condition names the namespace",
    "ec2:AssignPrivateIpAddresses": LAMBDAS_OWN,
    "ec2:CreateNetworkInterface": LAMBDAS_OWN,
    "ec2:DeleteNetworkInterface": LAMBDAS_OWN,
    "ec2:DescribeNetworkInterfaces": "knows no resource",
    "ec2:DescribeSubnets": "knows no resource",
    "ec2:UnassignPrivateIpAddresses": LAMBDAS_OWN,
    "logs:CreateLogDelivery": LOG_DELIVERY,
    "logs:DeleteLogDelivery": LOG_DELIVERY,
    "logs:DescribeLogGroups": LOG_DELIVERY,
    "logs:DescribeResourcePolicies": LOG_DELIVERY,
    "logs:GetLogDelivery": LOG_DELIVERY,
    "logs:ListLogDeliveries": LOG_DELIVERY,
    "logs:PutResourcePolicy": LOG_DELIVERY,
    "logs:UpdateLogDelivery": LOG_DELIVERY,
    "xray:PutTelemetryRecords": "knows no resource",
    "xray:PutTraceSegments": "knows no resource",
}

# Services that act for whoever asks them, in a trust or in a resource's policy.
DEPUTIES = ("events", "s3", "scheduler", "sns", "states")
CLIENT_ACTIONS = {f"elasticfilesystem:Client{right}" for right in ("Mount", "RootAccess", "Write")}
POLICIES_OF_RESOURCES = ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy")


class Violation(NamedTuple):
    """Where a rule is broken, how, and what to do."""

    resource: str
    what: str
    remedy: str


class Statement(NamedTuple):
    """A statement of a policy, and the resource it stands in."""

    resource: str
    body: dict[str, Any]

    @property
    def actions(self) -> list[str]:
        return as_list(self.body.get("Action"))

    @property
    def allows(self) -> bool:
        return self.body["Effect"] == "Allow"

    @property
    def name(self) -> str:
        return self.body.get("Sid", "a statement")


def identity_statements(stack: Stack) -> Iterator[Statement]:
    """What roles may do."""
    for name, role in stack.of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            yield from (Statement(name, body) for body in statements(policy["PolicyDocument"]))
    for kind in ("AWS::IAM::RolePolicy", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for name, policy in stack.of_type(kind).items():
            yield from (Statement(name, body) for body in statements(policy["PolicyDocument"]))


def resource_statements(stack: Stack) -> Iterator[Statement]:
    """What queues, buckets and topics let others do."""
    for kind in POLICIES_OF_RESOURCES:
        for name, policy in stack.of_type(kind).items():
            yield from (Statement(name, body) for body in statements(policy["PolicyDocument"]))


def trusts(stack: Stack) -> Iterator[Statement]:
    """Who may take on which role."""
    for name, role in stack.of_type("AWS::IAM::Role").items():
        document = role["AssumeRolePolicyDocument"]
        yield from (Statement(name, body) for body in statements(document))


def actions_are_spelled_out(stack: Stack) -> Iterator[Violation]:
    """What is allowed names its actions, without a wildcard and not by exclusion."""
    for it in [*identity_statements(stack), *resource_statements(stack)]:
        if not it.allows:
            continue
        for action in it.actions:
            if "*" in action or "?" in action:
                yield Violation(it.resource, f"{it.name} allows {action}", "list the actions that are made")
        for key in ("NotAction", "NotResource", "NotPrincipal"):
            if key in it.body:
                yield Violation(it.resource, f"{it.name} allows by {key}", "list what is allowed instead")


def resources_are_spelled_out(stack: Stack) -> Iterator[Violation]:
    """What is allowed names its resources, but for the actions that know none."""
    for it in identity_statements(stack):
        if it.allows and "*" in as_list(it.body.get("Resource")):
            for action in it.actions:
                if action not in WITHOUT_RESOURCE:
                    remedy = "name the resource's ARN, or say in WITHOUT_RESOURCE why there is none"
                    yield Violation(it.resource, f"{it.name} allows {action} on every resource", remedy)


def policies_are_the_stacks_own(stack: Stack) -> Iterator[Violation]:
    """No role takes a managed policy, which others may change."""
    for name, role in stack.of_type("AWS::IAM::Role").items():
        for policy in role.get("ManagedPolicyArns", []):
            yield Violation(name, f"it takes {policy}", "list its actions in a policy of the role's own")


def metrics_name_their_namespace(stack: Stack) -> Iterator[Violation]:
    """Who may write metrics may do so in one namespace."""
    for it in identity_statements(stack):
        named = "cloudwatch:namespace" in _condition(it, "StringEquals")
        if it.allows and "cloudwatch:PutMetricData" in it.actions and not named:
            remedy = 'add Condition: { StringEquals: { "cloudwatch:namespace": … } }'
            yield Violation(it.resource, f"{it.name} allows metrics of any namespace", remedy)


def buckets_are_of_this_account(stack: Stack) -> Iterator[Violation]:
    """What a role may do in S3 it may do in buckets of this account: an ARN names none, and who deletes one frees its name."""
    for it in identity_statements(stack):
        account = _condition(it, "StringEquals").get("aws:ResourceAccount")
        if it.allows and any(action.startswith("s3:") for action in it.actions) and account != {"Ref": "AWS::AccountId"}:
            remedy = 'add Condition: { StringEquals: { "aws:ResourceAccount": !Ref AWS::AccountId } }'
            yield Violation(it.resource, f"{it.name} is for a bucket of any account", remedy)


def vpc_rights_stay_with_lambda(stack: Stack) -> Iterator[Violation]:
    """The rights by which Lambda puts a function into a VPC are denied to the function's own code."""
    for properties in stack.of_type("AWS::Lambda::Function").values():
        role = next(references(properties.get("Role")), "")
        mine = [it for it in identity_statements(stack) if it.resource == role and "VpcConfig" in properties]
        allowed = {action for it in mine if it.allows for action in it.actions if action.startswith("ec2:")}
        denied = {
            action
            for it in mine
            if not it.allows and "lambda:SourceFunctionArn" in _condition(it, "ArnEquals")
            for action in it.actions
        }
        if left := sorted(allowed - denied):
            remedy = "deny them where lambda:SourceFunctionArn is the function"
            yield Violation(role, f"the function itself may call {', '.join(left)}", remedy)


def deputies_act_for_this_account(stack: Stack) -> Iterator[Violation]:
    """A service that acts for its caller may do so for callers of this account alone."""
    for it in [*trusts(stack), *resource_statements(stack)]:
        principal = it.body.get("Principal")
        services = as_list(principal.get("Service")) if isinstance(principal, dict) else []
        for service in services:
            account = _condition(it, "StringEquals").get("aws:SourceAccount")
            if it.allows and service.split(".")[0] in DEPUTIES and account != {"Ref": "AWS::AccountId"}:
                remedy = 'add Condition: { StringEquals: { "aws:SourceAccount": !Ref AWS::AccountId } }'
                yield Violation(it.resource, f"{service} may act in it for any account", remedy)


def senders_are_named(stack: Stack) -> Iterator[Violation]:
    """A service sends to a queue for one resource alone: its ARN is a condition."""
    for it in resource_statements(stack):
        principal = it.body.get("Principal")
        services = as_list(principal.get("Service")) if isinstance(principal, dict) else []
        for service in services:
            if it.allows and "aws:SourceArn" not in _condition(it, "ArnEquals"):
                remedy = 'add Condition: { ArnEquals: { "aws:SourceArn": … } }'
                yield Violation(it.resource, f"{service} may send for any resource of the account", remedy)


def file_systems_are_entered_by_a_door(stack: Stack) -> Iterator[Violation]:
    """A role mounts a file system by one access point, and never as root."""
    for it in identity_statements(stack):
        client = [action for action in it.actions if action.startswith("elasticfilesystem:Client")]
        if it.allows and client and "elasticfilesystem:AccessPointArn" not in _condition(it, "StringEquals"):
            remedy = 'add Condition: { StringEquals: { "elasticfilesystem:AccessPointArn": … } }'
            yield Violation(it.resource, f"{it.name} allows {client[0]} by any access point, or none", remedy)
        if it.allows and "elasticfilesystem:ClientRootAccess" in client:
            yield Violation(it.resource, f"{it.name} lets it be root", "remove elasticfilesystem:ClientRootAccess")


def file_systems_refuse_strangers(stack: Stack) -> Iterator[Violation]:
    """A file system refuses plain NFS and who comes by no access point, and gives nobody a right by itself."""
    refusals = {
        "plain NFS": {"Bool": {"aws:SecureTransport": "false"}},
        "other ways than access points": {"Null": {"elasticfilesystem:AccessPointArn": "true"}},
    }
    for name, system in stack.of_type("AWS::EFS::FileSystem").items():
        rules = [Statement(name, body) for body in statements(system.get("FileSystemPolicy", {"Statement": []}))]
        for what, condition in refusals.items():
            denying = [it for it in rules if not it.allows and it.body.get("Condition") == condition]
            if not any(CLIENT_ACTIONS <= set(it.actions) for it in denying):
                yield Violation(name, f"it does not refuse {what}", "deny it in FileSystemPolicy")
        if any(it.allows for it in rules):
            yield Violation(name, "its policy allows something", "leave that to the roles")


def access_points_are_not_roots(stack: Stack) -> Iterator[Violation]:
    """An access point gives a user that is not root a folder that others cannot enter."""
    for name, point in stack.of_type("AWS::EFS::AccessPoint").items():
        user, root = point.get("PosixUser", {}), point.get("RootDirectory", {})
        info = root.get("CreationInfo", {})
        ids = [user.get("Uid"), user.get("Gid"), info.get("OwnerUid"), info.get("OwnerGid")]
        if any(str(it) in ("None", "0") for it in ids):
            yield Violation(name, "its user, or the owner of its folder, is root or not set", "set PosixUser and CreationInfo")
        if root.get("Path", "/") == "/":
            yield Violation(name, "it is the whole file system", "set RootDirectory.Path")
        if not str(info.get("Permissions", "0777")).endswith("0"):
            yield Violation(name, "every user may enter its folder", 'make Permissions "0750"')


def roles_are_not_shared(stack: Stack) -> Iterator[Violation]:
    """Every function has a role of its own, made here."""
    owners: dict[str, str] = {}
    for name, properties in stack.of_type("AWS::Lambda::Function").items():
        role = next(references(properties.get("Role")), None)
        if role not in stack.of_type("AWS::IAM::Role"):
            yield Violation(name, "its role is not one of this template", "add one, and Role: !GetAtt <role>.Arn")
        elif role in owners:
            yield Violation(name, f"it shares {role} with {owners[role]}", "give it a role of its own")
        else:
            owners[role] = name


def _condition(it: Statement, operator: str) -> dict[str, Any]:
    return it.body.get("Condition", {}).get(operator, {})


RULES = [
    actions_are_spelled_out,
    resources_are_spelled_out,
    policies_are_the_stacks_own,
    metrics_name_their_namespace,
    buckets_are_of_this_account,
    vpc_rights_stay_with_lambda,
    deputies_act_for_this_account,
    senders_are_named,
    file_systems_are_entered_by_a_door,
    file_systems_refuse_strangers,
    access_points_are_not_roots,
    roles_are_not_shared,
]
