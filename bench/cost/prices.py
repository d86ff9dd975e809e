"""List prices from a dated file, and what a quantity costs by them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT = Path(__file__).resolve().parent / "prices.json"


class UnknownPrice(KeyError):
    """The file has no price of this name."""


@dataclass(frozen=True)
class Tier:
    """Up to this quantity a month, in the price's unit, each costs this."""

    up_to: float
    usd: float


@dataclass(frozen=True)
class Prices:
    """A price file."""

    region: str
    date: str
    tiers: Mapping[str, Sequence[Tier]]

    def cost(self, name: str, quantity: float, before: float = 0.0) -> float:
        """Of `quantity` in a month, `before` of the same having been paid already."""
        if name not in self.tiers:
            raise UnknownPrice(name)
        return tiered(self.tiers[name], before + quantity) - tiered(self.tiers[name], before)


def tiered(tiers: Sequence[Tier], quantity: float) -> float:
    """Each tier's share of `quantity` at its price. A negative quantity is an error."""
    if quantity < 0:
        raise ValueError(f"negative quantity: {quantity}")
    usd, floor = 0.0, 0.0
    for tier in tiers:
        usd += max(0.0, min(quantity, tier.up_to) - floor) * tier.usd
        floor = tier.up_to
    return usd


def read(path: Path = DEFAULT) -> Prices:
    """The file, one tier without an end for a price that has no tiers."""
    document = json.loads(path.read_text())
    tiers = {
        name: [Tier(math.inf if tier["up_to"] is None else tier["up_to"], tier["usd"]) for tier in price["tiers"]]
        if "tiers" in price
        else [Tier(math.inf, price["usd"])]
        for name, price in document["prices"].items()
    }
    return Prices(document["region"], document["date"], tiers)
