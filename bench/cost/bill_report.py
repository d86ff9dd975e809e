"""The bill as text and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bill import FUNCTIONS, Row, by_service, total
from choices import Backfill, Change
from compress import at_once, keeps_up
from load import HOURS, Load, Measured
from prices import Prices
from tables import table, write_lines


def usd(amount: float, sign: bool = False) -> str:
    """Dollars and cents; what is less than half a cent is 0.00."""
    return f"{round(amount, 2) + 0.0:{'+' if sign else ''},.2f}"


def notes(load: Load, measured: Measured, prices: Prices) -> list[str]:
    """What the numbers are, and what they leave out."""
    return [
        "ESTIMATE, NOT AN AWS BILL: list prices, and CPU time measured on the machine of bench/results.",
        f"prices: {prices.region}, {prices.date}, without free tiers, discounts and taxes; check them before you rely on them",
        f"load: {load.files_per_hour:,.0f} files an hour of {load.file_mb:g} MB, {load.format}, {load.memory_mb} MB, {load.architecture}; "
        f"a tree of {load.tree_files:,.0f} files; a month of {HOURS} hours",
        *keeps_up(at_once(load, measured)),
        "removed sources: the bucket is versioned, so their bytes stay until a lifecycle rule for old versions takes them (--version-days)",
        "a backfill's Lambda time is ASSUMED (bench/cost/backfill.py), not measured",
        "not in it: the uploader's own requests, outputs beyond the days asked for, storage of the file system, cold starts, retries",
    ]


def row_table(rows: Sequence[Row]) -> str:
    """Every line, and what does not depend on the load."""
    cells = [(r.function, r.service, r.item, f"{r.quantity:,.2f}".removesuffix(".00"), r.unit, usd(r.usd)) for r in rows]
    cells.append(("of it at any load", "", "", "", "", usd(total(r for r in rows if r.fixed))))
    return table(("function", "service", "what", "quantity a month", "unit", "USD"), cells, left=3)


def service_table(rows: Sequence[Row]) -> str:
    """Services down, functions across."""
    sums = by_service(rows)
    lines = [(name, *(usd(of[f]) for f in FUNCTIONS), usd(sum(of.values()))) for name, of in sums.items()]
    lines.append(("all", *(usd(total(r for r in rows if r.function == f)) for f in FUNCTIONS), usd(total(rows))))
    return table(("USD a month", *FUNCTIONS, "all"), lines)


def change_table(changes: Sequence[Change]) -> str:
    """What each choice changes."""
    cells = ((c.name, c.chosen, c.instead, usd(c.usd, sign=True)) for c in changes)
    return table(("what each choice changes", "from", "to", "USD a month"), cells, left=3)


def backfill_table(job: Backfill) -> str:
    """What it takes to hand over and verify what is there already, by service; compress's work beside it."""
    ways = (job.by_listing, job.by_inventory)
    lines = [(service, *(usd(way.get(service, 0.0)) for way in ways)) for service in job.by_listing]
    lines.append(("all", *(usd(sum(way.values())) for way in ways)))
    lines.append(("compress besides, without storage", *[usd(job.compressing)] * 2))
    return table((f"USD, a backfill of {job.objects:,.0f} objects", "by listing", "by inventory"), lines)


def write_csv(folder: Path, rows: Sequence[Row], changes: Sequence[Change], job: Backfill, head: Sequence[str]) -> list[Path]:
    """`cost.csv`, `cost-choices.csv`, and `cost-backfill.csv`."""
    lines = [(r.function, r.service, r.item, f"{r.quantity:.6g}", r.unit, f"{r.usd:.4f}", "yes" if r.fixed else "no") for r in rows]
    other = [(c.name, c.chosen, c.instead, f"{c.usd:.4f}") for c in changes]
    services = [(name, f"{job.by_listing[name]:.4f}", f"{job.by_inventory.get(name, 0.0):.4f}") for name in job.by_listing]
    services.append(("compress besides", *[f"{job.compressing:.4f}"] * 2))
    return [
        write_lines(folder / "cost-backfill.csv", ("service", "usd_by_listing", "usd_by_inventory"), services, head),
        write_lines(folder / "cost.csv", ("function", "service", "item", "quantity", "unit", "usd_month", "fixed"), lines, head),
        write_lines(folder / "cost-choices.csv", ("choice", "from", "to", "usd_month"), other, head),
    ]
