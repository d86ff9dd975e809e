"""The bill as hand-written SVG: one bar per service, one per choice, lengths to one scale from zero in each panel."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from bill import Row, by_service
from bill_report import usd
from choices import Change

WIDTH, LEFT, NAMES, BAR = 960, 24, 430, 24
MORE, LESS, SERVICE = "#a65f4f", "#2a8c55", "#2f7fc1"
FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"


def _text(x: float, y: float, text: str, size: int = 12, weight: str = "400", fill: str = "#24292f") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' fill='{fill}'>{escape(text)}</text>"


def _panel(y: float, title: str, bars: Sequence[tuple[str, float, str, str]]) -> list[str]:
    """Name, length, text, colour of each bar."""
    longest = max((length for _, length, _, _ in bars), default=0.0) or 1.0
    room = WIDTH - 2 * LEFT - NAMES - 110
    parts = [_text(LEFT, y + 14, title, 14, "600")]
    for number, (name, length, text, colour) in enumerate(bars):
        top, wide = y + 26 + number * BAR, max(1.0, length / longest * room)
        parts.append(_text(LEFT, top + 13, name))
        parts.append(f"<rect x='{LEFT + NAMES}' y='{top}' width='{wide:.1f}' height='{BAR - 8}' rx='2' fill='{colour}'/>")
        parts.append(_text(LEFT + NAMES + wide + 6, top + 13, text))
    return parts


def _change(c: Change) -> tuple[str, float, str, str]:
    return f"{c.name}: {c.chosen} → {c.instead}", abs(c.usd), usd(c.usd, sign=True), MORE if c.usd > 0 else LESS


def write_svg(path: Path, rows: Sequence[Row], changes: Sequence[Change], notes: Sequence[str]) -> None:
    """A panel of services and two of choices."""
    sums = {service: sum(of.values()) for service, of in by_service(rows).items()}
    services = [(name, amount, usd(amount), SERVICE) for name, amount in sums.items() if amount > 0]
    more = "USD a month more or less, one choice at a time"
    y, parts = 66.0, []
    for title, bars in (
        ("USD a month, by service", services),
        (more, [_change(c) for c in changes if not c.is_storage]),
        (f"{more}: what is kept", [_change(c) for c in changes if c.is_storage]),
    ):
        parts += _panel(y, title, bars)
        y += 48 + BAR * len(bars)
    parts += [_text(LEFT, y + 12 + 15 * number, note, 10, fill="#57606a") for number, note in enumerate(notes)]
    height = y + 20 + 15 * len(notes)
    body = "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' width='{WIDTH}' height='{height:.0f}' {FONT}>",
            f"<rect width='{WIDTH}' height='{height:.0f}' fill='#ffffff'/>",
            _text(LEFT, 30, "What Sluice costs in a month", 18, "700"),
            _text(LEFT, 48, "estimated from list prices and measured CPU time; not an AWS bill", 12, fill="#57606a"),
            *parts,
            "</svg>",
        ]
    )
    path.write_text(body + "\n")
