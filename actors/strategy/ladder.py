"""From a reservation price and a half spread to whole ticks and lots: bids rounded down, asks up, never through the touch."""

from __future__ import annotations

import msgspec

from actors.strategy.sizing import Sizer
from protocols.arithmetic.rounding import at_least, at_most
from protocols.values import Instrument, Level

_BPS = 1e-4


class LadderShape(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change from book to book."""

    levels: int
    level_spacing_bps: float
    price_ticks_min: int
    price_ticks_max: int

    @classmethod
    def of(cls, instrument: Instrument, levels: int, level_spacing_bps: float) -> LadderShape:
        """The shape for an instrument's bounds."""
        return cls(
            levels=levels,
            level_spacing_bps=level_spacing_bps,
            price_ticks_min=instrument.price_ticks_min,
            price_ticks_max=instrument.price_ticks_max,
        )


def bid_ladder(
    reservation_ticks: float,
    half_spread_bps: float,
    best_ask_ticks: int,
    position_lots: int,
    shape: LadderShape,
    sizer: Sizer,
) -> tuple[Level, ...]:
    """Bids, best first: at most `best_ask_ticks - 1`, each at least a tick below the one before."""
    ladder: list[Level] = []
    limit_ticks = min(best_ask_ticks - 1, shape.price_ticks_max)
    room_lots = -1
    for level in range(shape.levels):
        distance = (half_spread_bps + level * shape.level_spacing_bps) * _BPS
        ticks = min(at_most(reservation_ticks * (1.0 - distance)), limit_ticks)
        if ticks < shape.price_ticks_min:
            break
        if room_lots < 0:
            room_lots = sizer.room_lots(position_lots, ticks)
        lots = min(sizer.shrunk_lots(position_lots, ticks), room_lots)
        if not sizer.tradable(ticks, lots):
            break
        ladder.append((ticks, lots))
        room_lots -= lots
        limit_ticks = ticks - 1
    return tuple(ladder)


def ask_ladder(
    reservation_ticks: float,
    half_spread_bps: float,
    best_bid_ticks: int,
    position_lots: int,
    shape: LadderShape,
    sizer: Sizer,
) -> tuple[Level, ...]:
    """Asks, best first: at least `best_bid_ticks + 1`, each at least a tick above the one before."""
    ladder: list[Level] = []
    limit_ticks = max(best_bid_ticks + 1, shape.price_ticks_min)
    room_lots = -1
    for level in range(shape.levels):
        distance = (half_spread_bps + level * shape.level_spacing_bps) * _BPS
        ticks = max(at_least(reservation_ticks * (1.0 + distance)), limit_ticks)
        if ticks > shape.price_ticks_max:
            break
        if room_lots < 0:
            room_lots = sizer.room_lots(-position_lots, ticks)
        lots = min(sizer.shrunk_lots(-position_lots, ticks), room_lots)
        if not sizer.tradable(ticks, lots):
            break
        ladder.append((ticks, lots))
        room_lots -= lots
        limit_ticks = ticks + 1
    return tuple(ladder)
