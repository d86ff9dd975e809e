"""The latency file system as a process: a fresh tree, mounted for one measurement, always unmounted."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

# Ahead of the tools, for a real server has its own cores; and those ahead of everything else on this machine.
SERVER_PRIORITY, TOOL_PRIORITY = 2, 1

# Longest time to generate a tree and mount it, and to unmount it.
PATIENCE_S = 120


def first(priority: int) -> Callable[[], None]:
    """Gives the process that calls it real-time priority, if this user may; busy neighbours then cost it nothing."""

    def raise_priority() -> None:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))

    return raise_priority


class NoFuse(Exception):
    """This machine cannot mount it; the text says why."""


class Mounted:
    """One tree under one or several mount points. A context manager."""

    def __init__(self, binary: Path, work: Path, tree: str, clients: int = 1, iops: int = 0, slots: int = 64) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.paths = [work / f"mount-{os.getpid()}-{number}" for number in range(clients)]
        self._command = [str(binary), "--tree", tree, "--iops", str(iops), "--slots", str(slots), *map(str, self.paths)]
        self._process: subprocess.Popen[str] | None = None

    @property
    def path(self) -> Path:
        """The only mount point."""
        (path,) = self.paths
        return path

    def __enter__(self) -> Mounted:
        for path in self.paths:
            path.mkdir(exist_ok=True)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, preexec_fn=first(SERVER_PRIORITY)
        )
        if self._pipe(self._process.stdout).readline() != "ready\n":
            _, said = self._process.communicate(timeout=PATIENCE_S)
            self._remove()
            raise NoFuse(said.strip() or "latency_fs ended")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        try:
            self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            # Its guard unmounts.
            self._process.kill()
            self._process.communicate()
        self._remove()

    def _remove(self) -> None:
        for path in self.paths:
            with contextlib.suppress(OSError):
                path.rmdir()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    def _ask(self, line: str) -> str:
        assert self._process is not None
        stdin = self._pipe(self._process.stdin)
        stdin.write(f"{line}\n")
        stdin.flush()
        return self._pipe(self._process.stdout).readline()

    def counters(self) -> dict[str, Any]:
        """Calls by kind, their mean latency, peaks."""
        counters: dict[str, Any] = json.loads(self._ask("stats"))
        return counters

    def reset(self) -> None:
        """Counts from zero."""
        self._ask("reset")


def why_not() -> str | None:
    """What is missing for FUSE, if that can be seen without trying."""
    if not Path("/dev/fuse").exists():
        return "there is no /dev/fuse"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse may not be opened by this user"
    return None
