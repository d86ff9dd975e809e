"""Rules about the way between the functions and their files: networks, security groups, mount targets."""

from collections.abc import Iterator
from typing import Any

from access import Statement, Violation
from stack import Stack, as_list, references, statements

NFS = 2049
NOWHERE = "127.0.0.1/32"

# What leads out of a VPC, or is billed by the hour.
WAYS_OUT = (
    "AWS::EC2::EgressOnlyInternetGateway",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::NatGateway",
    "AWS::EC2::Route",
    "AWS::EC2::TransitGatewayAttachment",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::EC2::VPCPeeringConnection",
    "AWS::EC2::VPNGateway",
)


def networks_lead_nowhere(stack: Stack) -> Iterator[Violation]:
    """No network has a way to the internet, nor a part that is billed while nothing happens."""
    for kind in WAYS_OUT:
        for name in stack.of_type(kind):
            yield Violation(name, f"it is a way out ({kind})", "remove it: count and purge call nothing of AWS")
    for name, subnet in stack.of_type("AWS::EC2::Subnet").items():
        if str(subnet.get("MapPublicIpOnLaunch")).lower() != "false":
            yield Violation(name, "what is put into it may get a public address", "set MapPublicIpOnLaunch: false")
    for name, endpoint in stack.of_type("AWS::EC2::VPCEndpoint").items():
        if endpoint.get("VpcEndpointType") != "Gateway":
            yield Violation(name, "it is billed by the hour", "set VpcEndpointType: Gateway, or do without")


def endpoints_are_narrow(stack: Stack) -> Iterator[Violation]:
    """Through an endpoint this account reaches named resources by named actions, nobody anything else."""
    for name, endpoint in stack.of_type("AWS::EC2::VPCEndpoint").items():
        document = endpoint.get("PolicyDocument")
        if not document:
            yield Violation(name, "whatever the service has can be reached through it", "set PolicyDocument")
            continue
        for it in (Statement(name, body) for body in statements(document)):
            if not it.allows:
                continue
            if any("*" in action for action in it.actions) or "*" in as_list(it.body.get("Resource", "*")):
                yield Violation(name, f"{it.name} is not narrow", "list actions and resources")
            account = it.body.get("Condition", {}).get("StringEquals", {}).get("aws:PrincipalAccount")
            if account != {"Ref": "AWS::AccountId"}:
                remedy = 'add Condition: { StringEquals: { "aws:PrincipalAccount": !Ref AWS::AccountId } }'
                yield Violation(name, f"{it.name} lets any account through", remedy)


def groups_let_only_nfs_through(stack: Stack) -> Iterator[Violation]:
    """A security group lets NFS through between groups, and nothing else in or out."""
    for name, group in stack.of_type("AWS::EC2::SecurityGroup").items():
        if not group.get("SecurityGroupEgress"):
            yield Violation(name, "without a rule it lets everything out", "set SecurityGroupEgress")
        for rule in [*group.get("SecurityGroupIngress", []), *group.get("SecurityGroupEgress", [])]:
            if not _is_nfs(rule) and rule.get("CidrIp") != NOWHERE:
                yield Violation(name, f"the rule {rule.get('Description')!r} is for more than NFS", "name port and group")


def mount_targets_come_first(stack: Stack) -> Iterator[Violation]:
    """A function that mounts a file system refers to the mount targets that are made here, so it is made after them."""
    targets = set(stack.of_type("AWS::EFS::MountTarget"))
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        if function.get("FileSystemConfigs") and (missing := sorted(targets - set(references(function)))):
            yield Violation(name, f"it may be made before {', '.join(missing)}", "name them in its tag mount-targets")


def mount_targets_made_here_stay(stack: Stack) -> Iterator[Violation]:
    """monitor removes no mount target that the stack has made, nor one in a zone that was named."""
    monitor = stack.functions().get("monitor")
    if monitor is None or not stack.of_type("AWS::EFS::MountTarget"):
        return
    protected = stack.value(stack.variables(monitor).get("PROTECTED_ZONES"), {"NewFileSystem": "true"})
    for subnet in stack.of_type("AWS::EC2::Subnet"):
        if subnet not in references(protected):
            yield Violation(monitor, f"the zone of {subnet} is not protected", "add its zone to PROTECTED_ZONES")
    for given in ({"NewFileSystem": "true"}, {"FileSystemId": "fs-1"}):
        zones = stack.value(stack.variables(monitor).get("PROTECTED_ZONES"), given | {"MonitorProtectedZones": "a zone"})
        if "a zone" not in str(zones):
            yield Violation(monitor, f"with {given} MonitorProtectedZones changes nothing", "put it into PROTECTED_ZONES")
    asserted = [it["Assert"] for it in stack.template["Rules"].get("GivenVpcHasSubnets", {}).get("Assertions", [])]
    if {"Fn::Equals": [{"Ref": "MonitorScaleIn"}, "false"]} not in asserted:
        remedy = "assert in GivenVpcHasSubnets that MonitorScaleIn is false"
        yield Violation(monitor, "in a VPC that is given, whose zones are not known, it may remove", remedy)


def _is_nfs(rule: dict[str, Any]) -> bool:
    between_groups = "SourceSecurityGroupId" in rule or "DestinationSecurityGroupId" in rule
    return between_groups and [rule.get(key) for key in ("IpProtocol", "FromPort", "ToPort")] == ["tcp", NFS, NFS]


RULES = [
    networks_lead_nowhere,
    endpoints_are_narrow,
    groups_let_only_nfs_through,
    mount_targets_come_first,
    mount_targets_made_here_stay,
]
