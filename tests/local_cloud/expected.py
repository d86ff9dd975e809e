"""What each resource of a deployed stack has to be, value by value: said here a second time, not taken from the template."""

import expected_alarms
import expected_backfill
import expected_files
import expected_parts as parts
import expected_roles
from cloud import REGION
from given import ACCOUNT, Given
from observed import Fields

PRIVATE = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
MALLOC = {"MALLOC_TRIM_THRESHOLD_": "16777216", "MALLOC_MMAP_THRESHOLD_": "4194304"}


def resources(given: Given) -> dict[str, Fields]:
    """By logical id: all that the stack is to have."""
    found = _compress(given) | (_bucket(given) if given.makes_bucket else _rule(given)) | _dashboard(given)
    found |= expected_backfill.backfill(given)
    if given.has_files:
        found |= _count(given) | _purge(given) | _machine(given)
    if given.has_monitor:
        found |= _monitor(given)
    if given.makes_file_system:
        found |= expected_files.files(given)
    return found | expected_alarms.alarms(given) | expected_roles.roles(given)


def _bucket(given: Given) -> dict[str, Fields]:
    arn, key, queue = f"arn:aws:s3:::{given.bucket}", given["KmsKeyArn"], given.queue_arn("CompressQueue")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    expires = ["expire-sources"] if given["UnprocessedExpirationDays"] != "0" else []
    rules = ["abort-incomplete-multipart-uploads", "forget-old-sources", "forget-old-results", *expires, "forget-leases"]
    prefix = {"Key": {"FilterRules": [{"Name": "prefix", "Value": given["SourcePrefix"]}]}}
    bucket = {
        "Arn": arn,
        "Queues": [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"], "Filter": prefix}],
        "EventBridge": None,
        "Encryption": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bool(key)}],
        "Versioning": "Enabled",
        "Ownership": [{"ObjectOwnership": "BucketOwnerEnforced"}],
        "PublicAccessBlock": dict.fromkeys(PRIVATE, True),
        "Lifecycle": rules,
        "Policy": {"Version": "2012-10-17", "Statement": [parts.no_plain_http("s3:*", arn, f"{arn}/*")]},
    }
    return {"Bucket": bucket, "BucketPolicy": {}}


def _rule(given: Given) -> dict[str, Fields]:
    """Of a bucket that was there before: it says nothing to the queue itself."""
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [given.bucket]}, "object": {"key": [{"prefix": given["SourcePrefix"]}]}},
    }
    target = {
        "Id": "queue",
        "Arn": given.queue_arn("CompressQueue"),
        "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400},
        "DeadLetterConfig": {"Arn": given.queue_arn("CompressDlq")},
    }
    rule = {"Name": f"{given.name}-compress", "EventBusName": "default", "State": "ENABLED", "EventPattern": pattern}
    return {"CompressRule": rule | {"Targets": [target]}}


def _may_send(sid: str, service: str, source: str, queue: str) -> dict:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }


def _compress(given: Given) -> dict[str, Fields]:
    timeout = given.number("CompressTimeoutSeconds")
    queue, dlq = given.queue_arn("CompressQueue"), given.queue_arn("CompressDlq")
    level = {"COMPRESSION_LEVEL": given["CompressionLevel"]} if given["CompressionLevel"] else {}
    variables = {
        "SOURCE_BUCKET": given.bucket,
        "SOURCE_PREFIX": given["SourcePrefix"],
        "OUTPUT_PREFIX": given["OutputPrefix"],
        "COMPRESSION_FORMAT": given["CompressionFormat"],
        "MAX_OBJECT_BYTES": given["MaxObjectBytes"],
        "SOURCE_DISPOSITION": "keep" if given.keeps_sources else "delete",
        "BATCH_CONCURRENCY": given["BatchConcurrency"],
        "DLQ_URL": given.ids["CompressDlq"],
        "JOBS_TABLE": f"{given.name}-backfill",
    }
    rule = given.arn("events", f"rule/{given.name}-compress")
    sends = _may_send("RuleSendsEvents", "events", rule, queue)
    puts_aside = [_may_send("RulePutsAsideWhatFails", "events", rule, dlq)]
    if given.makes_bucket:
        sends, puts_aside = _may_send("BucketSendsEvents", "s3", f"arn:aws:s3:::{given.bucket}", queue), []
    bound = given.number("CompressMaxConcurrency")
    mapping = {
        "EventSourceArn": queue,
        "FunctionArn": given.arn("lambda", f"function:{given.name}-compress"),
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": bound} if bound else {},
        "State": "Enabled",
    }
    redrive = {"deadLetterTargetArn": dlq, "maxReceiveCount": 10}
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [queue]}
    named = given.arn("sqs", f"{given.name}-compress-dlq")
    visible = {"QueueArn": given.arn("sqs", f"{given.name}-compress"), "VisibilityTimeout": str(6 * timeout)}
    made = parts.function(given, "compress", timeout, given.number("CompressMemoryMb"), variables | level | MALLOC)
    return made | {
        "CompressFunctionQueue": mapping,
        "CompressQueue": parts.queue(given, [sends, parts.no_plain_http("sqs:*", queue)], RedrivePolicy=redrive, **visible),
        "CompressQueuePolicy": {},
        "CompressDlq": parts.queue(given, [*puts_aside, parts.no_plain_http("sqs:*", dlq)], QueueArn=named, RedriveAllowPolicy=allowed),
        "CompressDlqPolicy": {},
    }


def _mounted(given: Given, service: str) -> Fields:
    groups = given["EfsSecurityGroupIds"].split(",")
    if given.makes_file_system:
        groups = [given.ids["FileSystemClients"], given.ids["FunctionsGroup"]]
    return {
        "VpcConfig": {"SubnetIds": given.subnets, "SecurityGroupIds": groups},
        "FileSystemConfigs": [{"Arn": given.access_point(service), "LocalMountPath": given["MountPath"]}],
    }


def _count(given: Given) -> dict[str, Fields]:
    variables = {"COUNT_ROOT": given["MountPath"], "COUNT_CONCURRENCY": given["CountConcurrency"]}
    return parts.function(given, "count", 840, given.number("CountMemoryMb"), variables, **_mounted(given, "count"))


def _purge(given: Given) -> dict[str, Fields]:
    variables = {
        "PURGE_ROOT": given["MountPath"],
        "PURGE_DRY_RUN": given["PurgeDryRun"],
        "PURGE_MAX_AGE_DAYS": given["PurgeMaxAgeDays"],
        "PURGE_MIN_AGE_DAYS": given["PurgeMinAgeDays"],
        "PURGE_AGE_BY": given["PurgeAgeBy"],
        "PURGE_REMOVE_EMPTY_DIRS": given["PurgeRemoveEmptyDirs"],
        "PURGE_MAX_EMPTY_DIRS": given["PurgeMaxEmptyDirs"],
        "PURGE_MAX_DELETE_FRACTION": given["PurgeMaxDeleteFraction"],
        "PURGE_CONCURRENCY": given["PurgeConcurrency"],
        "PURGE_AUDIT": given["PurgeAudit"],
    }
    optional = {"PURGE_INCLUDE": "PurgeInclude", "PURGE_EXCLUDE": "PurgeExclude", "PURGE_MAX_DELETES": "PurgeMaxDeletes"}
    variables |= {variable: given[parameter] for variable, parameter in optional.items() if given[parameter]}
    return parts.function(given, "purge", 900, given.number("PurgeMemoryMb"), variables, **_mounted(given, "purge"))


def _machine(given: Given) -> dict[str, Fields]:
    """The state machine of purge, its schedule, and where that leaves what it could not start."""
    made = parts.machine(given, "purge", "sweep.asl.json", "PurgeSweep", "PurgeSweep")
    workers = given.number("PurgeWorkers")
    target = {
        "Arn": made["PurgeSweep"]["stateMachineArn"],
        "RoleArn": given.role_arn("PurgeScheduleRole"),
        "Input": {"action": "plan", "workers": workers, "time": "<aws.scheduler.scheduled-time>"},
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
    }
    schedule = {
        "ScheduleExpression": given["PurgeScheduleExpression"],
        "ScheduleExpressionTimezone": given["PurgeScheduleTimezone"],
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        "State": given["PurgeScheduleState"],
    }
    dlq = given.queue_arn("ScheduleDlq")
    return made | {
        "PurgeSchedule": _schedule(given, "purge", target, **schedule),
        "ScheduleDlq": parts.queue(given, [parts.no_plain_http("sqs:*", dlq)]),
        "ScheduleDlqPolicy": {},
    }


def _schedule(given: Given, name: str, target: dict, **fields: object) -> Fields:
    dead_letters = {"DeadLetterConfig": {"Arn": given.queue_arn("ScheduleDlq")}}
    return {"Name": f"{given.name}-{name}", "GroupName": "default", "Target": target | dead_letters} | fields


def _monitor(given: Given) -> dict[str, Fields]:
    variables = {
        "EFS_FILE_SYSTEM_ID": given.file_system,
        "SUBNET_IDS": ",".join([*(given.subnets if given.makes_vpc else []), *filter(None, [given["MonitorSubnetIds"]])]),
        "COUNT_FUNCTION_NAME": f"{given.name}-count",
        "FILE_COUNT_THRESHOLD": given["FileCountThreshold"],
        "SCALING_MODE": given["MonitorMode"],
        "SCALE_IN": given["MonitorScaleIn"],
        "CACHE_PARAMETER": f"/{given.name}/file-count",
        "CACHE_TTL_SECONDS": given["MonitorCountEverySeconds"],
        "STATE_PARAMETER": f"/{given.name}/monitor-state",
        "STATE_BUCKET": given.bucket,
        "TARGETS_PARAMETER": f"/{given.name}/mount-targets",
        "POWERTOOLS_LOGGER_SAMPLE_RATE": "1",
    }
    made = given.ids["MountTargetsGroup"] if given.makes_file_system else ""
    variables |= {"SECURITY_GROUP_IDS": groups} if (groups := given["MonitorSecurityGroupIds"] or made) else {}
    zones = [*([f"{REGION}a", f"{REGION}b"] if given.makes_vpc else []), *filter(None, [given["MonitorProtectedZones"]])]
    variables |= {"PROTECTED_ZONES": ",".join(zones)} if zones else {}
    target = {
        "Arn": given.arn("lambda", f"function:{given.name}-monitor"),
        "RoleArn": given.role_arn("MonitorScheduleRole"),
        "Input": {"time": "<aws.scheduler.scheduled-time>"},
        "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 300},
    }
    schedule = {
        "ScheduleExpression": "rate(5 minutes)",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": given["MonitorScheduleState"],
    }
    return parts.function(given, "monitor", 900, 128, variables) | {
        "MonitorFunctionEventInvokeConfig": {"MaximumEventAgeInSeconds": 300, "MaximumRetryAttempts": 0},
        "MonitorSchedule": _schedule(given, "monitor", target, **schedule),
    }


def _dashboard(given: Given) -> dict[str, Fields]:
    name = given.name
    ours = ["compress", f"{name}-compress", f"{name}-compress-dlq"]
    lost = [] if given.makes_bucket else ["compress-events-lost"]
    shown = {"Is anything wrong? Compress": ["compress-dlq-not-empty", "compress-dlq-expiring", *lost, "compress-behind"]}
    shown["Is anything wrong? Compress"] += ["compress-failing", "compress-errors", "compress-throttled", "compress-slow"]
    shown["Backfill"] = ["backfill-failed", "backfill-timed-out", "backfill-errors", "backfill-throttled"]
    ours += ["backfill", f"{name}-backfill", given.arn("states", f"stateMachine:{name}-backfill")]
    if given.has_files:
        missing = ["purge-sweep-missing"] if given.purge_is_awaited else []
        shown["Count and purge"] = ["purge-sweep-failed", "purge-sweep-timed-out", *missing, "purge-incomplete", "purge-errors"]
        shown["Count and purge"] += ["purge-throttled", "schedule-dlq-not-empty", "count-errors", "count-throttled"]
        ours += ["purge", f"{name}-count", f"{name}-purge", given.arn("states", f"stateMachine:{name}-purge")]
    if given.has_monitor:
        stale = ["monitor-count-stale"] if given.monitor_is_awaited else []
        skipped = ["monitor-skipped"] if given.monitor_applies else []
        shown["Mount targets"] = ["monitor-fails", *stale, *skipped, "monitor-throttled"]
        ours += [f"{name}-monitor", given.file_system]
    alarms = {title: [f"{name}-{alarm}" for alarm in rings] for title, rings in shown.items()}
    return {"Dashboard": {"Alarms": alarms, "Of": sorted(ours)}}


def outputs(given: Given) -> dict[str, str]:
    """All of them, by value: the names in them are those of resources that were looked at."""
    name, bucket, dlq = given.name, given.bucket, given.ids["CompressDlq"]
    machine = given.arn("states", f"stateMachine:{name}-purge")
    executions = f"aws stepfunctions list-executions --state-machine-arn {machine} --max-results 1"
    newest = f"$({executions} --query 'executions[0].executionArn' --output text)"
    console = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    found = {
        "DashboardUrl": f"{console}#dashboards/dashboard/{name}",
        "BucketName": bucket,
        "CompressQueueUrl": given.ids["CompressQueue"],
        "CompressDlqUrl": dlq,
        "CompressFunctionName": f"{name}-compress",
        "UploadCommand": f"aws s3 cp ./report.json s3://{bucket}/{given['SourcePrefix']}report.json",
        "ListCommand": f"aws s3 ls --recursive s3://{bucket}/{given['OutputPrefix']}",
        "TailLogsCommand": f"aws logs tail /aws/lambda/{name}-compress --follow",
        "ReadDlqCommand": f"aws sqs receive-message --queue-url {dlq} --message-attribute-names All --max-number-of-messages 10 "
        "--visibility-timeout 0",
        "RedriveCommand": f"aws sqs start-message-move-task --source-arn {given.queue_arn('CompressDlq')} "
        f"--destination-arn {given.queue_arn('CompressQueue')}",
    }
    found |= expected_backfill.outputs(given)
    if given.has_files:
        found |= {
            "CountFunctionName": f"{name}-count",
            "PurgeFunctionName": f"{name}-purge",
            "PurgeSweepArn": machine,
            "CountCommand": f"aws lambda invoke --function-name {name}-count --cli-read-timeout 0 "
            "--cli-binary-format raw-in-base64-out --payload {} /dev/stdout",
            "SweepCommand": f"aws stepfunctions start-execution --state-machine-arn {machine} "
            f"""--input '{{"action": "plan", "workers": {given["PurgeWorkers"]}}}'""",
            "SweepResultCommand": f'aws stepfunctions describe-execution --execution-arn "{newest}" '
            "--query '[status, error, cause, output]' --output text",
            "ReadScheduleDlqCommand": f"aws sqs receive-message --queue-url {given.ids['ScheduleDlq']} --message-attribute-names All "
            "--max-number-of-messages 10 --visibility-timeout 0",
        }
    return found | _outputs_by_condition(given)


def _outputs_by_condition(given: Given) -> dict[str, str]:
    name, found = given.name, {}
    if not given.makes_bucket:
        notifications = f"bucket-notification-configuration --bucket {given.bucket}"
        found["SwitchEventsOnCommand"] = (
            f"there=$(aws s3api get-{notifications} --output json) && "
            """all=$(echo "$there" | jq -n '(input? // {}) + {EventBridgeConfiguration: {}}') && """
            f'aws s3api put-{notifications} --notification-configuration "$all"'
        )
    if given.makes_file_system:
        door = given.ids["ClientsAccessPoint"]
        found["NewFileSystemId"] = given.file_system
        found["ClientsSecurityGroupId"] = given.ids["FileSystemClients"]
        found["MountCommand"] = f"sudo mount -t efs -o tls,iam,accesspoint={door} {given.file_system}:/ {given['MountPath']}"
    if given.makes_vpc:
        found["NewVpcId"] = given.ids["Vpc"]
    if given.has_monitor:
        found |= {"MonitorFunctionName": f"{name}-monitor", "MountTargetsParameter": f"/{name}/mount-targets"}
    return found
