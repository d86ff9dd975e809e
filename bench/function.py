"""The process under test: either the release binary or the Python function, with its Runtime API."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from quota import Group, peak_rss_kb, process_cpu_s
from runtime_api import Answer, RuntimeApi, RuntimeViolation
from storage import ACCESS_KEY, REGION, SECRET_KEY, Source, Storage, sqs_event


@dataclass(frozen=True)
class Variant:
    """One row of the comparison."""

    name: str
    format: str
    level: int
    python: bool = False

    @property
    def extension(self) -> str:
        """Of the output key."""
        return {"zip": ".zip", "gzip": ".gz", "zstd": ".zst"}[self.format]


PYTHON = Variant("python zip 6", "zip", 6, python=True)
VARIANTS = (
    PYTHON,
    Variant("sluice zip 6", "zip", 6),
    Variant("sluice zip 5", "zip", 5),
    Variant("sluice gzip 5", "gzip", 5),
    Variant("sluice zstd 3", "zstd", 3),
    Variant("sluice zstd 1", "zstd", 1),
)
BY_NAME = {variant.name: variant for variant in VARIANTS}


# As template.yaml sets them for the function.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "16777216", "MALLOC_MMAP_THRESHOLD_": "4194304"}


class Function:
    """One execution environment: a process that polls, and what it needs around it. A context manager."""

    def __init__(
        self, variant: Variant, memory_mb: int, binary: Path, storage: Storage, log_folder: Path, tls: bool, keep: bool = False
    ) -> None:
        self.variant = variant
        self.memory_mb = memory_mb
        self.storage = storage
        self._api = RuntimeApi()
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
            "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "_HANDLER": "bootstrap",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL": storage.tls_url if tls and storage.tls_url else storage.plain_url,
            "COMPRESSION_FORMAT": variant.format,
            "COMPRESSION_LEVEL": str(variant.level),
            "SOURCE_DISPOSITION": "keep" if keep else "delete",
            # Nothing may go there in a bench; port 9 would refuse it, and the bench fail.
            "DLQ_URL": "http://127.0.0.1:9/000000000000/dlq",
        }
        if tls and storage.tls:
            environment |= {"SSL_CERT_FILE": str(storage.tls[2]), "AWS_CA_BUNDLE": str(storage.tls[2])}
        if not variant.python:
            environment |= ALLOCATOR
        program = [sys.executable, str(Path(__file__).with_name("python_function.py"))] if variant.python else [str(binary)]
        log_folder.mkdir(parents=True, exist_ok=True)
        self.log = log_folder / f"{variant.name.replace(' ', '-')}-{memory_mb}.log"
        with self.log.open("ab") as log:
            # The shell waits for a line, so that clocks can be set before the program's first instruction;
            # `exec` keeps the pid.
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                ["/bin/sh", "-c", 'read -r _; exec "$@" </dev/null', "sh", *program],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        self.pid = self._process.pid
        self._api.cpu_clock = lambda: process_cpu_s(self.pid)
        self._started = False
        self._ready = False

    def _alive(self) -> bool:
        return self._process.poll() is None

    def start(self) -> float:
        """Lets the program run; its CPU clock before the first instruction, seconds."""
        stdin: IO[bytes] | None = self._process.stdin
        assert stdin is not None
        before_s = process_cpu_s(self.pid)
        stdin.write(b"\n")
        stdin.close()
        self._started = True
        return before_s

    def wait_ready(self) -> float:
        """Starts it if need be and waits until it polls; its CPU clock then, seconds."""
        if not self._started:
            self.start()
        self._ready = True
        return self._api.wait_ready(self._alive)

    def invoke(self, sources: list[Source]) -> Answer:
        """One invocation; every object must have come out. The outputs stay for the caller to look at."""
        if not self._ready:
            self.wait_ready()
        answer = self._api.invoke(sqs_event(sources), self._alive)
        if answer.body != {"batchItemFailures": []}:
            raise RuntimeViolation(f"{self.variant.name} answered {answer.body}; see {self.log}")
        for source in sources:
            if not self.storage.output(source, self.variant.extension).exists():
                raise RuntimeViolation(f"{self.variant.name} wrote no output for {source.key}; see {self.log}")
        return answer

    def output_bytes(self, sources: list[Source]) -> int:
        """Size of the outputs together."""
        return sum(self.storage.output(source, self.variant.extension).stat().st_size for source in sources)

    def remove(self, sources: list[Source]) -> None:
        """Clears what one invocation left."""
        for source in sources:
            self.storage.remove(source, self.variant.extension)

    def peak_rss_kb(self) -> int:
        """`VmHWM`, KiB."""
        return peak_rss_kb(self.pid)

    def join(self, group: Group | None) -> None:
        """Puts the process under the quota."""
        if group is not None:
            group.add(self.pid)

    def __enter__(self) -> Function:
        return self

    def __exit__(self, *_: object) -> None:
        if self._alive():
            self._process.kill()
        self._process.wait()
        self._api.close()


def unpacked_sha256(path: Path, variant: Variant) -> str | None:
    """Digest of what an independent reader gets out of an output; `None` if there is no such reader here."""
    digest = hashlib.sha256()

    def feed(stream: IO[bytes] | gzip.GzipFile) -> None:
        while data := stream.read(1 << 20):
            digest.update(data)

    if variant.format == "zip":
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as stream:
            feed(stream)
    elif variant.format == "gzip":
        with gzip.open(path) as unzipped:
            feed(unzipped)
    elif shutil.which("zstd") is None:
        return None
    else:
        with subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            feed(process.stdout)
        if process.returncode:
            return "zstd failed"
    return digest.hexdigest()
