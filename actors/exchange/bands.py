"""Levels of a book from bands: Binance's bookDepth dumps say how much stands within some percents of the price, and not at which prices.

Within a band its quantity is spread evenly over at most LEVELS_A_BAND prices. What an order costs that goes deep is near the truth; what
stands in front of an order at one price is not known.
"""

from __future__ import annotations

from typing import NamedTuple

from actors.exchange.book import Level

LEVELS_A_BAND = 50


class Band(NamedTuple):
    """`lots` stand between the touch and `percent` away from the mid: negative below it, bids; positive above, asks."""

    percent: float
    lots: int


def side_levels(bands: list[Band], bid: int, ask: int, *, bids: bool, from_touch: bool) -> list[Level]:
    """Levels of one side, from the touch outwards; without `from_touch` the touch itself is known, and they begin behind it."""
    middle, toward = (bid + ask) / 2, -1 if bids else 1
    mine = sorted((band for band in bands if (band.percent < 0) == bids), key=lambda band: abs(band.percent))
    levels: list[Level] = []
    next_price, within = (bid if bids else ask) + (0 if from_touch else toward), 0
    for band in mine:
        lots, within = band.lots - within, max(within, band.lots)
        last_price = int(middle * (1 + band.percent / 100))
        ticks = (last_price - next_price) * toward + 1
        count = min(LEVELS_A_BAND, ticks, lots)
        if count <= 0:
            continue
        for number in range(count):
            price = next_price + toward * (number * ticks // count)
            if price > 0:
                levels.append((price, lots // count + (number < lots % count)))
        next_price = last_price + toward
    return levels
