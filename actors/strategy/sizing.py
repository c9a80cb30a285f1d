"""How much each level of a side may be, in lots.

Amounts of quote currency are counted in units of one tick times one lot, so that price times quantity is a product of integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from protocols.messages.risk import FACTOR_ONE_BPS
from protocols.values import Instrument, Level


class Sizer:
    """Sizes of one symbol. `order_notional` is one level's, `position_notional_max` bounds the position on either side."""

    __slots__ = ("_lots_max", "_lots_min", "_notional_units_min", "_order_units", "_position_units_max")

    def __init__(self, instrument: Instrument, order_notional: Decimal, position_notional_max: Decimal) -> None:
        unit = instrument.tick_size * instrument.lot_size
        self._order_units = int((order_notional / unit).to_integral_value(ROUND_FLOOR))
        self._position_units_max = int((position_notional_max / unit).to_integral_value(ROUND_FLOOR))
        self._notional_units_min = int((instrument.notional_min / unit).to_integral_value(ROUND_CEILING))
        self._lots_min = instrument.quantity_lots_min
        self._lots_max = instrument.quantity_lots_max

    def position_lots_max(self, price_ticks: int) -> int:
        """The largest position at this price, in lots."""
        return self._position_units_max // price_ticks

    def sized(
        self, prices_ticks: Sequence[int], signed_position_lots: int, size_factor_bps: int = FACTOR_ONE_BPS
    ) -> tuple[Level, ...]:
        """Levels of one side at these prices, best first; it ends where the venue would take no order.

        A level is full while the side reduces the position, and falls linearly to nothing as the position grows to its limit; all
        levels together never carry it past the limit.

        Args:
            prices_ticks: positive, best first.
            signed_position_lots: positive when the position lies on this side already.
            size_factor_bps: what the level of risk leaves of an order's size.
        """
        if not prices_ticks:
            return ()
        order_units, notional_units_min = self._order_units, self._notional_units_min
        if size_factor_bps != FACTOR_ONE_BPS:
            order_units = order_units * size_factor_bps // FACTOR_ONE_BPS
        lots_min, lots_max = self._lots_min, self._lots_max
        limit_lots = self._position_units_max // prices_ticks[0]
        room_lots = limit_lots - signed_position_lots
        if room_lots <= 0:
            return ()
        shrinks, full_room_lots = signed_position_lots > 0, room_lots
        levels: list[Level] = []
        for ticks in prices_ticks:
            lots = order_units // ticks
            if lots > lots_max:
                lots = lots_max
            if shrinks:
                lots = lots * full_room_lots // limit_lots
            if lots > room_lots:
                lots = room_lots
            if lots < lots_min or lots * ticks < notional_units_min:
                break
            levels.append((ticks, lots))
            room_lots -= lots
        return tuple(levels)
