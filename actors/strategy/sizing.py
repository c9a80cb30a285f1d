"""How much each level of a side may be, in lots.

Amounts of quote currency are counted in units of one tick times one lot, so that price times quantity is a product of integers.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from protocols.values import Instrument


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

    def full_lots(self, price_ticks: int) -> int:
        """Size of a level that nothing shrinks."""
        return min(self._order_units // price_ticks, self._lots_max)

    def room_lots(self, signed_position_lots: int, price_ticks: int) -> int:
        """Lots that a side may still add. `signed_position_lots` is positive when the position lies on that side already."""
        return max(self.position_lots_max(price_ticks) - signed_position_lots, 0)

    def shrunk_lots(self, signed_position_lots: int, price_ticks: int) -> int:
        """Size of a level: full while the side reduces, then falling linearly to nothing at the limit."""
        full = self.full_lots(price_ticks)
        if signed_position_lots <= 0:
            return full
        limit = self.position_lots_max(price_ticks)
        return full * max(limit - signed_position_lots, 0) // limit if limit else 0

    def tradable(self, price_ticks: int, lots: int) -> bool:
        """Whether the venue takes an order of this size at this price."""
        return lots >= self._lots_min and lots * price_ticks >= self._notional_units_min
