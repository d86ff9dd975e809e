"""The stacks that are deployed for comparison: what is there before each, its parameters, and what is changed later."""

import dataclasses
from collections.abc import Callable

import sweep
import targets
from cloud import REGION, Cloud
from deployment import STACK, client


@dataclasses.dataclass(frozen=True)
class Variant:
    """`surroundings` makes what has to be there, and says the parameters."""

    label: str
    stack: str
    surroundings: Callable[[Cloud], dict[str, str]]
    changes: dict[str, str] = dataclasses.field(default_factory=dict)


def _file_system(cloud: Cloud) -> dict[str, str]:
    """A file system with subnets, and a topic."""
    volume = sweep.file_system(cloud)
    topic = client(cloud, "sns").create_topic(Name="alarms")["TopicArn"]
    chosen = {"AlarmTopicArn": topic, "MonitorProtectedZones": f"{REGION}a"}
    return volume | targets.zones(cloud, volume["FileSystemId"]) | chosen


def _key(cloud: Cloud) -> dict[str, str]:
    key = client(cloud, "kms").create_key()["KeyMetadata"]["Arn"]
    choices = {"Tracing": "Active", "CompressMaxConcurrency": "0", "CompressionLevel": "9", "UnprocessedExpirationDays": "30"}
    return {"KmsKeyArn": key, "InventoryBucketName": "lists"} | choices


def _nothing(cloud: Cloud) -> dict[str, str]:
    """A key of the file system's, and addresses of its own for the VPC."""
    key = client(cloud, "kms").create_key()["KeyMetadata"]["Arn"]
    network = {"VpcCidr": "10.3.0.0/16", "FirstSubnetCidr": "10.3.0.0/24", "SecondSubnetCidr": "10.3.1.0/24"}
    monitor = {"MonitorNewFileSystem": "true", "MonitorProtectedZones": f"{REGION}c"}
    return {"NewFileSystem": "true", "NewFileSystemKeyArn": key} | network | monitor


def _bucket_and_vpc(cloud: Cloud) -> dict[str, str]:
    """A bucket that tells EventBridge, and a VPC with subnets in three zones."""
    s3, ec2 = client(cloud, "s3"), client(cloud, "ec2")
    s3.create_bucket(Bucket="there-already")
    s3.put_bucket_notification_configuration(Bucket="there-already", NotificationConfiguration={"EventBridgeConfiguration": {}})
    vpc = ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.2.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
        for number, zone in enumerate("abc")
    ]
    # MiniStack 1.5.33 stops polling a queue whose mapping has a bound, see losses.py.
    bucket = {"ExistingBucketName": "there-already", "CompressMaxConcurrency": "0"}
    return bucket | {"NewFileSystem": "true", "VpcId": vpc, "EfsSubnetIds": ",".join(subnets)}


VARIANTS = (
    Variant(
        "with a file system",
        STACK,
        _file_system,
        {
            "PurgeDryRun": "false",
            "PurgeMaxAgeDays": "45",
            "CompressTimeoutSeconds": "300",
            "LogRetentionDays": "14",
            "PurgeScheduleState": "ENABLED",
            "BackfillMemoryMb": "1024",
            "BackfillStorageMb": "4096",
            "BackfillJobDays": "90",
        },
    ),
    Variant("without a file system, with a key", f"{STACK}-key", _key),
    Variant(
        "with a new file system",
        f"{STACK}-new",
        _nothing,
        {"EfsThroughputMode": "bursting", "EfsToIaDays": "0", "EfsBackup": "DISABLED", "MountPath": "/mnt/files"},
    ),
    Variant("in a bucket and a VPC that were there", f"{STACK}-there", _bucket_and_vpc),
)
