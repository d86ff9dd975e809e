"""The whole bill, and what it would be had one thing been chosen differently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import backfill
import compress
import trees
from bill import Row, total
from load import Load, Measured, measured
from prices import Prices

# Field of the load, how the table calls it, what it may be.
CHOICES: tuple[tuple[str, str, tuple[object, ...]], ...] = (
    ("upload", "upload (auto: one PUT up to 8 MiB)", ("auto", "multipart")),
    ("batch", "messages per invocation", (10, 1)),
    ("events", "events (eventbridge: existing bucket)", ("notification", "eventbridge")),
    ("format", "format", ("zip", "zstd")),
    ("architecture", "architecture", ("arm64", "x86_64")),
    ("sample_rate", "share of invocations logged in full", (0.01, 1.0)),
    ("tracing", "X-Ray traces (default: 1/s + 5 %)", ("off", "default", "all")),
    ("count_by", "hourly count by", ("type", "stat")),
    ("counts_first", "sweep counts first, for its budget", ("yes", "no")),
    ("efs", "EFS throughput (bursting: no charge by the byte)", ("elastic", "bursting")),
    ("version_days", "days until a removed source's version expires", (1, 30)),
    ("source", "source (kept: see --source-days)", ("delete", "keep")),
    ("output_days", "days of outputs on the bill", (0, 30)),
    ("listed_keys", "keys listed once, 1,000 a request", (0, 50_000_000)),
)
BACKFILL_OBJECTS = 50_000_000
STORAGE = ("version_days", "source", "output_days")


@dataclass(frozen=True)
class Change:
    """One choice made differently, and what it does to the bill."""

    name: str
    chosen: str
    instead: str
    usd: float
    is_storage: bool  # what is kept costs so much more that a chart shows it apart


def rows(load: Load, prices: Prices, measure: Callable[[str], Measured] = measured) -> list[Row]:
    """Every line of the bill."""
    numbers = measure(load.format)
    return [
        *compress.rows(load, numbers, prices),
        *backfill.rows(load, numbers, prices),
        *trees.count_rows(load, numbers, prices),
        *trees.purge_rows(load, numbers, prices),
        *trees.monitor_rows(load, numbers, prices),
        *trees.stack_rows(load, prices),
    ]


@dataclass(frozen=True)
class Backfill:
    """A backfill by itself, once by a listing and once by an inventory: USD by service, and what compress costs besides."""

    objects: float
    by_listing: dict[str, float]
    by_inventory: dict[str, float]
    compressing: float


def a_backfill(load: Load, prices: Prices, measure: Callable[[str], Measured] = measured) -> Backfill:
    """Of the objects of the load, or of 50,000,000 if it has none."""
    load = replace(load, backfill_objects=load.backfill_objects or BACKFILL_OBJECTS)
    numbers = measure(load.format)
    sums = []
    for way in ("list", "inventory"):
        of_service: dict[str, float] = {}
        for row in backfill.rows(replace(load, backfill_by=way), numbers, prices):
            of_service[row.service] = of_service.get(row.service, 0.0) + row.usd
        sums.append(of_service)
    return Backfill(load.backfill_objects, *sums, backfill.compressing(load, numbers, prices))


def changes(load: Load, prices: Prices, measure: Callable[[str], Measured] = measured) -> list[Change]:
    """Each choice alone, against the load as it is."""
    base = total(rows(load, prices, measure))
    found = []
    for field, name, values in CHOICES:
        chosen = getattr(load, field)
        for value in values:
            if value != chosen:
                other = total(rows(replace(load, **{field: value}), prices, measure))
                found.append(Change(name, _words(chosen), _words(value), other - base, field in STORAGE))
    return found


def _words(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
