"""What the measurements mean: targets, tables, CSV files and the chart."""

from __future__ import annotations

import datetime
import os
import platform
import ssl
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

import boto3

from function import PYTHON
from measure import GB_PER_CORE, Batch, Cell, Identity, Outside, Start
from tables import Target, cpu_model, spread, table, write_lines

DEFAULTS = ("sluice zip 5", "sluice zstd 3")

# (variant, CPU at least so many times less than Python, bytes at most so many times Python's).
CPU_TARGETS = (("sluice zip 5", 1.6, 1.01), ("sluice zstd 3", 2.4, 1.03), ("sluice zstd 1", 4.5, 1.05))
BILL_RATIO_MAX = 1.15
OUTSIDE_CODEC_MS_MAX = 20.0
START_MS_MAX = 12.0
PEAK_MB_MAX = {"10 MB": 32, "1 GB": 64, "1 GB incompressible": 64}
REQUESTS = {"keep": Counter({"GET": 1, "PUT if-none-match": 1}), "delete": Counter({"GET": 1, "PUT if-none-match": 1, "DELETE if-match": 1})}


@dataclass
class Results:
    """Everything one run measured; what it left out is empty."""

    datasets: Sequence[str]
    cells: list[Cell] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    peaks: dict[tuple[str, str], int] = field(default_factory=dict)
    requests: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    outside: list[Outside] = field(default_factory=list)
    identity: list[Identity] = field(default_factory=list)

    def cpu_ms(self, variant: str, dataset: str) -> list[float]:
        """CPU samples of a variant on a data set, over all memory sizes."""
        return [sample for c in self.cells if (c.variant, c.dataset) == (variant, dataset) for sample in c.cpu_ms]

    def output_bytes(self, variant: str, dataset: str) -> int:
        """Size of one output."""
        return next(c.output_bytes for c in self.cells if (c.variant, c.dataset) == (variant, dataset))


def _cpu_targets(results: Results) -> Iterable[Target]:
    for variant, times, size in CPU_TARGETS:
        name = f"{variant}: CPU per file against Python zipfile 6"
        wanted = f"≥ {times}× less at ≤ {size}× bytes"
        pairs = [(results.cpu_ms(PYTHON.name, d), results.cpu_ms(variant, d)) for d in results.datasets]
        if not all(python and ours for python, ours in pairs):
            yield Target(name, wanted, "–", None)
            continue
        ratios = [median(python) / median(ours) for python, ours in pairs]
        sizes = [results.output_bytes(variant, d) / results.output_bytes(PYTHON.name, d) for d in results.datasets]
        text = f"{' / '.join(f'{r:.2f}' for r in ratios)}× at {' / '.join(f'{s:.3f}' for s in sizes)}× ({'/'.join(results.datasets)})"
        yield Target(name, wanted, text, min(ratios) >= times and max(sizes) <= size)


def _bill_targets(results: Results) -> Iterable[Target]:
    for variant in DEFAULTS:
        for memory_mb in (256, 512):
            name = f"{variant}: bill of a batch of 10 at {memory_mb} MB"
            wanted = f"≤ {BILL_RATIO_MAX} × CPU-s × {GB_PER_CORE:.4f}"
            found = [b for b in results.batches if (b.variant, b.memory_mb) == (variant, memory_mb) and b.bill_ratio]
            if not found:
                yield Target(name, wanted, "–", None)
                continue
            ratio = median(found[0].bill_ratio)
            text = f"{spread(found[0].bill_ratio, 3)} ×; {median(found[0].gb_s_per_1000):.0f} GB-s per 1,000 files"
            yield Target(name, wanted, text, ratio <= BILL_RATIO_MAX)


def _codec_targets(results: Results) -> Iterable[Target]:
    for variant in (name for name, _, _ in CPU_TARGETS):
        name = f"{variant}: CPU outside the codec, 10 MB"
        wanted = f"≤ {OUTSIDE_CODEC_MS_MAX:.0f} ms"
        outside = [row.difference_ms for row in results.outside if row.variant == variant]
        text = f"{' / '.join(f'{ms:.1f}' for ms in outside)} ms ({'/'.join(results.datasets)})" if outside else "–"
        yield Target(name, wanted, text, max(outside) <= OUTSIDE_CODEC_MS_MAX if outside else None)


def _peak_targets(results: Results) -> Iterable[Target]:
    ours = [c for c in results.cells if c.variant in DEFAULTS]
    rows = {
        "10 MB": {v: max((c.peak_kb for c in ours if c.variant == v), default=0) for v in DEFAULTS},
        "1 GB": {v: results.peaks.get((v, "json"), 0) for v in DEFAULTS},
        "1 GB incompressible": {v: results.peaks.get((v, "random"), 0) for v in DEFAULTS},
    }
    for case, peaks in rows.items():
        known = {variant: kb / 1024 for variant, kb in peaks.items() if kb}
        text = ", ".join(f"{mb:.1f} MB ({variant.removeprefix('sluice ')})" for variant, mb in known.items()) or "–"
        limit = PEAK_MB_MAX[case]
        yield Target(f"peak memory, one object of {case}", f"≤ {limit} MB", text, max(known.values()) <= limit if known else None)


def _start_targets(results: Results) -> Iterable[Target]:
    for tls in (False, True):
        name = f"CPU from start to first S3 answer, {'TLS' if tls else 'plain HTTP'}"
        found = [s for s in results.starts if s.tls == tls and s.variant != PYTHON.name]
        text = f"{spread(found[0].first_answer_ms, 1)} ms, of it {median(found[0].poll_ms):.1f} until it polls" if found else "–"
        met = median(found[0].first_answer_ms) <= START_MS_MAX if found else None
        yield Target(name, f"≤ {START_MS_MAX:.0f} ms", text, met)


def _request_targets(results: Results) -> Iterable[Target]:
    found = results.requests.get(DEFAULTS[0])
    for disposition, wanted in REQUESTS.items():
        name = f"requests per object below 8 MiB compressed, source {'kept' if disposition == 'keep' else 'deleted'}"
        seen = found[disposition] if found else None
        text = " + ".join(f"{count} {what}" for what, count in seen.items()) if seen else "–"
        yield Target(name, " + ".join(f"{count} {what}" for what, count in wanted.items()), text, None if seen is None else seen == wanted)


def targets(results: Results) -> list[Target]:
    """Every target, one line per variant or case."""
    makers = (_cpu_targets, _bill_targets, _codec_targets, _peak_targets, _start_targets, _request_targets)
    return [target for maker in makers for target in maker(results)]


def cell_table(cells: Sequence[Cell], quota: bool) -> str:
    """One object per invocation."""
    return table(
        ("variant", "data", "MB", "n", "CPU ms (min–max)", "wall ms (min–max)", "GB-s/1,000", "output bytes", "peak MB"),
        (
            (
                c.variant,
                c.dataset,
                str(c.memory_mb) if quota else "–",
                str(len(c.cpu_ms)),
                spread(c.cpu_ms),
                spread(c.wall_ms) if quota else "–",
                f"{median(c.gb_s_per_1000):.0f}" if quota else "–",
                f"{c.output_bytes:,}",
                f"{c.peak_kb / 1024:.1f}",
            )
            for c in cells
        ),
    )


def batch_table(batches: Sequence[Batch]) -> str:
    """Ten objects in one invocation."""
    return table(
        ("batch of 10", "MB", "n", "CPU s", "wall s", "GB-s/1,000 files", "bill / (CPU × 1.7275)", "peak MB"),
        (
            (
                b.variant,
                str(b.memory_mb),
                str(len(b.cpu_s)),
                spread(b.cpu_s, 2),
                spread(b.wall_s, 2),
                spread(b.gb_s_per_1000),
                spread(b.bill_ratio, 3),
                f"{b.peak_kb / 1024:.1f}",
            )
            for b in batches
        ),
    )


def outside_table(rows: Sequence[Outside]) -> str:
    """Function and codec on a whole core."""
    return table(
        ("whole core, CPU ms", "data", "function", "codec alone", "difference"),
        ((r.variant, r.dataset, spread(r.function_ms, 1), spread(r.codec_ms, 1), f"{r.difference_ms:.1f}") for r in rows),
    )


def start_table(starts: Sequence[Start]) -> str:
    """Cold starts, with Python for comparison."""
    return table(
        ("start, CPU ms", "to first poll", "to first S3 answer"),
        ((f"{s.variant}, {'TLS' if s.tls else 'plain'}", spread(s.poll_ms, 1), spread(s.first_answer_ms, 1)) for s in starts),
    )


def identity_table(rows: Sequence[Identity]) -> str:
    """The proxy without a function."""
    return table(
        ("proxy alone", "model", "GET 10 KB ms", "GET 10 MB ms", "PUT 10 MB ms"),
        (
            (r.url_scheme, "on" if r.modelled else "off", f"{r.small_get_ms:.1f}", f"{r.large_get_ms:.0f}", f"{r.large_put_ms:.0f}")
            for r in rows
        ),
    )


def host_lines(quota: str, tls: bool, latency_ms: float, mb_per_s: float) -> list[str]:
    """What the numbers depend on."""
    now = datetime.datetime.now(datetime.UTC)
    return [
        "NOT MEASURED ON AWS: a local storage server, an emulated CPU share and an assumed network.",
        f"host: {cpu_model()}, {os.cpu_count()} cores, {platform.machine()}, {now:%Y-%m-%d}",
        f"Python {platform.python_version()}, boto3 {boto3.__version__}, zlib {zlib.ZLIB_RUNTIME_VERSION}, {ssl.OPENSSL_VERSION}",
        f"CPU quota: {quota}",
        f"network model: +{latency_ms:g} ms before each first byte, {mb_per_s:g} MB/s per direction; "
        f"TLS {'used' if tls else 'NOT used (plain HTTP)'} between function and storage",
        "each source is deleted after its output was confirmed, by every variant; first call of each process dropped",
    ]


def write_csv(folder: Path, results: Results, rows: Sequence[Target], notes: Sequence[str]) -> list[Path]:
    """`files.csv`, `batches.csv`, `targets.csv`; the notes are comment lines above each header."""

    def write(name: str, header: Sequence[str], lines: Iterable[Sequence[object]]) -> Path:
        return write_lines(folder / name, header, lines, notes)

    def three(samples: Sequence[float], digits: int) -> list[str]:
        return [f"{f(samples):.{digits}f}" for f in (median, min, max)] if samples else ["", "", ""]

    files = write(
        "files.csv",
        ("variant dataset memory_mb samples cpu_ms cpu_ms_min cpu_ms_max wall_ms wall_ms_min wall_ms_max "
         "gb_seconds_per_1000 gb_seconds_per_1000_min gb_seconds_per_1000_max output_bytes peak_kb").split(),
        (
            (c.variant, c.dataset, c.memory_mb, len(c.cpu_ms), *three(c.cpu_ms, 2), *three(c.wall_ms, 1),
             *three(c.gb_s_per_1000, 1), c.output_bytes, c.peak_kb)
            for c in results.cells
        ),
    )  # fmt: skip
    batch_file = write(
        "batches.csv",
        ("variant memory_mb samples cpu_s cpu_s_min cpu_s_max wall_s wall_s_min wall_s_max gb_seconds_per_1000 "
         "gb_seconds_per_1000_min gb_seconds_per_1000_max bill_ratio bill_ratio_min bill_ratio_max output_bytes peak_kb").split(),
        (
            (b.variant, b.memory_mb, len(b.cpu_s), *three(b.cpu_s, 4), *three(b.wall_s, 4), *three(b.gb_s_per_1000, 1),
             *three(b.bill_ratio, 4), b.output_bytes, b.peak_kb)
            for b in results.batches
        ),
    )  # fmt: skip
    target_file = write("targets.csv", ("target", "wanted", "measured", "verdict"), ((t.name, t.wanted, t.measured, t.verdict) for t in rows))
    return [files, batch_file, target_file]


def mean_over(cells: Sequence[Cell], variant: str, memory_mb: int) -> float:
    """Mean over the data sets of the median GB-seconds per 1,000 files."""
    return mean(median(c.gb_s_per_1000) for c in cells if (c.variant, c.memory_mb) == (variant, memory_mb))
