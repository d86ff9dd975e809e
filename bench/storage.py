"""The local S3 (s3s-fs), the proxy in front of it, and the objects and events of the bench."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

S3S_FS_VERSION = "0.14.1"
BUCKET = "bench"
REGION = "eu-central-1"
ACCESS_KEY = "benchaccesskey"
SECRET_KEY = "benchsecretkey"

# What the largest case needs on the memory file system: source, parts and joined output of 1 GB.
TMPFS_BYTES_MIN = 5 * 2**30


def install_s3s_fs(root: Path) -> Path:
    """The server's path under `root`, built with cargo on first use (a few minutes)."""
    binary = root / "bin" / "s3s-fs"
    if not binary.exists():
        print(f"building s3s-fs {S3S_FS_VERSION} (once, a few minutes) ...", flush=True)
        subprocess.run(
            ["cargo", "install", "s3s-fs", "--version", S3S_FS_VERSION, "--features", "binary", "--locked", "--root", root],
            check=True,
        )
    return binary


def object_folder(fallback: Path) -> Path:
    """A new folder on a memory file system with enough room, else below `fallback`."""
    shm = Path("/dev/shm")
    available = 0
    with contextlib.suppress(OSError):
        memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        available = min(int(memory["MemAvailable"].split()[0]) * 1024, shutil.disk_usage(shm).free)
    if available >= TMPFS_BYTES_MIN and os.access(shm, os.W_OK):
        return Path(tempfile.mkdtemp(prefix="sluice-bench-", dir=shm))
    fallback.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="objects-", dir=fallback))


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_certificates(folder: Path) -> tuple[Path, Path, Path] | None:
    """Certificate and key for 127.0.0.1 and a bundle of the system's roots plus ours; `None` without openssl.

    The system's roots stay in, because a function on Lambda has to parse them too.
    """
    if shutil.which("openssl") is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key, cert, key = (folder / name for name in ("ca.pem", "ca.key", "server.pem", "server.key"))

    def openssl(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    openssl("req", "-x509", *curve, "-days", "7", "-subj", "/CN=bench root", "-keyout", ca_key, "-out", ca)
    openssl("req", *curve, "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", "server.csr")
    openssl(
        *("x509", "-req", "-in", "server.csr", "-CA", ca, "-CAkey", ca_key, "-CAcreateserial"),
        *("-days", "7", "-extfile", "server.ext", "-out", cert),
    )
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    bundle = folder / "bundle.pem"
    bundle.write_bytes((system.read_bytes() if system.exists() else b"") + ca.read_bytes())
    return cert, key, bundle


def stop(process: subprocess.Popen[Any], first: signal.Signals) -> None:
    """Ends one process that the bench started and waits for its exit."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Source:
    """An object that is ready to be compressed."""

    key: str
    etag: str
    size_bytes: int


class Storage:
    """s3s-fs and its proxy as two processes of their own; a context manager."""

    def __init__(self, binary: Path, work: Path, log_folder: Path) -> None:
        self.root = object_folder(work / "objects")
        log_folder.mkdir(parents=True, exist_ok=True)
        self.tls = make_certificates(work / "tls")
        (self.root / BUCKET).mkdir()
        port = free_port()
        with (log_folder / "s3s-fs.log").open("wb") as log:
            self._server = subprocess.Popen(
                [str(binary), "--host", "127.0.0.1", "--port", str(port), "--access-key", ACCESS_KEY]
                + ["--secret-key", SECRET_KEY, str(self.root)],
                env={"RUST_LOG": "error"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._await(port)
        command: list[str | Path] = [sys.executable, Path(__file__).with_name("proxy.py"), "--upstream-port", str(port)]
        if self.tls:
            command += ["--certificate", self.tls[0], "--key", self.tls[1]]
        with (log_folder / "proxy.log").open("wb") as log:
            self._proxy = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._proxy.stdout is not None
        ports = json.loads(self._proxy.stdout.readline())["ports"]
        self.plain_url = f"http://127.0.0.1:{ports[0]}"
        self.tls_url = f"https://127.0.0.1:{ports[1]}" if self.tls else None
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=300),
        )

    @property
    def pids(self) -> tuple[int, int]:
        """Storage server and proxy."""
        return self._server.pid, self._proxy.pid

    def _await(self, port: int) -> None:
        for _ in range(200):
            if self._server.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.05)
        raise RuntimeError("s3s-fs did not start; see s3s-fs.log in the bench's log folder")

    def __enter__(self) -> Storage:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._proxy.stdin is not None
        with contextlib.suppress(OSError):
            self._proxy.stdin.close()
        try:
            self._proxy.wait(10)
        except subprocess.TimeoutExpired:
            stop(self._proxy, signal.SIGTERM)
        stop(self._server, signal.SIGINT)
        shutil.rmtree(self.root)

    def _order(self, **order: Any) -> dict[str, Any]:
        assert self._proxy.stdin is not None and self._proxy.stdout is not None
        self._proxy.stdin.write(json.dumps(order) + "\n")
        self._proxy.stdin.flush()
        answer: dict[str, Any] = json.loads(self._proxy.stdout.readline())
        return answer

    def model(self, latency_ms: float, mb_per_s: float) -> None:
        """Network model of the proxy; zeros switch it off."""
        self._order(command="model", latency_ms=latency_ms, mb_per_s=mb_per_s)

    def watch(self, pid: int) -> None:
        """Clock this process when its first answer arrives."""
        self._order(command="watch", pid=pid)

    def take(self) -> dict[str, Any]:
        """Requests since the last call, and the watched CPU clock."""
        return self._order(command="take")

    def _copy(self, source: str, target: str) -> str:
        answer = self.client.copy_object(Bucket=BUCKET, Key=target, CopySource={"Bucket": BUCKET, "Key": source})
        etag: str = answer["CopyObjectResult"]["ETag"]
        return etag.strip('"')

    def put(self, key: str, parts: Iterable[bytes]) -> Source:
        """Stores an object by writing the server's file.

        Copying it onto itself makes the server hash it once and keep the ETag; otherwise it would read the
        whole file before the first byte of every GET.
        """
        path = self.root / BUCKET / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(parts)
        return Source(key, self._copy(key, key), path.stat().st_size)

    def stage(self, master: Source) -> Source:
        """A fresh copy under `incoming/` for one invocation."""
        stem, dot, extension = Path(master.key).name.rpartition(".")
        key = f"incoming/{stem}-{uuid.uuid4().hex[:12]}{dot}{extension}"
        return Source(key, self._copy(master.key, key), master.size_bytes)

    def output(self, source: Source, extension: str) -> Path:
        """Where the compressed object must be, as a file of the server."""
        return self.root / BUCKET / self._output_key(source, extension)

    @staticmethod
    def _output_key(source: Source, extension: str) -> str:
        path = source.key.removeprefix("incoming/")
        return f"processed/{hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()[:2]}/{path}{extension}"

    def remove(self, source: Source, extension: str) -> None:
        """Output, source if it is still there, and the server's notes on both."""
        for key in (source.key, self._output_key(source, extension)):
            (self.root / BUCKET / key).unlink(missing_ok=True)
            bucket64, key64 = (base64.urlsafe_b64encode(name.encode()).decode().rstrip("=") for name in (BUCKET, key))
            for kind in ("metadata", "internal"):
                (self.root / f".bucket-{bucket64}.object-{key64}.{kind}.json").unlink(missing_ok=True)


def sqs_event(sources: list[Source]) -> dict[str, Any]:
    """One SQS batch with an S3 notification per message, as S3 writes them."""
    records = []
    for number, source in enumerate(sources):
        notification = {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": REGION,
                    "eventTime": "2026-03-01T00:00:00.000Z",
                    "eventName": "ObjectCreated:Put",
                    "userIdentity": {"principalId": "AWS:EXAMPLE"},
                    "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                    "responseElements": {"x-amz-request-id": "EXAMPLE123456789", "x-amz-id-2": "EXAMPLE"},
                    "s3": {
                        "s3SchemaVersion": "1.0",
                        "configurationId": "bench",
                        "bucket": {"name": BUCKET, "ownerIdentity": {"principalId": "EXAMPLE"}, "arn": f"arn:aws:s3:::{BUCKET}"},
                        "object": {
                            "key": source.key,
                            "size": source.size_bytes,
                            "eTag": source.etag,
                            "sequencer": f"{0x0055AED6DCD90281E5 + number:018X}",
                        },
                    },
                }
            ]
        }
        records.append(
            {
                "messageId": str(uuid.uuid4()),
                "receiptHandle": "bench",
                "body": json.dumps(notification),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1772323200000",
                    "SenderId": "EXAMPLE",
                    "ApproximateFirstReceiveTimestamp": "1772323200001",
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(json.dumps(notification).encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:000000000000:bench",
                "awsRegion": REGION,
            }
        )
    return {"Records": records}
