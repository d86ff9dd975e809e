"""A bill: rows of quantity times price, and their sums."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from load import DAYS, GB, HOURS, Load
from prices import Prices
from quantities import traces

FUNCTIONS = ("compress", "backfill", "count", "purge", "monitor", "stack")
MONTH_S = HOURS * 3600
# Of compress's lines, counted by hand from their fields; CloudWatch adds 26 bytes to each event.
METRICS_LINE_BYTES = 515 + 26
LOG_LINE_BYTES = 400 + 26


@dataclass(frozen=True)
class Row:
    """One line; `fixed` is what costs the same when nothing is done."""

    function: str
    service: str
    item: str
    quantity: float
    unit: str
    usd: float
    fixed: bool = False


@dataclass(frozen=True)
class Invocations:
    """What a function did in a month. `lines` are those of a sampled invocation, besides the metrics."""

    function: str
    number: float
    gb_seconds: float
    lines: float
    metrics: int
    metric_months: float  # share of the hours in which it wrote any


def function_rows(done: Invocations, load: Load, prices: Prices) -> list[Row]:
    """What every function costs alike: Lambda, logs, metrics, traces."""
    name = done.function
    arch = load.architecture
    log_bytes = done.number * (METRICS_LINE_BYTES + load.sample_rate * done.lines * LOG_LINE_BYTES)
    log_gb, kept = log_bytes / GB, log_bytes / GB / DAYS * load.log_days
    series = done.metrics * done.metric_months
    recorded = traces(done.number, MONTH_S * done.metric_months, load.tracing)
    rows = [
        Row(name, "Lambda", f"compute, {arch}", done.gb_seconds, "GB-s", prices.cost(f"lambda_gb_second_{arch}", done.gb_seconds)),
        Row(name, "Lambda", "invocations", done.number, "requests", prices.cost("lambda_request", done.number)),
        Row(name, "CloudWatch", "logs written", log_gb, "GB", prices.cost("logs_gb", log_gb)),
        Row(name, "CloudWatch", f"logs kept {load.log_days:g} days", kept, "GB-months", prices.cost("logs_gb_month", kept)),
        Row(name, "CloudWatch", "metrics", series, "metric-months", prices.cost("metric_month", series)),
    ]
    if load.tracing != "off":
        rows.append(Row(name, "X-Ray", f"traces, {load.tracing}", recorded, "traces", prices.cost("xray_trace", recorded)))
    return rows


def total(rows: Iterable[Row]) -> float:
    """USD a month."""
    return sum(row.usd for row in rows)


def by_service(rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """USD a month for each service, then function; the dearest service first."""
    sums: dict[str, dict[str, float]] = {}
    for row in rows:
        of_service = sums.setdefault(row.service, dict.fromkeys(FUNCTIONS, 0.0))
        of_service[row.function] += row.usd
    return dict(sorted(sums.items(), key=lambda pair: -sum(pair[1].values())))
