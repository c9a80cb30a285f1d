"""What each kind of answer makes the order manager do (facts section 8)."""

from __future__ import annotations

import pytest
from order_manager_rig import BTC, ETH, MID, MS, OFFSET_NS, SECOND, Rig, unknown

from protocols.effects import TimerFired
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.inventory import UserStreamKey
from protocols.messages.orders import OrderRejected, RateUsage
from protocols.values import Side
from protocols.venue import (
    BadFrame,
    CancelOrder,
    Done,
    ExecutionKind,
    OrderAnswered,
    PlaceOrder,
    QueryFills,
    QueryOpenOrders,
    QueryOrder,
    QueryTime,
    RefusalKind,
    Refused,
    StreamChanged,
    TimeAnswered,
    Usage,
)

BIDS, ASKS = [(MID - 5, 10)], [(MID + 5, 10)]


def refusing(rig: Rig, kind: RefusalKind, code: int = -1, asked: type = PlaceOrder):
    def answer(request):
        if not isinstance(request, asked):
            return None
        return Refused(
            request_id=request.request_id,
            received_ns=rig.now_ns,
            usage=Usage(),
            kind=kind,
            venue_code=code,
            text=kind.value,
        )

    rig.venue.answer = answer


def test_a_dropped_order_is_rejected_and_tried_again_after_a_while_on_a_newer_book():
    rig = Rig().come_up()
    refusing(rig, RefusalKind.DROP)
    rig.want(BIDS, [])
    assert [(e.client_order_id, e.text) for e in rig.said(OrderRejected)] == [("rm1-7-000-1", "DROP")]
    rig.run(200)
    assert len(rig.venue.of(PlaceOrder)) == 1
    rig.run(100)
    assert len(rig.venue.of(PlaceOrder)) == 2


def test_a_refusal_for_the_clock_measures_the_clock_again():
    rig = Rig().come_up()
    refusing(rig, RefusalKind.CLOCK)
    before = len(rig.venue.of(QueryTime))
    rig.want(BIDS, [])
    assert len(rig.venue.of(QueryTime)) == before + 1
    assert len(rig.alerts(AlertCode.CLOCK_UNTRUSTED)) == 1


def test_refusals_that_are_our_own_fault_halt_the_symbol_after_some():
    rig = Rig().come_up()
    refusing(rig, RefusalKind.OUR_FAULT)
    rig.want(BIDS, [])
    rig.run(2_500)
    assert len(rig.venue.of(PlaceOrder)) == 5
    assert "SYMBOL_HALTED" in rig.shown().gate_reasons
    halts = [alert for alert in rig.alerts(AlertCode.BAD_DATA) if alert.severity is Severity.CRITICAL]
    assert [alert.text for alert in halts] == [f"{rig.shown().halted}; BTCUSDC is halted"]


def test_an_accepted_order_forgets_earlier_faults():
    rig = Rig().come_up()
    refusing(rig, RefusalKind.OUR_FAULT)
    rig.want(BIDS, [])
    rig.run(800)
    rig.venue.answer = lambda request: None
    rig.run(300)
    assert rig.core._shard.symbols[BTC].faults_in_a_row == 0


def test_a_closed_symbol_is_halted_and_the_others_go_on():
    rig = Rig(symbols=(BTC, ETH)).come_up()
    rig.want(BIDS, ASKS, ETH)
    refusing(rig, RefusalKind.STOP_SYMBOL)
    rig.want(BIDS, [])
    assert rig.shown("BTCUSDC").halted
    assert len(rig.venue.open(ETH)) == 2


@pytest.mark.parametrize("code", [-1122, -4140, -4141, -5024])
def test_a_symbol_that_does_not_trade_now_is_quoted_again_by_itself(code: int):
    rig = Rig().come_up()
    refusing(rig, RefusalKind.STOP_SYMBOL, code)
    rig.want(BIDS, [])
    rig.run(9_000)
    assert ("SYMBOL_HALTED" in rig.shown().gate_reasons, rig.shown().halted) == (True, "")
    assert len(rig.venue.of(PlaceOrder)) == 1, "it is not tried again in a loop"
    rig.venue.answer = lambda request: None
    rig.run(2_000)
    assert len(rig.venue.open()) == 1


def test_a_refused_key_halts_every_symbol():
    rig = Rig(symbols=(BTC, ETH)).come_up()
    rig.want(BIDS, ASKS, ETH)
    refusing(rig, RefusalKind.STOP_ACCOUNT)
    rig.want(BIDS, [])
    rig.venue.answer = lambda request: None
    rig.run(1_000)
    assert rig.shown("ETHUSDC").halted
    assert rig.venue.open(ETH) == []
    assert rig.alerts(AlertCode.KEY_REFUSED)


@pytest.mark.parametrize("kind", [RefusalKind.RETRY_LATER, RefusalKind.POST_ONLY])
def test_other_refusals_are_counted_and_logged_only(kind):
    rig = Rig().come_up()
    refusing(rig, kind)
    rig.want(BIDS, [])
    assert rig.core.snapshot().refusals == {kind.value: 1}
    assert not rig.shown().halted


def test_what_the_venue_counts_is_published():
    rig = Rig().come_up()
    told = rig.said(RateUsage)
    assert told
    assert told[-1].weight_used_1m >= 1


def test_an_answer_after_it_was_given_up_still_proves_what_it_says():
    rig = Rig().come_up()
    rig.venue.answer = lambda request: "lost" if isinstance(request, PlaceOrder | QueryOrder) else None
    rig.want(BIDS, [])
    rig.run(3_100)
    request = rig.venue.of(PlaceOrder)[0]
    order = rig.venue.put(request)
    late = OrderAnswered(
        request_id=request.request_id,
        received_ns=rig.now_ns,
        usage=Usage(),
        order=order.report(rig.venue.now_ns),
    )
    rig.give(late)
    assert rig.states()[request.client_order_id] == "NEW"


def test_an_answer_to_nothing_is_read_over():
    rig = Rig().come_up()
    seq = rig.core.event_seq
    rig.give(Done(request_id=4_711, received_ns=rig.now_ns, usage=Usage()))
    order = rig.venue.put(rig.venue.of(PlaceOrder)[0]) if rig.venue.of(PlaceOrder) else None
    assert order is None
    assert rig.core.event_seq == seq


def test_a_cancel_refused_for_another_reason_is_repeated():
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want(BIDS, [])
    refusing(rig, RefusalKind.RETRY_LATER, asked=CancelOrder)
    rig.want([], [])
    rig.run(1_000)
    assert len(rig.venue.of(CancelOrder)) == 3
    rig.venue.answer = lambda request: None
    rig.run(1_000)
    assert rig.venue.open() == []


def test_lists_that_fail_are_asked_for_again():
    rig = Rig().come_up()
    rig.want(BIDS, [])
    failing = {"on": True}
    rig.venue.answer = lambda request: (
        unknown(request, rig.now_ns) if failing["on"] and isinstance(request, QueryOpenOrders | QueryFills) else None
    )
    rig.give(StreamChanged(stream="private", up=False, changed_ns=rig.now_ns))
    rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
    rig.run(3_000)
    assert "SYNCHRONISING" in rig.shown().gate_reasons
    failing["on"] = False
    rig.run(2_000)
    assert rig.shown().gate_open


def test_a_clock_question_that_fails_delays_the_proof_of_death():
    rig = Rig().come_up()
    rig.venue.answer = lambda request: (
        unknown(request, rig.now_ns) if isinstance(request, PlaceOrder | QueryTime) else None
    )
    rig.want(BIDS, [])
    rig.run(6_000)
    assert set(rig.states().values()) == {"UNKNOWN"}


def test_a_venue_whose_clock_is_behind_delays_the_proof_of_death():
    rig = Rig().come_up()

    def answer(request):
        if isinstance(request, PlaceOrder):
            return unknown(request, rig.now_ns)
        if isinstance(request, QueryTime):
            slow_ns = rig.venue.now_ns - 2 * SECOND
            return TimeAnswered(
                request_id=request.request_id,
                received_ns=rig.now_ns,
                usage=Usage(),
                venue_time_ns=slow_ns,
                sent_ns=rig.now_ns - 20 * MS,
            )
        return None

    rig.venue.answer = answer
    rig.want(BIDS, [])
    rig.run(4_500)
    assert "rm1-7-000-1" in rig.states()


def test_the_key_of_the_private_stream_is_kept_for_the_gateway_and_shown_nowhere():
    rig = Rig()
    rig.give(UserStreamKey(listen_key="very-secret"))
    assert rig.core.listen_key == "very-secret"
    assert "very-secret" not in repr(rig.core.snapshot())
    assert rig.core.venue_offset_ns == OFFSET_NS


def test_damaged_frames_of_the_order_socket_are_alerted():
    rig = Rig().come_up()
    rig.give(BadFrame(stream="orders", reason="not JSON", field="", received_ns=rig.now_ns))
    assert len(rig.alerts(AlertCode.BAD_DATA)) == 1


def test_other_timers_and_streams_are_read_over():
    rig = Rig().come_up()
    sent = len(rig.venue.requests)
    rig.give(TimerFired(name="something else"))
    rig.give(StreamChanged(stream="orders", up=False, changed_ns=rig.now_ns))
    assert len(rig.venue.requests) == sent


def test_live_orders_and_requests_in_flight_are_bounded():
    rig = Rig(live_orders_max=3).come_up()
    rig.want([(MID - 5 - n, 1) for n in range(5)], [])
    assert len(rig.venue.open()) == 3
    assert rig.shown().denials["OPEN_ORDERS"] >= 2
    full = Rig(requests_in_flight_max=5).come_up()
    full.venue.answer = lambda request: "lost" if isinstance(request, PlaceOrder) else None
    full.want([(MID - 5 - n, 1) for n in range(8)], [])
    assert len(full.venue.of(PlaceOrder)) == 4
    assert full.shown().denials["RATE"] >= 1


def test_a_tombstone_is_forgotten_after_its_time():
    rig = Rig(tombstone_ms=10_000).come_up()
    rig.venue.answer = lambda request: unknown(request, rig.now_ns) if isinstance(request, PlaceOrder) else None
    rig.want(BIDS, [])
    rig.want([], [])
    rig.run(6_000)
    table = rig.core._shard.symbols[BTC].table
    assert list(table.tombstones) == ["rm1-7-000-1"]
    rig.run(10_000)
    assert table.tombstones == {}


def test_finished_orders_are_bounded():
    rig = Rig(finished_orders_max=10, order_age_ms_min=0).come_up()
    for step in range(15):
        rig.want([(MID - 10 - 100 * (step % 2), 1)], [])
        rig.run(50)
    assert len(rig.core._shard.symbols[BTC].table.finished) <= 10


def test_an_order_of_which_executions_are_told_under_the_venues_id_alone_is_linked_later():
    rig = Rig().come_up()
    rig.venue.tells = False
    rig.venue.answer = lambda request: "mute" if isinstance(request, PlaceOrder) else None
    rig.want(BIDS, [])
    rig.venue.answer = lambda request: None
    order = rig.venue.open()[0]
    rig.venue.fill(order.client_order_id, 4)
    table = rig.core._shard.symbols[BTC].table
    table.book(rig.venue.fills[0], "")
    assert (table.position_lots, rig.shown().worst_long_lots) == (4, 14)
    rig.venue.tells = True
    rig.venue.tell(order, ExecutionKind.NEW)
    assert (rig.shown().position_lots, rig.shown().worst_long_lots) == (4, 10)
    assert Side.BUY


def test_a_clock_refusal_leads_to_the_stepped_clock_although_the_older_sample_was_finer():
    rig = Rig().come_up()
    refusing(rig, RefusalKind.CLOCK)
    refuse = rig.venue.answer
    rig.venue.answer = lambda request: time_after_a_step(rig, request) or refuse(request)
    rig.want(BIDS, [])
    assert rig.core.venue_offset_ns == OFFSET_NS + 3 * SECOND


def time_after_a_step(rig: Rig, request):
    """The venue's clock is three seconds ahead of what we knew; the answer took 200 ms."""
    if not isinstance(request, QueryTime):
        return None
    return TimeAnswered(
        request_id=request.request_id,
        received_ns=rig.now_ns,
        usage=Usage(),
        venue_time_ns=rig.now_ns - 100 * MS + OFFSET_NS + 3 * SECOND,
        sent_ns=rig.now_ns - 200 * MS,
    )
