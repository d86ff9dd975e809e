"""The chart, as hand-written SVG: grouped bars, each with its number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from statistics import median

import svg
from report import Results, mean_over
from svg import LEFT, WIDTH, text

# Python stands apart in grey; zip and gzip are blue, zstd green: darker is smaller output.
COLOURS = {
    "python zip 6": "#8a8f98",
    "sluice zip 6": "#1d4e89",
    "sluice zip 5": "#2f7fc1",
    "sluice gzip 5": "#8ec1e8",
    "sluice zstd 3": "#2a8c55",
    "sluice zstd 1": "#8fd0a5",
}
PANEL_HEIGHT, TOP = 250, 92


def _panel(
    y: float, title: str, groups: Sequence[str], variants: Sequence[str], value: Callable[[str, str], float], digits: int = 0
) -> list[str]:
    """Bars for each group and variant; heights to one scale from zero."""
    values = {(group, variant): value(group, variant) for group in groups for variant in variants}
    top = max(values.values()) * 1.08
    bottom, height = y + PANEL_HEIGHT - 40, PANEL_HEIGHT - 80
    group_width = (WIDTH - 2 * LEFT) / len(groups)
    bar_width = min(46.0, (group_width - 30) / len(variants))
    parts = [text(LEFT, y + 14, title, 14, weight="600")]
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
            parts.append(text(x + bar_width / 2, bottom - tall - 5, f"{values[group, variant]:.{digits}f}", 11, anchor="middle"))
        parts.append(text(LEFT + (number + 0.5) * group_width, bottom + 18, group, anchor="middle"))
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
        legend.append(text(x + 17, 68, variant))
        x += 30 + len(variant) * 7.2
    parts = [*legend, *(part for panel in panels for part in panel)]
    svg.write(path, "Sluice compress against Python boto3 + zipfile", "same run, same events, local S3; not measured on AWS", parts, y, notes)
