"""`make bench`: the compressor's release binary against a Python function of the same behaviour, in one run."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import data
import measure
import quota
import report
import tables
from chart import write_svg
from function import BY_NAME, PYTHON, VARIANTS
from storage import Storage, install_s3s_fs

REPOSITORY = Path(__file__).resolve().parent.parent


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench/run.py",
        description="Compares target/release/compress with a Python boto3 + zipfile function on generated data of 10 MB, "
        "behind a local S3 (s3s-fs) and a network model, under the CPU share that Lambda gives each memory size. "
        "Prints tables, writes CSV, SVG and the text into target/bench/. A missed target does not fail the run.",
    )
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    parser.add_argument("--quick", action="store_true", help="about a minute: JSON only, 256 and 512 MB, few rounds, no 1 GB objects")
    parser.add_argument("--rounds", type=int, help="rounds of the matrix, all variants in each (default 5; 2 with --quick)")
    parser.add_argument("--batch-rounds", type=int, help="rounds of the batch of ten (default 3; 1 with --quick)")
    parser.add_argument("--datasets", nargs="+", choices=list(data.GENERATORS), help="data sets (default all; json with --quick)")
    parser.add_argument("--memory", nargs="+", type=int, metavar="MB", help="memory sizes, MB (default 128 256 512)")
    parser.add_argument("--latency-ms", type=float, default=20, help="added before each first byte, milliseconds (default 20)")
    parser.add_argument("--mb-per-s", type=float, default=75, help="bandwidth per direction, MB/s, 0 = unlimited (default 75)")
    parser.add_argument("--plain-http", action="store_true", help="no TLS between function and storage (TLS needs openssl)")
    parser.add_argument("--no-quota", action="store_true", help="measure CPU time only, without a cgroup")
    parser.add_argument("--python-only", action="store_true", help="only the Python function, no Rust binary needed")
    parser.add_argument("--target-dir", type=Path, default=target, help="cargo's target folder (default: target)")
    parser.add_argument("--binary", type=Path, help="function to measure (default: TARGET_DIR/release/compress)")
    parser.add_argument("--publish", action="store_true", help="also copy CSV and SVG to bench/results/, for the README")
    return parser.parse_args()


class Log:
    """Prints and keeps what was printed; progress goes to standard error and is not kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._start_s = time.monotonic()

    def show(self, text: str = "") -> None:
        """A part of the report."""
        print(text, flush=True)
        self.lines.append(text)

    def progress(self, text: str) -> None:
        """What is going on."""
        print(f"  [{time.monotonic() - self._start_s:4.0f} s] {text}", file=sys.stderr, flush=True)


def prepare_codec(options: argparse.Namespace) -> Path | None:
    """The example that runs a codec alone, built if cargo finds it out of date; `None` without it."""
    if options.python_only:
        return None
    command = ["cargo", "build", "--quiet", "--release", "-p", "archive", "--example", "codec"]
    built = subprocess.run([*command, "--target-dir", options.target_dir], cwd=REPOSITORY, check=False)
    path = options.target_dir / "release" / "examples" / "codec"
    return path if built.returncode == 0 and path.exists() else None


def run(options: argparse.Namespace, setup: measure.Setup, codec: Path | None) -> report.Results:
    """All measurements, in an order that puts the short ones first."""
    quick = options.quick
    datasets = options.datasets or (["json"] if quick else list(data.GENERATORS))
    memory_sizes = options.memory or ([256, 512] if quick else [128, 256, 512])
    if setup.group is None:
        memory_sizes = [max(memory_sizes)]
    variants = (PYTHON,) if options.python_only else VARIANTS
    results = report.Results(datasets)
    master = setup.storage.put("masters/identity.json", [data.dataset(setup.data_folder, "json").read_bytes()])
    setup.say("the proxy alone")
    results.identity = measure.identity(setup, master)
    names = [PYTHON.name] if options.python_only else ["sluice zip 5", PYTHON.name]
    setup.say("cold starts")
    results.starts = measure.starts(setup, names, 3 if quick else 7)
    if not options.python_only:
        setup.say("requests")
        results.requests = {"sluice zip 5": measure.requests(setup, BY_NAME["sluice zip 5"], datasets[0])}
    rounds = options.rounds or (2 if quick else 5)
    results.cells = measure.matrix(setup, variants, datasets, memory_sizes, rounds)
    if codec is not None:
        measured = [BY_NAME[name] for name, _, _ in report.CPU_TARGETS]
        results.outside = measure.outside_codec(setup, measured, datasets, 2 if quick else 7)
    if setup.group is not None:
        batch_rounds = options.batch_rounds or (1 if quick else 3)
        results.batches = measure.batches(
            setup,
            [size for size in (256, 512) if size in memory_sizes],
            0 if options.python_only else batch_rounds,
            int(not quick),
        )
    if not quick and not options.python_only:
        results.peaks = measure.large_peaks(setup, max(memory_sizes))
    return results


def show(log: Log, results: report.Results, targets: list[tables.Target], notes: list[str], quota_used: bool) -> None:
    """The report."""
    for note in notes:
        log.show(note)
    log.show()
    log.show(report.identity_table(results.identity))
    log.show()
    log.show(report.start_table(results.starts))
    log.show()
    log.show(report.cell_table(results.cells, quota_used))
    if results.batches:
        log.show()
        log.show(report.batch_table(results.batches))
    if results.outside:
        log.show()
        log.show(report.outside_table(results.outside))
    log.show()
    log.show(tables.target_table(targets))
    missed = sum(target.met is False for target in targets)
    log.show()
    log.show(f"{missed} of {len(targets)} targets NOT met." if missed else "No target missed.")
    if open_rows := sum(target.met is None for target in targets):
        log.show(f"{open_rows} not measured by this run.")


def main() -> None:
    """Measure, judge, print, write."""
    options = arguments()
    # Ended from outside, it still stops its servers and removes its group and its objects.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = options.target_dir / "bench"
    work.mkdir(parents=True, exist_ok=True)
    binary = options.binary or options.target_dir / "release" / "compress"
    if not options.python_only and not binary.exists():
        sys.exit(f"{binary} is missing: run `cargo build --release -p compress`, or `make bench`")
    log = Log()
    server = install_s3s_fs(options.target_dir / "bench-tools")
    codec = prepare_codec(options)
    group, quota_text = (None, "NOT in force (--no-quota)") if options.no_quota else quota.create("function")
    try:
        with Storage(server, work, work / "logs") as storage:
            tls = storage.tls is not None and not options.plain_http
            notes = report.host_lines(quota_text, tls, options.latency_ms, options.mb_per_s)
            setup = measure.Setup(
                binary=binary,
                codec=codec or Path(),
                data_folder=work / "data",
                log_folder=work / "logs",
                storage=storage,
                group=group,
                tls=tls,
                latency_ms=options.latency_ms,
                mb_per_s=options.mb_per_s,
                say=log.progress,
            )
            results = run(options, setup, codec)
        if group is not None:
            notes.append(f"the quota stopped the function in {group.throttled():,} periods")
    finally:
        if group is not None:
            group.remove()
    if options.quick:
        notes.append("QUICK RUN: a smoke test with too few samples for a verdict that counts")
    targets = report.targets(results)
    show(log, results, targets, notes, group is not None)
    files = report.write_csv(work, results, targets, notes)
    write_svg(work / "bench.svg", results, notes, group is not None)
    (work / "report.txt").write_text("\n".join(log.lines) + "\n")
    print(f"\nwritten: {', '.join(path.name for path in files)}, bench.svg, report.txt in {work}")
    if options.publish:
        published = REPOSITORY / "bench" / "results"
        published.mkdir(exist_ok=True)
        for path in (*files, work / "bench.svg", work / "report.txt"):
            shutil.copyfile(path, published / path.name)
        print(f"copied to {published}")


if __name__ == "__main__":
    main()
