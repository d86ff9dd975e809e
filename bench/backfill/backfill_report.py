"""What the measurements of `make bench-backfill` mean: targets, tables, CSV."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from backfill_measure import IN_FLIGHT, PAGE_MS, SEND_MS, SLOW_PAGE_MS, WORKERS, Results, Run
from tables import Target, cpu_model, spread, table, write_lines

PARTS = ("worker", "list", "fake", "driver")
# The case whose rows are of different keys, and not to be compared.
SENDING = "list and enqueue"

Row = tuple[str, str, list[Run]]


def wall_s(runs: Sequence[Run]) -> float:
    """The median."""
    return median(run.wall_s for run in runs)


def rows(results: Results) -> list[Row]:
    """Every run of the function: case, variant, runs."""
    found: list[Row] = [("enqueue", f"{number} in flight", runs) for number, runs in results.enqueue.items()]
    for page_ms, listing in ((PAGE_MS, results.listing), (SLOW_PAGE_MS, results.slow)):
        found += [(f"list, {page_ms} ms a page", "1 worker" if number == 1 else f"{number} workers", runs) for number, runs in listing.items()]
    found += [(SENDING, name, [run]) for name, run in results.memory.items()]
    return found


def _ratio(name: str, least: float, runs: dict[int, list[Run]], many: int) -> Target:
    wanted = f"≥ {least:g}×"
    if not runs:
        return Target(name, wanted, "–", None)
    ratio = wall_s(runs[1]) / wall_s(runs[many])
    return Target(name, wanted, f"{ratio:.1f}×", ratio >= least)


def _at_most(name: str, most: float, unit: str, value: float | None) -> Target:
    measured = "–" if value is None else f"{value:.1f}{unit}"
    return Target(name, f"≤ {most:g}{unit}", measured, None if value is None else value <= most)


def _core_speed(found: Sequence[dict[str, Any]]) -> float:
    return median(run["rows"] / run["core_seconds"] for run in found)


def _inventory(found: Sequence[dict[str, Any]]) -> Iterable[Target]:
    speed = _core_speed(found) if found else None
    name = "rows of a Parquet inventory per second of a core"
    yield Target(name, "≥ 1,000,000", "–" if speed is None else f"{speed:,.0f}", None if speed is None else speed >= 1e6)
    yield _at_most("peak memory, Parquet inventory", 128, " MB", max(run["peak_mb"] for run in found) if found else None)


def targets(results: Results) -> list[Target]:
    """Every target, in the order of the plan."""
    listing, slow = _keys(results.listing), _keys(results.slow)
    return [
        _ratio(f"{IN_FLIGHT} calls of the queue in flight against 1", 8, results.enqueue, IN_FLIGHT),
        _ratio(f"{WORKERS} workers against one, {listing}{PAGE_MS} ms a page", 12, results.listing, WORKERS),
        _ratio(f"{WORKERS} workers against one, {slow}{SLOW_PAGE_MS} ms a page", 12, results.slow, WORKERS),
        *(_at_most(f"peak memory of a child, {name}", 48, " MB", run.seen["peak_kb"] / 1024) for name, run in results.memory.items()),
        *([] if results.memory else [_at_most("peak memory of a child", 48, " MB", None)]),
        *_inventory(results.inventory),
    ]


def _keys(runs: dict[int, list[Run]]) -> str:
    return f"{runs[1][0].seen['keys']:,} keys, " if runs else ""


def remarks(results: Results) -> list[str]:
    """What bounds the listing here: CPU time, with everything on the cores of one machine."""
    cores = os.cpu_count() or 1
    found = []
    for page_ms, runs in ((PAGE_MS, results.listing), (SLOW_PAGE_MS, results.slow)):
        if not runs:
            continue
        many = runs[WORKERS]
        cpu_s = median(run.cpu_s for run in many)
        best = wall_s(runs[1]) / (cpu_s / cores)
        child_ms = median(run.page_ms("worker") for run in many)
        found.append(
            f"{page_ms} ms a page, {WORKERS} workers: {cpu_s:.2f} s of CPU time ({child_ms:.2f} ms a page in the child), {cores} cores: at best "
            f"{cpu_s / cores:.2f} s or {best:.1f}×, it took {wall_s(many):.2f} s"
        )
    sizes = [(runs[0].seen["keys"], runs[0].seen["record_bytes"]) for _, _, runs in rows(results)]
    if sizes:
        small, large = min(sizes), max(sizes)
        found.append(f"a status is one GetItem of one item: {small[1]} bytes after {small[0]:,} keys, {large[1]} after {large[0]:,}")
    return found


def run_table(found: Sequence[Row]) -> str:
    """One line per case and variant."""
    first: dict[str, float] = {}
    for case, _, runs in found:
        first.setdefault(case, wall_s(runs))
    if not found:
        return ""
    return table(
        ("case", "variant", "n", "keys", "wall s (min–max)", "× first", "pages", "CPU ms/page: child", "list", "table, queue", "driver", "peak MB"),
        (
            (
                case,
                variant,
                str(len(runs)),
                f"{runs[0].seen['keys']:,}",
                spread([run.wall_s for run in runs], 2),
                "–" if case == SENDING else f"{first[case] / wall_s(runs):.1f}",
                str(runs[0].seen["pages"]),
                *(f"{median(run.page_ms(who) for run in runs):.2f}" for who in PARTS),
                f"{max(run.seen['peak_kb'] for run in runs) / 1024:.1f}",
            )
            for case, variant, runs in found
        ),
        left=2,
    )


def inventory_table(found: Sequence[dict[str, Any]]) -> str:
    """One line."""
    if not found:
        return ""
    walls, cores = ([run[name] for run in found] for name in ("seconds", "core_seconds"))
    line = ("Parquet, one thread", str(len(found)), f"{found[0]['rows']:,}", spread(walls, 2), spread(cores, 2), f"{_core_speed(found):,.0f}")
    peak = f"{max(run['peak_mb'] for run in found):.1f}"
    return table(("inventory", "n", "rows", "wall s (min–max)", "core s (min–max)", "rows per core s", "peak MB"), [(*line, peak)])


def host_lines() -> list[str]:
    """What the numbers depend on."""
    now = datetime.datetime.now(datetime.UTC)
    return [
        "NOT MEASURED ON AWS: models of S3's listing, SQS and DynamoDB on this machine, which share its cores with the function.",
        f"host: {cpu_model()}, {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release().split('-')[0]}, {now:%Y-%m-%d}",
        f"model: the first byte of a page of 1,000 keys after {PAGE_MS} or {SLOW_PAGE_MS} ms, the answer to ten messages after {SEND_MS} ms (at once",
        "for the rows of memory), the table's at once; plain HTTP on 127.0.0.1; any number of calls at a time",
        "wall: from the first partition handed out to the last one done, by processes that run already. Medians, variants in turn.",
        "checked in every run: each key listed once, and where anything is sent, exactly one message about each key",
    ]


def write_csv(folder: Path, found: Sequence[Row], judged: Sequence[Target], notes: Sequence[str]) -> list[Path]:
    """`backfill.csv`, `backfill-targets.csv`; the notes are comment lines above each header."""
    header = "case variant samples keys pages checkpoints sends messages wall_s wall_s_min wall_s_max"
    header += " worker_cpu_s list_cpu_s fake_cpu_s driver_cpu_s peak_kb"
    lines = (
        (
            case, variant, len(runs), *(runs[0].seen[name] for name in ("keys", "pages", "checkpoints", "sends", "messages")),
            *(f"{value:.3f}" for value in (wall_s(runs), min(r.wall_s for r in runs), max(r.wall_s for r in runs))),
            *(f"{median(run.seen[f'{who}_cpu_s'] for run in runs):.3f}" for who in PARTS), max(r.seen["peak_kb"] for r in runs),
        )
        for case, variant, runs in found
    )  # fmt: skip
    return [
        write_lines(folder / "backfill.csv", header.split(), lines, notes),
        write_lines(
            folder / "backfill-targets.csv",
            ("target", "wanted", "measured", "verdict"),
            ((t.name, t.wanted, t.measured, t.verdict) for t in judged),
            notes,
        ),
    ]
