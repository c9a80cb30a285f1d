"""The venue's order filters against an instrument (facts sections 2.1, 9.1 and 9.2), in ticks and lots."""

from __future__ import annotations

import enum
from decimal import ROUND_CEILING, Decimal

from protocols.values import Instrument, Side


class Filter(enum.StrEnum):
    """A filter that an order breaks, and the code that the venue answers with."""

    PRICE_MIN = "PRICE_MIN"
    PRICE_MAX = "PRICE_MAX"
    QUANTITY_MIN = "QUANTITY_MIN"
    QUANTITY_MAX = "QUANTITY_MAX"
    NOTIONAL_MIN = "NOTIONAL_MIN"
    PRICE_BAND = "PRICE_BAND"

    def venue_code(self, side: Side) -> int:
        """The code of the refusal."""
        if self is Filter.PRICE_BAND:
            return -4016 if side is Side.BUY else -4024
        return _CODES[self]


_CODES = {
    Filter.PRICE_MIN: -4013,
    Filter.PRICE_MAX: -4002,
    Filter.QUANTITY_MIN: -4004,
    Filter.QUANTITY_MAX: -4005,
    Filter.NOTIONAL_MIN: -4164,
}


def broken_filter(
    instrument: Instrument,
    side: Side,
    price_ticks: int,
    quantity_lots: int,
    *,
    reduce_only: bool = False,
    mark_price: Decimal | None = None,
) -> Filter | None:
    """The first filter that a limit order breaks, or None. Without a mark price the band is not judged.

    A multiple of tick and lot needs no check: integers are. Reduce-only orders are free of the least notional.
    """
    if price_ticks < instrument.price_ticks_min:
        return Filter.PRICE_MIN
    if price_ticks > instrument.price_ticks_max:
        return Filter.PRICE_MAX
    if quantity_lots < instrument.quantity_lots_min:
        return Filter.QUANTITY_MIN
    if quantity_lots > instrument.quantity_lots_max:
        return Filter.QUANTITY_MAX
    if not reduce_only and instrument.notional(price_ticks, quantity_lots) < instrument.notional_min:
        return Filter.NOTIONAL_MIN
    if mark_price is not None:
        sell_ticks_min, buy_ticks_max = price_band_ticks(instrument, mark_price)
        if price_ticks > buy_ticks_max if side is Side.BUY else price_ticks < sell_ticks_min:
            return Filter.PRICE_BAND
    return None


def price_band_ticks(instrument: Instrument, mark_price: Decimal) -> tuple[int, int]:
    """The lowest price of a sell and the highest of a buy that PERCENT_PRICE allows at this mark, in ticks.

    Each side is bound in its aggressive direction only.
    """
    return (
        instrument.ticks_up(mark_price * instrument.price_multiplier_down),
        instrument.ticks_down(mark_price * instrument.price_multiplier_up),
    )


def least_lots(instrument: Instrument, price_ticks: int) -> int:
    """The smallest quantity that may be quoted at this price: least quantity and least notional."""
    notional_of_one = instrument.notional(price_ticks, 1)
    lots = int((instrument.notional_min / notional_of_one).to_integral_value(ROUND_CEILING))
    return max(instrument.quantity_lots_min, lots)
