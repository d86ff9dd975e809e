"""The chart of `make bench-purge`: one bar per tool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import purge_tools as tools
import svg
from purge_report import Row, wall_s

COLOURS = {tools.SLUICE: "#2f7fc1", tools.FIND: "#8a8f98", tools.FD: "#b7bcc4", tools.PYTHON: "#c98f3d", tools.PEER: "#a65f4f"}
OTHER = "#8ec1e8"
NAMES, STEP = 210, 26


def _bar(tool: str, wall: float) -> svg.Bar:
    return svg.Bar(tool, wall, f"{wall:.2f}", COLOURS.get(tool, OTHER))


def write_svg(path: Path, rows: Sequence[Row], notes: Sequence[str]) -> None:
    """A panel for each case with more than one tool."""
    y, parts = 66.0, []
    for case in dict.fromkeys(case for case, _, _ in rows):
        panel = [_bar(tool, wall_s(runs)) for of, tool, runs in rows if of == case]
        if len(panel) > 1:
            parts += svg.bars(y, f"{case}: seconds", panel, NAMES, STEP)
            y += 44 + STEP * len(panel)
    subtitle = "same run, same model of a network file system, shorter is faster; not measured on AWS"
    svg.write(path, "Sluice purge and count against other tools", subtitle, parts, y, notes)
