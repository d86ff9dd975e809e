"""The measurements: each on services of its own, the variants in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE_MS, SLOW_PAGE_MS = 5, 50
SEND_MS = 10
WORKERS = 16
IN_FLIGHT = 20

FOLDERS, KEYS_PER_FOLDER = 256, 3_907  # 1,000,192 keys
ENQUEUED_KEYS = 5_000
INVENTORY_ROWS = 10_000_000
MEMORY = {"20,000 keys": (20_000, 0), "200,000 keys": (200_000, 0), "20,000 keys of 1,024 bytes": (20_000, 1_024)}


@dataclass(frozen=True)
class Programs:
    """What is run."""

    backfill: Path
    bench: Path
    read_speed: Path


@dataclass(frozen=True)
class Setup:
    """What every measurement needs."""

    programs: Programs
    work: Path
    rounds: int
    quick: bool
    say: Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """One run of `bench_backfill`, or of `read_speed`: what it printed."""

    seen: dict[str, Any]

    @property
    def wall_s(self) -> float:
        """From the first partition handed out to the last one done."""
        return float(self.seen["wall_s"])

    @property
    def cpu_s(self) -> float:
        """Of everything that shares the machine."""
        return float(sum(self.seen[f"{who}_cpu_s"] for who in ("worker", "list", "fake", "driver")))

    def page_ms(self, who: str) -> float:
        """CPU time for a page."""
        return float(self.seen[f"{who}_cpu_s"]) * 1e3 / self.seen["pages"]


@dataclass
class Results:
    """Everything one run measured, by variant; what it left out is empty."""

    enqueue: dict[int, list[Run]] = field(default_factory=dict)
    listing: dict[int, list[Run]] = field(default_factory=dict)
    slow: dict[int, list[Run]] = field(default_factory=dict)
    memory: dict[str, Run] = field(default_factory=dict)
    inventory: list[dict[str, Any]] = field(default_factory=list)


def _output(command: list[str], environment: dict[str, str] | None = None) -> dict[str, Any]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{Path(command[0]).name} failed: status {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _run(setup: Setup, **spec: object) -> Run:
    """A run that has found every key listed once, and a message about each exactly once if anything was sent."""
    whole = {"binary": str(setup.programs.backfill), "workers": 1, "page_us": PAGE_MS * 1000, "enqueue_concurrency": IN_FLIGHT, "dry_run": False}
    return Run(_output([str(setup.programs.bench), "run", json.dumps(whole | spec)]))


def enqueue(setup: Setup, results: Results) -> None:
    """One child, one partition, messages for real: 1 call of the queue in flight, and 20."""
    keys = ENQUEUED_KEYS // (5 if setup.quick else 1)
    for number in range(setup.rounds):
        for in_flight in (1, IN_FLIGHT):
            setup.say(f"enqueue {keys:,} keys, {in_flight} in flight, round {number + 1}")
            run = _run(setup, folders=1, keys_per_folder=keys, send_us=SEND_MS * 1000, enqueue_concurrency=in_flight)
            if run.seen["sends_in_flight"] != in_flight:
                sys.exit(f"{run.seen['sends_in_flight']} calls were in flight, not {in_flight}")
            results.enqueue.setdefault(in_flight, []).append(run)


def _listing(setup: Setup, into: dict[int, list[Run]], page_ms: int, one_worker_rounds: int) -> None:
    # A minute less; short partitions cost more for each page.
    keys = KEYS_PER_FOLDER // (4 if setup.quick and page_ms == SLOW_PAGE_MS else 1)
    for number in range(setup.rounds):
        for workers in (1, WORKERS):
            if workers == 1 and number >= one_worker_rounds:
                continue
            setup.say(f"list {FOLDERS * keys:,} keys, {page_ms} ms a page, {workers} workers, round {number + 1}")
            spec = {"folders": FOLDERS, "keys_per_folder": keys, "page_us": page_ms * 1000, "workers": workers, "dry_run": True}
            into.setdefault(workers, []).append(_run(setup, **spec))


def listing(setup: Setup, results: Results) -> None:
    """A million keys in 256 hash folders, nothing sent: one child, and 16."""
    _listing(setup, results.listing, PAGE_MS, setup.rounds)


def slow_listing(setup: Setup, results: Results) -> None:
    """The same from an endpoint that takes ten times as long; one child needs a minute for it, so once."""
    _listing(setup, results.slow, SLOW_PAGE_MS, 1)


def memory(setup: Setup, results: Results) -> None:
    """One child, one partition, messages for real, as fast as it goes: few keys, ten times as many, and the longest."""
    for name, (keys, key_bytes) in MEMORY.items():
        if setup.quick and keys > 100_000:
            continue
        setup.say(f"memory: {name}")
        results.memory[name] = _run(setup, folders=1, keys_per_folder=keys, key_bytes=key_bytes, page_us=0)


def inventory(setup: Setup, results: Results) -> None:
    """A Parquet part of ten million rows, made once, read by one thread."""
    rows = INVENTORY_ROWS // (10 if setup.quick else 1)
    scratch = setup.work / "inventory"
    scratch.mkdir(exist_ok=True)
    for number in range(setup.rounds):
        setup.say(f"inventory of {rows:,} rows, round {number + 1}")
        results.inventory.append(_output([str(setup.programs.read_speed), str(rows)], {**os.environ, "TMPDIR": str(scratch)}))
