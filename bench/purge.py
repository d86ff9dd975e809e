"""`make bench-purge`: the release binaries `purge` and `count` against other tools, on a file system with a network's latency."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

import command_line
import purge_measure as measure
import purge_report as report
import purge_tools as tools
from latency import NoFuse, why_not
from purge_chart import write_svg
from tables import target_table

BUILD = "cargo build --locked --release -p purge -p count -p latency_fs"
CASES = {
    "purge": measure.purges,
    "count": measure.counts,
    "memory": measure.memory,
    "flat": measure.flat,
    "units": measure.units,
    "budget": measure.budget,
}


def arguments() -> argparse.Namespace:
    """The command line."""
    return command_line.arguments(
        "bench/purge.py",
        "Compares target/release/purge and count with find, fd, a Python thread pool and, where EFSPURGE_BIN names it, "
        "AsyncEFSPurge, on a FUSE file system that answers as late as a network file system. Prints a table, writes CSV and SVG into "
        "target/bench/. A missed target does not fail the run; without FUSE it says so and stops.",
        list(CASES),
        quick="about two minutes: one round of the slow tools, smaller trees for count and memory",
        variants="tools",
    )


def programs(target_dir: Path) -> tools.Programs:
    """Everything that is run."""
    release = target_dir / "release"
    found = {name: release / name for name in ("purge", "count", "engine", "latency_fs")}
    if missing := [str(path) for path in found.values() if not path.exists()]:
        sys.exit(f"{', '.join(missing)} missing: build with `{BUILD}`, or run `make bench-purge`, which does")
    return tools.Programs(**found, fd=tools.install_fd(target_dir / "bench-tools"), peer=tools.peer())


def no_fuse(why: str) -> None:
    """One line, and no failure: nothing else depends on FUSE."""
    print(f"bench-purge needs FUSE, and this machine has none for us: {why}. Nothing was measured.")


def publish(options: argparse.Namespace, work: Path, results: measure.Results, notes: list[str]) -> None:
    """Prints the report and writes it."""
    rows, targets = report.rows(results), report.targets(results)
    missed = sum(target.met is False for target in targets)
    open_rows = sum(target.met is None for target in targets)
    verdict = f"{missed} of {len(targets)} targets NOT met." if missed else "No target missed."
    verdict += f" {open_rows} not measured by this run." if open_rows else ""
    text = "\n".join([*notes, "", report.run_table(rows), "", target_table(targets), "", verdict])
    print(text)
    files = report.write_csv(work, rows, targets, notes)
    write_svg(work / "purge.svg", rows, notes)
    (work / "purge.txt").write_text(text + "\n")
    files += [work / "purge.svg", work / "purge.txt"]
    print(f"\nwritten: {', '.join(path.name for path in files)} in {work}")
    if options.publish:
        published = command_line.REPOSITORY / "bench" / "results"
        published.mkdir(exist_ok=True)
        for path in files:
            shutil.copyfile(path, published / path.name)
        print(f"copied to {published}")


def main() -> None:
    """Measure, judge, print, write."""
    options = arguments()
    # Ended from outside, it still ends its processes and unmounts.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if why := why_not():
        return no_fuse(why)
    start_s = time.monotonic()

    def say(text: str) -> None:
        print(f"  [{time.monotonic() - start_s:4.0f} s] {text}", file=sys.stderr, flush=True)

    work = options.target_dir.resolve() / "bench"
    work.mkdir(parents=True, exist_ok=True)
    rounds = options.rounds or (1 if options.quick else 3)
    setup = measure.Setup(programs(options.target_dir.resolve()), work, rounds, options.quick, say)
    results = measure.Results()
    try:
        for case in options.cases:
            CASES[case](setup, results)
    except NoFuse as refused:
        return no_fuse(str(refused))
    notes = report.host_lines(setup.programs)
    if options.quick:
        notes.append("QUICK RUN: a smoke test with too few samples for a verdict that counts")
    publish(options, work, results, notes)


if __name__ == "__main__":
    main()
