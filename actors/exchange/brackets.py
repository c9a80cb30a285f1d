"""Leverage brackets: how much maintenance margin a notional needs, and how large it may be at a leverage (facts section 2.3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

LEVERAGE_MAX = 125


class Bracket(NamedTuple):
    """One tier: up to `notional_cap`, maintenance is notional times `maintenance_rate` less `cumulative`."""

    number: int
    notional_floor: Decimal
    notional_cap: Decimal
    maintenance_rate: Decimal
    leverage_max: int
    cumulative: Decimal


class Brackets:
    """The tiers of one contract, the smallest notional first."""

    def __init__(self, rows: list[Bracket]) -> None:
        self.rows = rows

    def at(self, notional: Decimal) -> Bracket:
        """The tier of a notional; beyond the last cap the last tier."""
        return next((row for row in self.rows if notional <= row.notional_cap), self.rows[-1])

    def maintenance(self, notional: Decimal) -> Decimal:
        """Maintenance margin of a position of this notional (>= 0)."""
        row = self.at(notional)
        return notional * row.maintenance_rate - row.cumulative

    def notional_max(self, leverage: int) -> Decimal:
        """The largest position that a leverage allows."""
        return max((row.notional_cap for row in self.rows if row.leverage_max >= leverage), default=Decimal(0))

    def described(self) -> list[dict[str, Any]]:
        """Rows of leverageBracket; its values are JSON numbers."""
        return [
            {
                "bracket": row.number,
                "initialLeverage": row.leverage_max,
                "notionalCap": int(row.notional_cap),
                "notionalFloor": int(row.notional_floor),
                "maintMarginRatio": float(row.maintenance_rate),
                "cum": float(row.cumulative),
            }
            for row in self.rows
        ]


def brackets_of(base_asset: str) -> Brackets:
    """The tiers of a contract on an asset; assets without an entry get those of a small coin."""
    floor = Decimal(0)
    rows = []
    for number, (cap, rate, leverage, cumulative) in enumerate(_TABLES.get(base_asset, _OTHERS), start=1):
        cap_notional = Decimal(cap)
        rows.append(Bracket(number, floor, cap_notional, Decimal(rate), leverage, Decimal(cumulative)))
        floor = cap_notional
    return Brackets(rows)


_Row = tuple[int, str, int, str]

# notional cap, maintenance rate, leverage, cumulative; BTC and ETH as the venue listed them in October 2024
_TABLES: dict[str, tuple[_Row, ...]] = {
    "BTC": (
        (50_000, "0.004", 125, "0"),
        (500_000, "0.005", 100, "50"),
        (10_000_000, "0.01", 50, "2550"),
        (80_000_000, "0.025", 20, "152550"),
        (150_000_000, "0.05", 10, "2152550"),
        (300_000_000, "0.1", 5, "9652550"),
        (450_000_000, "0.125", 4, "17152550"),
        (600_000_000, "0.15", 3, "28402550"),
        (800_000_000, "0.25", 2, "88402550"),
        (1_000_000_000, "0.5", 1, "288402550"),
    ),
    "ETH": (
        (50_000, "0.004", 125, "0"),
        (500_000, "0.005", 100, "50"),
        (1_000_000, "0.0065", 75, "800"),
        (5_000_000, "0.01", 50, "4300"),
        (50_000_000, "0.02", 20, "54300"),
        (100_000_000, "0.05", 10, "1554300"),
        (150_000_000, "0.1", 5, "6554300"),
        (300_000_000, "0.125", 4, "10304300"),
        (400_000_000, "0.15", 3, "17804300"),
        (500_000_000, "0.25", 2, "57804300"),
        (800_000_000, "0.5", 1, "182804300"),
    ),
}
_OTHERS: tuple[_Row, ...] = (
    (5_000, "0.01", 75, "0"),
    (50_000, "0.015", 50, "25"),
    (500_000, "0.025", 20, "525"),
    (1_000_000, "0.05", 10, "13025"),
    (5_000_000, "0.125", 4, "88025"),
    (10_000_000, "0.5", 1, "1963025"),
)
