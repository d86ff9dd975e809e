"""The chart of `make bench-backfill`: one bar per variant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import svg
from backfill_report import SENDING, Row, wall_s

ONE, MANY = "#8a8f98", "#2f7fc1"
NAMES, STEP = 210, 26


def write_svg(path: Path, rows: Sequence[Row], notes: Sequence[str]) -> None:
    """A panel for each case that compares one with many."""
    y, parts = 66.0, []
    for case in dict.fromkeys(case for case, _, _ in rows if case != SENDING):
        runs = [(variant, wall_s(found)) for of, variant, found in rows if of == case]
        panel = [svg.Bar(variant, wall, f"{wall:.2f}", MANY if place else ONE) for place, (variant, wall) in enumerate(runs)]
        parts += svg.bars(y, f"{case}: seconds", panel, NAMES, STEP)
        y += 44 + STEP * len(panel)
    subtitle = "same run, same models of the services, shorter is faster; not measured on AWS"
    svg.write(path, "Sluice backfill: calls in flight, and children at work", subtitle, parts, y, notes)
