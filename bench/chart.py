"""The chart, as hand-written SVG: grouped bars, each with its number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from statistics import median

from report import Results, mean_over

# Python stands apart in grey; zip and gzip are blue, zstd green: darker is smaller output.
COLOURS = {
    "python zip 6": "#8a8f98",
    "sluice zip 6": "#1d4e89",
    "sluice zip 5": "#2f7fc1",
    "sluice gzip 5": "#8ec1e8",
    "sluice zstd 3": "#2a8c55",
    "sluice zstd 1": "#8fd0a5",
}
WIDTH, PANEL_HEIGHT, LEFT, TOP = 960, 250, 24, 92
FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"


def _text(x: float, y: float, text: str, size: int = 12, anchor: str = "start", weight: str = "400", fill: str = "#24292f") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' text-anchor='{anchor}' fill='{fill}'>{escape(text)}</text>"


def _panel(
    y: float, title: str, groups: Sequence[str], variants: Sequence[str], value: Callable[[str, str], float], digits: int = 0
) -> list[str]:
    """Bars for each group and variant; heights to one scale from zero."""
    values = {(group, variant): value(group, variant) for group in groups for variant in variants}
    top = max(values.values()) * 1.08
    bottom, height = y + PANEL_HEIGHT - 40, PANEL_HEIGHT - 80
    group_width = (WIDTH - 2 * LEFT) / len(groups)
    bar_width = min(46.0, (group_width - 30) / len(variants))
    parts = [_text(LEFT, y + 14, title, 14, weight="600")]
    parts.append(f"<line x1='{LEFT}' x2='{WIDTH - LEFT}' y1='{bottom}' y2='{bottom}' stroke='#8a8f98'/>")
    for number, group in enumerate(groups):
        start = LEFT + number * group_width + (group_width - bar_width * len(variants)) / 2
        for place, variant in enumerate(variants):
            x = start + place * bar_width
            tall = values[group, variant] / top * height
            parts.append(
                f"<rect x='{x + 2:.1f}' y='{bottom - tall:.1f}' width='{bar_width - 4:.1f}' height='{tall:.1f}' "
                f"rx='2' fill='{COLOURS.get(variant, '#555')}'><title>{escape(variant)}</title></rect>"
            )
            parts.append(_text(x + bar_width / 2, bottom - tall - 5, f"{values[group, variant]:.{digits}f}", 11, "middle"))
        parts.append(_text(LEFT + (number + 0.5) * group_width, bottom + 18, group, 12, "middle"))
    return parts


def write_svg(path: Path, results: Results, notes: Sequence[str], quota: bool) -> None:
    """GB-seconds by memory size, CPU by data set, bytes by data set."""
    variants = [name for name in COLOURS if any(c.variant == name for c in results.cells)]
    panels: list[list[str]] = []
    y = float(TOP)
    names = {"json": "JSON events", "csv": "CSV orders", "logs": "access + app logs"}
    groups = [names[d] for d in results.datasets]
    back = {names[d]: d for d in results.datasets}
    if quota:
        sizes = sorted({c.memory_mb for c in results.cells})
        title = "GB-seconds per 1,000 files of 10 MB, one file per invocation (mean of the data sets, lower is cheaper)"
        panels.append(
            _panel(y, title, [f"{size} MB" for size in sizes], variants, lambda g, v: mean_over(results.cells, v, int(g.split()[0])))
        )
        y += PANEL_HEIGHT
    panels.append(
        _panel(y, "CPU milliseconds per file of 10 MB", groups, variants, lambda g, v: median(results.cpu_ms(v, back[g])))
    )
    y += PANEL_HEIGHT
    panels.append(
        _panel(y, "Output, MB", groups, variants, lambda g, v: results.output_bytes(v, back[g]) / 1e6, digits=2)
    )
    y += PANEL_HEIGHT
    legend = []
    x = float(LEFT)
    for variant in variants:
        legend.append(f"<rect x='{x}' y='58' width='12' height='12' rx='2' fill='{COLOURS[variant]}'/>")
        legend.append(_text(x + 17, 68, variant))
        x += 30 + len(variant) * 7.2
    foot = [_text(LEFT, y + 14 + 15 * number, note, 10, fill="#57606a") for number, note in enumerate(notes)]
    height = y + 20 + 15 * len(notes)
    body = "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' width='{WIDTH}' height='{height:.0f}' {FONT}>",
            f"<rect width='{WIDTH}' height='{height:.0f}' fill='#ffffff'/>",
            _text(LEFT, 30, "Sluice compress against Python boto3 + zipfile", 18, weight="700"),
            _text(LEFT, 48, "same run, same events, local S3; not measured on AWS", 12, fill="#57606a"),
            *legend,
            *(part for panel in panels for part in panel),
            *foot,
            "</svg>",
        ]
    )
    path.write_text(body + "\n")
