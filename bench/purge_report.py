"""What the measurements of `make bench-purge` mean: targets, tables, CSV."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import purge_tools as tools
from purge_measure import ADAPTIVE, BUDGET_SPEC, COUNT_FILES, FLAT_FILES, IOPS, PURGE_SPEC, UNIT_FILES, UNITS, Results
from purge_tools import Programs, Run
from tables import Target, cpu_model, spread, table, write_lines

UNLINK_MS = 5.0

Row = tuple[str, str, list[Run]]


def wall_s(runs: Sequence[Run]) -> float:
    """The median."""
    return median(run.wall_s for run in runs)


def rows(results: Results) -> list[Row]:
    """Every measurement: case, tool, runs."""
    count_files = results.count[tools.SLUICE][0].done if results.count else 0
    found: list[Row] = [(f"purge {PURGE_SPEC}", tool, runs) for tool, runs in results.purge.items()]
    found.append((f"purge {PURGE_SPEC}", "engine, no second look", results.unchecked))
    found += [(f"count {count_files:,}", tool, runs) for tool, runs in results.count.items()]
    found += [(case, tools.SLUICE, [run]) for case, run in results.memory.items()]
    found.append((f"purge 1×{FLAT_FILES}", tools.SLUICE, results.flat))
    found.append((f"purge 1×{UNIT_FILES}, 1 mount", "engine", results.one_unit))
    found.append((f"purge 1×{UNIT_FILES}, {UNITS} mounts", "engine", results.eight_units))
    found += [(f"purge {BUDGET_SPEC}, {IOPS // 5:,} removals/s", f"engine, limit {name}", runs) for name, runs in results.budget.items()]
    return [row for row in found if row[2]]


def _ratio(name: str, least: float, runs: dict[str, list[Run]], tool: str) -> Target:
    wanted = f"≥ {least:g}×"
    if tool not in runs:
        return Target(name, wanted, "–", None)
    ratio = wall_s(runs[tool]) / wall_s(runs[tools.SLUICE])
    return Target(name, wanted, f"{ratio:.1f}×", ratio >= least)


def _at_most(name: str, most: float, unit: str, value: float | None, digits: int = 2) -> Target:
    if value is None:
        return Target(name, f"≤ {most:g}{unit}", "–", None)
    return Target(name, f"≤ {most:g}{unit}", f"{value:.{digits}f}{unit}", value <= most)


def _calls(runs: Sequence[Run]) -> float | None:
    return median(run.calls / run.done for run in runs) if runs else None


def _budget(results: Results) -> Iterable[Target]:
    names = ("adaptive limit, rate against the best fixed limit", "adaptive limit, removal latency against unloaded")
    if ADAPTIVE not in results.budget:
        yield Target(names[0], "≥ 85 %", "–", None)
        yield Target(names[1], "≤ 2×", "–", None)
        return
    best = min(wall_s(runs) for name, runs in results.budget.items() if name != ADAPTIVE)
    share = best / wall_s(results.budget[ADAPTIVE])
    times = median(run.counters["mean_ms"]["unlink"] for run in results.budget[ADAPTIVE]) / UNLINK_MS
    yield Target(names[0], "≥ 85 %", f"{share:.0%}", share >= 0.85)
    yield Target(names[1], "≤ 2×", f"{times:.2f}×", times <= 2)


def _flat(results: Results) -> Iterable[Target]:
    share = UNLINK_MS / 1e3 * FLAT_FILES / wall_s(results.flat) if results.flat else None
    name = f"one directory of {FLAT_FILES:,} files, share of 1/latency"
    yield Target(name, "≥ 85 %", "–" if share is None else f"{share:.0%}", None if share is None else share >= 0.85)
    times = wall_s(results.one_unit) / wall_s(results.eight_units) if results.eight_units else None
    name = f"{UNITS} units on {UNITS} mounts against one"
    yield Target(name, "≥ 6×", "–" if times is None else f"{times:.1f}×", None if times is None else times >= 6)


def targets(results: Results) -> list[Target]:
    """Every target, in the order of the plan."""
    ours, counted = results.purge.get(tools.SLUICE, []), results.count.get(tools.SLUICE, [])
    is_whole = bool(counted) and counted[0].done == COUNT_FILES
    single = [*ours, *results.unchecked, *results.flat, *results.one_unit, *(run for runs in results.budget.values() for run in runs)]
    unlinks = max((run.counters["unlinks_per_directory_peak"] for run in single), default=None)
    return [
        _ratio(f"purge {PURGE_SPEC} against find -delete", 20, results.purge, tools.FIND),
        _ratio(f"purge {PURGE_SPEC} against AsyncEFSPurge", 40, results.purge, tools.PEER),
        _at_most("calls per purged file, without the second look", 1.1, "", _calls(results.unchecked)),
        _at_most("calls per purged file, with it (the default)", 2.1, "", _calls(ours)),
        _at_most(f"peak memory, purge {PURGE_SPEC}", 16, " MB", max(run.peak_kb for run in ours) / 1024 if ours else None, 1),
        *(_at_most(f"peak memory, {case}", 32, " MB", run.peak_kb / 1024, 1) for case, run in results.memory.items()),
        _at_most("count 1,000,000 files in 10,000 directories", 6, " s", wall_s(counted) if is_whole else None),
        _ratio("count against find" + ("" if is_whole else " (a tenth of it)"), 15, results.count, tools.FIND),
        _at_most("removals of one client under way in one directory", 1, "", unlinks, 0),
        *_budget(results),
        *_flat(results),
    ]


def run_table(found: Sequence[Row]) -> str:
    """One line per case and tool."""
    first: dict[str, float] = {}
    for case, _, runs in found:
        first.setdefault(case, wall_s(runs))
    return table(
        ("case", "tool", "n", "wall s (min–max)", "× first", "answer s", "peak MB", "calls/file", "in flight", "removal ms"),
        (
            (
                case,
                tool,
                str(len(runs)),
                spread([run.wall_s for run in runs], 2),
                f"{wall_s(runs) / first[case]:.1f}",
                f"{median(run.answer_s or 0 for run in runs):.2f}" if runs[0].answer_s else "–",
                f"{max(run.peak_kb for run in runs) / 1024:.1f}" if runs[0].peak_kb else "–",
                f"{_calls(runs):.2f}",
                str(max(run.counters["in_flight_peak"] for run in runs)),
                f"{median(run.counters['mean_ms']['unlink'] for run in runs):.1f}" if runs[0].counters["calls"]["unlink"] else "–",
            )
            for case, tool, runs in found
        ),
        left=2,
    )


def host_lines(programs: Programs) -> list[str]:
    """What the numbers depend on."""
    now = datetime.datetime.now(datetime.UTC)
    return [
        "NOT MEASURED ON AWS: a model of a network file system on this machine, no NFS client, no EFS.",
        f"host: {cpu_model()}, {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release().split('-')[0]}, {now:%Y-%m-%d}",
        tools.versions(programs),
        "model: lookup, getattr 1 ms; directory read 3 ms per 128 names with attributes or 400 without; unlink, rmdir, write 5 ms;",
        "opening a directory and the read that finds its end are free; 64 slots per mount; names and attributes cached for 3 s",
        "wall: the whole process, from spawning; a Sluice function until it polls again. Ratios compare these. Medians, tools in turn.",
    ]


def write_csv(folder: Path, found: Sequence[Row], judged: Sequence[Target], notes: Sequence[str]) -> list[Path]:
    """`purge.csv`, `purge-targets.csv`; the notes are comment lines above each header."""

    def write(name: str, header: Sequence[str], lines: Iterable[Sequence[object]]) -> Path:
        return write_lines(folder / name, header, lines, notes)

    header = "case tool samples files wall_s wall_s_min wall_s_max peak_kb calls_per_file in_flight_peak unlinks_per_directory_peak unlink_ms"
    lines = (
        (
            case, tool, len(runs), runs[0].done,
            *(f"{value:.3f}" for value in (wall_s(runs), min(r.wall_s for r in runs), max(r.wall_s for r in runs))),
            max(r.peak_kb for r in runs), f"{_calls(runs):.3f}", max(r.counters["in_flight_peak"] for r in runs),
            max(r.counters["unlinks_per_directory_peak"] for r in runs), f"{median(r.counters['mean_ms']['unlink'] for r in runs):.2f}",
        )
        for case, tool, runs in found
    )  # fmt: skip
    runs_file = write("purge.csv", header.split(), lines)
    target_file = write("purge-targets.csv", ("target", "wanted", "measured", "verdict"), ((t.name, t.wanted, t.measured, t.verdict) for t in judged))
    return [runs_file, target_file]
