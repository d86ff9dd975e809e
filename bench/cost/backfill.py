"""The bill of a backfill: finding what is already in the bucket, handing it to compress, and verifying. Compress's part is its own line."""

from __future__ import annotations

import math
from dataclasses import replace

import compress
from bill import Invocations, Row, function_rows, total
from load import CONCURRENCY, HOURS, Load, Measured
from prices import Prices
from quantities import KEYS_PER_LIST, gb_seconds, list_requests

MEMORY_MB = 512
PARTITIONS = 257  # the 256 hash folders, and what is before, between and after them
MESSAGES_PER_SEND = 10  # half a kilobyte each: one request
ROWS_PER_FILE = 1_000_000  # of an inventory, about
# ASSUMED, not measured: of an invocation of 512 MB that lists or reads a page, sends its 1,000 messages and writes a checkpoint;
# and objects that one looks at in a second.
PAGE_S = 0.5
LOOKS_PER_S = 500.0
POLL_S = 0.1
INVOCATION_S = 880.0
TELLING_S = 5.0  # between two times that a child tells the record
TELLING_UNITS = 4  # two items in one transaction, each write counts twice
STEPS_OF_CHILD = 6  # its start and its states; of a partition that takes more than one invocation:
STEPS_OF_ROUND = 3
STEPS_OF_JOB = 20
STEPS_OF_LOOK = 3
# How often the state machine looks: as `functions/backfill` waits, seconds.
LOOK_S, LOOKS_AT_FIRST_PACE, LOOK_S_MAX = 60, 60, 1_800


def looks(seconds: float) -> int:
    """How often the record is looked at in so long a time: each minute for an hour, then ever less often."""
    waited, number = 0.0, 0
    while waited < seconds:
        number += 1
        waited += min(LOOK_S_MAX, max(LOOK_S, LOOK_S * number // LOOKS_AT_FIRST_PACE))
    return number


def heads(load: Load) -> float:
    """Requests that ask whether an object is there. A listing says it of sources: of those that were to go none is left."""
    if load.backfill_by == "inventory":
        return 2 * load.backfill_objects  # the source and its output, for each row
    return load.backfill_objects if load.source == "keep" else 0.0


def compressing(load: Load, measured: Measured, prices: Prices) -> float:
    """What compress costs for as many objects: its requests, its time, its logs. What is there at any load is not in it."""
    same = replace(load, files_per_hour=load.backfill_objects / HOURS, events="notification", listed_keys=0)
    paid = [row for row in compress.rows(same, measured, prices) if not row.fixed and row.service not in ("S3 storage", "SQS")]
    return total(row for row in paid if row.item != "metrics")


def queue_rows(load: Load, prices: Prices) -> list[Row]:
    """Sent, received and removed by tens. What has a group costs more."""
    objects = load.backfill_objects
    sent, taken = math.ceil(objects / MESSAGES_PER_SEND), 2 * objects / load.batch
    requests = sent + taken
    return [
        Row("backfill", "SQS", "send, receive, delete by batch", requests, "requests", prices.cost("sqs_request", requests)),
        Row("backfill", "SQS", "fair queue, on top", requests, "requests", prices.cost("sqs_fair_request", requests)),
    ]


def table_rows(load: Load, pages: float, busy_s: float, prices: Prices) -> list[Row]:
    """A checkpoint for each page, enqueued and verified; the record told by children, and by compress once an invocation."""
    verified = pages if heads(load) else PARTITIONS
    told = (busy_s / TELLING_S + PARTITIONS) * TELLING_UNITS
    writes = pages + verified + PARTITIONS + told + load.backfill_objects / load.batch
    return [Row("backfill", "DynamoDB", "writes, on demand", writes, "units", prices.cost("dynamodb_write_unit", writes))]


def finding_rows(load: Load, prices: Prices) -> list[Row]:
    """By listing, or by a report of S3 Inventory."""
    objects = load.backfill_objects
    if load.backfill_by == "inventory":
        parts = math.ceil(objects / ROWS_PER_FILE) + 2
        return [
            Row("backfill", "S3", "inventory, one report", objects, "objects", prices.cost("s3_inventory_object", objects)),
            Row("backfill", "S3", "GET of its files", parts, "requests", prices.cost("s3_get", parts)),
        ]
    left = objects if load.source == "keep" else 0.0
    lists = list_requests(objects) + list_requests(left) + 3 * PARTITIONS  # cutting, and each partition's last page, twice
    return [Row("backfill", "S3", "LIST, 1,000 keys each", lists, "requests", prices.cost("s3_put", lists))]


def rows(load: Load, measured: Measured, prices: Prices) -> list[Row]:
    """Everything but compress's own work."""
    objects = load.backfill_objects
    if not objects:
        return []
    pages, looked_at = math.ceil(objects / KEYS_PER_LIST), heads(load)
    enqueue_s, verify_s = pages * PAGE_S, looked_at / LOOKS_PER_S
    wait_s = objects / load.batch * compress.invocation_s(load, measured) / CONCURRENCY
    rounds = (enqueue_s + verify_s) / INVOCATION_S
    steps = 2 * PARTITIONS * STEPS_OF_CHILD + rounds * STEPS_OF_ROUND + looks(wait_s) * STEPS_OF_LOOK + STEPS_OF_JOB
    done = Invocations(
        function="backfill",
        number=2 * PARTITIONS + rounds + looks(wait_s),
        gb_seconds=gb_seconds(enqueue_s + verify_s + looks(wait_s) * POLL_S, MEMORY_MB),
        lines=1,
        metrics=7,  # ColdStart, what was listed, enqueued, left out, verified, and what was left over or missing
        metric_months=min(1.0, wait_s / 3600 / HOURS),
    )
    return [
        *finding_rows(load, prices),
        Row("backfill", "S3", "HEAD, verification", looked_at, "requests", prices.cost("s3_get", looked_at)),
        *queue_rows(load, prices),
        *table_rows(load, pages, enqueue_s, prices),
        Row("backfill", "Step Functions", "transitions", steps, "transitions", prices.cost("states_transition", steps)),
        *function_rows(done, load, prices),
    ]
