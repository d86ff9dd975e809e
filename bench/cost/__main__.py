"""`make cost`: the monthly bill for a load, from list prices and from what the benchmarks measured."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))  # tables.py and svg.py, shared with the benchmarks

import bill_report as report  # noqa: E402
import prices as price_file  # noqa: E402
from bill_chart import write_svg  # noqa: E402
from choices import a_backfill, changes, rows  # noqa: E402
from load import BENCH, VARIANTS, Load, deployed, measured  # noqa: E402


def number(least: float, most: float = math.inf, kind: Callable[[str], float] = float) -> Callable[[str], float]:
    """An argument within these bounds."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not least <= value <= most or math.isinf(value):
            raise argparse.ArgumentTypeError(f"{text} is not within {least:g} and {most:g}")
        return value

    return parse


def format_name(text: str) -> str:
    """A format that was measured; whoever asks for gzip is told what to take instead."""
    if text == "gzip":
        raise argparse.ArgumentTypeError("gzip was not measured: take zip, which has the same codec")
    return text


def compress_options(parser: argparse.ArgumentParser, default: Load) -> None:
    """What compress is asked to do."""
    add = parser.add_argument_group("compress").add_argument
    add("--files-per-hour", type=number(0), default=default.files_per_hour, help="uploaded")
    add("--file-mb", type=number(0), default=default.file_mb, help="size of a source, 10^6 bytes")
    add("--format", type=format_name, choices=list(VARIANTS), default=default.format, help="for gzip take zip: one codec")
    add("--memory-mb", type=number(128, 10240, int), default=default.memory_mb, help="of the function")
    add("--batch", type=number(1, 10, int), default=default.batch, help="messages per invocation, as they really come")
    add("--upload", choices=["auto", "multipart"], default=default.upload, help="auto: one PUT up to 8 MiB of output, what compress does")
    add("--source", choices=["delete", "keep"], default=default.source, help="what becomes of it afterwards")
    add("--events", choices=["notification", "eventbridge"], default=default.events, help="eventbridge: of a bucket that is there already")
    add("--version-days", type=number(0), default=default.version_days, help="lifecycle rule for versions of removed sources; 0: no versions")
    add("--source-days", type=number(0), default=default.source_days, help="how long kept sources stay")
    add("--output-days", type=number(0), default=default.output_days, help="how long outputs stay; 0: their storage is not counted")
    add("--listed-keys", type=number(0), default=default.listed_keys, help="keys listed in the month")
    add("--cpu-factor", type=number(0.01), default=default.cpu_factor, help="CPU time on Lambda's cores against that measured")


def backfill_options(parser: argparse.ArgumentParser, default: Load) -> None:
    """What is already there."""
    add = parser.add_argument_group("backfill").add_argument
    add("--backfill-objects", type=number(0), default=default.backfill_objects, help="handed to compress once in the month, besides the others")
    add("--backfill-by", choices=["list", "inventory"], default=default.backfill_by, help="how they are found")


def common_options(parser: argparse.ArgumentParser, default: Load) -> None:
    """What all functions have."""
    add = parser.add_argument_group("all functions").add_argument
    add("--architecture", choices=["arm64", "x86_64"], default=default.architecture, help="processor")
    add("--sample-rate", type=number(0, 1), default=default.sample_rate, help="share of invocations logged in full")
    add("--log-days", type=number(0), default=default.log_days, help="log retention")
    add("--tracing", choices=["off", "default", "all"], default=default.tracing, help="X-Ray; 'default' is one a second and 5 %% of the others")
    add("--alarms", type=number(0, kind=int), default=deployed("Alarm"), help="in template.yaml")
    add("--dashboards", type=number(0, kind=int), default=deployed("Dashboard"), help="in template.yaml")


def tree_options(parser: argparse.ArgumentParser, default: Load) -> None:
    """What count, purge and monitor are asked to do."""
    add = parser.add_argument_group("count, purge, monitor").add_argument
    add("--tree-files", type=number(0), default=default.tree_files, help="on the file system")
    add("--files-per-directory", type=number(1), default=default.files_per_directory, help="on average")
    add("--due-share", type=number(0, 1), default=default.due_share, help="of the files, removed by each sweep")
    add("--sweeps-per-month", type=number(0), default=default.sweeps_per_month, help="of the whole tree")
    add("--counts-first", choices=["yes", "no"], default=default.counts_first, help="a sweep with a budget counts everything first")
    add("--efs", choices=["elastic", "bursting"], default=default.efs, help="throughput mode")
    add("--count-by", choices=["type", "stat"], default=default.count_by, help="type: what a listing says, what count does")
    add("--counts-per-month", type=number(0), default=default.counts_per_month, help="of the whole tree")
    add("--ticks-per-month", type=number(0), default=default.ticks_per_month, help="of monitor")
    add("--workers", type=number(1, 1000, int), default=default.workers, help="invocations of a sweep at the same time")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench/cost",
        description="Prints the monthly bill for a load, by service, and what each choice changes; writes CSV and SVG into "
        "target/bench/. Estimated from list prices and measured CPU time, not an AWS bill.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    default = Load()
    for add_group in (compress_options, backfill_options, common_options, tree_options):
        add_group(parser, default)
    target = Path(os.environ.get("CARGO_TARGET_DIR", BENCH.parent / "target"))
    parser.add_argument("--prices", type=Path, default=price_file.DEFAULT.relative_to(BENCH.parent), help="list prices")
    parser.add_argument("--target-dir", type=Path, default=Path(os.path.relpath(target)), help="CSV and SVG go to bench/ in it")
    parser.add_argument("--publish", action="store_true", default=argparse.SUPPRESS, help="also copy them to bench/results/, for the README")
    return parser.parse_args()


def main() -> None:
    """Read, add up, print, write."""
    options = vars(arguments())
    target, publish, source = options.pop("target_dir"), options.pop("publish", False), options.pop("prices")
    load = Load(**options)
    source = source if source.exists() else BENCH.parent / source
    if not source.exists():
        sys.exit(f"no price file {source}")
    prices = price_file.read(source)
    lines, others, job = rows(load, prices), changes(load, prices), a_backfill(load, prices)
    head = report.notes(load, measured(load.format), prices)
    tables = [report.row_table(lines), report.service_table(lines), report.change_table(others), report.backfill_table(job)]
    text = "\n\n".join(["\n".join(head), *tables])
    work = target.resolve() / "bench"
    work.mkdir(parents=True, exist_ok=True)
    files = [*report.write_csv(work, lines, others, job, head), work / "cost.svg", work / "cost.txt"]
    write_svg(work / "cost.svg", lines, others, head)
    (work / "cost.txt").write_text(text + "\n")
    print(text)
    print(f"\nwritten: {', '.join(path.name for path in files)} in {work}")
    if publish:
        for path in files:
            shutil.copyfile(path, BENCH / "results" / path.name)
        print(f"copied to {BENCH / 'results'}")


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough; what is left in the buffer must not be tried again at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
