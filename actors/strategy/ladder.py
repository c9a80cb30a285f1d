"""From a reservation price and a half spread to whole ticks: bids rounded down, asks up, never through the touch."""

from __future__ import annotations

import msgspec

from protocols.arithmetic.rounding import at_least, at_most
from protocols.values import Instrument

_BPS = 1e-4


class LadderShape(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change from book to book. `steps` are the distances of the levels from the best one, as shares of the price."""

    steps: tuple[float, ...]
    price_ticks_min: int
    price_ticks_max: int

    @classmethod
    def of(cls, instrument: Instrument, levels: int, level_spacing_bps: float) -> LadderShape:
        """The shape of so many levels within an instrument's bounds."""
        return cls(
            steps=tuple(level * level_spacing_bps * _BPS for level in range(levels)),
            price_ticks_min=instrument.price_ticks_min,
            price_ticks_max=instrument.price_ticks_max,
        )


def bid_prices(reservation_ticks: float, half_spread_bps: float, best_ask_ticks: int, shape: LadderShape) -> list[int]:
    """Prices of the bids, best first: at most `best_ask_ticks - 1`, each at least a tick below the one before."""
    prices: list[int] = []
    limit_ticks = min(best_ask_ticks - 1, shape.price_ticks_max)
    near = 1.0 - half_spread_bps * _BPS
    for step in shape.steps:
        ticks = at_most(reservation_ticks * (near - step))
        if ticks > limit_ticks:
            ticks = limit_ticks
        if ticks < shape.price_ticks_min:
            break
        prices.append(ticks)
        limit_ticks = ticks - 1
    return prices


def ask_prices(reservation_ticks: float, half_spread_bps: float, best_bid_ticks: int, shape: LadderShape) -> list[int]:
    """Prices of the asks, best first: at least `best_bid_ticks + 1`, each at least a tick above the one before."""
    prices: list[int] = []
    limit_ticks = max(best_bid_ticks + 1, shape.price_ticks_min)
    near = 1.0 + half_spread_bps * _BPS
    for step in shape.steps:
        ticks = at_least(reservation_ticks * (near + step))
        if ticks < limit_ticks:
            ticks = limit_ticks
        if ticks > shape.price_ticks_max:
            break
        prices.append(ticks)
        limit_ticks = ticks + 1
    return prices
