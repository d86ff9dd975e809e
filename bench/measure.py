"""The measurements. Each returns plain data; judging and printing are in report.py."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import boto3

import data
from function import BY_NAME, PYTHON, Function, Variant, unpacked_sha256
from quota import MB_PER_CORE, Group, gb_seconds
from storage import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Source, Storage

# GB-seconds that one CPU-second costs at any memory size when no wait is paid for: 1,769 MB per core.
GB_PER_CORE = MB_PER_CORE / 1024

BATCH_RECORDS = 10
LARGE_BYTES = 1_000_000_000

Say = Callable[[str], None]


@dataclass(frozen=True)
class Setup:
    """What all measurements share. `latency_ms` is added to each first byte, `mb_per_s` is per direction."""

    binary: Path
    codec: Path
    data_folder: Path
    log_folder: Path
    storage: Storage
    group: Group | None
    tls: bool
    latency_ms: float
    mb_per_s: float
    say: Say

    def function(self, variant: Variant, memory_mb: int, tls: bool | None = None, keep: bool = False) -> Function:
        """A new process of `variant`, not started yet."""
        use_tls = self.tls if tls is None else tls
        return Function(variant, memory_mb, self.binary, self.storage, self.log_folder, use_tls, keep)

    def network(self, on: bool) -> None:
        """Switches the proxy's network model."""
        self.storage.model(self.latency_ms if on else 0, self.mb_per_s if on else 0)

    def share(self, memory_mb: int) -> None:
        """Sets the quota of the group to the share of `memory_mb`."""
        if self.group is not None:
            self.group.limit(memory_mb)


@dataclass
class Cell:
    """One variant on one data set at one memory size: one object per invocation."""

    variant: str
    dataset: str
    memory_mb: int
    cpu_ms: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)
    gb_s_per_1000: list[float] = field(default_factory=list)
    output_bytes: int = 0
    peak_kb: int = 0


@dataclass
class Batch:
    """One invocation with ten objects. `bill_ratio` is GB-seconds over CPU-seconds × 1.7275."""

    variant: str
    memory_mb: int
    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)
    gb_s_per_1000: list[float] = field(default_factory=list)
    bill_ratio: list[float] = field(default_factory=list)
    output_bytes: int = 0
    peak_kb: int = 0


@dataclass(frozen=True)
class Identity:
    """The proxy by itself: what a plain client sees, medians in ms for 10,000 bytes and for 10 MB."""

    url_scheme: str
    modelled: bool
    small_get_ms: float
    large_get_ms: float
    large_put_ms: float


def identity(setup: Setup, master: Source) -> list[Identity]:
    """GET and PUT through the proxy without any function, to show that the proxy is not what is measured."""
    storage = setup.storage
    small = storage.put("masters/identity-small.bin", [b"x" * 10_000])
    results = []
    for url in filter(None, (storage.plain_url, storage.tls_url)):
        client = boto3.client(
            "s3", endpoint_url=url, region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY
        )
        host = urllib.parse.urlsplit(url).netloc
        if storage.tls and url.startswith("https"):
            context = ssl.create_default_context(cafile=str(storage.tls[2]))
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, context=context)
        else:
            connection = http.client.HTTPConnection(host)

        def timed(method: str, key: str, body: bytes | None = None) -> float:
            signed = client.generate_presigned_url(f"{method.lower()}_object", Params={"Bucket": BUCKET, "Key": key})
            target = urllib.parse.urlsplit(signed)
            samples = []
            for _ in range(5):
                start_s = time.perf_counter()
                connection.request(method, f"{target.path}?{target.query}", body)
                answer = connection.getresponse()
                answer.read()
                samples.append((time.perf_counter() - start_s) * 1000)
                if answer.status != 200:
                    raise RuntimeError(f"identity run: {method} answered {answer.status}")
            return median(samples)

        for modelled in (False, True):
            setup.network(modelled)
            put_ms = timed("PUT", "identity-put.bin", b"x" * data.OBJECT_BYTES)
            results.append(
                Identity(url.split(":")[0], modelled, timed("GET", small.key), timed("GET", master.key), put_ms)
            )
        connection.close()
    return results


def matrix(
    setup: Setup, variants: Sequence[Variant], datasets: Sequence[str], memory_sizes: Sequence[int], rounds: int
) -> list[Cell]:
    """One object per invocation, all variants in turn in every round; the first call of a process is dropped."""
    setup.network(True)
    masters = {kind: _master(setup, kind, 1) for kind in datasets}
    digests = {kind: data.sha256(data.dataset(setup.data_folder, kind)) for kind in datasets}
    cells: list[Cell] = []
    for memory_mb in memory_sizes:
        with contextlib.ExitStack() as stack:
            functions = [stack.enter_context(setup.function(variant, memory_mb)) for variant in variants]
            setup.share(MB_PER_CORE)
            for function in functions:
                _warm_up(setup, function, masters[datasets[0]], digests[datasets[0]])
                function.join(setup.group)
            setup.share(memory_mb)
            here = {(v.name, kind): Cell(v.name, kind, memory_mb) for v in variants for kind in datasets}
            for number in range(rounds):
                setup.say(f"{memory_mb} MB, round {number + 1} of {rounds}")
                for kind in datasets:
                    for function in functions:
                        _sample(setup, function, masters[kind], here[function.variant.name, kind])
            cells.extend(here.values())
    return cells


def _master(setup: Setup, kind: str, seed: int) -> Source:
    path = data.dataset(setup.data_folder, kind, seed)
    return setup.storage.put(f"masters/{kind}-{seed}.{data.EXTENSIONS[kind]}", [path.read_bytes()])


def _warm_up(setup: Setup, function: Function, master: Source, digest: str) -> None:
    """The dropped first call, used to read the output back with an independent reader."""
    source = setup.storage.stage(master)
    function.invoke([source])
    found = unpacked_sha256(setup.storage.output(source, function.variant.extension), function.variant)
    if found not in (digest, None):
        raise RuntimeError(f"{function.variant.name}: the output does not unpack to the source ({found})")
    function.remove([source])


def _sample(setup: Setup, function: Function, master: Source, cell: Cell) -> None:
    source = setup.storage.stage(master)
    answer = function.invoke([source])
    cell.cpu_ms.append(answer.cpu_s * 1000)
    cell.wall_ms.append(answer.wall_s * 1000)
    cell.gb_s_per_1000.append(gb_seconds(answer.wall_s, cell.memory_mb) * 1000)
    cell.output_bytes = function.output_bytes([source])
    cell.peak_kb = function.peak_rss_kb()
    function.remove([source])


def batches(setup: Setup, memory_sizes: Sequence[int], rounds: int, python_rounds: int) -> list[Batch]:
    """Ten different 10 MB objects (four JSON, three CSV, three logs) in one SQS event."""
    setup.network(True)
    kinds = ("json", "csv", "logs")
    masters = [_master(setup, kinds[number % 3], 1 + number // 3) for number in range(BATCH_RECORDS)]
    variants = [BY_NAME["sluice zip 5"], BY_NAME["sluice zstd 3"]] if rounds else []
    variants += [PYTHON] if python_rounds else []
    results = []
    for memory_mb in memory_sizes:
        with contextlib.ExitStack() as stack:
            functions = [stack.enter_context(setup.function(variant, memory_mb)) for variant in variants]
            setup.share(MB_PER_CORE)
            for function in functions:
                source = setup.storage.stage(masters[0])
                function.invoke([source])
                function.remove([source])
                function.join(setup.group)
            setup.share(memory_mb)
            here = [Batch(variant.name, memory_mb) for variant in variants]
            for number in range(max(rounds, python_rounds)):
                setup.say(f"batch of {BATCH_RECORDS}, {memory_mb} MB, round {number + 1}")
                for function, batch in zip(functions, here, strict=True):
                    if number < (python_rounds if function.variant.python else rounds):
                        _batch_sample(setup, function, masters, batch)
            results.extend(here)
    return results


def _batch_sample(setup: Setup, function: Function, masters: list[Source], batch: Batch) -> None:
    sources = [setup.storage.stage(master) for master in masters]
    answer = function.invoke(sources)
    bill_gb_s = gb_seconds(answer.wall_s, batch.memory_mb)
    batch.cpu_s.append(answer.cpu_s)
    batch.wall_s.append(answer.wall_s)
    batch.gb_s_per_1000.append(bill_gb_s * 1000 / len(sources))
    batch.bill_ratio.append(bill_gb_s / (answer.cpu_s * GB_PER_CORE))
    batch.output_bytes = function.output_bytes(sources)
    batch.peak_kb = function.peak_rss_kb()
    function.remove(sources)


def large_peaks(setup: Setup, memory_mb: int) -> dict[tuple[str, str], int]:
    """(variant, data) → peak KiB of a fresh process for one object of 1 GB, with network model and quota."""
    setup.network(True)
    setup.share(memory_mb)
    peaks = {}
    for kind in ("json", "random"):
        for name in ("sluice zip 5", "sluice zstd 3"):
            setup.say(f"1 GB of {kind}, {name}")
            key = f"incoming/large-{kind}.{data.EXTENSIONS[kind]}"
            source = setup.storage.put(key, data.chunks(setup.data_folder, kind, LARGE_BYTES))
            with setup.function(BY_NAME[name], memory_mb) as function:
                function.wait_ready()
                function.join(setup.group)
                function.invoke([source])
                peaks[name, kind] = function.peak_rss_kb()
                function.remove([source])
    return peaks


@dataclass
class Start:
    """CPU of a fresh process, ms: until it polls, and until the storage answers its first request."""

    variant: str
    tls: bool
    poll_ms: list[float] = field(default_factory=list)
    first_answer_ms: list[float] = field(default_factory=list)


def starts(setup: Setup, names: Sequence[str], rounds: int) -> list[Start]:
    """Cold starts over plain HTTP and over TLS, without quota and network model."""
    setup.network(False)
    master = setup.storage.put("masters/start.json", data.chunks(setup.data_folder, "json", 10_000))
    results = []
    for tls in (False, True) if setup.storage.tls else (False,):
        for name in names:
            start = Start(name, tls)
            for _ in range(rounds):
                source = setup.storage.stage(master)
                with setup.function(BY_NAME[name], 256, tls=tls) as function:
                    setup.storage.take()
                    setup.storage.watch(function.pid)
                    before_s = function.start()
                    start.poll_ms.append((function.wait_ready() - before_s) * 1000)
                    function.invoke([source])
                    start.first_answer_ms.append((setup.storage.take()["first_answer_cpu_s"] - before_s) * 1000)
                    function.remove([source])
            results.append(start)
    return results


def requests(setup: Setup, variant: Variant, kind: str) -> dict[str, Counter[str]]:
    """Requests for one 10 MB object, counted at the proxy, with the source kept and deleted."""
    setup.network(False)
    master = _master(setup, kind, 1)
    found = {}
    for disposition in ("keep", "delete"):
        source = setup.storage.stage(master)
        with setup.function(variant, 256, keep=disposition == "keep") as function:
            function.wait_ready()
            setup.storage.take()
            function.invoke([source])
            notes = setup.storage.take()["requests"]
            function.remove([source])
        found[disposition] = Counter(
            " ".join([note["method"], *(name for name in note["conditions"] if note["method"] != "GET")]) for note in notes
        )
    return found


@dataclass
class Outside:
    """CPU ms per file of the function and of the codec alone on the same bytes, both on a whole core."""

    variant: str
    dataset: str
    function_ms: list[float] = field(default_factory=list)
    codec_ms: list[float] = field(default_factory=list)

    @property
    def difference_ms(self) -> float:
        """What everything but the codec costs."""
        return median(self.function_ms) - median(self.codec_ms)


def outside_codec(setup: Setup, variants: Sequence[Variant], datasets: Sequence[str], rounds: int) -> list[Outside]:
    """Function and codec in turn, so that a busy minute hits both.

    Without the quota: a throttled codec finds its tables pushed out of the cache by whoever ran meanwhile, and
    that would be counted as the function's.
    """
    setup.network(True)
    setup.share(MB_PER_CORE)
    rows = {(variant.name, kind): Outside(variant.name, kind) for variant in variants for kind in datasets}
    masters = {kind: _master(setup, kind, 1) for kind in datasets}
    with contextlib.ExitStack() as stack:
        functions = [stack.enter_context(setup.function(variant, MB_PER_CORE)) for variant in variants]
        for number in range(rounds + 1):
            setup.say(f"codec alone, round {number} of {rounds}" if number else "codec alone, warming up")
            for function in functions:
                for kind, master in masters.items():
                    source = setup.storage.stage(master)
                    cpu_ms = function.invoke([source]).cpu_s * 1000
                    function.remove([source])
                    if number:
                        row = rows[function.variant.name, kind]
                        row.function_ms.append(cpu_ms)
                        row.codec_ms.append(_codec_cpu_ms(setup, function.variant, kind))
                if number == 0:
                    function.join(setup.group)
    return list(rows.values())


def _codec_cpu_ms(setup: Setup, variant: Variant, kind: str) -> float:
    """Median of the example's own runs. The shell waits for a line, so that the codec starts inside the group."""
    path = data.dataset(setup.data_folder, kind)
    command = ["/bin/sh", "-c", 'read -r _; exec "$@" </dev/null', "sh", str(setup.codec), variant.format]
    with subprocess.Popen(
        [*command, str(variant.level), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if setup.group is not None:
            setup.group.add(process.pid)
        output, _ = process.communicate("\n")
    if process.returncode:
        raise RuntimeError(f"{setup.codec} {variant.format} {variant.level} failed")
    cpu_ms: float = json.loads(output)["cpu_ms"]
    return cpu_ms
