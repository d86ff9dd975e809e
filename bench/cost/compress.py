"""The bill of compress."""

from __future__ import annotations

import math

from bill import Invocations, Row, function_rows
from load import CONCURRENCY, DAYS, Load, Measured
from prices import Prices
from quantities import billed_s, cpu_s_per_file, gb_months, gb_seconds, list_requests, network_s, put_requests

METRICS = 7  # ColdStart, Compressed, Skipped, DeadLettered, Failed, InputBytes, OutputBytes
# A queue's poller waits 20 s for a message; Lambda keeps five of them at a queue that is empty.
IDLE_POLLS = 5 * DAYS * 86_400 / 20
# S3 counts the days of a lifecycle rule from the next midnight: half a day more, on average.
MIDNIGHT_DAYS = 0.5
# The most that a queue's mapping can be bound to.
CONCURRENCY_MAX = 1_000


def output_bytes(load: Load, measured: Measured) -> float:
    """Of one file, at the ratio of the benchmark's data."""
    return measured.output_bytes * load.file_mb / 10


def invocation_s(load: Load, measured: Measured) -> float:
    """Billed duration of a full batch."""
    cpu_s = load.batch * cpu_s_per_file(measured.cpu_s, load.file_mb, load.cpu_factor)
    waits_s = network_s(load.batch, load.file_mb, output_bytes(load, measured))
    return billed_s(cpu_s, waits_s, load.memory_mb, threads=load.batch)


def at_once(load: Load, measured: Measured) -> float:
    """Invocations that must run at the same time to keep up."""
    return load.files_per_hour / 3600 / load.batch * invocation_s(load, measured)


def keeps_up(invocations: float) -> list[str]:
    """What compress needs so that the queue does not grow, and what to set where the template's default is too little."""
    needed = math.ceil(invocations)
    said = f"compress keeps up with {needed:,} invocations at a time"
    if needed <= CONCURRENCY:
        return [f"{said}; CompressMaxConcurrency allows {CONCURRENCY}"]
    wanted = f"to at least {needed}" if needed <= CONCURRENCY_MAX else "to 0, as many as the account allows"
    return [
        f"{said}: with {CONCURRENCY} the backlog grows without end",
        f"set CompressMaxConcurrency {wanted}, and the account's limit above what is needed",
    ]


def request_rows(load: Load, measured: Measured, prices: Prices) -> list[Row]:
    """What S3 and SQS charge for requests."""
    files = load.files
    puts = files * put_requests(output_bytes(load, measured), load.upload)
    lists = list_requests(load.listed_keys)
    sqs = files + 2 * files / load.batch
    deletes = files if load.source == "delete" else 0.0
    polls_usd = prices.cost("sqs_request", IDLE_POLLS, before=sqs)
    rows = [
        Row("compress", "S3", "PUT of outputs", puts, "requests", prices.cost("s3_put", puts)),
        Row("compress", "S3", "GET of sources", files, "requests", prices.cost("s3_get", files)),
        Row("compress", "S3", "DELETE of sources", deletes, "requests", prices.cost("s3_delete", deletes)),
        Row("compress", "SQS", "send one by one; receive, delete by batch", sqs, "requests", prices.cost("sqs_request", sqs)),
        Row("compress", "SQS", "polls of an empty queue, at most", IDLE_POLLS, "requests", polls_usd, fixed=True),
    ]
    if load.events == "eventbridge":
        # Every event of the bucket is billed, not only those that a rule takes: source and output made, source removed.
        events = 2 * files + deletes
        usd = prices.cost("eventbridge_opt_in_event", events)
        rows.append(Row("compress", "EventBridge", "all events of the bucket", events, "events", usd))
    if lists:
        rows.append(Row("compress", "S3", "LIST, 1,000 keys each", lists, "requests", prices.cost("s3_put", lists)))
    return rows


def storage_rows(load: Load, measured: Measured, prices: Prices) -> list[Row]:
    """What S3 charges for what is kept. Of a versioned bucket a removed source stays until a lifecycle rule takes it."""
    files_per_day = load.files / DAYS
    if load.source == "delete":
        days = load.version_days + MIDNIGHT_DAYS if load.version_days else 0.0
        item = f"removed sources kept {load.version_days:g} days"
    else:
        days, item = load.source_days, f"sources kept {load.source_days:g} days"
    sources = gb_months(files_per_day * load.file_mb * 1e6, days)
    outputs = gb_months(files_per_day * output_bytes(load, measured), load.output_days)
    rows = [Row("compress", "S3 storage", item, sources, "GB-months", prices.cost("s3_gb_month", sources))]
    if load.output_days:
        item = f"outputs kept {load.output_days:g} days"
        rows.append(Row("compress", "S3 storage", item, outputs, "GB-months", prices.cost("s3_gb_month", outputs, sources)))
    return rows


def rows(load: Load, measured: Measured, prices: Prices) -> list[Row]:
    """Everything."""
    invocations = load.files / load.batch
    done = Invocations(
        function="compress",
        number=invocations,
        gb_seconds=invocations * gb_seconds(invocation_s(load, measured), load.memory_mb),
        lines=load.batch + 1,  # one an object, one an invocation
        metrics=METRICS,
        metric_months=1.0 if load.files else 0.0,
    )
    return [*request_rows(load, measured, prices), *storage_rows(load, measured, prices), *function_rows(done, load, prices)]
