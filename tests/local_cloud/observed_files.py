"""What a file system and the network around it are, asked of EFS and EC2."""

import json
from collections.abc import Callable


def _file_system(of: Callable, name: str) -> dict:
    efs = of("efs")
    return efs.describe_file_systems(FileSystemId=name)["FileSystems"][0] | {
        "Lifecycle": efs.describe_lifecycle_configuration(FileSystemId=name)["LifecyclePolicies"],
        "Backup": efs.describe_backup_policy(FileSystemId=name)["BackupPolicy"]["Status"],
        "Policy": json.loads(efs.describe_file_system_policy(FileSystemId=name)["Policy"])["Statement"],
    }


def _mount_target(of: Callable, name: str) -> dict:
    efs = of("efs")
    groups = efs.describe_mount_target_security_groups(MountTargetId=name)["SecurityGroups"]
    return efs.describe_mount_targets(MountTargetId=name)["MountTargets"][0] | {"SecurityGroups": groups}


def _access_point(of: Callable, name: str) -> dict:
    return of("efs").describe_access_points(AccessPointId=name)["AccessPoints"][0]


def _vpc(of: Callable, name: str) -> dict:
    ec2 = of("ec2")
    asked = {"EnableDnsSupport": "enableDnsSupport", "EnableDnsHostnames": "enableDnsHostnames"}
    switches = {field: ec2.describe_vpc_attribute(VpcId=name, Attribute=attribute) for field, attribute in asked.items()}
    return ec2.describe_vpcs(VpcIds=[name])["Vpcs"][0] | {field: switch[field]["Value"] for field, switch in switches.items()}


def _subnet(of: Callable, name: str) -> dict:
    return of("ec2").describe_subnets(SubnetIds=[name])["Subnets"][0]


def _route_table(of: Callable, name: str) -> dict:
    table = of("ec2").describe_route_tables(RouteTableIds=[name])["RouteTables"][0]
    routes = [(route["DestinationCidrBlock"], route["GatewayId"]) for route in table["Routes"] if "DestinationCidrBlock" in route]
    return {"VpcId": table["VpcId"], "Routes": routes, "Subnets": sorted(a["SubnetId"] for a in table["Associations"])}


def _endpoint(of: Callable, name: str) -> dict:
    endpoint = of("ec2").describe_vpc_endpoints(VpcEndpointIds=[name])["VpcEndpoints"][0]
    return endpoint | {"Policy": json.loads(endpoint.get("PolicyDocument", "null"))}


def _group(of: Callable, name: str) -> dict:
    """Its rules as (protocol, from, to, whom)."""
    group = of("ec2").describe_security_groups(GroupIds=[name])["SecurityGroups"][0]
    sides = {"In": group["IpPermissions"], "Out": group["IpPermissionsEgress"]}
    return {"VpcId": group["VpcId"]} | {side: [rule for one in rules for rule in _rules(one)] for side, rules in sides.items()}


def _rules(permission: dict) -> list[tuple]:
    whom = [pair["GroupId"] for pair in permission["UserIdGroupPairs"]]
    whom += [addresses["CidrIp"] for addresses in permission["IpRanges"]]
    whom += [addresses["CidrIpv6"] for addresses in permission["Ipv6Ranges"]]
    whom += [prefixes["PrefixListId"] for prefixes in permission["PrefixListIds"]]
    return [(permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort"), one) for one in whom]


READERS = {
    "EC2::RouteTable": _route_table,
    "EC2::SecurityGroup": _group,
    "EC2::Subnet": _subnet,
    "EC2::VPC": _vpc,
    "EC2::VPCEndpoint": _endpoint,
    "EFS::AccessPoint": _access_point,
    "EFS::FileSystem": _file_system,
    "EFS::MountTarget": _mount_target,
}
