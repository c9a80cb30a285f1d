"""How much each level of a side may be, in lots.

Amounts of quote currency are counted in units of one tick times one lot, so that price times quantity is a product of integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from protocols.arithmetic.rounding import at_most
from protocols.messages.risk import FACTOR_ONE_BPS
from protocols.values import Instrument, Level

SOFT_DIVISOR_PERCENT = 115
"""The soft limit of quotes is the hard one divided by 1.15."""

DECAY = 3.8
"""How fast sizes fall with exposure: to a fiftieth at the hard limit."""


class Sizer:
    """Sizes of one symbol. `order_notional` is one level's, `position_notional_max` bounds the position on either side."""

    __slots__ = (
        "_lots_max",
        "_lots_min",
        "_net_units_max",
        "_notional_units_min",
        "_order_units",
        "_position_units_max",
        "_soft_units_max",
        "_unit",
    )

    def __init__(self, instrument: Instrument, order_notional: Decimal, position_notional_max: Decimal) -> None:
        unit = instrument.tick_size * instrument.lot_size
        self._order_units = int((order_notional / unit).to_integral_value(ROUND_FLOOR))
        self._position_units_max = int((position_notional_max / unit).to_integral_value(ROUND_FLOOR))
        self._unit = unit
        self._net_units_max = self._soft_units_max = self._position_units_max
        self._notional_units_min = int((instrument.notional_min / unit).to_integral_value(ROUND_CEILING))
        self._lots_min = instrument.quantity_lots_min
        self._lots_max = instrument.quantity_lots_max

    def position_lots_max(self, price_ticks: int) -> int:
        """The largest position that quotes may lead to at this price, in lots."""
        return self._soft_units_max // price_ticks

    def take_hard_limit(self, notional_max: Decimal) -> None:
        """The risk monitor's hard limit on the position (net_max); 0 where it is not known: then our own limit stands for it."""
        units = int((notional_max / self._unit).to_integral_value(ROUND_FLOOR))
        self._net_units_max = units if units > 0 else self._position_units_max
        soft = self._net_units_max * 100 // SOFT_DIVISOR_PERCENT if units > 0 else self._position_units_max
        self._soft_units_max = min(soft, self._position_units_max)

    def sized(
        self, prices_ticks: Sequence[int], signed_position_lots: int, size_factor_bps: int = FACTOR_ONE_BPS
    ) -> tuple[Level, ...]:
        """Levels of one side at these prices, best first; it ends where the venue would take no order.

        A level is full while the side reduces the position. Beyond that sizes decay as exp(-exposure / net_max * 3.8), fewer levels are
        quoted the nearer the position is to the soft limit, and levels are cut one by one so that a sweep of them all ends within it.

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
        best_ticks = prices_ticks[0]
        soft_lots = self._soft_units_max // best_ticks
        room_lots = soft_lots - signed_position_lots
        if room_lots <= 0:
            return ()
        if signed_position_lots > 0:
            exposure = signed_position_lots * best_ticks
            order_units = at_most(order_units * math.exp(-DECAY * exposure / self._net_units_max))
            prices_ticks = prices_ticks[: -(-len(prices_ticks) * room_lots // soft_lots)]
        levels: list[Level] = []
        for ticks in prices_ticks:
            lots = order_units // ticks
            if lots > lots_max:
                lots = lots_max
            if lots > room_lots:
                lots = room_lots
            if lots < lots_min or lots * ticks < notional_units_min:
                break
            levels.append((ticks, lots))
            room_lots -= lots
        return tuple(levels)
