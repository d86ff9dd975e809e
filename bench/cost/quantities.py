"""How much of what AWS bills: pure functions of plain numbers, each with its unit in its name."""

from __future__ import annotations

import math

from load import GB

CORE_MB = 1769  # memory that comes with one full core
GB_SECONDS_PER_CPU_SECOND = CORE_MB / 1024  # 1.7275, at any memory size below that
PART_BYTES = 8 * 2**20  # compress writes an output up to here with one PUT, a larger one in such parts
KEYS_PER_LIST = 1000
NETWORK_MB_S = 75  # the network of the benchmark: each direction, and what comes before a first byte
FIRST_BYTES_S = 2 * 0.02
CPU_OF_EMPTY_FILE_S = 0.001  # of a file of 10 KB; the rest grows with the bytes
MEASURED_FILE_MB = 10
METADATA_BYTES = 4096  # least that elastic throughput meters for a call on metadata
ENTRY_BYTES = 150  # of a directory read that asks for names and types
ENTRY_WITH_ATTRIBUTES_BYTES = 256  # of one that asks for times and sizes too
SESSION_SLOTS = 64  # calls of one client at the same time
CALL_S = 0.001


def list_requests(keys: float) -> int:
    """Requests that list so many keys, up to 1,000 with each."""
    return math.ceil(keys / KEYS_PER_LIST)


def put_requests(output_bytes: float, upload: str) -> int:
    """PUT-class requests that write one output: create, parts and complete are one each."""
    if upload == "auto" and output_bytes <= PART_BYTES:
        return 1
    return 2 + max(1, math.ceil(output_bytes / PART_BYTES))


def cpu_s_per_file(measured_s: float, file_mb: float, factor: float = 1.0) -> float:
    """From the CPU time of a file of 10 MB to that of another size."""
    fixed_s = min(CPU_OF_EMPTY_FILE_S, measured_s)
    return (fixed_s + (measured_s - fixed_s) * file_mb / MEASURED_FILE_MB) * factor


def billed_s(cpu_s: float, network_s: float, memory_mb: float, threads: int = 1) -> float:
    """Duration of an invocation: whichever takes longer, its CPU time on the core that its memory brings, or its waits; up to a ms."""
    return math.ceil(max(cpu_s / min(memory_mb / CORE_MB, threads), network_s) * 1000 - 1e-9) / 1000


def network_s(files: float, file_mb: float, output_bytes: float) -> float:
    """What moving a batch takes at least; both directions at once."""
    return FIRST_BYTES_S + files * max(file_mb, output_bytes / 1e6) / NETWORK_MB_S


def gb_seconds(duration_s: float, memory_mb: float) -> float:
    """As Lambda bills."""
    return duration_s * memory_mb / 1024


def gb_months(bytes_per_day: float, days: float) -> float:
    """Kept so long, with as much arriving every day: what there is at any time."""
    return bytes_per_day * days / GB


def traces(invocations: float, seconds: float, tracing: str) -> float:
    """Recorded with `tracing`: off, default (one a second and 5 % of the others), all."""
    if tracing == "off":
        return 0.0
    if tracing == "all":
        return invocations
    first = min(invocations, seconds)
    return first + 0.05 * (invocations - first)


def listing_bytes(files: float, files_per_directory: float, entry_bytes: float) -> float:
    """Metered for reading all names of a tree: each directory is looked up, asked for access and read."""
    if not files:
        return 0.0
    read = max(METADATA_BYTES, files_per_directory * entry_bytes)
    return files / files_per_directory * (2 * METADATA_BYTES + read)


def count_bytes(files: float, files_per_directory: float, count_by: str) -> float:
    """Metered for one count: by `type` the listing is enough, by `stat` each file is asked for too."""
    stats = files * METADATA_BYTES if count_by == "stat" else 0.0
    return listing_bytes(files, files_per_directory, ENTRY_BYTES) + stats
