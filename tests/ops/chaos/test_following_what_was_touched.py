"""When the journal knows what became of an order or a fill that a fault touched."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ops.chaos.following import Following, Touched, resolved_t, touched_by
from ops.chaos.proxy.notes import Note
from ops.chaos.proxy.rules import Effect, Toward, Way
from protocols.envelope import Message
from protocols.messages.orders import OrderAccepted, OrderCanceled, OrderFilled, OrderRejected, OrderUnknown
from protocols.values import InstrumentId, Side

BTC = InstrumentId("binance_usdm:main:BTCUSDC")
PLACED = Touched(t=100, order="rm1", label="order.place")


def event(kind: type[Message], **fields: object) -> Message:
    plain = {
        "shard": 0,
        "event_seq": 1,
        "instrument_id": BTC,
        "client_order_id": "rm1",
        "venue_order_id": 5,
        "venue_time_ns": 1,
        "side": Side.BUY,
    }
    return kind(**(plain | fields))


ACCEPTED = event(OrderAccepted, price_ticks=1, quantity_lots=2)
UNKNOWN = event(OrderUnknown, price_ticks=1, quantity_lots=2, reason="timed out")
DEAD = event(OrderRejected, venue_code=0, text="presumed dead")
CANCELED = event(OrderCanceled, filled_lots=0)


def fill(remaining_lots: int) -> Message:
    return event(
        OrderFilled,
        trade_id=42,
        price_ticks=1,
        quantity_lots=1,
        remaining_lots=remaining_lots,
        fee=Decimal(0),
        fee_asset="USDC",
        maker=True,
        ours=True,
    )


def known_t(touched: Touched, *records: Message) -> int | None:
    following = Following()
    for number, record in enumerate(records, start=1):
        following.take([(number, record)], 100 + number * 10)
    return following.known(touched).known_t


def test_a_place_without_answer_is_known_when_it_was_taken_or_is_dead() -> None:
    assert known_t(PLACED, UNKNOWN) is None
    assert known_t(PLACED, UNKNOWN, ACCEPTED) == 120
    assert known_t(PLACED, UNKNOWN, DEAD) == 120
    assert known_t(PLACED, fill(1)) == 110


def test_a_cancel_without_answer_is_known_when_the_order_has_ended() -> None:
    touched = msgspec.structs.replace(PLACED, label="order.cancel")
    assert known_t(touched, ACCEPTED) is None
    assert known_t(touched, ACCEPTED, CANCELED) == 120
    assert known_t(touched, fill(1), fill(0)) == 120


def test_a_lost_fill_is_known_when_that_trade_is_booked() -> None:
    touched = Touched(t=100, order="rm1", label="ORDER_TRADE_UPDATE", trade_id=42, symbol="BTCUSDC")
    assert known_t(touched, ACCEPTED) is None
    assert known_t(touched, fill(0)) == 110
    assert known_t(msgspec.structs.replace(touched, trade_id=43), fill(0)) is None


def test_what_was_known_before_the_fault_took_no_time() -> None:
    assert known_t(msgspec.structs.replace(PLACED, t=500), ACCEPTED) == 500


def test_the_longest_resolution_counts_and_one_that_is_open_leaves_all_open() -> None:
    quick = msgspec.structs.replace(PLACED, known_t=150)
    slow = Touched(t=200, order="rm2", label="order.place", known_t=270)
    assert resolved_t([quick, slow]) == 170
    assert resolved_t([quick, PLACED]) is None
    assert resolved_t([]) is None


def test_each_order_is_touched_once_and_only_by_what_meddles() -> None:
    def note(t: int, effect: Effect, order: str) -> Note:
        return Note(t=t, way=Way.ORDERS, toward=Toward.US, effect=effect, label="order.place", order=order)

    notes = [
        note(5, Effect.DROP, "early"),
        note(11, Effect.DROP, "rm1"),
        note(12, Effect.DROP, "rm1"),
        note(13, Effect.PASS, "rm2"),
        note(14, Effect.DROP, ""),
    ]
    assert touched_by(notes, 10) == (Touched(t=11, order="rm1", label="order.place"),)
