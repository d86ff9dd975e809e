"""The CPU share that Lambda gives a memory size, as a cgroup quota (v1 or v2), and exact CPU clocks.

Lambda documents one full core at 1,769 MB and a share in proportion below that. The period is 20 ms. Only the
function is put into the group; storage, proxy and Runtime API stay outside.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

# MB of function memory that come with one whole core. Source: Lambda developer guide, "Configure memory".
MB_PER_CORE = 1769

PERIOD_US = 20_000


def process_cpu_s(pid: int) -> float:
    """CPU time of another process and all its threads, seconds, with the kernel's nanosecond resolution.

    The clock id is what `clock_getcpuclockid(3)` computes: the complemented pid, shifted, with 2 for the
    scheduler's own accounting.
    """
    return time.clock_gettime((~pid << 3) | 2)


def peak_rss_kb(pid: int) -> int:
    """Highest resident set so far (`VmHWM`), KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError(f"no VmHWM for process {pid}")


def gb_seconds(wall_s: float, memory_mb: int) -> float:
    """What one invocation is billed for: wall time rounded up to a millisecond, times memory in GB."""
    return -(-wall_s * 1000 // 1) / 1000 * memory_mb / 1024


def _mounts(kind: str) -> list[tuple[Path, set[str]]]:
    """Mount points of a cgroup file-system type with their options."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        fs_type, _, options = tail.split(" ", 2)
        if fs_type == kind:
            found.append((Path(fields.split()[4]), set(options.split(","))))
    return found


def _own_cgroup(controller: str) -> str:
    """Path of this process in a v1 hierarchy, or in v2 for the empty name."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return path
    return "/"


class Group:
    """One cgroup made here, removed by its exact name."""

    def __init__(self, path: Path, version: int, enabled_in: Path | None = None) -> None:
        self.path = path
        self.version = version
        self._enabled_in = enabled_in

    def limit(self, memory_mb: int) -> None:
        """Sets the quota of a memory size; a whole core or more means no quota."""
        quota_us = PERIOD_US * memory_mb // MB_PER_CORE
        unlimited = memory_mb >= MB_PER_CORE
        if self.version == 2:
            (self.path / "cpu.max").write_text(f"{'max' if unlimited else quota_us} {PERIOD_US}")
            return
        (self.path / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (self.path / "cpu.cfs_quota_us").write_text(str(-1 if unlimited else quota_us))

    def add(self, pid: int) -> None:
        """Moves a process with all its threads into the group."""
        (self.path / "cgroup.procs").write_text(str(pid))

    def throttled(self) -> int:
        """Periods in which the quota stopped somebody."""
        stat = dict(line.split() for line in (self.path / "cpu.stat").read_text().splitlines())
        return int(stat.get("nr_throttled", 0))

    def remove(self) -> None:
        """The group must be empty: its processes have ended."""
        for _ in range(50):
            try:
                self.path.rmdir()
                break
            except OSError:
                time.sleep(0.1)
        if self._enabled_in is not None:
            (self._enabled_in / "cgroup.subtree_control").write_text("-cpu")


def _make(parent: Path, version: int, name: str, probe: str, weight: tuple[str, str]) -> Group:
    """Makes `parent/name` and proves that it can be used; raises `OSError` where it cannot."""
    enabled_in = None
    if version == 2 and "cpu" not in (parent / "cgroup.subtree_control").read_text().split():
        (parent / "cgroup.subtree_control").write_text("+cpu")
        enabled_in = parent
    group = Group(parent / name, version, enabled_in)
    try:
        group.path.mkdir()
    except OSError:
        if enabled_in is not None:
            (enabled_in / "cgroup.subtree_control").write_text("-cpu")
        raise
    try:
        if not (group.path / probe).exists():
            raise FileNotFoundError(f"{group.path / probe}")
        (group.path / weight[0]).write_text(weight[1])
        group.limit(512)
        child = os.fork()
        if child == 0:
            time.sleep(5)
            os._exit(0)
        try:
            group.add(child)
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
    except OSError:
        group.remove()
        raise
    return group


def create(name: str) -> tuple[Group | None, str]:
    """A group in the first writable hierarchy, and a sentence on what was found.

    The group gets a high weight, so that neighbours on a busy machine take less of its share; a quota is a
    ceiling, not a promise. v2 is tried in the own cgroup's parent too, where a user's session may be delegated.
    """
    unique = f"sluice-bench-{os.getpid()}-{name}"
    refusals = []
    for mount, options in _mounts("cgroup"):
        if "cpu" in options:
            for parent in dict.fromkeys((mount, mount / _own_cgroup("cpu").lstrip("/"))):
                try:
                    group = _make(parent, 1, unique, "cpu.cfs_quota_us", ("cpu.shares", "8192"))
                    return group, f"in force (cgroup v1, {PERIOD_US // 1000} ms period)"
                except OSError as error:
                    refusals.append(str(error))
    for mount, _ in _mounts("cgroup2"):
        own = mount / _own_cgroup("").lstrip("/")
        for parent in dict.fromkeys((mount, own, own.parent)):
            try:
                group = _make(parent, 2, unique, "cpu.max", ("cpu.weight", "800"))
                return group, f"in force (cgroup v2, {PERIOD_US // 1000} ms period)"
            except OSError as error:
                refusals.append(str(error))
    return None, f"NOT in force: no writable cpu cgroup ({refusals[0] if refusals else 'none mounted'})"
