"""What rests of us, followed from order events."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from market_samples import BTC

from actors.strategy.own_orders import ORDERS_MAX, OwnOrders
from actors.strategy.position_view import FILLS_MAX, PositionView
from protocols.messages.inventory import PositionChanged
from protocols.messages.orders import (
    DenialCode,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from protocols.values import Side


def base(order: str, side: Side = Side.BUY) -> dict[str, Any]:
    return {
        "shard": 0,
        "event_seq": 1,
        "instrument_id": BTC,
        "client_order_id": order,
        "venue_order_id": 1,
        "venue_time_ns": 1,
        "side": side,
    }


def accept(order: str, ticks: int, lots: int, side: Side = Side.BUY) -> OrderAccepted:
    return OrderAccepted(**base(order, side), price_ticks=ticks, quantity_lots=lots)


def fill(order: str, lots: int, remaining: int, seq: int = 1) -> OrderFilled:
    return OrderFilled(
        **{**base(order), "event_seq": seq},
        trade_id=seq,
        price_ticks=1,
        quantity_lots=lots,
        remaining_lots=remaining,
        fee=Decimal(0),
        fee_asset="USDC",
        maker=True,
        ours=True,
    )


def resting(*events: Any) -> OwnOrders:
    own = OwnOrders()
    for event in events:
        own.take(event)
    return own


def test_orders_at_one_price_add_up_by_side() -> None:
    own = resting(accept("a", 100, 5), accept("b", 100, 7), accept("c", 102, 3, Side.SELL))
    assert (own.bids, own.asks) == ({100: 12}, {102: 3})


def test_a_partial_fill_leaves_the_rest_and_a_whole_one_nothing() -> None:
    assert resting(accept("a", 100, 5), fill("a", 2, 3)).bids == {100: 3}
    assert resting(accept("a", 100, 5), fill("a", 2, 3), fill("a", 3, 0)).bids == {}


def test_what_was_executed_before_an_order_was_known_as_ours_does_not_rest() -> None:
    whole, part = accept("whole", 100, 5), accept("part", 101, 5)
    own = resting(msgspec.structs.replace(whole, filled_lots=5), msgspec.structs.replace(part, filled_lots=2))
    assert (own.bids, len(own)) == ({101: 3}, 1)


def test_an_amendment_moves_the_rest_and_keeps_what_was_filled() -> None:
    amended = OrderAmended(**base("a"), price_ticks=101, quantity_lots=9)
    assert resting(accept("a", 100, 5), fill("a", 2, 3), amended).bids == {101: 7}


def test_every_end_takes_the_order_out() -> None:
    ends = [
        OrderCanceled(**base("a"), filled_lots=0),
        OrderExpired(**base("a"), filled_lots=0, reason="x"),
        OrderRejected(**base("a"), venue_code=-5022, text="x"),
    ]
    for end in ends:
        own = resting(accept("a", 100, 5), end)
        assert (own.bids, len(own)) == ({}, 0)


def test_what_is_not_known_to_rest_is_not_counted() -> None:
    own = resting(
        OrderUnknown(**base("a"), price_ticks=100, quantity_lots=5, reason="x"),
        OrderDenied(**base("b"), code=DenialCode.RATE, text="x"),
        accept("", 100, 5),
        fill("c", 2, 3),
    )
    assert (own.bids, len(own)) == ({}, 0)


def test_the_number_of_orders_remembered_is_bounded() -> None:
    own = resting(*(accept(str(number), number + 1, 1) for number in range(ORDERS_MAX + 1)))
    assert len(own) == len(own.bids) == ORDERS_MAX
    assert 1 not in own.bids
    own.clear()
    assert (len(own), own.bids) == (0, {})


def test_an_inventory_that_lags_too_many_fills_makes_the_position_unknown() -> None:
    view = PositionView()
    view.take_position(
        PositionChanged(instrument_id=BTC, position_lots=0, average_price=Decimal(0), shard=0, event_seq=0)
    )
    for seq in range(1, FILLS_MAX + 1):
        view.take_fill(fill("a", 1, 0, seq))
    assert (view.unknown(0), view.lots) == ("", FILLS_MAX)
    view.take_fill(fill("a", 1, 0, FILLS_MAX + 1))
    assert view.unknown(0) == f"inventory is more than {FILLS_MAX} fills behind"
