"""Each rule fails when the template is broken in its way, and passes on the template as it is."""

import unittest
from typing import Any

import rules
import testing
from testing import Change, put, take

R = "Resources"
P = "Properties"


def statement(role: str, number: int = 0) -> tuple:
    return (R, role, P, "Policies", 0, "PolicyDocument", "Statement", number)


def add(kind: str) -> Change:
    return put({"Type": kind}, R, "Added")


def hand_over_elsewhere(template: dict[str, Any]) -> None:
    template[R]["Elsewhere"] = {"Type": "AWS::SQS::Queue"}
    template[R]["CompressRule"][P]["Targets"][0]["DeadLetterConfig"] = {"Arn": {"Fn::GetAtt": ["Elsewhere", "Arn"]}}


def nfs_to_anywhere(template: dict[str, Any]) -> None:
    rule = template[R]["FunctionsGroup"][P]["SecurityGroupEgress"][0]
    del rule["DestinationSecurityGroupId"]
    rule["CidrIp"] = "0.0.0.0/0"


def expire_everything(template: dict[str, Any]) -> None:
    rule = {"Id": "all", "Status": "Enabled", "ExpirationInDays": 1}
    template[R]["Bucket"][P]["LifecycleConfiguration"]["Rules"].append(rule)


def expire_results(template: dict[str, Any]) -> None:
    """Where sources expire, and there alone: by default nobody notices."""
    for rule in template[R]["Bucket"][P]["LifecycleConfiguration"]["Rules"]:
        if "Fn::If" in rule:
            rule["Fn::If"][1]["Prefix"] = {"Ref": "OutputPrefix"}


def forget_the_deny(template: dict[str, Any]) -> None:
    body = template[R]["PurgeRole"][P]["Policies"][0]["PolicyDocument"]
    body["Statement"] = [it for it in body["Statement"] if it.get("Effect") != "Deny"]


def metrics_of_any_namespace(template: dict[str, Any]) -> None:
    body = template[R]["MonitorRole"][P]["Policies"][0]["PolicyDocument"]
    for it in body["Statement"]:
        if it.get("Sid") == "WriteMetrics":
            del it["Condition"]


BLOCK = (R, "Bucket", P, "PublicAccessBlockConfiguration")
QUEUE = (R, "CompressQueue", P)
MAPPING = (R, "CompressFunctionQueue", P)
PURGE = (R, "PurgeFunction", P)
MONITOR = (R, "MonitorFunction", P)
BACKFILL = (R, "BackfillFunction", P)
TABLE = (R, "JobsTable", P)
FILES = (R, "FileSystem", P)
DOOR = (R, "PurgeAccessPoint", P)
GATEWAY = (R, "S3Endpoint", P, "PolicyDocument", "Statement", 0)
SENDER_OF_RULE = (R, "CompressQueuePolicy", P, "PolicyDocument", "Statement", 0, "Fn::If", 1)
SENDER = (*SENDER_OF_RULE[:-1], 2)
SENDER_TO_DLQ = (R, "CompressDlqPolicy", P, "PolicyDocument", "Statement", 0, "Fn::If", 1)
ROOT_ACCESS = "elasticfilesystem:ClientRootAccess"
MACHINE = (R, "PurgeSweep", P)
OTHERS_NUMBER = {"Ref": "CountReservedConcurrency"}
ZONES = (*MONITOR, "Environment", "Variables", "PROTECTED_ZONES", "Fn::If")
DEFAULT_KEY = (
    *(R, "Bucket", P, "BucketEncryption", "ServerSideEncryptionConfiguration", 0),
    "ServerSideEncryptionByDefault",
)
RULES_OF_BUCKET = (R, "Bucket", P, "LifecycleConfiguration", "Rules")
RESULTS = (*RULES_OF_BUCKET, 2)
DAYS = ("NoncurrentVersionExpiration", "NoncurrentDays")
EXPIRES = (*RULES_OF_BUCKET, 3, "Fn::If", 1)
TRUE = {"Fn::Equals": ["", ""]}
ASSERTED = [
    ("Rules", name, "Assertions", number, "Assert")
    for name, rule in testing.stack().template["Rules"].items()
    for number in range(len(rule["Assertions"]))
]
TRUST = ("AssumeRolePolicyDocument", "Statement", 0, "Condition")

# By rule: how the template is broken, and the resource that must be named.
BROKEN: list[tuple[str, Change, str]] = [
    ("actions_are_spelled_out", put("s3:*", *statement("CompressRole"), "Action"), "CompressRole"),
    ("actions_are_spelled_out", put(["s3:Get*"], *statement("CompressRole"), "Action"), "CompressRole"),
    ("actions_are_spelled_out", put("s3:GetObject", *statement("CompressRole"), "NotAction"), "CompressRole"),
    (
        "actions_are_spelled_out",
        put("ec2:*", R, "MonitorRemovePolicy", P, "PolicyDocument", "Statement", 0, "Action"),
        "MonitorRemovePolicy",
    ),
    ("resources_are_spelled_out", put("*", *statement("CompressRole"), "Resource"), "CompressRole"),
    ("resources_are_spelled_out", put(["*"], *statement("PurgeScheduleRole"), "Resource"), "PurgeScheduleRole"),
    ("policies_are_the_stacks_own", put(["arn:…"], R, "CountRole", P, "ManagedPolicyArns"), "CountRole"),
    ("metrics_name_their_namespace", metrics_of_any_namespace, "MonitorRole"),
    ("buckets_are_of_this_account", take(*statement("CompressRole"), "Condition"), "CompressRole"),
    ("buckets_are_of_this_account", put({}, *statement("CompressRole", 2), "Condition", "StringEquals"), "CompressRole"),
    ("buckets_are_of_this_account", take(*statement("MonitorRole", 6), "Condition"), "MonitorRole"),
    ("vpc_rights_stay_with_lambda", forget_the_deny, "PurgeRole"),
    ("deputies_act_for_this_account", take(R, "PurgeScheduleRole", P, *TRUST), "PurgeScheduleRole"),
    ("deputies_act_for_this_account", put({}, R, "PurgeSweepRole", P, *TRUST), "PurgeSweepRole"),
    (
        "deputies_act_for_this_account",
        take(*SENDER, "Condition", "StringEquals"),
        "CompressQueuePolicy",
    ),
    ("deputies_act_for_this_account", take(*SENDER_OF_RULE, "Condition", "StringEquals"), "CompressQueuePolicy"),
    ("senders_are_named", take(*SENDER, "Condition", "ArnEquals"), "CompressQueuePolicy"),
    ("senders_are_named", take(*SENDER_OF_RULE, "Condition", "ArnEquals"), "CompressQueuePolicy"),
    ("senders_are_named", take(*SENDER_TO_DLQ, "Condition", "ArnEquals"), "CompressDlqPolicy"),
    ("file_systems_are_entered_by_a_door", take(*statement("PurgeRole"), "Condition"), "PurgeRole"),
    ("file_systems_are_entered_by_a_door", put([ROOT_ACCESS], *statement("CountRole"), "Action"), "CountRole"),
    ("file_systems_refuse_strangers", take(*FILES, "FileSystemPolicy"), "FileSystem"),
    ("file_systems_refuse_strangers", take(*FILES, "FileSystemPolicy", "Statement", 0), "FileSystem"),
    ("file_systems_refuse_strangers", take(*FILES, "FileSystemPolicy", "Statement", 1, "Action", 0), "FileSystem"),
    ("file_systems_refuse_strangers", put("Allow", *FILES, "FileSystemPolicy", "Statement", 1, "Effect"), "FileSystem"),
    ("access_points_are_not_roots", put("0", *DOOR, "PosixUser", "Uid"), "PurgeAccessPoint"),
    ("access_points_are_not_roots", take(*DOOR, "PosixUser"), "PurgeAccessPoint"),
    ("access_points_are_not_roots", put("/", *DOOR, "RootDirectory", "Path"), "PurgeAccessPoint"),
    ("access_points_are_not_roots", put("0777", *DOOR, "RootDirectory", "CreationInfo", "Permissions"), "PurgeAccessPoint"),
    ("roles_are_not_shared", put({"Fn::GetAtt": ["PurgeRole", "Arn"]}, R, "CountFunction", P, "Role"), "PurgeFunction"),
    ("roles_are_not_shared", put("arn:…:role/other", R, "CountFunction", P, "Role"), "CountFunction"),
    ("buckets_block_the_public", put(False, *BLOCK, "BlockPublicPolicy"), "Bucket"),
    ("buckets_block_the_public", take(*BLOCK), "Bucket"),
    ("buckets_are_encrypted", take(R, "Bucket", P, "BucketEncryption"), "Bucket"),
    ("buckets_are_encrypted", put("AES256", *DEFAULT_KEY, "SSEAlgorithm"), "Bucket"),
    ("buckets_are_encrypted", put({"Ref": "ExistingBucketKeyArn"}, *DEFAULT_KEY, "KMSMasterKeyID", "Fn::If", 1), "Bucket"),
    ("buckets_are_encrypted", put(True, *DEFAULT_KEY[:-1], "BucketKeyEnabled"), "Bucket"),
    ("buckets_keep_versions", put("Suspended", R, "Bucket", P, "VersioningConfiguration", "Status"), "Bucket"),
    ("buckets_abort_uploads", put("Disabled", R, "Bucket", P, "LifecycleConfiguration", "Rules", 0, "Status"), "Bucket"),
    ("objects_expire_where_it_was_asked_for", expire_everything, "Bucket"),
    ("objects_expire_where_it_was_asked_for", expire_results, "Bucket"),
    ("objects_expire_where_it_was_asked_for", put({"Ref": "OldVersionDays"}, *EXPIRES, "ExpirationInDays"), "Bucket"),
    ("objects_expire_where_it_was_asked_for", take(*EXPIRES), "Bucket"),
    ("old_versions_are_forgotten_by_kind", put({"Ref": "OldVersionDays"}, *RESULTS, *DAYS), "Bucket"),
    ("old_versions_are_forgotten_by_kind", take(*RESULTS, "Prefix"), "Bucket"),
    ("old_versions_are_forgotten_by_kind", put("Disabled", *RESULTS, "Status"), "Bucket"),
    ("old_versions_are_forgotten_by_kind", take(*RESULTS, "ExpiredObjectDeleteMarker"), "Bucket"),
    ("plain_http_is_refused", take(R, "BucketPolicy"), "Bucket"),
    ("plain_http_is_refused", put([], R, "CompressDlqPolicy", P, "PolicyDocument", "Statement"), "CompressDlq"),
    ("what_counts_is_retained", put("Delete", R, "Bucket", "DeletionPolicy"), "Bucket"),
    ("what_counts_is_retained", put("Retain", R, "Bucket", "DeletionPolicy"), "Bucket"),
    ("what_counts_is_retained", put("RetainExceptOnCreate", R, "Bucket", "UpdateReplacePolicy"), "Bucket"),
    ("what_counts_is_retained", take(R, "CompressDlq", "UpdateReplacePolicy"), "CompressDlq"),
    ("what_counts_is_retained", take(R, "ScheduleDlq", "DeletionPolicy"), "ScheduleDlq"),
    ("what_counts_is_retained", put("Delete", R, "FileSystem", "DeletionPolicy"), "FileSystem"),
    ("what_counts_is_retained", take(R, "FileSystem", "UpdateReplacePolicy"), "FileSystem"),
    ("what_counts_is_retained", hand_over_elsewhere, "Elsewhere"),
    ("what_is_retained_stays_closed", take(R, "BucketPolicy", "DeletionPolicy"), "BucketPolicy"),
    ("what_is_retained_stays_closed", put("Delete", R, "CompressDlqPolicy", "UpdateReplacePolicy"), "CompressDlqPolicy"),
    ("what_is_retained_stays_closed", take(R, "ScheduleDlqPolicy", "DeletionPolicy"), "ScheduleDlqPolicy"),
    ("file_systems_are_encrypted", put(False, *FILES, "Encrypted"), "FileSystem"),
    ("file_systems_are_encrypted", put({"Ref": "KmsKeyArn"}, *FILES, "KmsKeyId"), "FileSystem"),
    ("file_systems_are_encrypted", put("DISABLED", "Parameters", "EfsBackup", "Default"), "FileSystem"),
    ("networks_lead_nowhere", add("AWS::EC2::InternetGateway"), "Added"),
    ("networks_lead_nowhere", add("AWS::EC2::NatGateway"), "Added"),
    ("networks_lead_nowhere", add("AWS::EC2::Route"), "Added"),
    ("networks_lead_nowhere", take(R, "FirstSubnet", P, "MapPublicIpOnLaunch"), "FirstSubnet"),
    ("networks_lead_nowhere", put("Interface", R, "S3Endpoint", P, "VpcEndpointType"), "S3Endpoint"),
    ("endpoints_are_narrow", take(R, "S3Endpoint", P, "PolicyDocument"), "S3Endpoint"),
    ("endpoints_are_narrow", put("s3:*", *GATEWAY, "Action"), "S3Endpoint"),
    ("endpoints_are_narrow", put("*", *GATEWAY, "Resource"), "S3Endpoint"),
    ("endpoints_are_narrow", take(*GATEWAY, "Condition"), "S3Endpoint"),
    ("groups_let_only_nfs_through", take(R, "FileSystemClients", P, "SecurityGroupEgress"), "FileSystemClients"),
    ("groups_let_only_nfs_through", put(22, R, "MountTargetsGroup", P, "SecurityGroupIngress", 0, "FromPort"), "MountTargetsGroup"),
    ("groups_let_only_nfs_through", nfs_to_anywhere, "FunctionsGroup"),
    ("mount_targets_come_first", take(*PURGE, "Tags"), "PurgeFunction"),
    ("mount_targets_made_here_stay", take(*MONITOR, "Environment", "Variables", "PROTECTED_ZONES"), "MonitorFunction"),
    ("mount_targets_made_here_stay", take(*ZONES, 1, "Fn::Join", 1, 1), "MonitorFunction"),
    ("mount_targets_made_here_stay", take(*ZONES, 1, "Fn::Join", 1, 2), "MonitorFunction"),
    ("mount_targets_made_here_stay", put({"Ref": "AWS::NoValue"}, *ZONES, 2), "MonitorFunction"),
    ("mount_targets_made_here_stay", take("Rules", "GivenVpcHasSubnets"), "MonitorFunction"),
    ("queues_are_encrypted", take(*QUEUE, "SqsManagedSseEnabled"), "CompressQueue"),
    ("queues_wait_for_their_function", put(3_599, "Mappings", "Timeout", "600", "VisibilitySeconds"), "CompressQueue"),
    ("queues_wait_for_their_function", take("Mappings", "Timeout", "60"), "CompressQueue"),
    ("queues_wait_for_their_function", take(*QUEUE, "VisibilityTimeout"), "CompressQueue"),
    ("queues_give_up_in_the_end", put(5, *QUEUE, "RedrivePolicy", "maxReceiveCount"), "CompressQueue"),
    ("queues_give_up_in_the_end", take(*QUEUE, "RedrivePolicy"), "CompressQueue"),
    ("queues_give_up_in_the_end", take(R, "CompressDlq", P, "MessageRetentionPeriod"), "CompressDlq"),
    ("tables_are_paid_by_use", take(*TABLE, "BillingMode"), "JobsTable"),
    ("tables_forget", take(*TABLE, "TimeToLiveSpecification"), "JobsTable"),
    ("tables_forget", put("expires", *TABLE, "TimeToLiveSpecification", "AttributeName"), "JobsTable"),
    ("tables_hold_no_key_of_their_own", put({"SSEEnabled": True}, *TABLE, "SSESpecification"), "JobsTable"),
    ("logs_are_forgotten", take(R, "PurgeSweepLogGroup", P, "RetentionInDays"), "PurgeSweepLogGroup"),
    ("functions_are_explicit", take(*PURGE, "Timeout"), "PurgeFunction"),
    ("functions_are_explicit", take(*PURGE, "MemorySize"), "PurgeFunction"),
    ("functions_are_explicit", take(*PURGE, "Role"), "PurgeFunction"),
    ("functions_are_explicit", put("/aws/lambda/x", *PURGE, "LoggingConfig", "LogGroup"), "PurgeFunction"),
    ("functions_are_arm64", put("x86_64", "Parameters", "Architecture", "Default"), "CountFunction"),
    ("functions_are_arm64", take(*PURGE, "Architectures"), "PurgeFunction"),
    ("functions_are_where_they_belong", take(*PURGE, "VpcConfig"), "PurgeFunction"),
    ("functions_are_where_they_belong", put({"SubnetIds": []}, R, "MonitorFunction", P, "VpcConfig"), "MonitorFunction"),
    ("functions_are_where_they_belong", take(*PURGE, "FileSystemConfigs"), "PurgeFunction"),
    ("functions_reserve_by_their_parameter", take(*PURGE, "ReservedConcurrentExecutions"), "PurgeFunction"),
    ("functions_reserve_by_their_parameter", put(OTHERS_NUMBER, *PURGE, "ReservedConcurrentExecutions"), "PurgeFunction"),
    ("functions_reserve_by_their_parameter", take("Parameters", "PurgeReservedConcurrency"), "PurgeFunction"),
    ("machines_write_down_their_failures", take(*MACHINE, "LoggingConfiguration"), "PurgeSweep"),
    ("machines_write_down_their_failures", put("OFF", *MACHINE, "LoggingConfiguration", "Level"), "PurgeSweep"),
    ("machines_write_down_their_failures", put(True, *MACHINE, "LoggingConfiguration", "IncludeExecutionData"), "PurgeSweep"),
    ("batches_report_their_failures", put([], *MAPPING, "FunctionResponseTypes"), "CompressFunctionQueue"),
    ("batches_report_their_failures", take(*MAPPING, "ScalingConfig"), "CompressFunctionQueue"),
    ("purge_is_harmless_at_first", put("false", "Parameters", "PurgeDryRun", "Default"), "PurgeFunction"),
    ("purge_is_harmless_at_first", take(*PURGE, "Environment", "Variables", "PURGE_DRY_RUN"), "PurgeFunction"),
    ("purge_is_harmless_at_first", put(0, "Parameters", "PurgeMinAgeDays", "Default"), "PurgeFunction"),
    ("purge_is_harmless_at_first", put("1", "Parameters", "PurgeMaxDeleteFraction", "Default"), "PurgeFunction"),
    ("purge_is_harmless_at_first", put("ENABLED", "Parameters", "PurgeScheduleState", "Default"), "PurgeSchedule"),
    (
        "backfills_look_for_what_compress_makes",
        put("gzip", *BACKFILL, "Environment", "Variables", "COMPRESSION_FORMAT"),
        "BackfillFunction",
    ),
    (
        "backfills_look_for_what_compress_makes",
        put({"Ref": "CompressDlq"}, *BACKFILL, "Environment", "Variables", "QUEUE_URL"),
        "BackfillFunction",
    ),
    ("maps_may_start_their_children", put({"Fn::Sub": "${AWS::StackName}-other"}, R, "Backfill", P, "StateMachineName"), "Backfill"),
    ("maps_may_start_their_children", put("lambda:InvokeFunction", *statement("PurgeSweepRole", 1), "Action"), "PurgeSweep"),
    ("schedules_are_bounded", take(R, "PurgeSchedule", P, "Target", "RetryPolicy"), "PurgeSchedule"),
    ("schedules_are_bounded", take(R, "PurgeSchedule", P, "ScheduleExpressionTimezone"), "PurgeSchedule"),
    ("schedules_are_bounded", put({}, R, "MonitorSchedule", P, "FlexibleTimeWindow"), "MonitorSchedule"),
    ("schedules_are_bounded", take(R, "CompressRule", P, "Targets", 0, "RetryPolicy"), "CompressRule"),
    ("lost_starts_are_kept", take(R, "PurgeSchedule", P, "Target", "DeadLetterConfig"), "PurgeSchedule"),
    ("lost_starts_are_kept", take(R, "CompressRule", P, "Targets", 0, "DeadLetterConfig"), "CompressRule"),
    ("alarms_are_explicit", take(R, "CompressDlqAlarm", P, "TreatMissingData"), "CompressDlqAlarm"),
    ("alarms_are_explicit", take(R, "PurgeSweepAlarm", P, "AlarmActions"), "PurgeSweepAlarm"),
    ("alarms_are_explicit", take(R, "PurgeSweepAlarm", P, "OKActions"), "PurgeSweepAlarm"),
    ("what_is_made_leads_to_what_is_made", put("MakesFileSystem", R, "FirstSubnet", "Condition"), "FirstSubnet"),
    ("what_is_made_leads_to_what_is_made", put({"Ref": "Bucket"}, "Outputs", "BucketName", "Value"), "BucketName"),
    ("what_is_made_leads_to_what_is_made", put({"Ref": "Vpc"}, R, "FunctionsGroup", P, "VpcId"), "FunctionsGroup"),
    ("what_is_made_leads_to_what_is_made", take("Rules", "MonitorHasItsFileSystem", "RuleCondition"), "Rules"),
    *[("contradictions_are_refused", put(TRUE, *path), "Rules") for path in ASSERTED],
    ("parameters_are_presented", put({"Type": "String"}, "Parameters", "New"), "New"),
    ("parameters_are_presented", take("Parameters", "MountPath", "ConstraintDescription"), "MountPath"),
    ("parameters_are_presented", take("Parameters", "MountPath", "Description"), "MountPath"),
    ("parameters_are_presented", take("Parameters", "PurgeWorkers"), "PurgeWorkers"),  # left in the form
]


class Rules(unittest.TestCase):
    def test_the_template_keeps_to_every_rule(self) -> None:
        self.assertEqual(rules.mistakes(testing.stack()), [])

    def test_each_break_is_found_by_its_rule_at_its_resource(self) -> None:
        by_name = {rule.__name__: rule for rule in rules.RULES}
        for name, change, resource in BROKEN:
            with self.subTest(name, resource=resource):
                stack = testing.stack(change)
                self.assertIn(resource, [it.resource for it in by_name[name](stack)])
                line = f"{resource}: "
                self.assertTrue(any(it.what.startswith(line) and name in it.what for it in rules.mistakes(stack)))

    def test_no_rule_is_without_a_break(self) -> None:
        self.assertEqual({rule.__name__ for rule in rules.RULES}, {name for name, _, _ in BROKEN})

    def test_every_rule_has_a_claim_of_one_line_and_every_exception_a_reason(self) -> None:
        for rule in rules.RULES:
            self.assertTrue(rules.claim(rule), rule.__name__)
        self.assertTrue(all(rules.EXCEPTIONS.values()))

    def test_an_exception_allows_one_rule_at_one_resource_and_nothing_else(self) -> None:
        stack = testing.stack(take(R, "PurgeSchedule", P, "Target", "DeadLetterConfig"))
        excused = rules.EXCEPTIONS | {("lost_starts_are_kept", "PurgeSchedule"): "a test"}
        self.assertEqual(len(rules.mistakes(stack, {})), 1)
        self.assertEqual(rules.mistakes(stack, excused), [])

    def test_an_exception_that_nothing_needs_is_a_mistake(self) -> None:
        excused = rules.EXCEPTIONS | {("queues_are_encrypted", "CompressQueue"): "a test"}
        found = rules.mistakes(testing.stack(), excused)
        self.assertEqual([str(it) for it in found], [
            "tests/template/rules.py: CompressQueue keeps to queues_are_encrypted; remove the exception",
        ])

    def test_a_mistake_is_one_line_with_file_resource_claim_and_remedy(self) -> None:
        found = rules.mistakes(testing.stack(take(R, "CompressLogGroup", P, "RetentionInDays")))
        self.assertEqual([str(it) for it in found], [
            "template.yaml: CompressLogGroup: it keeps its lines for ever [logs_are_forgotten: Every log group says how "
            "long it keeps its lines]; set RetentionInDays",
        ])


if __name__ == "__main__":
    unittest.main()
