"""What a stack was asked for: its name, its parameters, and the names that it made up itself."""

import dataclasses

from cloud import REGION

ACCOUNT = "000000000000"

# The template's own, as the README promises them; here a second time, so that a change of one is a change of both.
DEFAULTS = {
    "ExistingBucketName": "",
    "ExistingBucketKeyArn": "",
    "SourcePrefix": "incoming/",
    "OutputPrefix": "processed/",
    "CompressionFormat": "zip",
    "CompressionLevel": "",
    "MaxObjectBytes": "5368709120",
    "SourceDisposition": "auto",
    "OldVersionDays": "1",
    "OldResultDays": "30",
    "UnprocessedExpirationDays": "0",
    "Architecture": "arm64",
    "CompressMemoryMb": "256",
    "CompressTimeoutSeconds": "900",
    "CompressMaxConcurrency": "100",
    "CompressReservedConcurrency": "0",
    "BatchConcurrency": "10",
    "FileSystemAccessPointArn": "",
    "NewFileSystem": "false",
    "VpcId": "",
    "EfsSubnetIds": "",
    "EfsSecurityGroupIds": "",
    "MountPath": "/mnt/data",
    "NewFileSystemKeyArn": "",
    "VpcCidr": "10.0.0.0/16",
    "FirstSubnetCidr": "10.0.0.0/20",
    "SecondSubnetCidr": "10.0.16.0/20",
    "EfsThroughputMode": "elastic",
    "EfsBackup": "ENABLED",
    "EfsToIaDays": "30",
    "EfsBackOnAccess": "true",
    "PurgeDryRun": "true",
    "PurgeMaxAgeDays": "30",
    "PurgeMinAgeDays": "1",
    "PurgeAgeBy": "newest",
    "PurgeInclude": "",
    "PurgeExclude": "",
    "PurgeRemoveEmptyDirs": "false",
    "PurgeMaxEmptyDirs": "500",
    "PurgeMaxDeletes": "",
    "PurgeMaxDeleteFraction": "0.2",
    "PurgeAudit": "false",
    "PurgeScheduleState": "DISABLED",
    "PurgeScheduleExpression": "cron(0 3 * * ? *)",
    "PurgeScheduleTimezone": "UTC",
    "PurgeWorkers": "8",
    "PurgeConcurrency": "64",
    "CountConcurrency": "64",
    "PurgeMemoryMb": "256",
    "CountMemoryMb": "256",
    "PurgeReservedConcurrency": "0",
    "CountReservedConcurrency": "0",
    "FileSystemId": "",
    "MonitorNewFileSystem": "false",
    "MonitorSubnetIds": "",
    "MonitorSecurityGroupIds": "",
    "MonitorMode": "recommend",
    "MonitorScaleIn": "false",
    "MonitorProtectedZones": "",
    "FileCountThreshold": "100000",
    "MonitorCountEverySeconds": "3600",
    "MonitorScheduleState": "ENABLED",
    "MonitorReservedConcurrency": "1",
    "InventoryBucketName": "",
    "BackfillMemoryMb": "512",
    "BackfillStorageMb": "2048",
    "BackfillJobDays": "30",
    "LogLevel": "DEBUG",
    "LogSampleRate": "0.01",
    "LogRetentionDays": "7",
    "Tracing": "PassThrough",
    "KmsKeyArn": "",
    "AlarmTopicArn": "",
    "QueueAgeAlarmSeconds": "21600",
    "PurgeHeartbeatHours": "26",
}


@dataclasses.dataclass(frozen=True)
class Given:
    """One deployment; `ids` are the physical ids of its resources, by logical id."""

    name: str
    parameters: dict[str, str]
    ids: dict[str, str]

    def __getitem__(self, parameter: str) -> str:
        return self.parameters[parameter]

    def number(self, parameter: str) -> int:
        return int(self[parameter])

    @property
    def makes_bucket(self) -> bool:
        return not self["ExistingBucketName"]

    @property
    def keeps_sources(self) -> bool:
        return self["SourceDisposition"] == "keep" or self["SourceDisposition"] == "auto" and not self.makes_bucket

    @property
    def makes_file_system(self) -> bool:
        return self["NewFileSystem"] == "true"

    @property
    def makes_vpc(self) -> bool:
        return self.makes_file_system and not self["VpcId"]

    @property
    def has_files(self) -> bool:
        return self.makes_file_system or bool(self["FileSystemAccessPointArn"])

    @property
    def has_monitor(self) -> bool:
        return self.has_files and (bool(self["FileSystemId"]) or self["MonitorNewFileSystem"] == "true")

    @property
    def purge_is_awaited(self) -> bool:
        return self.has_files and self["PurgeScheduleState"] == "ENABLED" and self["PurgeHeartbeatHours"] != "0"

    @property
    def monitor_applies(self) -> bool:
        return self.has_monitor and self["MonitorMode"] == "apply"

    @property
    def monitor_is_awaited(self) -> bool:
        return self.has_monitor and self["MonitorScheduleState"] == "ENABLED"

    @property
    def bucket(self) -> str:
        return self["ExistingBucketName"] or f"{self.name}-{ACCOUNT}-{REGION}"

    @property
    def file_system(self) -> str:
        return self.ids["FileSystem"] if self.makes_file_system else self["FileSystemId"]

    @property
    def subnets(self) -> list[str]:
        """Those of count and purge, and of the mount targets that are made."""
        if self.makes_vpc:
            return [self.ids["FirstSubnet"], self.ids["SecondSubnet"]]
        given = self["EfsSubnetIds"].split(",")
        return given[:2] if self.makes_file_system else given

    def access_point(self, service: str) -> str:
        """The ARN of the one that the function mounts."""
        if not self.makes_file_system:
            return self["FileSystemAccessPointArn"]
        made = self.ids[f"{service.capitalize()}AccessPoint"]
        return self.arn("elasticfilesystem", f"access-point/{made}")

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"

    def queue_arn(self, logical: str) -> str:
        return self.arn("sqs", self.ids[logical].rpartition("/")[2])

    def role_arn(self, logical: str) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/{self.ids[logical]}"
