"""What the demo uploads: record data as it is met in practice, generated from a seed."""

import dataclasses
import gzip
import hashlib
import json
import random

MIB = 1024 * 1024
SOURCE_PREFIX = "incoming/"
OUTPUT_PREFIX = "processed/"
# The deployed limit; one sample is a byte larger.
OBJECT_BYTES_MAX = 20 * MIB


@dataclasses.dataclass(frozen=True)
class Sample:
    """An object to upload; `path` is its key below the source prefix."""

    path: str
    body: bytes
    content_type: str

    @property
    def source_key(self) -> str:
        return SOURCE_PREFIX + self.path

    @property
    def output_key(self) -> str:
        """Where the README says the result appears, worked out independently of the function."""
        path = self.path
        folder, _, rest = path.partition("/")
        if rest and folder == partition(rest):
            path = rest
        return f"{OUTPUT_PREFIX}{partition(path)}/{path}.zip"


def partition(path: str) -> str:
    """The folder that spreads keys over 256 prefixes."""
    return hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()[:2]


def compressible() -> list[Sample]:
    """Objects that must come out compressed."""
    seed = random.Random(20261120)
    trace = f"{partition('traces/events.json')}/traces/events.json"  # already in its partition folder
    return [
        Sample("orders.json", _json_lines(seed, 3 * MIB), "application/json"),
        Sample("orders.csv", _csv(seed, 2 * MIB), "text/csv"),
        Sample("2026/11/orders.json", _json_lines(seed, MIB), "application/json"),
        Sample("app.log", _log(seed, 2 * MIB), "text/plain"),
        Sample("backup.tar.gz", gzip.compress(seed.randbytes(12 * MIB), 1, mtime=0), "application/gzip"),
        Sample("empty.txt", b"", "text/plain"),
        Sample("Übersicht 2026/Q1+Q2 100%25.csv", _csv(seed, MIB // 4), "text/csv"),
        Sample(trace, _json_lines(seed, MIB // 2), "application/json"),
    ]


def oversize() -> Sample:
    """One byte more than the deployed limit."""
    return Sample("too-large.bin", bytes(OBJECT_BYTES_MAX + 1), "application/octet-stream")


def _lines(size: int, line) -> bytes:
    text = bytearray()
    while len(text) < size:
        text += line(len(text)).encode() + b"\n"
    return bytes(text)


def _json_lines(seed: random.Random, size: int) -> bytes:
    def line(_: int) -> str:
        order = {"id": f"{seed.getrandbits(64):016x}", "customer": seed.randrange(90_000)}
        order |= {
            "status": seed.choice(_STATUS),
            "amount": round(seed.uniform(1, 900), 2),
            "placed_at": f"2026-11-20T{_clock(seed)}Z",
        }
        return json.dumps(order)

    return _lines(size, line)


def _csv(seed: random.Random, size: int) -> bytes:
    def line(offset: int) -> str:
        if offset == 0:
            return "id,sku,quantity,price,status"
        row = (seed.randrange(10**9), f"SKU-{seed.randrange(5_000):05}", seed.randrange(1, 20))
        return ",".join(map(str, row)) + f",{seed.uniform(1, 300):.2f},{seed.choice(_STATUS)}"

    return _lines(size, line)


def _log(seed: random.Random, size: int) -> bytes:
    def line(_: int) -> str:
        host = f"10.{seed.randrange(4)}.{seed.randrange(256)}.{seed.randrange(256)}"
        request = f'"GET /api/v1/orders/{seed.randrange(10**6)} HTTP/1.1" {seed.choice((200, 200, 200, 304, 404, 500))}'
        return f"2026-11-20 {_clock(seed)} INFO {host} {request} {seed.randrange(50_000)} {seed.uniform(1, 80):.1f}ms"

    return _lines(size, line)


def _clock(seed: random.Random) -> str:
    return f"{seed.randrange(24):02}:{seed.randrange(60):02}:{seed.randrange(60):02}.{seed.randrange(1000):03}"


_STATUS = ("placed", "paid", "packed", "shipped", "delivered", "returned")
