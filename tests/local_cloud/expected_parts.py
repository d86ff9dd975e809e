"""Parts of which the stack has several, and what all of them have alike."""

import json

from deployment import ROOT
from given import Given
from observed import Fields

DAYS_14 = str(14 * 86_400)


def queue(given: Given, policy: list[dict], **fields: object) -> Fields:
    key = given["KmsKeyArn"]
    encrypted = {"KmsMasterKeyId": key} if key else {"SqsManagedSseEnabled": "true", "KmsMasterKeyId": None}
    policy = {"Version": "2012-10-17", "Statement": policy}
    return {"MessageRetentionPeriod": DAYS_14, "Policy": policy} | encrypted | fields


def no_plain_http(action: str, *arns: str) -> dict:
    return {
        "Sid": "DenyPlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": arns[0] if len(arns) == 1 else list(arns),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def function(
    given: Given, service: str, timeout: int, memory: int, variables: dict[str, str], **fields: object
) -> dict[str, Fields]:
    """The function and its log group."""
    logical = service.capitalize()
    group = f"/aws/lambda/{given.name}-{service}"
    own = {
        "POWERTOOLS_SERVICE_NAME": service,
        "POWERTOOLS_LOG_LEVEL": given["LogLevel"],
        "POWERTOOLS_LOGGER_SAMPLE_RATE": given["LogSampleRate"],
        "POWERTOOLS_METRICS_NAMESPACE": "Sluice",
    }
    reserved = given.number(f"{logical}ReservedConcurrency") if f"{logical}ReservedConcurrency" in given.parameters else 0
    function = {
        "FunctionName": f"{given.name}-{service}",
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "PackageType": "Zip",
        "Architectures": [given["Architecture"]],
        "MemorySize": memory,
        "Timeout": timeout,
        "ReservedConcurrentExecutions": reserved or None,
        "Role": given.role_arn(f"{logical}Role"),
        "TracingConfig": {"Mode": given["Tracing"]},
        "LoggingConfig": {
            "LogFormat": "JSON",
            "ApplicationLogLevel": given["LogLevel"],
            "SystemLogLevel": "WARN",
            "LogGroup": group,
        },
        "Environment": {"Variables": own | variables},
        "VpcConfig": None,
        "FileSystemConfigs": None,
    }
    return {f"{logical}Function": function | fields, f"{logical}LogGroup": log_group(given, group)}


def log_group(given: Given, name: str) -> Fields:
    return {"logGroupName": name, "retentionInDays": given.number("LogRetentionDays"), "kmsKeyId": given["KmsKeyArn"] or None}



def machine(given: Given, service: str, file: str, logical: str, besides: str) -> dict[str, Fields]:
    """The state machine that `file` of a function's folder describes, and its log group, whose id begins with `besides`."""
    text = (ROOT / "functions" / service / file).read_text(encoding="utf-8")
    invoked, group = given.arn("lambda", f"function:{given.name}-{service}"), f"/aws/vendedlogs/states/{given.name}-{service}"
    text = text.replace("${Partition}", "aws").replace(f"${{{service.capitalize()}FunctionArn}}", invoked)
    destination = {"cloudWatchLogsLogGroup": {"logGroupArn": given.arn("logs", f"log-group:{group}:*")}}
    made = {
        "stateMachineArn": given.arn("states", f"stateMachine:{given.name}-{service}"),
        "name": f"{given.name}-{service}",
        "type": "STANDARD",
        "status": "ACTIVE",
        "roleArn": given.role_arn(f"{besides}Role"),
        "definition": json.loads(text),
        "loggingConfiguration": {"level": "ERROR", "includeExecutionData": False, "destinations": [destination]},
    }
    return {logical: made, f"{besides}LogGroup": log_group(given, group)}
