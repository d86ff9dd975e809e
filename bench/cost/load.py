"""The load that is priced, what was measured of it, and what is assumed."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
TEMPLATE = BENCH.parent / "template.yaml"

HOURS = 720  # a month of 30 days
DAYS = 30
CONCURRENCY = 100  # CompressMaxConcurrency of the template
GB = 2**30  # what AWS calls GB in a bill
VARIANTS = {"zip": "sluice zip 5", "zstd": "sluice zstd 3"}


@dataclass(frozen=True)
class Load:
    """What is asked of the stack in a month. Rates are steady."""

    # compress
    files_per_hour: float = 1_000_000
    file_mb: float = 10  # 10^6 bytes
    format: str = "zip"
    memory_mb: int = 256
    architecture: str = "arm64"
    batch: int = 10
    upload: str = "auto"
    source: str = "delete"
    events: str = "notification"
    version_days: float = 1  # after which a lifecycle rule removes what was deleted or overwritten
    source_days: float = 30  # that a kept source stays
    output_days: float = 0  # that an output stays; 0 = its storage is not counted
    listed_keys: float = 0
    cpu_factor: float = 1.0  # CPU time on Lambda's cores against that measured here
    # backfill
    backfill_objects: float = 0  # found and handed to compress once in the month
    backfill_by: str = "list"
    # all functions
    sample_rate: float = 0.01
    log_days: float = 7
    tracing: str = "off"
    alarms: int = 0
    dashboards: int = 0
    # count, purge, monitor
    tree_files: float = 10_000_000
    files_per_directory: float = 100
    due_share: float = 1 / 30  # a tree that keeps 30 days loses a thirtieth a night
    sweeps_per_month: float = DAYS
    counts_first: str = "yes"
    efs: str = "elastic"
    count_by: str = "type"
    counts_per_month: float = HOURS
    ticks_per_month: float = 12 * HOURS
    workers: int = 8

    @property
    def files(self) -> float:
        """Objects a month."""
        return self.files_per_hour * HOURS


@dataclass(frozen=True)
class Measured:
    """Of one file of 10 MB: CPU as measured in a batch of ten, bytes of its output; of a million files: the time of a count."""

    cpu_s: float
    output_bytes: float
    count_s_per_million: float
    purged_per_s: float


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def measured(format: str, results: Path = BENCH / "results") -> Measured:
    """From the published results, at the default memory."""
    batch = next(r for r in _rows(results / "batches.csv") if r["variant"] == VARIANTS[format] and r["memory_mb"] == "256")
    trees = {r["case"]: r for r in _rows(results / "purge.csv") if r["tool"] == "sluice"}
    count, purge = trees["count 1,000,000"], trees["purge 120x50"]
    return Measured(
        cpu_s=float(batch["cpu_s"]) / 10,
        output_bytes=float(batch["output_bytes"]) / 10,
        count_s_per_million=float(count["wall_s"]) / float(count["files"]) * 1e6,
        purged_per_s=float(purge["files"]) / float(purge["wall_s"]),
    )


def deployed(kind: str, template: Path = TEMPLATE) -> int:
    """How many resources of CloudWatch of this kind (`Alarm`, `Dashboard`) the template has."""
    return sum(line.strip() == f"Type: AWS::CloudWatch::{kind}" for line in template.read_text().splitlines())
