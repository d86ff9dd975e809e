"""A file system that the stack makes, its doors, and the VPC around it."""

from cloud import REGION
from given import ACCOUNT, Given
from observed import Fields

NOWHERE = ("-1", None, None, "127.0.0.1/32")


def files(given: Given) -> dict[str, Fields]:
    """By logical id."""
    return _file_system(given) | _groups(given) | (_network(given) if given.makes_vpc else {})


def _file_system(given: Given) -> dict[str, Fields]:
    days = given.number("EfsToIaDays")
    lifecycle = [{"TransitionToIA": f"AFTER_{days}_DAYS"}] if days else []
    back = days and given["EfsBackOnAccess"] == "true"
    lifecycle += [{"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"}] if back else []
    file_system = {
        "Encrypted": True,
        "PerformanceMode": "generalPurpose",
        "ThroughputMode": given["EfsThroughputMode"],
        "NumberOfMountTargets": 2,
        "Lifecycle": lifecycle,
        "Backup": given["EfsBackup"],
        "Policy": _policy(given),
    }
    point = {
        "FileSystemId": given.file_system,
        "PosixUser": {"Uid": 1000, "Gid": 1000},
        "RootDirectory": {"Path": "/data", "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0750"}},
    }
    groups = [given.ids["MountTargetsGroup"]]
    target = {"FileSystemId": given.file_system, "SecurityGroups": groups, "LifeCycleState": "available"}
    first, second = given.subnets
    return {
        "FileSystem": file_system | ({"KmsKeyId": given["KmsKeyArn"]} if given["KmsKeyArn"] else {}),
        "FirstMountTarget": target | {"SubnetId": first, "AvailabilityZoneName": f"{REGION}a"},
        "SecondMountTarget": target | {"SubnetId": second, "AvailabilityZoneName": f"{REGION}b"},
        "CountAccessPoint": point | {"Name": f"{given.name}-count"},
        "PurgeAccessPoint": point | {"Name": f"{given.name}-purge"},
    }


def _policy(given: Given) -> list[dict]:
    conditions = {
        "DenyPlainNfs": {"Bool": {"aws:SecureTransport": "false"}},
        "DenyOtherWaysThanAccessPoints": {"Null": {"elasticfilesystem:AccessPointArn": "true"}},
    }
    return [
        {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": [f"elasticfilesystem:{action}" for action in ("ClientMount", "ClientRootAccess", "ClientWrite")],
            "Condition": condition,
            "Resource": given.arn("elasticfilesystem", f"file-system/{given.file_system}"),
        }
        for sid, condition in conditions.items()
    ]


def _groups(given: Given) -> dict[str, Fields]:
    """Port 2049 and nothing else, from one group to the other."""
    vpc = {"VpcId": given.ids["Vpc"] if given.makes_vpc else given["VpcId"]}
    clients, targets = (("tcp", 2049, 2049, given.ids[name]) for name in ("FileSystemClients", "MountTargetsGroup"))
    return {
        "FileSystemClients": vpc | {"In": [], "Out": [NOWHERE]},
        "MountTargetsGroup": vpc | {"In": [clients], "Out": [NOWHERE]},
        "FunctionsGroup": vpc | {"In": [], "Out": [targets]},
    }


def _network(given: Given) -> dict[str, Fields]:
    vpc, bucket = given.ids["Vpc"], f"arn:aws:s3:::{given.bucket}"
    subnet = {"VpcId": vpc, "MapPublicIpOnLaunch": False}
    actions = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]
    statement = {
        "Sid": "OneBucket",
        "Effect": "Allow",
        "Principal": "*",
        "Action": actions,
        "Resource": [bucket, f"{bucket}/*"],
        "Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
    }
    endpoint = {
        "VpcEndpointType": "Gateway",
        "VpcId": vpc,
        "ServiceName": f"com.amazonaws.{REGION}.s3",
        "RouteTableIds": [given.ids["RouteTable"]],
        "Policy": {"Version": "2012-10-17", "Statement": [statement]},
    }
    return {
        "Vpc": {"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": True, "EnableDnsHostnames": True},
        "FirstSubnet": subnet | {"CidrBlock": "10.0.0.0/20", "AvailabilityZone": f"{REGION}a"},
        "SecondSubnet": subnet | {"CidrBlock": "10.0.16.0/20", "AvailabilityZone": f"{REGION}b"},
        # The way to S3 is by a list of prefixes, which is no block of addresses.
        "RouteTable": {"VpcId": vpc, "Routes": [("10.0.0.0/16", "local")], "Subnets": sorted(given.subnets)},
        "FirstSubnetRoutes": {},
        "SecondSubnetRoutes": {},
        "S3Endpoint": endpoint,
    }
