"""What the hand-written charts share: a page, its text, and bars to one scale from zero."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

WIDTH, LEFT = 960, 24
FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"
FAINT = "#57606a"


class Bar(NamedTuple):
    """One bar that lies: its name before it, its number behind it."""

    name: str
    length: float
    number: str
    colour: str


def text(x: float, y: float, words: str, size: int = 12, *, weight: str = "400", fill: str = "#24292f", anchor: str = "") -> str:
    """A line of text; `anchor` is `middle` or `end`, else it begins at `x`."""
    anchored = f" text-anchor='{anchor}'" if anchor else ""
    return f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}'{anchored} fill='{fill}'>{escape(words)}</text>"


def bars(y: float, title: str, rows: Sequence[Bar], names: int, step: int) -> list[str]:
    """A panel of bars, `step` apart, after `names` of room for what they are called."""
    longest = max((row.length for row in rows), default=0.0) or 1.0
    room = WIDTH - 2 * LEFT - names - 110
    parts = [text(LEFT, y + 14, title, 14, weight="600")]
    for number, row in enumerate(rows):
        top, wide = y + 26 + number * step, max(1.0, row.length / longest * room)
        line = top + step / 2 + 1
        parts.append(text(LEFT, line, row.name))
        parts.append(f"<rect x='{LEFT + names}' y='{top}' width='{wide:.1f}' height='{step - 8}' rx='2' fill='{row.colour}'/>")
        parts.append(text(LEFT + names + wide + 6, line, row.number))
    return parts


def write(path: Path, title: str, subtitle: str, parts: Sequence[str], y: float, notes: Sequence[str]) -> None:
    """A page of `parts` that end at `y`, with the notes below."""
    foot = [text(LEFT, y + 14 + 15 * number, note, 10, fill=FAINT) for number, note in enumerate(notes)]
    height = y + 20 + 15 * len(notes)
    page = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' width='{WIDTH}' height='{height:.0f}' {FONT}>",
        f"<rect width='{WIDTH}' height='{height:.0f}' fill='#ffffff'/>",
        text(LEFT, 30, title, 18, weight="700"),
        text(LEFT, 48, subtitle, fill=FAINT),
        *parts,
        *foot,
        "</svg>",
    ]
    path.write_text("\n".join(page) + "\n")
