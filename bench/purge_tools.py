"""The tools under comparison, each run on a mount; all of them against the same stop watch: from spawning to the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latency import TOOL_PRIORITY, first
from runtime_api import RuntimeApi, RuntimeViolation

FD_VERSION = "10.5.0"
SLUICE, FIND, FD, PYTHON, PEER = "sluice", "find", "fd", "python, 4 threads", "AsyncEFSPurge"

# Between two looks at the memory of a process that ends by itself.
SAMPLE_S = 0.02

FIRST = first(TOOL_PRIORITY)


@dataclass(frozen=True)
class Run:
    """One run of a tool. Wall time is the whole process; `answer_s` is from handing out the event to its answer."""

    wall_s: float
    peak_kb: int
    done: int
    answer_s: float | None = None
    counters: dict[str, Any] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """That the server heard of."""
        return int(self.counters["server_calls"])


@dataclass(frozen=True)
class Programs:
    """Where everything is; what is missing is `None`."""

    purge: Path
    count: Path
    engine: Path
    latency_fs: Path
    fd: Path | None
    peer: str | None


def install_fd(root: Path) -> Path | None:
    """fd's path under `root`, built with cargo on first use; `None` when that fails."""
    binary = root / "bin" / "fd"
    if not binary.exists():
        print(f"building fd {FD_VERSION} (once, a minute or two) ...", flush=True)
        command = ["cargo", "install", "--quiet", "fd-find", "--version", FD_VERSION, "--locked", "--root", str(root)]
        subprocess.run(command, check=False)
    return binary if binary.exists() else None


def high_water_kb(pid: int) -> int:
    """`VmHWM`, KiB; 0 once the process is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def command(*stages: list[str]) -> tuple[Run, str]:
    """Runs a command, or a pipeline, to its end. The first stage's memory is looked at now and then; the last look counts."""
    start_s = time.perf_counter()
    processes: list[subprocess.Popen[str]] = []
    for stage in stages:
        stdin = processes[-1].stdout if processes else subprocess.DEVNULL
        pipe, silence = subprocess.PIPE, subprocess.DEVNULL
        processes.append(subprocess.Popen(stage, stdin=stdin, stdout=pipe, stderr=silence, text=True, preexec_fn=FIRST))
        if len(processes) > 1 and (passed_on := processes[-2].stdout) is not None:
            passed_on.close()
    ended = threading.Event()
    peak_kb = 0

    def sample() -> None:
        nonlocal peak_kb
        while not ended.wait(SAMPLE_S):
            peak_kb = max(peak_kb, high_water_kb(processes[0].pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    out, _ = processes[-1].communicate()
    codes = [process.wait() for process in processes]
    wall_s = time.perf_counter() - start_s
    ended.set()
    sampler.join()
    if any(codes):
        raise RuntimeError(f"{' | '.join(stage[0] for stage in stages)} ended with {codes}")
    return Run(wall_s, peak_kb, 0), out


def function(binary: Path, root: Path, event: dict[str, Any], done: str) -> Run:
    """A release binary, driven as Lambda drives it, until it polls again: then it has nothing more to do."""
    api = RuntimeApi()
    name = binary.name.upper()
    environment = {
        "PATH": "/usr/bin:/bin",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        f"{name}_ROOT": str(root),
        "PURGE_DRY_RUN": "false",
    }
    start_s = time.perf_counter()
    silence = subprocess.DEVNULL
    process = subprocess.Popen([str(binary)], env=environment, stdin=silence, stdout=silence, stderr=silence, preexec_fn=FIRST)
    try:
        api.wait_ready(lambda: process.poll() is None)
        answer = api.invoke(event, lambda: process.poll() is None)
        wall_s = time.perf_counter() - start_s
        peak_kb = high_water_kb(process.pid)
    finally:
        process.kill()
        process.wait()
        api.close()
    complete = answer.body.get("status", "complete") == "complete" and answer.body.get("complete", True)
    if not complete or answer.body["errors"]:
        raise RuntimeViolation(f"{binary.name} answered {answer.body}")
    return Run(wall_s, peak_kb, int(answer.body[done]), answer.wall_s)


def _fd(programs: Programs, root: Path, *more: str) -> list[str]:
    return [str(programs.fd), "-HI", "-j", "64", "-t", "f", *more, ".", str(root)]


def purge(programs: Programs, tool: str, root: Path) -> Run:
    """Removes every file below `root` that is older than 30 days."""
    if tool == SLUICE:
        return function(programs.purge, root, {"dry_run": False}, "files_purged")
    if tool == FIND:
        return command(["find", str(root), "-type", "f", "-mtime", "+30", "-delete"])[0]
    if tool == FD:
        return command(_fd(programs, root, "--changed-before", "30d", "-0"), ["xargs", "-0", "-r", "-n", "50", "-P", "64", "rm", "-f"])[0]
    assert tool == PEER and programs.peer is not None
    return command([programs.peer, str(root), "--max-age-days", "30", "--max-concurrency", "1000", "--log-level", "ERROR"])[0]


def count(programs: Programs, tool: str, root: Path) -> Run:
    """Counts the files below `root`."""
    if tool == SLUICE:
        return function(programs.count, root, {}, "files")
    if tool == PYTHON:
        run, out = command([sys.executable, str(Path(__file__).with_name("thread_count.py")), str(root)])
        return Run(run.wall_s, run.peak_kb, int(out))
    lister = _fd(programs, root) if tool == FD else ["find", str(root), "-type", "f", "-printf", ".\n"]
    run, out = command(lister, ["wc", "-l"])
    return Run(run.wall_s, run.peak_kb, int(out))


def dry_run(programs: Programs, root: Path) -> Run:
    """Looks at every file and removes none."""
    return function(programs.purge, root, {"dry_run": True}, "files_to_purge")


def engine(programs: Programs, root: Path, *flags: str) -> Run:
    """The purge engine alone, with switches that only measurements have."""
    run, out = command([str(programs.engine), *flags, str(root)])
    answer = json.loads(out)
    if not answer["complete"]:
        raise RuntimeError(f"engine answered {answer}")
    return Run(run.wall_s, run.peak_kb, int(answer["files_purged"]), float(answer["duration_seconds"]))


def versions(programs: Programs) -> str:
    """Of the tools compared with."""
    found = subprocess.run(["find", "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    parts = [found[0] if found else "find unknown", f"fd {FD_VERSION}" if programs.fd else "fd missing"]
    parts.append(f"Python {sys.version.split()[0]}")
    if programs.peer:
        said = subprocess.run([programs.peer, "--version"], capture_output=True, text=True, check=False)
        parts.append((said.stdout or said.stderr).strip() or "AsyncEFSPurge of unknown version")
    else:
        parts.append("AsyncEFSPurge not measured (EFSPURGE_BIN names none)")
    return ", ".join(parts)


def peer() -> str | None:
    """The executable that `EFSPURGE_BIN` names."""
    return os.environ.get("EFSPURGE_BIN") or None
