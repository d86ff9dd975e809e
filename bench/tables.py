"""What all reports share: a target with its verdict, a plain-text table, a spread, the machine."""

from __future__ import annotations

import csv
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Target:
    """One target; `met` is `None` when this run did not measure it."""

    name: str
    wanted: str
    measured: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """For people."""
        return {True: "met", False: "NOT met", None: "not measured"}[self.met]


def spread(samples: Sequence[float], digits: int = 0) -> str:
    """Median, least and most."""
    return f"{median(samples):.{digits}f} ({min(samples):.{digits}f}–{max(samples):.{digits}f})" if samples else "–"


def write_lines(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]], notes: Sequence[str]) -> Path:
    """A CSV file; the notes are comment lines above its header."""
    with path.open("w", newline="") as file:
        file.writelines(f"# {note}\n" for note in notes)
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(lines)
    return path


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Plain text, the first `left` columns set to the left."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))).rstrip()

    return "\n".join([line(lines[0]), "  ".join("-" * w for w in widths), *(line(cells) for cells in lines[1:])])


def target_table(rows: Sequence[Target]) -> str:
    """Measured against wanted."""
    return table(("target", "wanted", "measured", "verdict"), ((t.name, t.wanted, t.measured, t.verdict) for t in rows), left=4)


def cpu_model() -> str:
    """As the kernel names it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown CPU"
