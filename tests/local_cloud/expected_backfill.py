"""What a deployed stack is to have for backfills: table, function, state machine, and how to call them."""

import expected_parts as parts
from given import Given
from observed import Fields


def backfill(given: Given) -> dict[str, Fields]:
    """By logical id."""
    return {"JobsTable": _table(given)} | _function(given) | _machine(given)


def _table(given: Given) -> Fields:
    return {
        "Arn": given.arn("dynamodb", f"table/{given.name}-backfill"),
        "Status": "ACTIVE",
        "BillingMode": "PAY_PER_REQUEST",
        "Attributes": {"job_id": "S", "item": "S"},
        "Key": [("job_id", "HASH"), ("item", "RANGE")],
        "Indexes": [],
        "Encryption": None,  # the key of DynamoDB
        "TimeToLive": {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"},
    }


def _function(given: Given) -> dict[str, Fields]:
    variables = {
        "JOBS_TABLE": f"{given.name}-backfill",
        "JOB_RETENTION_DAYS": given["BackfillJobDays"],
        "QUEUE_URL": given.ids["CompressQueue"],
        "SOURCE_BUCKET": given.bucket,
        "SOURCE_PREFIX": given["SourcePrefix"],
        "OUTPUT_PREFIX": given["OutputPrefix"],
        "COMPRESSION_FORMAT": given["CompressionFormat"],
        "SOURCE_DISPOSITION": "keep" if given.keeps_sources else "delete",
        "POWERTOOLS_LOGGER_SAMPLE_RATE": "1",
    }
    storage = {"EphemeralStorage": {"Size": given.number("BackfillStorageMb")}}
    return parts.function(given, "backfill", 900, given.number("BackfillMemoryMb"), variables, **storage)


def _machine(given: Given) -> dict[str, Fields]:
    return parts.machine(given, "backfill", "backfill.asl.json", "Backfill", "BackfillMachine")


def outputs(given: Given) -> dict[str, str]:
    """Those of backfills."""
    machine, table = given.arn("states", f"stateMachine:{given.name}-backfill"), f"{given.name}-backfill"
    return {
        "BackfillFunctionName": f"{given.name}-backfill",
        "BackfillArn": machine,
        "JobsTableName": table,
        "BackfillCommand": f"aws stepfunctions start-execution --state-machine-arn {machine} --name first "
        """--input '{"dry_run": true}'""",
        "BackfillStatusCommand": f"aws dynamodb get-item --table-name {table} "
        """--key '{"job_id": {"S": "first"}, "item": {"S": "job"}}'""",
    }
