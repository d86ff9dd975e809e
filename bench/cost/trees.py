"""The bills of count, purge and monitor, and of what the stack has besides its functions."""

from __future__ import annotations

from bill import Invocations, Row, function_rows
from load import GB, HOURS, Load, Measured
from prices import Prices
from quantities import (
    CALL_S,
    ENTRY_WITH_ATTRIBUTES_BYTES,
    METADATA_BYTES,
    SESSION_SLOTS,
    billed_s,
    count_bytes,
    gb_seconds,
    listing_bytes,
)

MEMORY_MB = 256
MONITOR_MEMORY_MB = 128
TICK_S = 1.0  # assumed: some ten calls, one after the other
# Of a prototype on the same model of a file system, the kernel's share included; on the safe side.
CPU_S_PER_FILE_SEEN = 15e-6
CPU_S_PER_FILE_REMOVED = 50e-6
INVOCATION_S_MAX = 890
RANGES_PER_WORKER = 2
STEPS_OF_RANGE = 4  # the child, and its three states
STEPS_OF_SWEEP = 12
STEPS_OF_COUNTING = 4
METRICS_ASKED_FOR = 4
LEASE_PUTS, LEASE_GETS = 4, 2  # of a tick: two leases, each begun and ended


def _efs(load: Load, prices: Prices, function: str, item: str, kind: str, metered_bytes: float) -> Row:
    """Elastic throughput is paid by the byte; the other modes are paid for whether used or not."""
    usd = prices.cost(f"efs_{kind}_gb", metered_bytes / GB) if load.efs == "elastic" else 0.0
    return Row(function, "EFS", item, metered_bytes / GB, "GB metered", usd)


def count_s(load: Load, measured: Measured) -> float:
    """Billed duration of one count, however many invocations it takes."""
    waits = load.tree_files * measured.count_s_per_million / 1e6
    looks = 2 if load.count_by == "stat" else 1
    waits += (looks - 1) * load.tree_files * CALL_S / SESSION_SLOTS
    return billed_s(load.tree_files * CPU_S_PER_FILE_SEEN * looks, waits, MEMORY_MB)


def count_rows(load: Load, measured: Measured, prices: Prices) -> list[Row]:
    """A count as often as monitor, or a schedule, asks for one."""
    took_s = count_s(load, measured)
    number = load.counts_per_month * (1 + took_s // INVOCATION_S_MAX)
    done = Invocations(
        function="count",
        number=number,
        gb_seconds=load.counts_per_month * gb_seconds(took_s, MEMORY_MB),
        lines=1,
        metrics=3,  # ColdStart, FilesCounted, CountErrors
        metric_months=min(1.0, load.counts_per_month / HOURS),
    )
    metered = load.counts_per_month * count_bytes(load.tree_files, load.files_per_directory, load.count_by)
    return [_efs(load, prices, "count", f"reads, by {load.count_by}", "read", metered), *function_rows(done, load, prices)]


def purge_rows(load: Load, measured: Measured, prices: Prices) -> list[Row]:
    """A sweep as often as the schedule says: everything listed with its times, the due files looked at again and removed."""
    sweeps, due = load.sweeps_per_month, load.tree_files * load.due_share
    passes = 2 if load.counts_first == "yes" else 1
    seen = passes * load.tree_files
    cpu_s = seen * CPU_S_PER_FILE_SEEN + due * CPU_S_PER_FILE_REMOVED
    took_s = billed_s(cpu_s, seen * measured.count_s_per_million / 1e6 + due / measured.purged_per_s, MEMORY_MB)
    ranges = load.workers * RANGES_PER_WORKER
    steps = sweeps * (STEPS_OF_SWEEP + (passes - 1) * STEPS_OF_COUNTING + passes * ranges * STEPS_OF_RANGE)
    done = Invocations(
        function="purge",
        number=sweeps * (passes * ranges + 3) if load.tree_files else 0.0,
        gb_seconds=sweeps * gb_seconds(took_s, MEMORY_MB),
        lines=1,
        metrics=5,  # ColdStart, FilesScanned, FilesPurged, DirsPurged, PurgeErrors
        metric_months=min(1.0, sweeps / HOURS) if load.tree_files else 0.0,
    )
    listing = passes * listing_bytes(load.tree_files, load.files_per_directory, ENTRY_WITH_ATTRIBUTES_BYTES)
    return [
        _efs(load, prices, "purge", "reads, listing", "read", sweeps * listing),
        _efs(load, prices, "purge", "reads, second look", "read", sweeps * due * METADATA_BYTES),
        _efs(load, prices, "purge", "writes, removals", "write", sweeps * due * METADATA_BYTES),
        Row("purge", "Step Functions", "transitions", steps, "transitions", prices.cost("states_transition", steps), fixed=True),
        Row("purge", "Scheduler", "sweeps", sweeps, "invocations", prices.cost("scheduler_invocation", sweeps), fixed=True),
        *function_rows(done, load, prices),
    ]


def monitor_rows(load: Load, measured: Measured, prices: Prices) -> list[Row]:
    """Ticks. One that asks for a count waits for it."""
    ticks = load.ticks_per_month
    waits = min(ticks, load.counts_per_month) * min(count_s(load, measured), INVOCATION_S_MAX)
    done = Invocations(
        function="monitor",
        number=ticks,
        gb_seconds=gb_seconds(ticks * TICK_S + waits, MONITOR_MEMORY_MB),
        lines=1,
        metrics=6,  # ColdStart, and five that it writes by the API
        metric_months=min(1.0, ticks / HOURS),
    )
    asked = METRICS_ASKED_FOR * ticks
    puts, gets = LEASE_PUTS * ticks, LEASE_GETS * ticks
    return [
        Row("monitor", "S3", "leases, PUT", puts, "requests", prices.cost("s3_put", puts)),
        Row("monitor", "S3", "leases, GET", gets, "requests", prices.cost("s3_get", gets)),
        Row("monitor", "CloudWatch", "PutMetricData", ticks, "requests", prices.cost("metric_put_request", ticks)),
        Row("monitor", "CloudWatch", "GetMetricData", asked, "metrics", prices.cost("metric_get", asked)),
        Row("monitor", "SSM", "documents, standard", 3, "parameters", prices.cost("ssm_parameter_month", 3), fixed=True),
        Row("monitor", "Scheduler", "ticks", ticks, "invocations", prices.cost("scheduler_invocation", ticks)),
        *function_rows(done, load, prices),
    ]


def stack_rows(load: Load, prices: Prices) -> list[Row]:
    """What is there all month."""
    alarms, boards = load.alarms, load.dashboards
    return [
        Row("stack", "CloudWatch", "alarms", alarms, "alarms", prices.cost("alarm_month", alarms), fixed=True),
        Row("stack", "CloudWatch", "dashboards", boards, "dashboards", prices.cost("dashboard_month", boards), fixed=True),
    ]
