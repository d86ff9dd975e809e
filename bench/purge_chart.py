"""The chart of `make bench-purge`, as hand-written SVG: one bar per tool, lengths to one scale from zero in each panel."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import purge_tools as tools
from purge_report import Row, wall_s

COLOURS = {tools.SLUICE: "#2f7fc1", tools.FIND: "#8a8f98", tools.FD: "#b7bcc4", tools.PYTHON: "#c98f3d", tools.PEER: "#a65f4f"}
OTHER = "#8ec1e8"
WIDTH, LEFT, NAMES, BAR = 960, 24, 210, 26
FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"


def _text(x: float, y: float, text: str, size: int = 12, weight: str = "400", fill: str = "#24292f") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' fill='{fill}'>{escape(text)}</text>"


def _panel(y: float, case: str, rows: Sequence[Row]) -> list[str]:
    longest = max(wall_s(runs) for _, _, runs in rows)
    room = WIDTH - 2 * LEFT - NAMES - 90
    parts = [_text(LEFT, y + 14, f"{case}: seconds", 14, "600")]
    for number, (_, tool, runs) in enumerate(rows):
        top = y + 26 + number * BAR
        length = max(2.0, wall_s(runs) / longest * room)
        parts.append(_text(LEFT, top + 14, tool))
        parts.append(f"<rect x='{LEFT + NAMES}' y='{top}' width='{length:.1f}' height='{BAR - 8}' rx='2' fill='{COLOURS.get(tool, OTHER)}'/>")
        parts.append(_text(LEFT + NAMES + length + 6, top + 14, f"{wall_s(runs):.2f}"))
    return parts


def write_svg(path: Path, rows: Sequence[Row], notes: Sequence[str]) -> None:
    """A panel for each case with more than one tool."""
    cases = list(dict.fromkeys(case for case, _, _ in rows))
    y, parts = 66.0, []
    for case in cases:
        panel = [row for row in rows if row[0] == case]
        if len(panel) > 1:
            parts += _panel(y, case, panel)
            y += 44 + BAR * len(panel)
    parts += [_text(LEFT, y + 12 + 15 * number, note, 10, fill="#57606a") for number, note in enumerate(notes)]
    height = y + 20 + 15 * len(notes)
    body = "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' width='{WIDTH}' height='{height:.0f}' {FONT}>",
            f"<rect width='{WIDTH}' height='{height:.0f}' fill='#ffffff'/>",
            _text(LEFT, 30, "Sluice purge and count against other tools", 18, "700"),
            _text(LEFT, 48, "same run, same model of a network file system, shorter is faster; not measured on AWS", 12, fill="#57606a"),
            *parts,
            "</svg>",
        ]
    )
    path.write_text(body + "\n")
