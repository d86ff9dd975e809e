"""The alarms that a deployed stack is to have. A dimension that names nothing would never ring, and nobody would notice."""

from given import Given
from observed import Fields

ERRORS = {
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Statistic": "Average",
    "Period": 300,
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "Threshold": 0.01,
}
THROTTLES = {
    "Namespace": "AWS/Lambda",
    "MetricName": "Throttles",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "Threshold": 10,
}
LEFT_OVER = {
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0,
}
ONE_OF_SUM = {"Statistic": "Sum", "Period": 300, "EvaluationPeriods": 1, "Threshold": 0}
SILENCE = {"Period": 3600, "Threshold": 1, "ComparisonOperator": "LessThanThreshold", "TreatMissingData": "breaching"}


def alarms(given: Given) -> dict[str, Fields]:
    """By logical id."""
    found = _compress(given) | _backfill(given)
    if given.has_files:
        found |= _files(given)
    if given.has_monitor:
        found |= _monitor(given)
    return found


def _alarm(given: Given, name: str, dimension: tuple[str, str], *parts: Fields) -> Fields:
    alarm = {
        "AlarmName": f"{given.name}-{name}",
        "Dimensions": [{"Name": dimension[0], "Value": dimension[1]}],
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "ActionsEnabled": True,
        "AlarmActions": [given["AlarmTopicArn"]] if given["AlarmTopicArn"] else [],
        "OKActions": [given["AlarmTopicArn"]] if given["AlarmTopicArn"] else [],
    }
    for part in parts:
        alarm |= part
    return alarm


def _function(given: Given, service: str) -> tuple[str, str]:
    return "FunctionName", f"{given.name}-{service}"


def _queue(given: Given, logical: str) -> tuple[str, str]:
    return "QueueName", given.ids[logical].rpartition("/")[2]


def _compress(given: Given) -> dict[str, Fields]:
    of = _function(given, "compress")
    slow = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Duration",
        "ExtendedStatistic": "p99",
        "Period": 300,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": given.number("CompressTimeoutSeconds") * 1000 * 80 // 100,
    }
    behind = LEFT_OVER | {
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Period": 300,
        "Threshold": given.number("QueueAgeAlarmSeconds"),
    }
    expiring = behind | {"Threshold": 10 * 86_400}
    failing = ONE_OF_SUM | {"Namespace": "Sluice", "MetricName": "Failed"}
    failing |= {"Period": 3600, "EvaluationPeriods": 6, "DatapointsToAlarm": 3}
    found = {
        "CompressDlqAlarm": _alarm(given, "compress-dlq-not-empty", _queue(given, "CompressDlq"), LEFT_OVER),
        "CompressDlqAgeAlarm": _alarm(given, "compress-dlq-expiring", _queue(given, "CompressDlq"), expiring),
        "CompressFailingAlarm": _alarm(given, "compress-failing", ("service", "compress"), failing),
        "CompressErrorsAlarm": _alarm(given, "compress-errors", of, ERRORS),
        "CompressThrottlesAlarm": _alarm(given, "compress-throttled", of, THROTTLES),
        "CompressDurationAlarm": _alarm(given, "compress-slow", of, slow),
        "CompressQueueAgeAlarm": _alarm(given, "compress-behind", _queue(given, "CompressQueue"), behind),
    }
    if not given.makes_bucket:
        lost = ONE_OF_SUM | {"Namespace": "AWS/Events", "MetricName": "InvocationsFailedToBeSentToDlq"}
        rule = ("RuleName", f"{given.name}-compress")
        found["CompressEventsLostAlarm"] = _alarm(given, "compress-events-lost", rule, lost)
    return found


def _backfill(given: Given) -> dict[str, Fields]:
    of = _function(given, "backfill")
    machine = ("StateMachineArn", given.arn("states", f"stateMachine:{given.name}-backfill"))
    failed = ONE_OF_SUM | {"Namespace": "AWS/States", "MetricName": "ExecutionsFailed"}
    return {
        "BackfillErrorsAlarm": _alarm(given, "backfill-errors", of, ERRORS),
        "BackfillThrottlesAlarm": _alarm(given, "backfill-throttled", of, THROTTLES),
        "BackfillFailedAlarm": _alarm(given, "backfill-failed", machine, failed),
        "BackfillTimeoutAlarm": _alarm(given, "backfill-timed-out", machine, failed | {"MetricName": "ExecutionsTimedOut"}),
    }


def _files(given: Given) -> dict[str, Fields]:
    count, purge = _function(given, "count"), _function(given, "purge")
    machine = ("StateMachineArn", given.arn("states", f"stateMachine:{given.name}-purge"))
    failed = ONE_OF_SUM | {"Namespace": "AWS/States", "MetricName": "ExecutionsFailed"}
    incomplete = ONE_OF_SUM | {"Namespace": "Sluice", "MetricName": "PurgeErrors"}
    found = {
        "CountErrorsAlarm": _alarm(given, "count-errors", count, ERRORS),
        "CountThrottlesAlarm": _alarm(given, "count-throttled", count, THROTTLES),
        "PurgeErrorsAlarm": _alarm(given, "purge-errors", purge, ERRORS),
        "PurgeThrottlesAlarm": _alarm(given, "purge-throttled", purge, THROTTLES),
        "PurgeIncompleteAlarm": _alarm(given, "purge-incomplete", ("service", "purge"), incomplete),
        "PurgeSweepAlarm": _alarm(given, "purge-sweep-failed", machine, failed),
        "PurgeSweepTimeoutAlarm": _alarm(given, "purge-sweep-timed-out", machine, failed | {"MetricName": "ExecutionsTimedOut"}),
        "ScheduleDlqAlarm": _alarm(given, "schedule-dlq-not-empty", _queue(given, "ScheduleDlq"), LEFT_OVER),
    }
    if given.purge_is_awaited:
        hours = {"EvaluationPeriods": given.number("PurgeHeartbeatHours")}
        started = {"Namespace": "AWS/States", "MetricName": "ExecutionsStarted", "Statistic": "Sum"} | SILENCE | hours
        found["PurgeSweepMissingAlarm"] = _alarm(given, "purge-sweep-missing", machine, started)
    return found


def _monitor(given: Given) -> dict[str, Fields]:
    of = _function(given, "monitor")
    fails = ERRORS | {"Statistic": "Sum", "Period": 900, "EvaluationPeriods": 4, "Threshold": 0}
    found = {
        "MonitorAlarm": _alarm(given, "monitor-fails", of, fails),
        "MonitorThrottlesAlarm": _alarm(given, "monitor-throttled", of, THROTTLES),
    }
    if given.monitor_applies:
        skipped = {"Namespace": "Sluice", "MetricName": "MountTargetsSkipped", "Statistic": "Minimum", "Threshold": 0}
        hours = {"Period": 3600, "EvaluationPeriods": 3}
        found["MonitorSkippedAlarm"] = _alarm(given, "monitor-skipped", ("FileSystemId", given.file_system), skipped, hours)
    if given.monitor_is_awaited:
        count = {"Namespace": "Sluice", "MetricName": "FileCount", "Statistic": "SampleCount", "EvaluationPeriods": 3} | SILENCE
        found["MonitorCountStaleAlarm"] = _alarm(given, "monitor-count-stale", ("FileSystemId", given.file_system), count)
    return found
