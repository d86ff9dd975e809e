"""Test data: seeded, the same bytes on every machine for the same Python version.

Three kinds of record data that a company really drops into a bucket: JSON events, CSV orders and a mix of
access and application log lines. They are tuned to compress about as such data does (Python's zipfile at
level 6: near 4.2, 2.9 and 3.9 to 1), because a codec's speed depends on how much there is to find.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

# Bytes of one ordinary object.
OBJECT_BYTES = 10_000_000

# Bumped whenever a generator changes, so that a cached file of an older one is never used.
GENERATOR_VERSION = 1

WORDS = (
    "order payment customer invoice checkout session account upload batch report index cache worker queue "
    "retry timeout gateway catalog search profile image render export import sync token policy region"
).split()
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "okhttp/4.12.0",
    "curl/8.8.0",
)
COUNTRIES = ("DE", "US", "FR", "GB", "NL", "ES", "IT", "PL", "SE", "AT", "CH", "JP", "BR", "IN")
CURRENCIES = ("EUR", "USD", "GBP", "SEK", "PLN", "CHF")


def _timestamp(second: int, milli: int) -> str:
    """`second` counts from midnight of one fixed day."""
    hours, rest = divmod(second % 86_400, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"2026-03-{1 + second // 86_400 % 28:02d}T{hours:02d}:{minutes:02d}:{seconds:02d}.{milli:03d}Z"


def _address(rng: random.Random) -> str:
    return f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def json_events(rng: random.Random) -> Iterator[str]:
    """Newline-delimited product events, one nested object each."""
    kinds = ("page_view", "click", "add_to_cart", "purchase", "search", "login", "logout", "error")
    clock = 0.0
    sessions = [f"{rng.getrandbits(64):016x}" for _ in range(2000)]
    while True:
        clock += rng.expovariate(40)
        kind = rng.choices(kinds, (40, 25, 10, 4, 10, 5, 3, 3))[0]
        slot = rng.randrange(2000)
        if rng.random() < 0.05:
            sessions[slot] = f"{rng.getrandbits(64):016x}"
        user = (slot * 7919 + 100_003) % 1_000_000
        word, other = rng.choice(WORDS), rng.choice(WORDS)
        yield (
            f'{{"event_id":"{rng.getrandbits(128):032x}","type":"{kind}","ts":"{_timestamp(int(clock), rng.randrange(1000))}",'
            f'"user":{{"id":{user},"country":"{COUNTRIES[slot % 14]}","plan":"{("free", "pro", "team")[slot % 3]}"}},'
            f'"session":"{sessions[slot]}","page":"/{word}/{other}/{rng.randrange(50_000)}",'
            f'"device":{{"os":"{("ios", "android", "windows", "macos")[slot % 4]}","version":"{slot % 9}.{slot % 5}"}},'
            f'"duration_ms":{int(rng.expovariate(1 / 300))},"value":{rng.randrange(1, 20000) / 100},'
            f'"ip":"{_address(rng)}","position":{{"x":{rng.randrange(1920)},"y":{rng.randrange(1080)}}},'
            f'"currency":"{CURRENCIES[slot % 6]}","ref":"{rng.getrandbits(32):08x}","experiments":["{WORDS[slot % len(WORDS)]}-{slot % 4}","{word}-b"]}}\n'
        )


def csv_orders(rng: random.Random) -> Iterator[str]:
    """Order lines: mostly numbers, little text, hence the lowest ratio."""
    yield "order_id,created_at,customer_id,country,postcode,sku,product,quantity,unit_price,total,currency,status,payment_ref,tracking\n"
    order = 50_000_000
    clock = 0.0
    while True:
        clock += rng.expovariate(2)
        order += rng.randrange(1, 4)
        sku = rng.randrange(20_000) if rng.random() < 0.6 else int(rng.paretovariate(0.6)) % 20_000
        quantity = rng.choices((1, 2, 3, 5, 10), (60, 20, 10, 6, 4))[0]
        price_cents = (sku * 7_919 % 40_000 + 199) * rng.choice((80, 90, 95, 100)) // 100
        country = rng.choices(COUNTRIES, (30, 20, 9, 9, 7, 6, 5, 4, 3, 2, 2, 1, 1, 1))[0]
        status = rng.choices(("paid", "shipped", "returned", "open"), (50, 40, 5, 5))[0]
        tracking = "" if status in ("paid", "open") else f"1Z{rng.randrange(10**12):012d}"
        yield (
            f"{order},{_timestamp(int(clock), 0)[:19].replace('T', ' ')},{rng.randrange(1_000_000)},{country},"
            f"{rng.randrange(10_000, 99_999)},SKU-{sku:05d},{WORDS[sku % len(WORDS)]} {WORDS[sku * 31 % len(WORDS)]},"
            f"{quantity},{price_cents / 100:.2f},{quantity * price_cents / 100:.2f},"
            f"{'USD' if country == 'US' else 'GBP' if country == 'GB' else 'EUR'},{status},{rng.getrandbits(56):014x},{tracking}\n"
        )


def mixed_logs(rng: random.Random) -> Iterator[str]:
    """Two access-log lines to one application-log line."""
    clock = 0.0
    clients = [_address(rng) for _ in range(20_000)]
    while True:
        clock += rng.expovariate(100)
        word, other = rng.choice(WORDS), rng.choice(WORDS)
        second = int(clock)
        request = f"{rng.getrandbits(112):028x}"
        if rng.random() < 0.67:
            stamp = f"01/Mar/2026:{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d} +0000"
            yield (
                f'{rng.choice(clients)} - - [{stamp}] "{rng.choices(("GET", "POST", "PUT"), (80, 15, 5))[0]} '
                f'/api/v2/{word}/{rng.randrange(1_000_000)}?q={other}&sid={rng.getrandbits(48):012x} HTTP/1.1" '
                f'{rng.choices((200, 204, 304, 404, 500), (80, 5, 8, 5, 2))[0]} {int(rng.lognormvariate(8, 1.5))} '
                f'"https://shop.example.com/{other}" "{rng.choices(AGENTS, (20, 10, 10, 10, 30, 20))[0]}" '
                f'{rng.expovariate(20):.6f} {request}\n'
            )
        else:
            yield (
                f"{_timestamp(second, rng.randrange(1000))} {rng.choices(('INFO', 'DEBUG', 'WARN', 'ERROR'), (70, 20, 7, 3))[0]} "
                f"[{word}-worker-{rng.randrange(16)}] com.example.{word}.{other.title()}Service - request "
                f"{request} handled for customer={rng.randrange(1_000_000)} in {int(rng.expovariate(1 / 80))} ms, "
                f"{rng.randrange(40)} rows, key {rng.getrandbits(64):016x} {rng.choice(('hit', 'miss', 'stale'))}\n"
            )


GENERATORS: dict[str, Callable[[random.Random], Iterator[str]]] = {
    "json": json_events,
    "csv": csv_orders,
    "logs": mixed_logs,
}
EXTENSIONS = {"json": "json", "csv": "csv", "logs": "log", "random": "bin"}


def _write_records(path: Path, kind: str, seed: int, size_bytes: int) -> None:
    rng = random.Random(f"{kind}-{seed}")
    written = 0
    with path.open("wb") as out:
        for record in GENERATORS[kind](rng):
            line = record.encode()[: size_bytes - written]
            out.write(line)
            written += len(line)
            if written == size_bytes:
                return


def dataset(folder: Path, kind: str, seed: int = 1, size_bytes: int = OBJECT_BYTES) -> Path:
    """Path of the data set, generated on first use and kept in `folder`; exactly `size_bytes` long."""
    path = folder / f"v{GENERATOR_VERSION}-{kind}-{seed}-{size_bytes}.{EXTENSIONS[kind]}"
    if not path.exists() or path.stat().st_size != size_bytes:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".tmp{os.getpid()}")
        _write_records(unfinished, kind, seed, size_bytes)
        unfinished.replace(path)
    return path


def chunks(folder: Path, kind: str, size_bytes: int, chunk_bytes: int = OBJECT_BYTES) -> Iterator[bytes]:
    """`size_bytes` of data for the large objects, in chunks, without a file of that size.

    `random` is incompressible. Anything else repeats one data set: its 10 MB are far longer than the window
    of deflate (32 KiB) or of zstd 3 (2 MiB), so no codec here can see the repetition.
    """
    rng = random.Random(f"{kind}-large")
    repeated = b"" if kind == "random" else dataset(folder, kind, 1, chunk_bytes).read_bytes()
    left = size_bytes
    while left:
        size = min(left, chunk_bytes)
        yield rng.randbytes(size) if kind == "random" else repeated[:size]
        left -= size


def sha256(path: Path) -> str:
    """Hex digest of the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
