"""One-shot orders: decided once, journaled before they are sent, answered by events with their intent id up to their end."""

from __future__ import annotations

import msgspec
import pytest
from order_manager_rig import BTC, ETH, MID, MS, OFFSET_NS, SECOND, Rig, unknown

from actors.order_manager.core import OrderManagerCore
from protocols.messages.alerts import AlertCode
from protocols.messages.control import EmergencyStop
from protocols.messages.journal import OrderIntended
from protocols.messages.market import FeedState, VenueClock
from protocols.messages.orders import (
    DenialCode,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from protocols.messages.requests import WithdrawRequest
from protocols.messages.risk import TradingState
from protocols.values import Side, TimeInForce
from protocols.venue import CancelOrder, PlaceOrder, RefusalKind, Refused, Usage

MAKER = {"time_in_force": TimeInForce.POST_ONLY}


def answers(rig: Rig, intent_id: str = "test-1") -> list[type[OrderEvent]]:
    return [type(body) for body in rig.published if getattr(body, "intent_id", "") == intent_id]


def denied(rig: Rig) -> list[DenialCode]:
    return [event.code for event in rig.said(OrderDenied) if event.intent_id]


def places(rig: Rig) -> list[PlaceOrder]:
    return [request for request in rig.venue.of(PlaceOrder) if isinstance(request, PlaceOrder)]


def restarted(old: Rig, **changes: object) -> Rig:
    return Rig(journal=list(old.journal), venue=old.venue, epoch=8, now_ns=old.now_ns + SECOND, **changes).come_up()


def test_an_immediate_order_is_sent_as_asked_and_answered_up_to_its_end():
    rig = Rig().come_up(position_lots=50)
    rig.give(rig.request(Side.SELL, 10, MID - 3, reduce_only=True))
    sent = places(rig)[-1]
    assert (sent.side, sent.quantity_lots, sent.price_ticks) == (Side.SELL, 10, MID - 3)
    assert (sent.time_in_force, sent.reduce_only) == (TimeInForce.IMMEDIATE_OR_CANCEL, True)
    assert answers(rig) == [OrderAccepted, OrderFilled]
    fill = rig.said(OrderFilled)[-1]
    assert (fill.quantity_lots, fill.remaining_lots, fill.client_order_id) == (10, 0, sent.client_order_id)
    assert rig.shown().position_lots == 40
    assert rig.states() == {}


def test_what_finds_too_little_ends_with_what_it_found():
    rig = Rig().come_up(position_lots=50)
    rig.venue.offered_lots = 4
    rig.give(rig.request(lots=10))
    assert answers(rig) == [OrderAccepted, OrderFilled, OrderExpired]
    assert rig.said(OrderExpired)[-1].filled_lots == 4
    assert rig.shown().position_lots == 46


def test_the_intent_is_on_file_before_the_send_with_what_justified_it():
    rig = Rig().come_up(position_lots=50)
    seen: list[OrderIntended] = []
    rig.venue.answer = lambda request: seen.extend(rig.intents()[-1:]) if isinstance(request, PlaceOrder) else None
    rig.give(rig.request(Side.BUY, 10, MID + 3))
    (intent,) = seen
    assert intent.intent_id == "test-1"
    assert (intent.book_update_id, intent.best_bid_ticks, intent.best_ask_ticks) == (rig.book_id, MID - 1, MID + 1)
    assert 0 <= intent.book_age_ns <= intent.book_age_ns_max
    assert (intent.worst_case_lots, intent.limit_lots) == (60, 1_000)


def test_it_needs_no_ladder():
    rig = Rig().come_up(position_lots=50)
    assert rig.shown().gate_reasons == ("TARGET",)
    rig.give(rig.request())
    assert answers(rig) == [OrderAccepted, OrderFilled]


def test_while_it_is_on_its_way_it_counts_in_full():
    rig = Rig().come_up()
    rig.venue.answer = lambda request: "lost" if isinstance(request, PlaceOrder) else None
    rig.give(rig.request(Side.BUY, 30, MID + 3))
    assert (rig.shown().worst_long_lots, rig.shown().worst_short_lots) == (30, 0)
    rig.position_lots_max = 35
    rig.run(300)
    rig.give(rig.request(Side.BUY, 6, MID + 3, intent_id="test-2"))
    assert denied(rig) == [DenialCode.POSITION]


def test_a_request_said_again_does_nothing_twice():
    rig = Rig().come_up(position_lots=50)
    request = rig.request()
    for _ in range(3):
        rig.give(request)
    rig.run(500)
    rig.give(request)
    assert len(places(rig)) == 1
    assert answers(rig) == [OrderAccepted, OrderFilled]


def test_nor_after_a_restart_on_the_journal():
    rig = Rig().come_up(position_lots=50)
    request = rig.request(expires_ns=rig.now_ns + 60 * SECOND)
    rig.give(request)
    rig = restarted(rig)
    rig.give(request)
    assert len(places(rig)) == 1
    assert answers(rig) == []


def test_nor_after_a_restart_on_a_checkpoint():
    rig = Rig().come_up(position_lots=50)
    request = rig.request(expires_ns=rig.now_ns + 60 * SECOND)
    rig.give(request)
    later = OrderManagerCore(rig.core._shard.spec, rig.core._shard.settings)
    later.load(rig.core.checkpoint())
    assert later.checkpoint() == rig.core.checkpoint()
    assert request.intent_id in later._shard.intents


def test_a_denial_is_final_too_over_restarts():
    rig = Rig().come_up()
    rig.state = TradingState.HALTED
    rig.run(300)
    request = rig.request(expires_ns=rig.now_ns + 60 * SECOND)
    rig.give(request)
    rig = restarted(rig)
    rig.give(request)
    assert places(rig) == []
    assert denied(rig) == []


def test_what_was_asked_before_the_journal_was_lost_is_denied_for_it_may_have_been_sent():
    rig = Rig().come_up(position_lots=50)
    request = rig.request(expires_ns=rig.now_ns + 60 * SECOND)
    rig = Rig(
        journal=list(rig.journal), venue=rig.venue, epoch=8, now_ns=rig.now_ns + SECOND, machine_died=True
    ).come_up()
    rig.give(request)
    rig.give(rig.request(intent_id="test-2"))
    assert denied(rig) == [DenialCode.GATE_SHUT]
    assert len(places(rig)) == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"instrument_version": 2}, DenialCode.REQUEST),
        ({"lots": 0}, DenialCode.REQUEST),
        ({"limit_ticks": -1}, DenialCode.REQUEST),
        ({"intent_id": "x" * 65}, DenialCode.REQUEST),
        ({"expires_ns": 10**18}, DenialCode.REQUEST),
        ({"asked_ns": 0, "expires_ns": SECOND}, DenialCode.LATE),
        ({"lots": 101}, DenialCode.ORDER_SIZE),
        ({"limit_ticks": MID * 2}, DenialCode.PRICE_BAND),
    ],
)
def test_a_request_that_cannot_be_is_denied_and_nothing_is_sent(wrong: dict, code: DenialCode):
    rig = Rig().come_up()
    rig.give(rig.request(**wrong))
    assert denied(rig) == [code]
    assert places(rig) == []
    assert rig.shown().denials == {code.value: 1}


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (lambda rig: setattr(rig, "lease_on", False), DenialCode.NO_LEASE),
        (lambda rig: setattr(rig, "state", TradingState.HALTED), DenialCode.HALTED),
        (lambda rig: setattr(rig, "state", TradingState.REDUCING), DenialCode.REDUCING),
        (lambda rig: setattr(rig, "feed_on", False), DenialCode.STALE_BOOK),
        (lambda rig: rig.give(EmergencyStop(reason="test")), DenialCode.STOPPED),
    ],
)
def test_a_shut_gate_denies_at_once(trouble, code: DenialCode):
    rig = Rig().come_up(position_lots=50)
    trouble(rig)
    rig.run(1_200)
    rig.give(rig.request(Side.BUY, 10, MID + 3))
    assert denied(rig) == [code]
    assert places(rig) == []


def test_a_clock_that_is_not_trusted_denies():
    rig = Rig().come_up(position_lots=50)
    rig.give(VenueClock(offset_ns=OFFSET_NS, error_ns=900 * MS, sampled_ns=rig.now_ns))
    rig.give(rig.request())
    assert denied(rig) == [DenialCode.CLOCK]


def test_what_reduces_goes_while_reducing():
    rig = Rig().come_up(position_lots=50)
    rig.state = TradingState.REDUCING
    rig.run(300)
    rig.give(rig.request(Side.SELL, 50, reduce_only=True))
    assert answers(rig) == [OrderAccepted, OrderFilled]
    assert rig.shown().position_lots == 0


def test_one_of_another_shard_is_left_to_that_one():
    rig = Rig().come_up()
    rig.give(rig.request(instrument_id=ETH))
    assert rig.said(OrderDenied) == []


def test_an_unanswered_one_counts_until_the_venue_proves_its_fate():
    rig = Rig().come_up(position_lots=50)
    rig.venue.answer = lambda request: unknown(request, rig.now_ns) if isinstance(request, PlaceOrder) else None
    rig.give(rig.request(Side.SELL, 10))
    assert answers(rig) == [OrderUnknown]
    assert rig.shown().worst_short_lots == -40
    rig.run(8_000)
    assert answers(rig) == [OrderUnknown, OrderRejected]
    assert rig.said(OrderRejected)[-1].presumed_dead
    assert rig.shown().worst_short_lots == -50
    assert len(places(rig)) == 1


def test_one_that_was_sent_by_a_dead_process_ends_by_evidence_with_its_intent_id():
    rig = Rig().come_up(position_lots=50)
    rig.venue.answer = lambda request: "lost" if isinstance(request, PlaceOrder) else None
    rig.give(rig.request(Side.SELL, 10))
    rig.venue.answer = lambda request: None
    rig = restarted(rig)
    rig.run(8_000)
    assert answers(rig) == [OrderRejected]


def test_a_refusal_ends_it_and_lets_the_quotes_be():
    rig = Rig().come_up(position_lots=50)
    rig.venue.answer = lambda request: (
        Refused(
            request_id=request.request_id,
            received_ns=rig.now_ns,
            usage=Usage(),
            kind=RefusalKind.DROP,
            venue_code=-2022,
            text="ReduceOnly Order is rejected.",
        )
        if isinstance(request, PlaceOrder) and request.reduce_only
        else None
    )
    rig.give(rig.request(reduce_only=True))
    assert answers(rig) == [OrderRejected]
    rig.want([(MID - 5, 10)], [(MID + 5, 10)])
    assert rig.venue.side(Side.SELL) == [(MID + 5, 10)]


def test_a_resting_one_is_cancelled_when_its_time_is_over():
    rig = Rig().come_up(position_lots=50)
    rig.give(rig.request(Side.BUY, 10, MID - 20, **MAKER))
    rig.run(1_900)
    assert rig.venue.side(Side.BUY) == [(MID - 20, 10)]
    rig.run(200)
    assert rig.venue.side(Side.BUY) == []
    assert answers(rig) == [OrderAccepted, OrderCanceled]


def test_the_ladder_neither_keeps_nor_moves_nor_cancels_it():
    rig = Rig().come_up(position_lots=50)
    rig.give(rig.request(Side.BUY, 10, MID - 20, **MAKER, expires_ns=rig.now_ns + 60 * SECOND))
    for distance in (5, 60, 20, 100):
        rig.want([(MID - distance, 10)], [])
        rig.run(1_000)
        assert sorted(rig.venue.side(Side.BUY)) == sorted([(MID - 20, 10), (MID - distance, 10)])
    rig.want([], [])
    rig.run(1_000)
    assert rig.venue.side(Side.BUY) == [(MID - 20, 10)]


def test_it_outlives_a_silent_strategy_and_no_shut_gate():
    rig = Rig().come_up(position_lots=50)
    rig.want([(MID - 5, 10)], [])
    rig.give(rig.request(Side.BUY, 10, MID - 20, **MAKER, expires_ns=rig.now_ns + 60 * SECOND))
    rig.targets.clear()
    rig.run(3_000)
    assert rig.venue.side(Side.BUY) == [(MID - 20, 10)]
    rig.give(rig.status(BTC, FeedState.STALE))
    assert rig.venue.side(Side.BUY) == []


def test_quotes_in_its_way_are_cancelled_first_and_stay_away_until_it_was_sent():
    rig = Rig().come_up(position_lots=50)
    rig.want([(MID - 2, 10), (MID - 8, 10)], [])
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    rig.give(rig.request(Side.SELL, 10, MID - 4))
    rig.run(200)
    assert answers(rig) == []
    assert rig.venue.side(Side.BUY) == [(MID - 2, 10), (MID - 8, 10)]
    rig.venue.answer = lambda request: None
    rig.run(1_300)
    assert answers(rig) == [OrderAccepted, OrderFilled]
    order = [type(request) for request in rig.venue.requests if isinstance(request, PlaceOrder | CancelOrder)]
    assert order.index(CancelOrder) < len(order) - 1 - order[::-1].index(PlaceOrder)
    rig.run(500)
    assert rig.venue.side(Side.BUY) == [(MID - 2, 10), (MID - 8, 10)]


def test_when_the_quotes_do_not_go_in_time_it_is_denied():
    rig = Rig().come_up(position_lots=50)
    rig.want([(MID - 2, 10)], [])
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    rig.give(rig.request(Side.SELL, 10, MID - 4))
    rig.run(2_200)
    assert denied(rig) == [DenialCode.LATE]
    assert rig.core._requests.waiting == {}


def test_the_order_of_another_request_in_its_way_is_left_and_it_is_denied():
    rig = Rig().come_up(position_lots=50)
    rig.give(rig.request(Side.BUY, 10, MID - 2, **MAKER))
    rig.give(rig.request(Side.SELL, 10, MID - 4, intent_id="test-2"))
    assert denied(rig) == [DenialCode.SELF_CROSS]
    assert rig.venue.side(Side.BUY) == [(MID - 2, 10)]


def test_more_than_can_be_remembered_is_left_unanswered_with_an_alert():
    rig = Rig(intents_remembered_max=10).come_up(position_lots=50)
    for number in range(11):
        rig.give(rig.request(lots=1, intent_id=f"test-{number}"))
    assert len(places(rig)) == 10
    assert answers(rig, "test-10") == []
    assert "within an hour" in rig.alerts(AlertCode.BAD_DATA)[-1].text


def test_after_an_hour_an_intent_is_forgotten_for_no_request_lives_so_long():
    rig = Rig().come_up(position_lots=50)
    rig.give(rig.request(lots=1))
    intents = rig.core._shard.intents
    intents.forget(rig.venue.now_ns + 3_600 * SECOND)
    assert "test-1" in intents
    intents.forget(rig.venue.now_ns + 3_601 * SECOND)
    assert "test-1" not in intents


def test_a_dry_run_says_what_it_would_have_done():
    rig = Rig(dry_run=True)
    rig.give(VenueClock(offset_ns=OFFSET_NS, error_ns=MS, sampled_ns=rig.now_ns))
    rig.run(1_000)
    rig.give(rig.request(Side.BUY, 10, MID + 3))
    assert denied(rig) == [DenialCode.DRY_RUN]


def test_the_view_names_the_intent_of_an_order():
    rig = Rig().come_up(position_lots=50)
    rig.give(rig.request(Side.BUY, 10, MID - 20, **MAKER))
    (row,) = rig.core.snapshot().orders
    assert row.intent_id == "test-1"
    assert msgspec.to_builtins(rig.core.snapshot())["requests"] == {"waiting": 0, "remembered": 1}


def withdrawal(intent_id: str = "test-1") -> WithdrawRequest:
    return WithdrawRequest(intent_id=intent_id, instrument_id=BTC)


def test_a_resting_one_that_is_withdrawn_is_cancelled():
    rig = Rig().come_up(position_lots=50)
    rig.give(rig.request(Side.BUY, 10, MID - 20, **MAKER))
    rig.give(withdrawal())
    rig.give(withdrawal())
    assert answers(rig) == [OrderAccepted, OrderCanceled]
    assert len(rig.venue.of(CancelOrder)) == 1


def test_a_waiting_one_that_is_withdrawn_is_denied():
    rig = Rig().come_up(position_lots=50)
    rig.want([(MID - 2, 10)], [])
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    rig.give(rig.request(Side.SELL, 10, MID - 4))
    rig.give(withdrawal())
    assert denied(rig) == [DenialCode.LATE]
    assert rig.core._requests.waiting == {}


def test_one_that_was_withdrawn_before_it_came_does_nothing():
    rig = Rig().come_up(position_lots=50)
    rig.give(withdrawal())
    rig.give(rig.request())
    assert places(rig) == []


def test_one_that_would_add_risk_goes_when_only_reducing_is_allowed():
    rig = Rig().come_up(position_lots=50)
    rig.give(rig.request(Side.BUY, 10, MID - 20, **MAKER))
    rig.give(rig.request(Side.SELL, 10, MID + 20, **MAKER, reduce_only=True, intent_id="test-2"))
    rig.state = TradingState.REDUCING
    rig.run(400)
    assert rig.venue.side(Side.BUY) == []
    assert rig.venue.side(Side.SELL) == [(MID + 20, 10)]


def test_the_newest_go_when_the_limit_was_lowered():
    rig = Rig().come_up(position_lots=50)
    for number in (1, 2, 3):
        rig.give(rig.request(Side.BUY, 10, MID - 20 - number, **MAKER, intent_id=f"test-{number}"))
    rig.position_lots_max = 65
    rig.run(400)
    assert rig.venue.side(Side.BUY) == [(MID - 21, 10)]
