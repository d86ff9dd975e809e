"""Drives the controller of mount targets over a file system with one of them and shows what happened.

The local cloud counts nothing by itself: the function `count` looks at the folder that `sweep.py` has left.
"""

import datetime
import json

import report
from cloud import REGION, Cloud
from deployment import Deployment, client

THRESHOLD = 300
SUBNETS = (("first", "a", 1), ("spare", "a", 2), ("other", "b", 3))


def zones(cloud: Cloud, volume: str) -> dict[str, str]:
    """Three subnets in two zones, one mount target in the first: the parameters of the template that go with them."""
    ec2, efs = client(cloud, "ec2"), client(cloud, "efs")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    ids = {}
    for name, zone, number in SUBNETS:
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        ids[name] = made["Subnet"]["SubnetId"]
    efs.create_mount_target(FileSystemId=volume, SubnetId=ids["first"])
    group = ec2.create_security_group(GroupName="mount-targets", Description="NFS from clients", VpcId=vpc)["GroupId"]
    return {
        "MonitorSubnetIds": ",".join([ids["spare"], ids["first"], ids["other"]]),
        "MonitorSecurityGroupIds": group,
        "MonitorMode": "apply",
        "MonitorScheduleState": "DISABLED",
        "FileCountThreshold": str(THRESHOLD),
    }


class TargetsDemo:
    """One run over one deployment."""

    def __init__(self, deployment: Deployment):
        self.deployment = deployment
        self.function = deployment.outputs["MonitorFunctionName"]
        settings = deployment.client("lambda").get_function_configuration(FunctionName=self.function)
        self.variables = settings["Environment"]["Variables"]
        self.volume = self.variables["EFS_FILE_SYSTEM_ID"]
        self.claims = report.Claims()
        self.rows: list[tuple[str, ...]] = []

    def run(self) -> bool:
        """Whether everything came true."""
        self.show_change()
        self.show_cache()
        self.show_list()
        self.show_metrics()
        self.show_duplicate()
        report.print_ticks(self.rows)
        self.claims.print()
        if not self.claims.all_true:
            report.print_function_log(self.deployment)
        return self.claims.all_true

    def tick(self, label: str, minute: int) -> dict:
        """One invocation, as the schedule makes it; a row of the table."""
        payload = json.dumps({"time": f"2026-11-21T00:{minute:02}:00Z"})
        answer = self.deployment.client("lambda").invoke(FunctionName=self.function, Payload=payload)
        said = json.loads(answer["Payload"].read())
        self.rows.append(report.tick_row(label, said))
        return said

    def targets(self) -> list[dict]:
        described = self.deployment.client("efs").describe_mount_targets(FileSystemId=self.volume)
        return described["MountTargets"]

    def show_change(self) -> None:
        before = self.targets()
        said = self.tick("more files than one is for", 0)
        after = self.targets()
        new = [target for target in after if target not in before]
        zone = [target["AvailabilityZoneName"] for target in new]
        self.claims.add("one mount target became two", (len(before), len(after)) == (1, 2), said)
        right = said.get("decision") == "create" and zone == [f"{REGION}b"]
        self.claims.add("the new one is in the zone that had none, though the first subnet of the list was unused", right, said)
        efs, wanted = self.deployment.client("efs"), self.variables["SECURITY_GROUP_IDS"].split(",")
        ids = [target["MountTargetId"] for target in new]
        worn = [efs.describe_mount_target_security_groups(MountTargetId=it)["SecurityGroups"] for it in ids]
        self.claims.add("it wears the group of MonitorSecurityGroupIds", worn == [wanted], worn)
        self.claims.add(
            f"it counted, and says so: {said.get('reason')}",
            said.get("count_source") == "fresh" and said.get("file_count", 0) > THRESHOLD,
            said,
        )

    def show_cache(self) -> None:
        said = self.tick("again, within the time to live", 5)
        self.claims.add("the next tick counts nothing", said.get("count_source") == "cache", said)
        held = said.get("decision") == "hold" and not said.get("new_mount_target_created")
        self.claims.add("it holds: there are as many as there should be", held, said)

    def show_list(self) -> None:
        ssm = self.deployment.client("ssm")
        name = self.deployment.outputs["MountTargetsParameter"]
        try:
            published = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            published = "{}"  # no tick has come that far
        listed = json.loads(published).get("mount_targets", [])
        there = {target["MountTargetId"]: target["IpAddress"] for target in self.targets()}
        same = {target["mount_target_id"]: target["ip_address"] for target in listed} == there
        self.claims.add("the parameter lists both, with their addresses", same and len(listed) == 2, published)

    def show_metrics(self) -> None:
        now = datetime.datetime.now(datetime.UTC)
        cloudwatch = self.deployment.client("cloudwatch")
        for name, least in (("FileCount", THRESHOLD + 1), ("MountTargets", 1), ("MountTargetsCreated", 1)):
            read = cloudwatch.get_metric_statistics(
                Namespace="Sluice",
                MetricName=name,
                Dimensions=[{"Name": "FileSystemId", "Value": self.volume}],
                StartTime=now - datetime.timedelta(hours=1),
                EndTime=now + datetime.timedelta(hours=1),
                Period=60,
                Statistics=["Maximum"],
            )["Datapoints"]
            most = max((point["Maximum"] for point in read), default=0)
            self.claims.add(f"the metric {name} arrived in CloudWatch", most >= least, read)

    def show_duplicate(self) -> None:
        said = self.tick("the same event again", 5)
        known = said.get("reason", "").startswith("duplicate") and len(self.targets()) == 2
        self.claims.add("the schedule's event, delivered twice, is one tick", known, said)
