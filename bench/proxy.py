"""A reverse proxy in front of the storage server: network model, TLS, and a count of every request.

Runs as its own process, outside the quota. It listens on two free 127.0.0.1 ports, one plain and one with TLS
if a certificate is given, understands just enough HTTP/1.1 to tell one message from the next, and

* holds back the first byte of each answer by a fixed latency (interim 1xx answers pass at once),
* paces each direction to a bandwidth that all connections share, as one function environment has it,
* notes method, conditional header and status of every request, and
* reads the CPU clock of a given process when the storage answers its first request.

Commands are JSON lines on standard input, answered by one JSON line each; end of input ends the process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import ssl
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from quota import process_cpu_s

CHUNK_BYTES = 64 * 1024
HEAD_BYTES_MAX = 64 * 1024
CONDITIONS = ("if-match", "if-none-match")

# A sleep ends up to a millisecond late; this much lost time may be caught up.
CATCH_UP_S = 0.005


class Pacer:
    """Shared bandwidth of one direction; 0 means unlimited."""

    def __init__(self) -> None:
        self.bytes_per_s = 0.0
        self._free_at_s = 0.0

    async def wait(self, size_bytes: int) -> None:
        """Returns when `size_bytes` would have passed."""
        if not self.bytes_per_s:
            return
        now_s = asyncio.get_running_loop().time()
        self._free_at_s = max(self._free_at_s, now_s - CATCH_UP_S) + size_bytes / self.bytes_per_s
        if self._free_at_s > now_s:
            await asyncio.sleep(self._free_at_s - now_s)


@dataclass
class State:
    """What the commands set and read."""

    latency_s: float = 0.0
    up: Pacer = field(default_factory=Pacer)
    down: Pacer = field(default_factory=Pacer)
    requests: list[dict[str, Any]] = field(default_factory=list)
    watched_pid: int | None = None
    first_answer_cpu_s: float | None = None


@dataclass
class Head:
    """Start line and headers of one message."""

    raw: bytes
    start: list[str]
    headers: dict[str, str]

    @property
    def length_bytes(self) -> int | None:
        """Content-Length; `None` without one."""
        value = self.headers.get("content-length")
        return None if value is None else int(value)

    @property
    def chunked(self) -> bool:
        """Whether the body frames itself."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()


async def read_head(reader: asyncio.StreamReader) -> Head:
    """The next head; `IncompleteReadError` at the end of the connection."""
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *rest = raw.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in rest if line)
    return Head(raw, first.split(" ", 2), {name.strip().lower(): value.strip() for name, _, value in pairs})


def ack_at_once(writer: asyncio.StreamWriter) -> None:
    """Linux leaves quick-ack mode by itself; without it a peer with Nagle's algorithm stalls for 40 ms."""
    sock = writer.get_extra_info("socket")
    if sock is not None and hasattr(socket, "TCP_QUICKACK"):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class Pipe:
    """One direction of one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, reader_socket: asyncio.StreamWriter, writer: asyncio.StreamWriter, pacer: Pacer
    ) -> None:
        self.reader, self.reader_socket, self.writer, self.pacer = reader, reader_socket, writer, pacer

    async def send(self, data: bytes) -> None:
        """Writes at the modelled speed."""
        ack_at_once(self.reader_socket)
        await self.pacer.wait(len(data))
        self.writer.write(data)
        await self.writer.drain()

    async def copy(self, size_bytes: int) -> None:
        """Exactly `size_bytes` of body."""
        while size_bytes:
            data = await self.reader.read(min(CHUNK_BYTES, size_bytes))
            if not data:
                raise asyncio.IncompleteReadError(b"", size_bytes)
            size_bytes -= len(data)
            await self.send(data)

    async def body(self, head: Head, until_close: bool) -> None:
        """The body that belongs to `head`."""
        if head.chunked:
            while True:
                line = await self.reader.readuntil(b"\r\n")
                await self.send(line)
                size = int(line.split(b";")[0], 16)
                if size == 0:
                    break
                await self.copy(size + 2)
            while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
                await self.send(line)
            await self.send(line)
        elif head.length_bytes is not None:
            await self.copy(head.length_bytes)
        elif until_close:
            while data := await self.reader.read(CHUNK_BYTES):
                await self.send(data)


async def requests(pipe: Pipe, pending: deque[dict[str, Any]], state: State) -> None:
    """Client to storage, until the client closes."""
    while True:
        head = await read_head(pipe.reader)
        note = {
            "method": head.start[0],
            "path": head.start[1],
            "conditions": [name for name in CONDITIONS if name in head.headers],
            "status": None,
        }
        state.requests.append(note)
        pending.append(note)
        await pipe.send(head.raw)
        await pipe.body(head, until_close=False)


async def responses(pipe: Pipe, pending: deque[dict[str, Any]], state: State) -> None:
    """Storage to client, until the storage closes."""
    while True:
        head = await read_head(pipe.reader)
        status = int(head.start[1])
        if status < 200:
            await pipe.send(head.raw)
            continue
        if state.watched_pid is not None and state.first_answer_cpu_s is None:
            state.first_answer_cpu_s = process_cpu_s(state.watched_pid)
        note = pending.popleft()
        note["status"] = status
        if state.latency_s:
            await asyncio.sleep(state.latency_s)
        await pipe.send(head.raw)
        if note["method"] != "HEAD" and status not in (204, 304):
            await pipe.body(head, until_close=True)


async def connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: tuple[str, int], state: State
) -> None:
    """One client connection and its own connection to the storage."""
    up_reader, up_writer = await asyncio.open_connection(*upstream, limit=HEAD_BYTES_MAX * 4)
    pending: deque[dict[str, Any]] = deque()
    there = asyncio.create_task(requests(Pipe(reader, writer, up_writer, state.up), pending, state))
    back = asyncio.create_task(responses(Pipe(up_reader, up_writer, writer, state.down), pending, state))
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
    for task in (there, back):
        task.cancel()
    for outcome in await asyncio.gather(there, back, return_exceptions=True):
        if not isinstance(outcome, (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError, ssl.SSLError)):
            print(f"proxy: {outcome!r}", file=sys.stderr)
    for end in (up_writer, writer):
        end.close()


def command(line: bytes, state: State) -> dict[str, Any]:
    """`model` sets latency and bandwidth, `watch` a process to clock, `take` returns and clears the record."""
    order = json.loads(line)
    match order["command"]:
        case "model":
            state.latency_s = order["latency_ms"] / 1000
            state.up.bytes_per_s = state.down.bytes_per_s = order["mb_per_s"] * 1e6
            return {}
        case "watch":
            state.watched_pid, state.first_answer_cpu_s = order["pid"], None
            return {}
        case "take":
            taken = {"requests": state.requests, "first_answer_cpu_s": state.first_answer_cpu_s}
            state.requests, state.watched_pid, state.first_answer_cpu_s = [], None, None
            return taken
    raise ValueError(f"unknown command {order['command']!r}")


async def serve(upstream: tuple[str, int], certificate: str | None, key: str | None) -> None:
    """Prints the ports, then obeys standard input until it ends."""
    state = State()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await connection(reader, writer, upstream, state)

    servers = [await asyncio.start_server(accept, "127.0.0.1", 0, limit=HEAD_BYTES_MAX * 4)]
    if certificate and key:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        servers.append(await asyncio.start_server(accept, "127.0.0.1", 0, limit=HEAD_BYTES_MAX * 4, ssl=context))
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print(json.dumps({"ports": [server.sockets[0].getsockname()[1] for server in servers]}), flush=True)
    while line := await orders.readline():
        print(json.dumps(command(line, state)), flush=True)


def main() -> None:
    """Command line of the proxy process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upstream-port", type=int, required=True, help="port of the storage server on 127.0.0.1")
    parser.add_argument("--certificate", help="PEM certificate chain for the TLS port")
    parser.add_argument("--key", help="its private key")
    arguments = parser.parse_args()
    asyncio.run(serve(("127.0.0.1", arguments.upstream_port), arguments.certificate, arguments.key))


if __name__ == "__main__":
    main()
