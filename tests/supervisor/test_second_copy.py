"""An order manager that finds no journal on its new node begins where inventory's copy stands."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from golden_messages import messages, sample

from actors.supervisor.second_copy import newest_positions
from protocols.messages.orders import InstrumentTaken, OrderFilled, VenuePosition
from protocols.values import InstrumentId, Side, make_instrument_id

BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")
ETH = make_instrument_id("binance_usdm", "main", "ETHUSDC")


def position(lots: int, trade_id: int | None, instrument_id: InstrumentId = BTC) -> VenuePosition:
    told: Any = sample(messages()["VenuePosition"])
    return msgspec.structs.replace(told, instrument_id=instrument_id, position_lots=lots, agreed_trade_id=trade_id)


def fill(side: Side, lots: int, trade_id: int, instrument_id: InstrumentId = BTC, order_id: int = 1) -> OrderFilled:
    told: Any = sample(messages()["OrderFilled"])
    return msgspec.structs.replace(
        told,
        instrument_id=instrument_id,
        side=side,
        quantity_lots=lots,
        trade_id=trade_id,
        venue_order_id=order_id,
    )


def test_executions_after_the_last_agreement_count_once() -> None:
    copy = [
        position(5, 10),
        fill(Side.BUY, 7, 9),
        fill(Side.BUY, 3, 11),
        fill(Side.BUY, 3, 11),
        fill(Side.SELL, 1, 12),
        fill(Side.SELL, 1, 12, order_id=2),
    ]
    assert newest_positions(copy) == (position(6, 12),)


def test_a_later_agreement_replaces_what_was_counted() -> None:
    assert newest_positions([position(5, 10), fill(Side.BUY, 3, 11), position(0, 20)]) == (position(0, 20),)


def test_the_venues_word_that_nobody_compared_is_no_agreement() -> None:
    assert newest_positions([position(5, None), fill(Side.BUY, 3, 11)]) == ()


def test_symbols_are_apart() -> None:
    copy = [position(1, 10), position(2, 10, ETH), fill(Side.SELL, 4, 11, ETH)]
    assert newest_positions(copy) == (position(1, 10), position(-2, 11, ETH))


def taken(lot: str) -> InstrumentTaken:
    told: Any = sample(messages()["InstrumentTaken"])
    instrument = msgspec.structs.replace(told.instrument, instrument_id=BTC, lot_size=Decimal(lot))
    return msgspec.structs.replace(told, instrument_id=BTC, instrument=instrument)


def test_units_come_first_and_a_position_is_moved_into_newer_ones() -> None:
    copy = [taken("0.001"), position(5, 10), fill(Side.BUY, 1, 11), taken("0.0001"), fill(Side.BUY, 3, 12)]
    assert newest_positions(copy) == (taken("0.0001"), position(63, 12))


def test_a_position_that_newer_units_cannot_say_is_left_to_the_venue() -> None:
    assert newest_positions([taken("0.001"), position(5, 10), taken("0.002")]) == ()
