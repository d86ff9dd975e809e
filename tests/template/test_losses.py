"""What a deployment to the local cloud says nothing of is held by a rule here."""

import sys
import unittest

import rules
import testing
from testing import Change, take

sys.path.append(str(testing.ROOT / "tests" / "local_cloud"))

import losses  # noqa: E402

R, P = "Resources", "Properties"

# By type and field: the rule, how it is broken, and the resource that must be named.
HELD: dict[tuple[str, str], tuple[str, Change, str]] = {
    ("DynamoDB::Table", "TimeToLive"): ("tables_forget", take(R, "JobsTable", P, "TimeToLiveSpecification"), "JobsTable"),
    ("EC2::VPCEndpoint", "Policy"): ("endpoints_are_narrow", take(R, "S3Endpoint", P, "PolicyDocument"), "S3Endpoint"),
    ("Lambda::EventSourceMapping", "ScalingConfig"): (
        "batches_report_their_failures",
        take(R, "CompressFunctionQueue", P, "ScalingConfig"),
        "CompressFunctionQueue",
    ),
    ("Lambda::Function", "FileSystemConfigs"): (
        "functions_are_where_they_belong",
        take(R, "PurgeFunction", P, "FileSystemConfigs"),
        "PurgeFunction",
    ),
    ("Lambda::Function", "ReservedConcurrentExecutions"): (
        "functions_reserve_by_their_parameter",
        take(R, "MonitorFunction", P, "ReservedConcurrentExecutions"),
        "MonitorFunction",
    ),
    ("Lambda::Function", "VpcConfig"): (
        "functions_are_where_they_belong",
        take(R, "CountFunction", P, "VpcConfig"),
        "CountFunction",
    ),
    ("S3::Bucket", "Encryption"): ("buckets_are_encrypted", take(R, "Bucket", P, "BucketEncryption"), "Bucket"),
    ("S3::Bucket", "Lifecycle"): (
        "old_versions_are_forgotten_by_kind",
        take(R, "Bucket", P, "LifecycleConfiguration"),
        "Bucket",
    ),
    ("StepFunctions::StateMachine", "loggingConfiguration"): (
        "machines_write_down_their_failures",
        take(R, "PurgeSweep", P, "LoggingConfiguration"),
        "PurgeSweep",
    ),
    ("IAM::RolePolicy", ""): (
        "resources_are_spelled_out",
        testing.put("*", R, "MonitorRemovePolicy", P, "PolicyDocument", "Statement", 0, "Resource"),
        "MonitorRemovePolicy",
    ),
}


class Losses(unittest.TestCase):
    def test_each_is_held_by_a_rule(self) -> None:
        self.assertEqual(HELD.keys(), losses.LOST.keys() | {(kind, "") for kind in losses.REFUSED})

    def test_without_it_that_rule_complains(self) -> None:
        by_name = {rule.__name__: rule for rule in rules.RULES}
        for (kind, field), (name, change, resource) in HELD.items():
            with self.subTest(kind, field=field):
                stack = testing.stack(change)
                self.assertEqual(stack.resources[resource]["Type"], f"AWS::{kind}")
                self.assertIn(resource, [it.resource for it in by_name[name](stack)])


if __name__ == "__main__":
    unittest.main()
