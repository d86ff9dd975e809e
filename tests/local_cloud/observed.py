"""What a deployed stack is, asked of the services themselves: the template is not looked at."""

import functools
import json
import re
from collections.abc import Callable

from botocore.exceptions import ClientError

import observed_files
from cloud import Cloud
from deployment import client

# What no deployment decides, or what differs from one look to the next.
PASSING = re.compile(
    r"(ApproximateNumberOf\w+|CreatedTimestamp|[Cc]reation(Date|Time)|LastModified\w*|LastModificationDate|"
    r"LastProcessingResult|LastUpdateStatus\w*|ResponseMetadata|RevisionId|revisionId|"
    r"State(Reason\w*|Value|UpdatedTimestamp)|AlarmConfigurationUpdatedTimestamp|SizeInBytes|storedBytes|Tags|updateDate)"
)
ARN = re.compile(r"arn:aws:[^\s\"']+")
GONE = re.compile(r"NotFound|NoSuch|NotExist|NonExistent")

Fields = dict[str, object]


class Stack:
    """One look at the stack `name`: its resources by logical id, each with what its service says of it."""

    def __init__(self, cloud: Cloud, name: str):
        self.name = name
        self.client = functools.cache(functools.partial(client, cloud))  # making one takes longer than asking it
        formation = self.client("cloudformation")
        described = formation.describe_stacks(StackName=name)["Stacks"][0]
        self.parameters = {p["ParameterKey"]: p["ParameterValue"] for p in described["Parameters"]}
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", [])}
        pages = formation.get_paginator("list_stack_resources").paginate(StackName=name)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        self.types = {r["LogicalResourceId"]: r["ResourceType"].removeprefix("AWS::") for r in found}
        self.ids = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found}
        self.fields = {name: self._look(name) for name in self.types}

    def _look(self, name: str) -> Fields:
        """A resource that is not there raises: the stack says it is. Of one without a reader `what_is` knows nothing."""
        reader = READERS.get(self.types[name])
        seen = reader(self.client, self.ids[name]) if reader else {"reader": None}
        return {field: value for field, value in seen.items() if not PASSING.fullmatch(field)}

    def is_there(self, name: str) -> bool:
        """Whether the resource is still there when the stack no longer says so; of a part of something else: no."""
        reader = READERS[self.types[name]]
        try:
            return reader is not _part and bool(reader(self.client, self.ids[name]))
        except LookupError:
            return False
        except ClientError as error:
            if GONE.search(error.response["Error"]["Code"]):
                return False
            raise

    def policy(self, name: str) -> list[dict]:
        """The statements of its policy, asked anew."""
        now = READERS[self.types[name]](self.client, self.ids[name])
        return (now.get("Policy") or {"Statement": []})["Statement"]

    def named_arns(self) -> set[str]:
        """Every ARN in it, but for patterns, what services are called by, and parameters, which the functions write."""
        found = ARN.findall(json.dumps([self.fields, self.outputs]).replace("\\", ""))
        exact = {arn.removesuffix(":$LATEST") for arn in found if "*" not in arn}
        return {arn for arn in exact if not arn.startswith(("arn:aws:states:::", "arn:aws:ssm:"))}

    def own_arns(self) -> set[str]:
        """Those of its resources."""
        return {str(self.fields[name][OWN_ARN[kind]]) for name, kind in self.types.items() if kind in OWN_ARN}


def _function(of: Callable, name: str) -> Fields:
    functions = of("lambda")
    reserved = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    return functions.get_function_configuration(FunctionName=name) | {"ReservedConcurrentExecutions": reserved}


def _mapping(of: Callable, uuid: str) -> Fields:
    # As it is sent: botocore would make a number of a text.
    raw = []
    functions = of("lambda")
    functions.meta.events.register("before-parse.lambda.*", lambda response_dict, **_: raw.append(response_dict["body"]))
    functions.get_event_source_mapping(UUID=uuid)
    return json.loads(raw[0])


def _invoke_config(of: Callable, name: str) -> Fields:
    function = name.partition(":")[0]
    return of("lambda").list_function_event_invoke_configs(FunctionName=function)["FunctionEventInvokeConfigs"][0]


def _queue(of: Callable, url: str) -> Fields:
    attributes = of("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    documents = {"Policy", "RedrivePolicy", "RedriveAllowPolicy"} & attributes.keys()
    return attributes | {name: json.loads(attributes[name]) for name in documents}


def _bucket(of: Callable, name: str) -> Fields:
    s3 = of("s3")
    s3.head_bucket(Bucket=name)
    notifications = s3.get_bucket_notification_configuration(Bucket=name)
    for queue in notifications.get("QueueConfigurations", []):
        del queue["Id"]
    return {
        "Arn": f"arn:aws:s3:::{name}",
        "Queues": notifications.get("QueueConfigurations"),
        "EventBridge": notifications.get("EventBridgeConfiguration"),
        "Encryption": s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"],
        "Versioning": s3.get_bucket_versioning(Bucket=name).get("Status"),
        "Ownership": s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"],
        "PublicAccessBlock": s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"],
        "Lifecycle": _if_any(lambda: [rule["ID"] for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]]),
        "Policy": _if_any(lambda: json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])),
    }


def _if_any(look: Callable[[], object]) -> object:
    try:
        return look()
    except ClientError as error:
        if GONE.search(error.response["Error"]["Code"]):
            return None
        raise


def _alarm(of: Callable, name: str) -> Fields:
    return of("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


def _dashboard(of: Callable, name: str) -> Fields:
    """Its alarms by title, the titles of its other widgets, and whatever their metrics are of."""
    answer = of("cloudwatch").get_dashboard(DashboardName=name)
    widgets = [widget["properties"] for widget in json.loads(answer["DashboardBody"])["widgets"]]
    alarms = {w["title"]: [arn.rpartition(":")[2] for arn in w["alarms"]] for w in widgets if "alarms" in w}
    titles = [widget["title"] for widget in widgets if "metrics" in widget]
    of_what = {value for widget in widgets for value in _dimension_values(widget.get("metrics", []))}
    return {"Arn": answer["DashboardArn"], "Alarms": alarms, "Titles": titles, "Of": sorted(of_what)}


def _dimension_values(metrics: list[list]) -> list[str]:
    """Of metrics as a widget writes them: "." is what stands above it, "..." all that does."""
    found, above = [], []
    for metric in metrics:
        texts = [part for part in metric if isinstance(part, str)]
        if texts and texts[0] == "...":
            texts = [*above[: len(above) - len(texts) + 1], *texts[1:]]
        above = [above[place] if text == "." else text for place, text in enumerate(texts)] or above
        found += above[3::2]
    return found


def _log_group(of: Callable, name: str) -> Fields:
    groups = of("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return {group["logGroupName"]: group for group in groups}[name]


def _role(of: Callable, name: str) -> Fields:
    iam = of("iam")
    role = iam.get_role(RoleName=name)["Role"]
    names = iam.list_role_policies(RoleName=name)["PolicyNames"]
    documents = {policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in names}
    statements = {policy: [statement["Sid"] for statement in documents[policy]["Statement"]] for policy in documents}
    return {
        "Arn": role["Arn"],
        "Trust": role["AssumeRolePolicyDocument"]["Statement"],
        "Statements": statements,
        "Documents": documents,
        "Attached": [policy["PolicyArn"] for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]],
    }


def _machine(of: Callable, arn: str) -> Fields:
    described = of("stepfunctions").describe_state_machine(stateMachineArn=arn)
    return described | {"definition": json.loads(described["definition"])}


def _schedule(of: Callable, name: str) -> Fields:
    described = of("scheduler").get_schedule(Name=name)
    return described | {"Target": described["Target"] | {"Input": json.loads(described["Target"]["Input"])}}


def _rule(of: Callable, name: str) -> Fields:
    events = of("events")
    rule = events.describe_rule(Name=name)
    return rule | {
        "EventPattern": json.loads(rule["EventPattern"]),
        "Targets": events.list_targets_by_rule(Rule=name)["Targets"],
    }


def _table(of: Callable, name: str) -> Fields:
    dynamodb = of("dynamodb")
    table = dynamodb.describe_table(TableName=name)["Table"]
    return {
        "Arn": table["TableArn"],
        "Status": table["TableStatus"],
        "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode"),
        "Attributes": {it["AttributeName"]: it["AttributeType"] for it in table["AttributeDefinitions"]},
        "Key": [(it["AttributeName"], it["KeyType"]) for it in table["KeySchema"]],
        "Indexes": table.get("LocalSecondaryIndexes", []) + table.get("GlobalSecondaryIndexes", []),
        "Encryption": table.get("SSEDescription"),
        "TimeToLive": dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
    }


def _part(_of: Callable, _name: str) -> Fields:
    """Seen as a part of something else."""
    return {}


READERS: dict[str, Callable[[Callable, str], Fields]] = {
    "CloudWatch::Alarm": _alarm,
    "CloudWatch::Dashboard": _dashboard,
    "DynamoDB::Table": _table,
    "EC2::SubnetRouteTableAssociation": _part,
    "Events::Rule": _rule,
    "IAM::Role": _role,
    "IAM::RolePolicy": _part,
    "Lambda::EventInvokeConfig": _invoke_config,
    "Lambda::EventSourceMapping": _mapping,
    "Lambda::Function": _function,
    "Logs::LogGroup": _log_group,
    "S3::Bucket": _bucket,
    "S3::BucketPolicy": _part,
    "SQS::Queue": _queue,
    "SQS::QueuePolicy": _part,
    "Scheduler::Schedule": _schedule,
    "StepFunctions::StateMachine": _machine,
    **observed_files.READERS,
}

OWN_ARN = {
    "CloudWatch::Alarm": "AlarmArn",
    "CloudWatch::Dashboard": "Arn",
    "DynamoDB::Table": "Arn",
    "EC2::Subnet": "SubnetArn",
    "EFS::AccessPoint": "AccessPointArn",
    "EFS::FileSystem": "FileSystemArn",
    "Events::Rule": "Arn",
    "IAM::Role": "Arn",
    "Lambda::EventSourceMapping": "EventSourceMappingArn",
    "Lambda::Function": "FunctionArn",
    "Logs::LogGroup": "logGroupArn",
    "S3::Bucket": "Arn",
    "SQS::Queue": "QueueArn",
    "Scheduler::Schedule": "Arn",
    "StepFunctions::StateMachine": "stateMachineArn",
}
