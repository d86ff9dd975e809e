"""A Lambda Runtime API for one function process, strict about paths and request ids.

It follows the AWS document "Using the Lambda runtime API": `next`, `response`, `error`, `init/error`, nothing
else. It also holds the stop watch: wall time runs from handing out the event to having read the response, CPU
time from handing out the event to the next poll, so that work after the response (logs, clean-up) counts.
"""

from __future__ import annotations

import json
import queue
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PREFIX = "/2018-06-01/runtime"
ANSWER = re.compile(rf"{PREFIX}/invocation/([^/]+)/(response|error)")

# What the function is told it may use; the bench itself gives up at the same time.
TIMEOUT_S = 900.0


class RuntimeViolation(Exception):
    """The function process broke the Runtime API, failed the invocation or died."""


@dataclass(frozen=True)
class Answer:
    """One finished invocation. Times in seconds; `cpu_s` is the function process's alone."""

    wall_s: float
    cpu_s: float
    body: Any


@dataclass
class _Invocation:
    event: bytes
    request_id: str
    start_s: float = 0.0
    cpu_start_s: float = 0.0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Silence: the report is the output."""

    def _reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _violation(self, text: str) -> None:
        self.server.api.answers.put(RuntimeViolation(text))
        self._reply(400, json.dumps({"errorType": "InvalidRequest", "errorMessage": text}).encode())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def do_GET(self) -> None:
        api = self.server.api
        if self.path != f"{PREFIX}/invocation/next":
            self._violation(f"GET {self.path}")
            return
        if api.current is not None:
            self._violation("polled before answering")
            return
        api.polled.put(api.cpu_clock())
        invocation = api.events.get()
        if invocation is None:
            self.close_connection = True
            return
        api.current = invocation
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + TIMEOUT_S) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:000000000000:function:bench",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        }
        invocation.cpu_start_s = api.cpu_clock()
        invocation.start_s = time.perf_counter()
        self._reply(200, invocation.event, headers)

    def do_POST(self) -> None:
        api = self.server.api
        body = self._body()
        end_s = time.perf_counter()
        if self.path == f"{PREFIX}/init/error":
            self._violation(f"init error: {body.decode(errors='replace')}")
            return
        match = ANSWER.fullmatch(self.path)
        if match is None or api.current is None or match[1] != api.current.request_id:
            self._violation(f"POST {self.path}")
            return
        invocation, api.current = api.current, None
        self._reply(202, b'{"status":"OK"}')
        if match[2] == "error":
            api.answers.put(RuntimeViolation(f"invocation failed: {body.decode(errors='replace')[:2000]}"))
        else:
            api.answers.put((invocation, end_s - invocation.start_s, json.loads(body)))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: RuntimeApi


class RuntimeApi:
    """Serves exactly one function process on a free 127.0.0.1 port."""

    def __init__(self) -> None:
        self.cpu_clock: Callable[[], float] = lambda: 0.0
        self.events: queue.Queue[_Invocation | None] = queue.Queue()
        self.answers: queue.Queue[Any] = queue.Queue()
        self.polled: queue.Queue[float] = queue.Queue()
        self.current: _Invocation | None = None
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        """Value for `AWS_LAMBDA_RUNTIME_API`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def _wait(self, source: queue.Queue[Any], alive: Callable[[], bool], what: str) -> Any:
        give_up_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < give_up_s:
            try:
                return source.get(timeout=0.25)
            except queue.Empty:
                if not self.answers.empty() and source is not self.answers:
                    found = self.answers.get()
                    raise found if isinstance(found, Exception) else RuntimeViolation(f"answered twice: {found}") from None
                if not alive():
                    raise RuntimeViolation(f"the function process ended while the bench waited for {what}") from None
        raise RuntimeViolation(f"no {what} within {TIMEOUT_S:.0f} s")

    def wait_ready(self, alive: Callable[[], bool]) -> float:
        """Blocks until the process polls for work; its CPU clock at that moment, seconds."""
        cpu_s: float = self._wait(self.polled, alive, "poll")
        return cpu_s

    def invoke(self, event: Any, alive: Callable[[], bool]) -> Answer:
        """One invocation of a process that is polling, until it polls again."""
        self.events.put(_Invocation(json.dumps(event).encode(), str(uuid.uuid4())))
        found = self._wait(self.answers, alive, "response")
        if isinstance(found, Exception):
            raise found
        invocation, wall_s, body = found
        return Answer(wall_s, self.wait_ready(alive) - invocation.cpu_start_s, body)

    def close(self) -> None:
        """Stops listening; a process still polling sees its connection close."""
        self.events.put(None)
        self._server.shutdown()
        self._server.server_close()
