"""Quotes are moved by amendments, one in flight per order; without an answer both terms count until the venue's records decide."""

from __future__ import annotations

from order_manager_rig import BTC, MID, MS, SECOND, Rig, unknown

from protocols.messages.alerts import AlertCode
from protocols.messages.journal import AmendIntended, OrderNotSent
from protocols.messages.market import FeedState
from protocols.messages.orders import OrderAmended, OrderFilled
from protocols.messages.risk import TradingState
from protocols.values import Side
from protocols.venue import (
    AmendmentsAnswered,
    AmendOrder,
    CancelOrder,
    ExecutionKind,
    NotSent,
    OrderAnswered,
    OrderStatus,
    PlaceOrder,
    QueryAmendments,
    QueryOrder,
    RefusalKind,
    Refused,
    StreamChanged,
    Throttled,
    Usage,
)

BIDS, MOVED = [(MID - 5, 10)], [(MID - 50, 10)]


def quoting(**changes: object) -> Rig:
    rig = Rig(order_age_ms_min=0, **changes).come_up()
    rig.want(BIDS, [])
    return rig


def answer_amends(rig: Rig, **fields: object) -> None:
    """Every amendment is refused like this."""
    rig.venue.answer = lambda request: (
        Refused(request_id=request.request_id, received_ns=rig.now_ns, usage=Usage(), text="", **fields)
        if isinstance(request, AmendOrder)
        else None
    )


def lose_amends(rig: Rig, how: str) -> None:
    """Amendments stay without an answer: "lost" before the venue or "mute" after it."""
    rig.venue.tells = False
    rig.venue.answer = lambda request: how if isinstance(request, AmendOrder) else None


def give_up(rig: Rig) -> None:
    """The order socket is lost: what was asked by it has no answer."""
    for request in list(rig.core._shard.desk.in_flight.values()):
        if request.purpose.value == "amend":
            rig.give(unknown(rig.venue.of(AmendOrder)[-1], rig.now_ns))


def test_a_price_change_is_one_amendment_and_the_order_never_leaves_the_book():
    rig = quoting()
    rig.run(1_000)
    rig.want([(MID - 50, 12)], [])
    assert (len(rig.venue.of(PlaceOrder)), len(rig.venue.of(AmendOrder)), len(rig.venue.of(CancelOrder))) == (1, 1, 0)
    assert rig.venue.side(Side.BUY) == [(MID - 50, 12)]
    assert [(e.price_ticks, e.quantity_lots) for e in rig.said(OrderAmended)] == [(MID - 50, 12)]
    assert rig.shown().worst_long_lots == 12


def test_the_intent_is_journaled_before_the_write_with_what_justified_it():
    rig = quoting()
    written_after: list[int] = []
    rig.venue.answer = lambda request: (
        written_after.append(len(rig.records(AmendIntended))) if isinstance(request, AmendOrder) else None
    )
    rig.want([(MID - 50, 12)], [])
    assert written_after == [1]
    intent = rig.records(AmendIntended)[0]
    assert (intent.price_ticks, intent.quantity_lots, intent.worst_case_lots, intent.limit_lots) == (
        MID - 50,
        12,
        12,
        1_000,
    )
    assert intent.deadline_venue_ns - intent.venue_time_ns == (1_500 + 1_500) * MS + MS
    assert (intent.book_update_id, intent.best_bid_ticks, intent.best_ask_ticks) == (rig.book_id, MID - 1, MID + 1)


def test_within_the_tolerance_and_for_a_pure_decrease_nothing_is_sent():
    rig = quoting()
    rig.want([(MID - 6, 10)], [])
    rig.want([(MID - 5, 2)], [])
    assert rig.venue.of(AmendOrder) == [] == rig.venue.of(CancelOrder)


def test_what_was_executed_is_part_of_the_new_quantity():
    rig = quoting()
    rig.venue.fill(rig.venue.open()[0].client_order_id, 2)
    rig.want(MOVED, [])
    assert [request.quantity_lots for request in rig.venue.of(AmendOrder)] == [12]
    assert rig.venue.side(Side.BUY) == MOVED
    assert rig.shown().worst_long_lots == 12


def test_one_is_in_flight_per_order_and_the_larger_quantity_counts_at_both_prices():
    rig = quoting()
    lose_amends(rig, "lost")
    rig.want([(MID - 90, 30)], [])
    rig.want([(MID - 50, 5)], [])
    assert len(rig.venue.of(AmendOrder)) == 1
    assert rig.venue.of(CancelOrder) == []
    assert rig.shown().worst_long_lots == 30
    rig.want([(MID - 50, 5)], [(MID - 20, 10)])
    assert rig.venue.side(Side.SELL) == []
    assert rig.shown().denials.get("SELF_CROSS", 0) == 0, "it waits for the amendment, it is not refused"


def test_no_amendment_while_a_cancel_is_unanswered():
    rig = quoting()
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    rig.want([], [])
    rig.want(MOVED, [])
    assert rig.venue.of(AmendOrder) == []
    assert len(rig.venue.of(PlaceOrder)) == 2


def test_an_amendment_that_grows_beyond_the_limit_is_not_sent_and_the_order_goes():
    rig = Rig(order_age_ms_min=0)
    rig.position_lots_max = 15
    rig.come_up()
    rig.want(BIDS, [])
    rig.want([(MID - 50, 20)], [])
    assert rig.venue.of(AmendOrder) == []
    assert rig.venue.open() == []
    assert rig.shown().denials["POSITION"] >= 1


def test_a_move_into_our_own_old_price_waits_for_the_answer_of_the_other_side():
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want([(MID - 5, 10)], [(MID + 5, 10)])
    slow: list[AmendOrder] = []
    rig.venue.answer = lambda request: (
        (slow.append(request) or "lost") if isinstance(request, AmendOrder) and request.side is Side.SELL else None
    )
    rig.want([(MID + 40, 10)], [(MID + 50, 10)])
    assert [request.side for request in rig.venue.of(AmendOrder)] == [Side.SELL]
    assert rig.venue.side(Side.BUY) == [(MID - 5, 10)], "the old bid waits where it is"
    rig.venue.answer = lambda request: None
    rig.give(rig.venue.carry_out(slow[0]))
    rig.run(50)
    assert rig.venue.side(Side.SELL) == [(MID + 50, 10)]
    assert rig.venue.side(Side.BUY) == [(MID + 40, 10)]


def test_an_unanswered_amendment_that_was_done_is_found_in_the_venues_records():
    rig = quoting()
    lose_amends(rig, "mute")
    rig.want([(MID - 50, 20)], [])
    give_up(rig)
    assert len(rig.alerts(AlertCode.ORDER_UNKNOWN)) == 1
    assert rig.shown().worst_long_lots == 20
    rig.targets.clear()
    rig.run(400)
    assert len(rig.venue.of(QueryAmendments)) == 1
    assert [(e.price_ticks, e.quantity_lots) for e in rig.said(OrderAmended)] == [(MID - 50, 20)]
    assert rig.core._shard.amend_doubts.by_id == {}


def test_an_unanswered_amendment_that_was_not_done_counts_until_its_deadline_and_two_looks():
    rig = quoting()
    lose_amends(rig, "lost")
    rig.want([(MID - 50, 20)], [])
    give_up(rig)
    began_ns = rig.now_ns
    rig.targets.clear()
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    before = len(rig.venue.requests)
    while rig.shown().worst_long_lots == 20 and rig.now_ns - began_ns < 20 * SECOND:
        rig.run(50)
    assert 3_000 < (rig.now_ns - began_ns) // MS <= 6_000
    looks = [type(r) for r in rig.venue.requests[before:] if isinstance(r, QueryOrder | QueryAmendments)]
    assert looks[-3:] == [QueryOrder, QueryOrder, QueryAmendments]
    assert rig.shown().worst_long_lots == 10


def test_not_found_in_the_records_before_the_deadline_proves_nothing():
    rig = quoting()
    lose_amends(rig, "lost")
    rig.want([(MID - 50, 20)], [])
    give_up(rig)
    rig.targets.clear()
    rig.run(2_000)
    assert len(rig.venue.of(QueryAmendments)) >= 2
    assert rig.shown().worst_long_lots == 20


def test_the_private_stream_ends_the_doubt_before_the_answer():
    rig = quoting()
    rig.venue.answer = lambda request: "mute" if isinstance(request, AmendOrder) else None
    rig.want(MOVED, [])
    assert rig.shown().worst_long_lots == 10
    assert [e.price_ticks for e in rig.said(OrderAmended)] == [MID - 50]
    give_up(rig)
    assert rig.core._shard.amend_doubts.by_id == {}


def test_the_end_of_the_order_ends_the_doubt():
    rig = quoting()
    lose_amends(rig, "lost")
    rig.want([(MID - 50, 20)], [])
    give_up(rig)
    rig.venue.tells = True
    rig.venue.end(rig.venue.open()[0])
    rig.run(100)
    assert rig.core._shard.amend_doubts.by_id == {}
    assert rig.states() == {} or set(rig.states().values()) == {"NEW"}


def test_an_unanswered_amendment_may_be_cancelled_at_any_time():
    rig = quoting()
    lose_amends(rig, "mute")
    rig.want(MOVED, [])
    rig.want([], [])
    assert rig.venue.open() == []


def test_an_order_filled_at_its_larger_amended_quantity_is_filled_only_then():
    rig = quoting()
    lose_amends(rig, "mute")
    rig.want([(MID - 50, 20)], [])
    order = rig.venue.open()[0]
    rig.targets.clear()
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    rig.give(rig.status(BTC, FeedState.INVALID))
    rig.venue.tells = True
    rig.venue.fill(order.client_order_id, 10)
    assert rig.states()[order.client_order_id] in ("PARTIALLY_FILLED", "CANCELING")
    rig.venue.fill(order.client_order_id, 10)
    assert order.client_order_id not in rig.states()
    assert [e.remaining_lots for e in rig.said(OrderFilled)] == [10, 0]


def test_an_order_filled_while_a_larger_quantity_is_asked_for_leaves_nothing_to_its_readers():
    rig = quoting()
    lose_amends(rig, "lost")
    rig.want([(MID - 50, 20)], [])
    rig.venue.tells = True
    rig.venue.fill(rig.venue.open()[0].client_order_id, 10)
    assert [e.remaining_lots for e in rig.said(OrderFilled)] == [0]


def test_an_amendment_of_an_order_that_is_gone_asks_for_its_fate():
    rig = quoting()
    rig.venue.tells = False
    rig.venue.fill(rig.venue.open()[0].client_order_id, 10)
    rig.want(MOVED, [])
    rig.run(1_000)
    assert rig.shown().position_lots == 10


def test_an_amendment_that_would_take_ends_the_order_and_waits_for_a_newer_book():
    rig = quoting()

    def take(request):
        if not isinstance(request, AmendOrder):
            return None
        order = rig.venue.orders[request.client_order_id]
        order.status = OrderStatus.CANCELED
        return OrderAnswered(
            request_id=request.request_id,
            received_ns=rig.now_ns,
            usage=Usage(),
            order=order.report(rig.venue.now_ns),
        )

    rig.venue.answer = take
    rig.want(MOVED, [])
    assert rig.states() == {}
    rig.give(rig.quote(BTC))
    assert len(rig.venue.of(PlaceOrder)) == 1
    rig.run(50)
    assert len(rig.venue.of(PlaceOrder)) == 2


def test_an_order_that_may_not_be_amended_is_replaced():
    rig = quoting()
    answer_amends(rig, kind=RefusalKind.DROP, venue_code=-5026)
    rig.want(MOVED, [])
    rig.run(500)
    assert len(rig.venue.of(AmendOrder)) == 1
    assert rig.venue.side(Side.BUY) == MOVED
    assert len(rig.venue.of(PlaceOrder)) == 2


def test_terms_that_the_venue_has_already_are_asked_for():
    rig = quoting()
    order = rig.venue.open()[0]
    answer_amends(rig, kind=RefusalKind.ALREADY_DONE, venue_code=-5027)
    rig.venue.tells = False
    rig.now_ns += MS
    rig.venue.amend(order, MID - 50, 10)
    rig.want(MOVED, [])
    rig.run(200)
    assert [e.price_ticks for e in rig.said(OrderAmended)] == [MID - 50]


def test_a_pending_amendment_at_the_venue_is_looked_into():
    rig = quoting()
    answer_amends(rig, kind=RefusalKind.RETRY_LATER, venue_code=-5043)
    rig.want([(MID - 50, 20)], [])
    rig.targets.clear()
    rig.run(400)
    assert rig.shown().worst_long_lots == 20
    assert len(rig.venue.of(QueryAmendments)) == 1


def test_a_throttled_or_unwritten_amendment_changed_nothing():
    for outcome in (
        lambda request, now_ns: Throttled(
            request_id=request.request_id,
            received_ns=now_ns,
            usage=Usage(),
            retry_at_ns=now_ns + SECOND,
            banned=False,
            orders_only=True,
            venue_code=-1015,
            text="",
        ),
        lambda request, now_ns: NotSent(
            request_id=request.request_id, received_ns=now_ns, usage=Usage(), reason="too late"
        ),
    ):
        rig = quoting()
        rig.venue.answer = lambda request, rig=rig, outcome=outcome: (
            outcome(request, rig.now_ns) if isinstance(request, AmendOrder) else None
        )
        rig.want([(MID - 50, 20)], [])
        assert (rig.venue.open(), rig.shown().worst_long_lots) == ([], 0), "what stands in the wrong place goes"
        assert [record.amendment for record in rig.records(OrderNotSent)] in ([], [True])


def test_an_older_word_of_the_venue_does_not_undo_an_amendment():
    rig = quoting()
    order = rig.venue.open()[0]
    old = rig.venue.update(order, ExecutionKind.NEW)
    rig.run(100)
    rig.want(MOVED, [])
    rig.give(old)
    assert rig.shown().target_bids[0][0] == MID - 50
    assert [e.price_ticks for e in rig.said(OrderAmended)] == [MID - 50]
    assert rig.core.snapshot().orders[0].price_ticks == MID - 50


def test_a_missed_amendment_is_found_by_the_next_list_of_open_orders():
    rig = quoting(audit_period_ms=2_000)
    order = rig.venue.open()[0]
    rig.targets.clear()
    rig.venue.tells = False
    rig.run(100)
    rig.feed_on = True
    rig.venue.amend(order, MID - 8, 10)
    rig.give(StreamChanged(stream="private", up=False, changed_ns=rig.now_ns))
    rig.run(500)
    rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
    rig.run(2_000)
    assert rig.core.snapshot().orders == () or rig.core.snapshot().orders[0].price_ticks == MID - 8


def test_after_a_restart_an_amendment_without_an_end_counts_at_both_terms():
    old = quoting()
    lose_amends(old, "lost")
    old.want([(MID - 50, 20)], [])
    new = Rig(journal=list(old.journal), venue=old.venue, epoch=8, now_ns=old.now_ns + SECOND)
    assert new.shown().worst_long_lots == 20
    kept = Rig(epoch=9, now_ns=new.now_ns)
    kept.core.load(new.core.checkpoint())
    assert kept.core._shard.symbols[BTC].table.worst_case_lots(Side.BUY) == 20
    new.venue.answer = lambda request: None
    new.venue.tells = True
    new.come_up()
    assert new.shown().worst_long_lots == 0


def test_an_amendment_that_never_left_does_not_count_after_a_restart():
    old = quoting()
    lose_amends(old, "lost")
    old.want([(MID - 50, 20)], [])
    order = old.venue.open()[0]
    journal = [*old.journal, OrderNotSent(client_order_id=order.client_order_id, reason="late", amendment=True)]
    new = Rig(journal=journal, venue=old.venue, epoch=8, now_ns=old.now_ns + SECOND)
    assert new.shown().worst_long_lots == 10


def test_in_reducing_an_order_that_is_not_reduce_only_is_replaced():
    rig = Rig(order_age_ms_min=0).come_up(position_lots=-30)
    rig.want([(MID - 5, 10)], [])
    rig.state = TradingState.REDUCING
    rig.run(500)
    rig.want(MOVED, [])
    assert rig.venue.of(AmendOrder) == []
    assert all(order.request.reduce_only for order in rig.venue.open())


def test_without_amendments_quotes_are_moved_by_cancel_and_place():
    rig = quoting(amends=False)
    rig.want(MOVED, [])
    assert rig.venue.of(AmendOrder) == []
    assert (len(rig.venue.of(PlaceOrder)), len(rig.venue.of(CancelOrder))) == (2, 1)


def test_records_that_fail_are_asked_for_again():
    rig = quoting()
    lose_amends(rig, "lost")
    rig.want([(MID - 50, 20)], [])
    give_up(rig)
    rig.targets.clear()
    rig.venue.answer = lambda request: (
        unknown(request, rig.now_ns)
        if isinstance(request, QueryAmendments | QueryOrder)
        else "lost"
        if isinstance(request, CancelOrder)
        else None
    )
    rig.run(8_000)
    assert rig.shown().worst_long_lots == 20
    assert not any(isinstance(request, AmendmentsAnswered) for request in rig.venue.requests)
