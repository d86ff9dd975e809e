"""The measurements: each on a tree of its own, freshly mounted, the tools in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import purge_tools as tools
from latency import Mounted
from purge_tools import Programs, Run

# Reads a second; a removal costs five of them: 7,000 removals a second.
IOPS = 35_000
FIXED_LIMITS = (16, 64, 256)
ADAPTIVE = "adaptive"

UNITS = 8
FLAT_FILES = 1_000
UNIT_FILES = 2_400
COUNT_SPEC, COUNT_FILES = "10000x100", 1_000_000
PURGE_SPEC, PURGE_FILES = "120x50", 6_000
BUDGET_SPEC, BUDGET_FILES = "400x50", 20_000


@dataclass(frozen=True)
class Setup:
    """What every measurement needs."""

    programs: Programs
    work: Path
    rounds: int
    quick: bool
    say: Callable[[str], None]

    def mounted(self, tree: str, clients: int = 1, iops: int = 0, slots: int = 64) -> Mounted:
        """A fresh tree."""
        return Mounted(self.programs.latency_fs, self.work, tree, clients, iops, slots)


@dataclass
class Results:
    """Everything one run measured, by tool or case; what it left out is empty."""

    purge: dict[str, list[Run]] = field(default_factory=dict)
    unchecked: list[Run] = field(default_factory=list)
    count: dict[str, list[Run]] = field(default_factory=dict)
    memory: dict[str, Run] = field(default_factory=dict)
    flat: list[Run] = field(default_factory=list)
    one_unit: list[Run] = field(default_factory=list)
    eight_units: list[Run] = field(default_factory=list)
    budget: dict[str, list[Run]] = field(default_factory=dict)


def measured(mount: Mounted, run: Callable[[Path], Run], expected: int) -> Run:
    """Runs a tool on a mount, with what the server saw of it; a tool that left something undone has no time."""
    mount.reset()
    done = run(mount.path)
    counters = mount.counters()
    seen = done.done or counters["calls"]["unlink"]
    if seen < expected:
        raise RuntimeError(f"{seen} of {expected} files done")
    return replace(done, done=expected, counters=counters)


def purges(setup: Setup, results: Results) -> None:
    """120 directories of 50 files, all due."""
    present = [tools.SLUICE, tools.FIND]
    present += [tools.FD] if setup.programs.fd else []
    present += [tools.PEER] if setup.programs.peer else []
    # The slow ones once in a quick run: half a minute each.
    slow = (tools.FIND, tools.PEER)
    for number in range(setup.rounds):
        for tool in present:
            if setup.quick and number > 0 and tool in slow:
                continue
            setup.say(f"purge {PURGE_SPEC}, round {number + 1}: {tool}")
            with setup.mounted(PURGE_SPEC) as mount:
                run = measured(mount, lambda root, tool=tool: tools.purge(setup.programs, tool, root), PURGE_FILES)
            results.purge.setdefault(tool, []).append(run)
        with setup.mounted(PURGE_SPEC) as mount:
            run = measured(mount, lambda root: tools.engine(setup.programs, root, "--no-recheck"), PURGE_FILES)
        results.unchecked.append(run)


def counts(setup: Setup, results: Results) -> None:
    """One million files in 10,000 directories; a tenth of it in a quick run."""
    spec, files = ("1000x100", 100_000) if setup.quick else (COUNT_SPEC, COUNT_FILES)
    present = [tools.SLUICE, tools.FIND, tools.PYTHON] + ([tools.FD] if setup.programs.fd else [])
    for number in range(setup.rounds):
        for tool in present:
            # One or two minutes each on the whole tree.
            if number > 0 and tool in (tools.FIND, tools.PYTHON):
                continue
            setup.say(f"count {spec}, round {number + 1}: {tool}")
            with setup.mounted(spec) as mount:
                run = measured(mount, lambda root, tool=tool: tools.count(setup.programs, tool, root), files)
            results.count.setdefault(tool, []).append(run)


def memory(setup: Setup, results: Results) -> None:
    """Peak memory on one huge directory and on very many; both functions."""
    entries = 100_000 if setup.quick else 1_000_000
    directories = 20_000 if setup.quick else 100_000
    count = lambda root: tools.count(setup.programs, tools.SLUICE, root)  # noqa: E731
    dry_run = lambda root: tools.dry_run(setup.programs, root)  # noqa: E731
    cases: Sequence[tuple[str, str, Callable[[Path], Run], int]] = (
        (f"count, one directory of {entries:,} files", f"{entries}", count, entries),
        (f"purge (dry run), one directory of {entries:,} files", f"{entries}", dry_run, entries),
        (f"count, {directories:,} directories of one file", f"{directories}x1", count, directories),
        (f"purge (dry run), {directories:,} directories of one file", f"{directories}x1", dry_run, directories),
    )
    for name, spec, run, expected in cases:
        setup.say(f"memory: {name}")
        with setup.mounted(spec) as mount:
            results.memory[name] = measured(mount, run, expected)


def flat(setup: Setup, results: Results) -> None:
    """One directory of 1,000 files."""
    for number in range(setup.rounds):
        setup.say(f"flat {FLAT_FILES}, round {number + 1}")
        with setup.mounted(f"1x{FLAT_FILES}") as mount:
            run = measured(mount, lambda root: tools.purge(setup.programs, tools.SLUICE, root), FLAT_FILES)
        results.flat.append(run)


def _globs(unit: int, units: int) -> list[str]:
    """The hundreds of files that are a unit's."""
    hundreds = UNIT_FILES // 100
    mine = range(unit * hundreds // units, (unit + 1) * hundreds // units)
    return [flag for hundred in mine for flag in ("--include", f"**/file-{hundred:05d}??")]


def units(setup: Setup, results: Results) -> None:
    """One directory, cut by name into one or eight parts, each with a mount and a process of its own."""
    for number in range(setup.rounds):
        for clients, runs in ((1, results.one_unit), (UNITS, results.eight_units)):
            setup.say(f"{clients} units on {clients} mounts, round {number + 1}")
            with setup.mounted(f"1x{UNIT_FILES}", clients) as mount, ThreadPoolExecutor(clients) as pool:
                start_s = time.perf_counter()
                started = [pool.submit(tools.engine, setup.programs, path, *_globs(unit, clients)) for unit, path in enumerate(mount.paths)]
                done = sum(run.result().done for run in started)
                wall_s = time.perf_counter() - start_s
                if done != UNIT_FILES:
                    raise RuntimeError(f"{done} of {UNIT_FILES} files done")
                runs.append(Run(wall_s, 0, done, counters=mount.counters()))


def budget(setup: Setup, results: Results) -> None:
    """A server that does 7,000 removals a second and no more, with slots for all: fixed limits and the adaptive one."""
    for number in range(setup.rounds):
        for name in (ADAPTIVE, *(str(limit) for limit in FIXED_LIMITS)):
            setup.say(f"budget, limit {name}, round {number + 1}")
            flags = ("--concurrency", "256") if name == ADAPTIVE else ("--concurrency", name, "--fixed")
            with setup.mounted(BUDGET_SPEC, iops=IOPS, slots=256) as mount:
                run = measured(mount, lambda root, flags=flags: tools.engine(setup.programs, root, *flags), BUDGET_FILES)
            results.budget.setdefault(name, []).append(run)
