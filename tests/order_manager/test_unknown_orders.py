"""A submit or cancel without an answer: the order counts until the venue proves its fate (fault rows 36 to 40)."""

from __future__ import annotations

import itertools

from order_manager_rig import BTC, MID, MS, SECOND, Rig, unknown

from protocols.messages.alerts import AlertCode
from protocols.messages.journal import OrderNotSent
from protocols.messages.orders import DenialCode, OrderAccepted, OrderDenied, OrderFilled, OrderRejected, OrderUnknown
from protocols.values import Side
from protocols.venue import (
    CancelOrder,
    ExecutionKind,
    NotSent,
    OpenOrdersAnswered,
    OrderStatus,
    PlaceOrder,
    QueryFills,
    QueryOpenOrders,
    QueryOrder,
    QueryTime,
    RefusalKind,
    Refused,
    StreamChanged,
    Throttled,
    Usage,
)

BIDS, ASKS = [(MID - 5, 10)], [(MID + 5, 10)]


def lose_places(rig: Rig, carried_out: bool, tell: bool = False) -> None:
    """Every place is answered with "unknown"; carried out or not, and told on the private stream or not."""

    def answer(request):
        if not isinstance(request, PlaceOrder):
            return None
        if carried_out:
            order = rig.venue.put(request)
            if tell:
                rig.venue.tell(order, ExecutionKind.NEW)
        return unknown(request, rig.now_ns)

    rig.venue.answer = answer


def test_an_unanswered_submit_that_was_accepted_is_found_by_its_id_and_adopted():
    rig = Rig().come_up()
    lose_places(rig, carried_out=True)
    rig.want(BIDS, [])
    assert set(rig.states().values()) == {"UNKNOWN"}
    assert len(rig.said(OrderUnknown)) == 1
    rig.run(500)
    assert set(rig.states().values()) == {"NEW"}
    assert [event.client_order_id for event in rig.said(OrderAccepted)] == list(rig.venue.orders)
    assert len(rig.venue.of(PlaceOrder)) == 1


def test_an_unanswered_submit_that_the_private_stream_tells_is_no_longer_in_doubt():
    rig = Rig().come_up()
    lose_places(rig, carried_out=True)
    rig.want(BIDS, [])
    order = rig.venue.open()[0]
    rig.venue.tell(order, ExecutionKind.NEW)
    assert set(rig.states().values()) == {"NEW"}
    assert rig.core.snapshot().suspects == ()


def test_an_unknown_order_counts_in_full_and_its_side_does_not_quote():
    rig = Rig().come_up()
    lose_places(rig, carried_out=False)
    rig.want(BIDS, [])
    rig.venue.answer = lambda request: None
    rig.want([(MID - 30, 10)], ASKS)
    assert rig.venue.side(Side.BUY) == []
    assert rig.venue.side(Side.SELL) == ASKS
    assert rig.shown().worst_long_lots == 10


def test_a_submit_that_never_arrived_is_presumed_dead_only_with_the_whole_proof():
    rig = Rig().come_up()
    lose_places(rig, carried_out=False)
    rig.want(BIDS, [])
    rig.venue.answer = lambda request: "lost" if isinstance(request, PlaceOrder) else None
    sent_ns = rig.now_ns
    rig.targets.clear()
    before = len(rig.venue.requests)
    while rig.shown().unknown_orders and rig.now_ns - sent_ns < 20 * SECOND:
        rig.run(50)
    took_ms = (rig.now_ns - sent_ns) // MS
    assert 3_000 < took_ms <= 4_500, "not before timestamp + window + slack, and within window + 3 s"
    proof = [type(r) for r in rig.venue.requests[before:] if isinstance(r, QueryTime | QueryOrder)]
    clock_at = proof.index(QueryTime)
    assert proof[clock_at + 1 :].count(QueryOrder) == 2
    rejected = rig.said(OrderRejected)
    assert len(rejected) == 1 and "presumed dead" in rejected[0].text
    assert rig.shown().worst_long_lots == 0


def test_not_found_before_the_deadline_proves_nothing():
    rig = Rig().come_up()
    lose_places(rig, carried_out=False)
    rig.want(BIDS, [])
    rig.run(2_500)
    assert len(rig.venue.of(QueryOrder)) >= 3
    assert set(rig.states().values()) == {"UNKNOWN"}


def test_an_unknown_order_stays_unknown_while_the_private_stream_is_mute():
    rig = Rig().come_up()
    lose_places(rig, carried_out=False)
    rig.want(BIDS, [])
    rig.stream_on = False
    rig.targets.clear()
    rig.run(15_000)
    assert set(rig.states().values()) == {"UNKNOWN"}
    rig.stream_on = True
    rig.run(100)
    assert rig.states() == {}


def test_an_unknown_order_stays_unknown_while_queries_fail():
    rig = Rig().come_up()
    lose_places(rig, carried_out=False)
    rig.want(BIDS, [])
    rig.venue.answer = lambda request: unknown(request, rig.now_ns) if isinstance(request, QueryOrder) else None
    rig.run(20_000)
    assert set(rig.states().values()) == {"UNKNOWN"}


def test_a_submit_accepted_late_within_its_window_is_found_and_no_replacement_was_sent_before():
    rig = Rig().come_up()
    lose_places(rig, carried_out=False)
    rig.want(BIDS, [])
    rig.run(1_300)
    request = rig.venue.of(PlaceOrder)[0]
    assert len(rig.venue.of(PlaceOrder)) == 1
    rig.venue.answer = lambda request: None
    rig.venue.put(request)
    rig.run(1_500)
    assert (
        set(rig.states()) >= {request.client_order_id} or rig.venue.orders[request.client_order_id].status.is_terminal
    )
    assert next(event.client_order_id for event in rig.said(OrderAccepted)) == request.client_order_id


def test_an_answer_that_never_comes_is_unknown_after_window_and_slack():
    rig = Rig().come_up()
    rig.venue.answer = lambda request: "lost" if isinstance(request, PlaceOrder) else None
    rig.want(BIDS, [])
    assert set(rig.states().values()) == {"PENDING"}
    rig.run(3_050)
    assert len(rig.said(OrderUnknown)) == 1


def test_a_fill_ends_the_doubt_and_is_booked():
    rig = Rig().come_up()
    lose_places(rig, carried_out=True)
    rig.want(BIDS, [])
    order = rig.venue.open()[0]
    rig.venue.fill(order.client_order_id, 10)
    assert rig.shown().position_lots == 10
    assert order.client_order_id not in rig.states()


def test_a_zombie_is_booked_cancelled_and_halts_its_symbol():
    rig = Rig().come_up()
    lose_places(rig, carried_out=False)
    rig.want(BIDS, [])
    rig.targets.clear()
    rig.run(6_000)
    assert rig.states() == {}
    rig.venue.answer = lambda request: None
    request = rig.venue.of(PlaceOrder)[0]
    order = rig.venue.put(request)
    rig.venue.tell(order, ExecutionKind.NEW)
    assert order.status is OrderStatus.CANCELED
    assert "taken for dead" in rig.shown().halted
    assert len(rig.alerts(AlertCode.ORDER_ZOMBIE)) == 1


def test_a_zombie_that_filled_is_counted():
    rig = Rig().come_up()
    lose_places(rig, carried_out=False)
    rig.want(BIDS, [])
    rig.targets.clear()
    rig.run(6_000)
    rig.venue.answer = lambda request: None
    rig.venue.put(rig.venue.of(PlaceOrder)[0])
    rig.venue.fill(rig.venue.of(PlaceOrder)[0].client_order_id, 10)
    rig.run(1_000)
    assert rig.shown().position_lots == 10
    assert rig.shown().halted


def test_an_unanswered_cancel_is_repeated_and_the_order_keeps_counting():
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want(BIDS, [])
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    rig.want([], [])
    assert set(rig.states().values()) == {"CANCELING"}
    assert rig.shown().worst_long_lots == 10
    rig.venue.answer = lambda request: None
    rig.run(1_500)
    assert rig.venue.open() == []
    assert rig.states() == {}


def test_unknown_order_on_a_cancel_is_asked_for_and_the_fill_is_found():
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want(BIDS, [])
    rig.venue.fill(rig.venue.open()[0].client_order_id, 10, tell=False)
    rig.want([], [])
    rig.run(1_000)
    assert rig.shown().position_lots == 10
    assert rig.states() == {}


def test_a_partial_fill_during_a_cancel_leaves_the_right_exposure():
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want(BIDS, [])
    order = rig.venue.open()[0]

    def fill_first(request):
        if isinstance(request, CancelOrder):
            rig.venue.fill(order.client_order_id, 4, tell=False)
        return

    rig.venue.answer = fill_first
    rig.want([], [])
    assert rig.shown().worst_long_lots == 4, "canceled, with four lots executed that were not told yet"
    rig.run(500)
    assert rig.shown().position_lots == 4
    assert rig.shown().worst_long_lots == 4


def test_a_replacement_waits_for_the_cancel_when_both_would_break_the_limit():
    rig = Rig(order_age_ms_min=0)
    rig.position_lots_max = 15
    rig.come_up()
    rig.want(BIDS, [])
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    rig.want([(MID - 50, 10)], [])
    assert len(rig.venue.of(PlaceOrder)) == 1
    rig.venue.answer = lambda request: None
    rig.run(1_500)
    assert rig.venue.side(Side.BUY) == [(MID - 50, 10)]


def test_a_replacement_does_not_wait_when_both_fit():
    rig = Rig(order_age_ms_min=0, amends=False).come_up()
    rig.want(BIDS, [])
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    rig.want([(MID - 50, 10)], [])
    assert len(rig.venue.of(PlaceOrder)) == 2


def test_an_intent_stopped_by_the_last_check_is_denied_and_never_counted_again():
    rig = Rig().come_up()
    rig.venue.answer = lambda request: (
        NotSent(request_id=request.request_id, received_ns=rig.now_ns, usage=Usage(), reason="too late")
        if isinstance(request, PlaceOrder)
        else None
    )
    rig.want(BIDS, [])
    assert [record.reason for record in rig.records(OrderNotSent)] == ["too late"]
    assert [event.code for event in rig.said(OrderDenied)] == [DenialCode.LATE]
    assert rig.shown().worst_long_lots == 0


def test_a_refusal_for_post_only_waits_for_a_newer_book():
    rig = Rig().come_up()
    rig.venue.answer = lambda request: (
        Refused(
            request_id=request.request_id,
            received_ns=rig.now_ns,
            usage=Usage(),
            kind=RefusalKind.POST_ONLY,
            venue_code=-5022,
            text="would take",
        )
        if isinstance(request, PlaceOrder)
        else None
    )
    rig.want(BIDS, [])
    rig.give(rig.quote(BTC))
    assert len(rig.venue.of(PlaceOrder)) == 1
    rig.run(50)
    assert len(rig.venue.of(PlaceOrder)) == 2


def test_a_refusal_of_an_order_that_the_stream_told_alive_is_doubted():
    rig = Rig().come_up()

    def contradict(request):
        if not isinstance(request, PlaceOrder):
            return None
        rig.venue.tell(rig.venue.put(request), ExecutionKind.NEW)
        return Refused(
            request_id=request.request_id,
            received_ns=rig.now_ns,
            usage=Usage(),
            kind=RefusalKind.DROP,
            venue_code=-2010,
            text="rejected",
        )

    rig.venue.answer = contradict
    rig.want(BIDS, [])
    rig.run(500)
    assert set(rig.states().values()) == {"NEW"}


def test_a_throttled_order_was_not_executed_and_nothing_is_sent_before_retry_after():
    rig = Rig().come_up()
    until_ns = rig.now_ns + 5 * SECOND
    rig.venue.answer = lambda request: (
        Throttled(
            request_id=request.request_id,
            received_ns=rig.now_ns,
            usage=Usage(),
            retry_at_ns=until_ns,
            banned=False,
            orders_only=False,
            venue_code=-1003,
            text="too many requests",
        )
        if isinstance(request, PlaceOrder)
        else None
    )
    rig.want(BIDS, [])
    assert rig.states() == {}
    rig.venue.answer = lambda request: None
    sent = len(rig.venue.requests)
    rig.run(4_900)
    assert len(rig.venue.requests) == sent
    assert "RETRY_AFTER" in rig.shown().gate_reasons
    rig.run(1_000)
    assert rig.venue.side(Side.BUY) == BIDS
    assert len(rig.alerts(AlertCode.RATE_LIMITED)) == 1


def test_an_order_count_limit_stops_orders_but_not_cancels():
    rig = Rig(order_age_ms_min=0, amends=False).come_up()
    rig.want(BIDS, [])
    rig.venue.answer = lambda request: (
        Throttled(
            request_id=request.request_id,
            received_ns=rig.now_ns,
            usage=Usage(),
            retry_at_ns=rig.now_ns + 5 * SECOND,
            banned=False,
            orders_only=True,
            venue_code=-1015,
            text="too many orders",
        )
        if isinstance(request, PlaceOrder)
        else None
    )
    rig.want([(MID - 100, 10)], [])
    assert rig.venue.open() == []
    assert len(rig.venue.of(CancelOrder)) == 1


def test_the_proof_reads_open_orders_and_executions_after_the_two_queries():
    rig = Rig(audit_period_ms=86_000_000).come_up()
    lose_places(rig, carried_out=False)
    rig.want(BIDS, [])
    rig.targets.clear()
    before = len(rig.venue.requests)
    rig.run(6_000)
    kinds = [type(r) for r in rig.venue.requests[before:] if isinstance(r, QueryOrder | QueryOpenOrders | QueryFills)]
    assert kinds[-4:] == [QueryOrder, QueryOrder, QueryOpenOrders, QueryFills]


def test_a_fill_found_during_the_proof_saves_the_order():
    rig = Rig().come_up()
    lose_places(rig, carried_out=True)
    rig.want(BIDS, [])
    rig.targets.clear()
    rig.venue.fill(rig.venue.open()[0].client_order_id, 10, tell=False)
    rig.venue.answer = lambda request: (
        Refused(
            request_id=request.request_id,
            received_ns=rig.now_ns,
            usage=Usage(),
            kind=RefusalKind.NOT_FOUND,
            venue_code=-2013,
            text="lagging",
        )
        if isinstance(request, QueryOrder)
        else None
    )
    rig.run(8_000)
    assert rig.shown().position_lots == 10
    assert len(rig.said(OrderFilled)) == 1


def test_a_lost_stream_puts_every_symbol_out_until_it_agrees_again():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.give(StreamChanged(stream="private", up=False, changed_ns=rig.now_ns, reason="reset"))
    assert rig.venue.open() == []
    rig.run(500)
    assert rig.venue.open() == []
    rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
    rig.run(500)
    assert rig.venue.side(Side.BUY) == BIDS
    assert len(rig.alerts(AlertCode.USER_STREAM_LOST)) == 1


def test_an_acknowledged_order_that_lagging_reads_do_not_show_is_not_taken_for_dead():
    rig = Rig().come_up()
    rig.want(BIDS, [])
    order = rig.venue.open()[0]

    def lag(request):
        base = {"request_id": request.request_id, "received_ns": rig.now_ns, "usage": Usage()}
        if isinstance(request, QueryOrder):
            return Refused(**base, kind=RefusalKind.NOT_FOUND, venue_code=-2013, text="Order does not exist.")
        if isinstance(request, QueryOpenOrders):
            return OpenOrdersAnswered(**base, instrument_id=BTC, orders=())
        return "lost" if isinstance(request, CancelOrder) else None

    rig.venue.answer = lag
    rig.give(StreamChanged(stream="private", up=False, changed_ns=rig.now_ns))
    rig.venue.tells = False
    rig.run(500)
    rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
    rig.run(15_000)
    assert rig.core.snapshot().suspects == (order.client_order_id,)
    rig.venue.answer = lambda request: None
    rig.venue.tells = True
    rig.run(6_000)
    assert rig.core.snapshot().suspects == ()
    assert (rig.shown().halted, rig.alerts(AlertCode.ORDER_ZOMBIE)) == ("", [])


def not_found(request, now_ns):
    return Refused(
        request_id=request.request_id,
        received_ns=now_ns,
        usage=Usage(),
        kind=RefusalKind.NOT_FOUND,
        venue_code=-2013,
        text="Order does not exist.",
    )


def test_a_part_executed_order_that_the_other_lists_do_not_show_yet_is_not_buried():
    rig = Rig().come_up()
    lose_places(rig, carried_out=True)
    rig.want(BIDS, [])
    rig.targets.clear()
    rig.venue.fill(rig.venue.open()[0].client_order_id, 4, tell=False)

    def lag(request):
        base = {"request_id": request.request_id, "received_ns": rig.now_ns, "usage": Usage()}
        if isinstance(request, QueryOpenOrders):
            return OpenOrdersAnswered(**base, instrument_id=BTC, orders=())
        if isinstance(request, CancelOrder):
            return "lost"
        return not_found(request, rig.now_ns) if isinstance(request, QueryOrder) else None

    rig.venue.answer = lag
    rig.run(20_000)
    assert rig.said(OrderRejected) == []
    assert (rig.shown().position_lots, rig.shown().worst_long_lots) == (4, 14), (
        "an execution of nobody knows whom, and the order"
    )
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    rig.run(6_000)
    assert (rig.shown().position_lots, rig.shown().worst_long_lots) == (4, 10)
    assert rig.core.snapshot().suspects == ()


def test_an_order_in_doubt_that_the_open_orders_show_again_is_no_longer_in_doubt():
    rig = Rig(audit_period_ms=3_000).come_up()
    rig.want(BIDS, [])
    hidden = True

    def lag(request):
        base = {"request_id": request.request_id, "received_ns": rig.now_ns, "usage": Usage()}
        if isinstance(request, QueryOpenOrders) and hidden:
            return OpenOrdersAnswered(**base, instrument_id=BTC, orders=())
        return not_found(request, rig.now_ns) if isinstance(request, QueryOrder) else None

    rig.venue.answer = lag
    rig.run(4_000)
    assert len(rig.core.snapshot().suspects) == 1
    hidden = False
    rig.run(4_000)
    assert rig.core.snapshot().suspects == ()
    assert set(rig.states().values()) == {"NEW"}


def test_a_cancel_of_a_pending_order_is_sent_again_on_its_new():
    rig = Rig(order_age_ms_min=0).come_up()
    rig.venue.answer = lambda request: "mute" if isinstance(request, PlaceOrder) else None
    rig.venue.tells = False
    rig.want(BIDS, [])
    order = rig.venue.open()[0]
    rig.venue.answer = lambda request: not_found(request, rig.now_ns) if isinstance(request, CancelOrder) else None
    rig.feed_on = False
    rig.run(600)
    assert len(rig.venue.of(CancelOrder)) >= 1, "the book is too old: the quote must go"
    before = len(rig.venue.of(CancelOrder))
    rig.venue.answer = lambda request: None
    rig.venue.tells = True
    rig.venue.tell(order, ExecutionKind.NEW)
    assert len(rig.venue.of(CancelOrder)) == before + 1
    assert rig.venue.open() == []


def buried(rig: Rig) -> str:
    """One order of the rig is presumed dead; its id."""
    lose_places(rig, carried_out=False)
    rig.want(BIDS, [])
    rig.targets.clear()
    rig.run(6_000)
    rig.venue.answer = lambda request: None
    return rig.said(OrderRejected)[0].client_order_id


def test_a_zombie_is_known_however_many_orders_ended_after_it():
    rig = Rig(finished_orders_max=10, order_age_ms_min=0).come_up()
    dead = buried(rig)
    for step in range(15):
        rig.want([(MID - 10 - 100 * (step % 2), 1)], [])
        rig.run(50)
    rig.want([], [])
    rig.venue.put(rig.venue.of(PlaceOrder)[0])
    rig.venue.fill(dead, 10)
    assert rig.shown().position_lots == 10
    assert rig.said(OrderFilled)[-1].ours
    assert len(rig.alerts(AlertCode.ORDER_ZOMBIE)) == 1
    assert rig.shown().halted


def test_a_zombie_is_known_after_a_restart():
    rig = Rig().come_up()
    dead = buried(rig)
    again = Rig(journal=list(rig.journal), venue=rig.venue, epoch=8, now_ns=rig.now_ns + SECOND).come_up()
    again.venue.put(rig.venue.of(PlaceOrder)[0])
    again.venue.fill(dead, 10)
    assert again.said(OrderFilled)[-1].ours
    assert len(again.alerts(AlertCode.ORDER_ZOMBIE)) == 1


def test_the_execution_of_a_zombie_in_a_list_leads_to_it_by_its_id():
    rig = Rig().come_up()
    dead = buried(rig)
    rig.venue.put(rig.venue.of(PlaceOrder)[0])
    rig.venue.fill(dead, 10, tell=False)
    rig.run(12_000)
    assert rig.shown().position_lots == 10
    assert len(rig.alerts(AlertCode.ORDER_ZOMBIE)) == 1


def test_an_overloaded_venue_is_left_alone_for_longer_each_time():
    rig = Rig().come_up()
    asked_ns: list[int] = []

    def overloaded(request):
        if not isinstance(request, PlaceOrder):
            return None
        asked_ns.append(rig.now_ns)
        return Refused(
            request_id=request.request_id,
            received_ns=rig.now_ns,
            usage=Usage(),
            kind=RefusalKind.RETRY_LATER,
            venue_code=-1008,
            text="throttled",
        )

    rig.venue.answer = overloaded
    rig.want(BIDS, [])
    rig.run(6_500)
    waits_ms = [(later - earlier) // MS for earlier, later in itertools.pairwise(asked_ns)]
    assert waits_ms == [250, 500, 1_000, 2_000, 2_000]
