"""`make bench-backfill`: the release binary `backfill` on services that answer as late as AWS's would."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))  # what all benches share

import backfill_measure as measure  # noqa: E402
import backfill_report as report  # noqa: E402
import command_line  # noqa: E402
from backfill_chart import write_svg  # noqa: E402
from tables import target_table  # noqa: E402

BUILD = (
    "cargo build --locked --release -p backfill -p bench_backfill && "
    "cargo build --locked --release -p inventory --features made --example read_speed"
)
CASES = {
    "enqueue": measure.enqueue,
    "list": measure.listing,
    "slow": measure.slow_listing,
    "memory": measure.memory,
    "inventory": measure.inventory,
}


def arguments() -> argparse.Namespace:
    """The command line."""
    return command_line.arguments(
        "bench/backfill",
        "Measures target/release/backfill: calls of the queue in flight, children that list, memory; and how fast an inventory is "
        "read. Prints a table, writes CSV and SVG into target/bench/. A missed target does not fail the run; a key that is missing or "
        "there twice does.",
        list(CASES),
        quick="about a minute: one round, fewer keys and rows in most cases",
        variants="variants",
    )


def programs(target_dir: Path) -> measure.Programs:
    """Everything that is run."""
    release = target_dir / "release"
    found = measure.Programs(release / "backfill", release / "bench_backfill", release / "examples" / "read_speed")
    if missing := [str(path.name) for path in (found.backfill, found.bench, found.read_speed) if not path.exists()]:
        sys.exit(f"{', '.join(missing)} missing: build with `{BUILD}`, or run `make bench-backfill`, which does")
    return found


def publish(options: argparse.Namespace, work: Path, results: measure.Results, notes: list[str]) -> None:
    """Prints the report and writes it."""
    rows, targets = report.rows(results), report.targets(results)
    missed = sum(target.met is False for target in targets)
    open_rows = sum(target.met is None for target in targets)
    verdict = f"{missed} of {len(targets)} targets NOT met." if missed else "No target missed."
    verdict += f" {open_rows} not measured by this run." if open_rows else ""
    remarks = report.remarks(results)
    tables = [part for part in (report.run_table(rows), report.inventory_table(results.inventory)) if part]
    text = "\n\n".join(["\n".join(notes), *tables, *(["\n".join(remarks)] if remarks else []), target_table(targets), verdict])
    print(text)
    files = report.write_csv(work, rows, targets, [*notes, *remarks])
    write_svg(work / "backfill.svg", rows, notes)
    (work / "backfill.txt").write_text(text + "\n")
    files += [work / "backfill.svg", work / "backfill.txt"]
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
    start_s = time.monotonic()

    def say(text: str) -> None:
        print(f"  [{time.monotonic() - start_s:4.0f} s] {text}", file=sys.stderr, flush=True)

    work = options.target_dir.resolve() / "bench"
    work.mkdir(parents=True, exist_ok=True)
    rounds = options.rounds or (1 if options.quick else 3)
    setup = measure.Setup(programs(options.target_dir.resolve()), work, rounds, options.quick, say)
    results = measure.Results()
    for case in options.cases:
        CASES[case](setup, results)
    notes = report.host_lines()
    if options.quick:
        notes.append("QUICK RUN: a smoke test with too few samples for a verdict that counts")
    publish(options, work, results, notes)


if __name__ == "__main__":
    main()
