"""The chart of the bill: one bar per service, one per choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import svg
from bill import Row, by_service
from bill_report import usd
from choices import Change

NAMES, STEP = 430, 24
MORE, LESS, SERVICE = "#a65f4f", "#2a8c55", "#2f7fc1"


def _change(c: Change) -> svg.Bar:
    return svg.Bar(f"{c.name}: {c.chosen} → {c.instead}", abs(c.usd), usd(c.usd, sign=True), MORE if c.usd > 0 else LESS)


def write_svg(path: Path, rows: Sequence[Row], changes: Sequence[Change], notes: Sequence[str]) -> None:
    """A panel of services and two of choices."""
    sums = {service: sum(of.values()) for service, of in by_service(rows).items()}
    services = [svg.Bar(name, amount, usd(amount), SERVICE) for name, amount in sums.items() if amount > 0]
    more = "USD a month more or less, one choice at a time"
    y, parts = 66.0, []
    for title, panel in (
        ("USD a month, by service", services),
        (more, [_change(c) for c in changes if not c.is_storage]),
        (f"{more}: what is kept", [_change(c) for c in changes if c.is_storage]),
    ):
        parts += svg.bars(y, title, panel, NAMES, STEP)
        y += 48 + STEP * len(panel)
    subtitle = "estimated from list prices and measured CPU time; not an AWS bill"
    svg.write(path, "What Sluice costs in a month", subtitle, parts, y, notes)
