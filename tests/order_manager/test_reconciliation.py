"""Agreeing with the venue: on demand, after every reconnect, after what nobody can explain, and all the time."""

from __future__ import annotations

from order_manager_rig import BTC, ETH, MID, SECOND, Rig, place_request

from protocols.messages.alerts import AlertCode
from protocols.messages.control import Reconcile
from protocols.messages.journal import Reconciled
from protocols.messages.market import FeedState
from protocols.messages.orders import OrderFilled, VenuePosition
from protocols.values import Side
from protocols.venue import ExecutionKind, OrderStatus, QueryFills, QueryOpenOrders, QueryPositions, StreamChanged

BIDS, ASKS = [(MID - 5, 10)], [(MID + 5, 10)]


def asked(rig: Rig, since: int) -> list[str]:
    """Kinds of comparing questions since a request."""
    kinds = (QueryOpenOrders, QueryFills, QueryPositions)
    return [type(request).__name__ for request in rig.venue.requests[since:] if isinstance(request, kinds)]


def test_on_demand_every_symbol_is_compared_at_once_and_the_view_says_what_differed():
    rig = Rig(symbols=(BTC, ETH), audit_period_ms=600_000).come_up()
    rig.want(BIDS, ASKS)
    rig.run(2_100)
    lost = rig.venue.open()[0]
    lost.status = OrderStatus.CANCELED
    since = len(rig.venue.requests)
    rig.give(Reconcile(token=77))
    assert asked(rig, since).count("QueryOpenOrders") == 2
    assert (rig.shown().reconcile_token, rig.shown("ETHUSDC").reconcile_token) == (77, 77)
    assert rig.shown().reconcile_differences == (f"{lost.client_order_id} is not among the venue's open orders",)
    assert rig.shown("ETHUSDC").reconcile_differences == ()
    assert rig.shown().reconcile_took_ms < 500
    assert [record.cause for record in rig.records(Reconciled)][-2:] == ["demand BTCUSDC", "demand ETHUSDC"]
    assert len(rig.alerts(AlertCode.POSITION_MISMATCH)) == 1


def test_a_demand_during_another_comparison_is_answered_after_it():
    rig = Rig(audit_period_ms=600_000).come_up()
    rig.give(StreamChanged(stream="private", up=False, changed_ns=rig.now_ns))
    rig.venue.answer = lambda request: "lost" if isinstance(request, QueryOpenOrders) else None
    rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
    rig.give(Reconcile(token=5))
    assert rig.shown().reconcile_token == 0
    rig.venue.answer = lambda request: None
    rig.run(6_000)
    assert rig.shown().reconcile_token == 5


def test_fifty_open_orders_are_compared_with_one_question_for_each_kind():
    rig = Rig(audit_period_ms=600_000, order_age_ms_min=0)
    rig.open_orders_max = 100
    rig.come_up()
    rig.want([(MID - 10 - 40 * n, 1) for n in range(25)], [(MID + 10 + 40 * n, 1) for n in range(25)])
    rig.run(100)
    assert len(rig.venue.open()) == 50
    lost = rig.venue.open()[17]
    lost.status = OrderStatus.CANCELED
    since = len(rig.venue.requests)
    rig.give(Reconcile(token=1))
    assert asked(rig, since) == ["QueryOpenOrders", "QueryFills", "QueryPositions"]
    assert rig.shown().reconcile_token == 1
    assert rig.shown().reconcile_differences == (f"{lost.client_order_id} is not among the venue's open orders",)


def test_an_order_that_the_venue_lost_is_found_by_the_audit_within_ten_seconds():
    rig = Rig().come_up()
    rig.want(BIDS, [])
    order = rig.venue.open()[0]
    order.status = OrderStatus.CANCELED
    lost_ns = rig.now_ns
    while order.client_order_id in rig.states() and rig.now_ns - lost_ns < 20 * SECOND:
        rig.run(50)
    assert rig.now_ns - lost_ns < 10 * SECOND
    assert rig.venue.side(Side.BUY) == BIDS, "and replaced"


def test_an_orphan_of_ours_at_the_venue_is_found_within_ten_seconds():
    rig = Rig().come_up()
    rig.want([], [])
    orphan = rig.venue.put(place_request("rm1-6-000-5", Side.BUY, MID - 100, 1))
    rig.run(9_900)
    assert orphan.status is OrderStatus.CANCELED
    assert rig.shown().halted


def test_audits_read_executions_where_positions_differ_and_else_seldom():
    rig = Rig(symbols=(BTC, ETH), audit_period_ms=1_000).come_up()
    rig.want([], [])
    since = len(rig.venue.requests)
    rig.run(10_000)
    assert asked(rig, since).count("QueryOpenOrders") >= 18
    assert 4 <= asked(rig, since).count("QueryFills") <= 8
    since = len(rig.venue.requests)
    rig.venue.trade_elsewhere(Side.BUY, 3)
    rig.run(1_100)
    assert "QueryFills" in asked(rig, since)
    assert rig.shown().position_lots == 3


def test_two_missed_executions_that_cancel_out_are_found_all_the_same():
    rig = Rig(audit_period_ms=1_000).come_up()
    rig.want([], [])
    rig.run(1_000)
    rig.venue.trade_elsewhere(Side.BUY, 3)
    rig.venue.trade_elsewhere(Side.SELL, 3)
    rig.run(2_100)
    assert rig.shown().fills == 2


def test_a_comparison_that_agrees_on_something_new_says_so_at_its_place_of_the_stream():
    rig = Rig(audit_period_ms=1_000).come_up()
    rig.want([], [])
    rig.venue.trade_elsewhere(Side.BUY, 3)
    rig.run(3_100)
    told = [record for record in rig.records(VenuePosition) if record.agreed_trade_id is not None]
    last_trade_id = rig.records(OrderFilled)[-1].trade_id
    assert [(one.position_lots, one.agreed_trade_id) for one in told] == [(0, 0), (3, last_trade_id)]


def test_a_feed_that_came_back_is_trusted_when_everything_agrees():
    rig = Rig(audit_period_ms=600_000).come_up()
    rig.want(BIDS, ASKS)
    rig.feed_on = False
    rig.give(rig.status(BTC, FeedState.CONNECTING))
    assert rig.venue.open() == []
    rig.venue.answer = lambda request: "lost" if isinstance(request, QueryOpenOrders) else None
    rig.feed_on = True
    rig.run(500)
    assert "SYNCHRONISING" in rig.shown().gate_reasons
    assert rig.venue.open() == []
    rig.venue.answer = lambda request: None
    rig.run(5_000)
    assert rig.venue.side(Side.BUY) == BIDS
    assert any(record.cause == "reconnect BTCUSDC" for record in rig.records(Reconciled))


def test_a_gap_in_the_book_alone_compares_nothing():
    rig = Rig(audit_period_ms=600_000).come_up()
    since = len(rig.venue.requests)
    rig.give(rig.status(BTC, FeedState.INVALID))
    rig.run(500)
    assert asked(rig, since) == []


def test_an_order_socket_that_came_back_starts_a_comparison_that_does_not_stop_quoting():
    rig = Rig(audit_period_ms=600_000).come_up()
    rig.want(BIDS, [])
    since = len(rig.venue.requests)
    rig.give(StreamChanged(stream="orders", up=False, changed_ns=rig.now_ns))
    rig.give(StreamChanged(stream="orders", up=True, changed_ns=rig.now_ns))
    rig.run(100)
    assert asked(rig, since)[:1] == ["QueryOpenOrders"]
    assert rig.shown().gate_open


def test_events_that_nobody_can_explain_start_comparisons_but_not_one_each():
    rig = Rig(audit_period_ms=600_000).come_up()
    rig.want([], [])
    rig.run(1_000)
    since = len(rig.venue.requests)
    for n in range(20):
        order = rig.venue.put(place_request(f"web_{n}", Side.BUY, MID - 100, 1))
        rig.venue.tell(order, ExecutionKind.NEW)
        rig.run(50)
    assert 1 <= asked(rig, since).count("QueryOpenOrders") <= 2
