"""The same quantities in other ticks and lots, after the venue has changed the units of a symbol (I15)."""

from __future__ import annotations

import math
from fractions import Fraction

from actors.order_manager.orders import Order
from actors.order_manager.outbox import Outbox
from actors.order_manager.symbol import Symbol
from protocols.values import Instrument, Side


def count_in(symbol: Symbol, instrument: Instrument, outbox: Outbox) -> str:
    """Let a symbol count in the units of `instrument`; "" when the position is the same in them, else a sentence that says what to do.

    Orders that are no whole number of the new units are rounded away from us (larger, and bolder in price), so that the worst case is
    not understated; a position is cut towards zero. Executions that people look at are shown in no other units than their own: they go.
    """
    before = symbol.instrument
    if before.counts_as(instrument):
        symbol.take_instrument(instrument)
        return ""
    table = symbol.table
    lots = Fraction(before.lot_size) / Fraction(instrument.lot_size)
    ticks = Fraction(before.tick_size) / Fraction(instrument.tick_size)
    position = table.position_lots * lots
    for order in table.orders():
        _convert(order, ticks, lots)
    table.recount(math.trunc(position), lots)
    symbol.take_instrument(instrument)
    outbox.forget_fills(symbol.instrument_id)
    if position.denominator == 1:
        return ""
    quantity = before.quantity(int(position / lots))
    return (
        f"the position of {quantity:f} is no whole number of the venue's new lot of {instrument.lot_size:f}: "
        "bring it to one at the venue, then resume"
    )


def _convert(order: Order, ticks: Fraction, lots: Fraction) -> None:
    outward = math.ceil if order.side is Side.BUY else math.floor
    order.price_ticks = max(outward(order.price_ticks * ticks), 1)
    order.lots = math.ceil(order.lots * lots)
    order.booked_lots = math.floor(order.booked_lots * lots)
    order.reported_lots = math.floor(order.reported_lots * lots)
    if order.amendment is not None:
        order.amendment.price_ticks = max(outward(order.amendment.price_ticks * ticks), 1)
        order.amendment.lots = math.ceil(order.amendment.lots * lots)
