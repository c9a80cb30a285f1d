"""Events of the private stream: repeated, out of order, missing, or about somebody else (fault rows 31 to 33 and 65)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from order_manager_rig import BTC, ETH, MID, MS, SECOND, Rig, place_request

from protocols.messages.alerts import AlertCode
from protocols.messages.control import Reconcile
from protocols.messages.orders import (
    BalanceChanged,
    FundingPaid,
    MarginCalled,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    UserStreamLost,
    VenuePosition,
)
from protocols.values import Side
from protocols.venue import (
    AccountConfigUpdate,
    BadFrame,
    BalanceUpdate,
    CancelOrder,
    EventMissing,
    ExecutionKind,
    MarginCallUpdate,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    QueryFills,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    StreamChanged,
    UserStreamExpired,
)

BIDS, ASKS = [(MID - 5, 10)], [(MID + 5, 10)]


def quoting(**changes: object) -> Rig:
    rig = Rig(order_age_ms_min=0, **changes).come_up()
    rig.want(BIDS, [])
    return rig


def test_a_repeated_execution_is_booked_once():
    rig = quoting()
    order = rig.venue.open()[0]
    fill = rig.venue.fill(order.client_order_id, 4)
    rig.give(rig.venue.update(order, ExecutionKind.TRADE, fill))
    assert rig.shown().position_lots == 4
    assert [(e.trade_id, e.quantity_lots, e.remaining_lots, e.ours) for e in rig.said(OrderFilled)] == [(1, 4, 6, True)]


def test_filled_before_new_is_accepted_then_filled_and_the_late_new_changes_nothing():
    rig = Rig().come_up()
    rig.venue.tells = False
    rig.venue.answer = lambda request: "mute" if type(request).__name__ == "PlaceOrder" else None
    rig.want(BIDS, [])
    rig.venue.tells = True
    order = rig.venue.open()[0]
    new = rig.venue.update(order, ExecutionKind.NEW)
    rig.venue.fill(order.client_order_id, 10)
    rig.give(new)
    told = [e for e in rig.published if isinstance(e, OrderAccepted | OrderFilled)]
    assert [type(e) for e in told if e.client_order_id == order.client_order_id] == [OrderAccepted, OrderFilled]
    assert order.client_order_id not in rig.states()
    assert rig.shown().position_lots == 10


def test_a_late_fill_after_cancel_is_booked():
    rig = quoting()
    order = rig.venue.open()[0]
    rig.want([], [])
    assert rig.states() == {}
    fill = rig.venue.fill(order.client_order_id, 3, tell=False)
    rig.give(rig.venue.update(order, ExecutionKind.TRADE, fill))
    assert rig.shown().position_lots == 3
    assert rig.said(OrderFilled)[0].ours
    assert len(rig.said(OrderCanceled)) == 1


def test_a_jump_of_the_executed_quantity_fetches_the_missing_executions():
    rig = quoting()
    order = rig.venue.open()[0]
    rig.venue.fill(order.client_order_id, 2, tell=False)
    rig.venue.fill(order.client_order_id, 3)
    assert rig.shown().position_lots == 3
    rig.run(100)
    assert rig.shown().position_lots == 5
    assert [e.trade_id for e in rig.said(OrderFilled)] == [2, 1]


def test_an_execution_that_no_event_tells_is_found_by_the_audit():
    rig = quoting(audit_period_ms=9_000)
    rig.run(2_000)
    rig.venue.fill(rig.venue.open()[0].client_order_id, 2, tell=False)
    rig.run(10_000)
    assert rig.shown().position_lots == 2
    assert len(rig.alerts(AlertCode.POSITION_MISMATCH)) == 1, "the private stream missed it"


def test_an_order_that_the_venue_ended_by_itself_is_expired_and_replaced():
    rig = quoting()
    rig.venue.end(rig.venue.open()[0], OrderStatus.EXPIRED)
    assert len(rig.said(OrderExpired)) == 1
    assert rig.venue.side(Side.BUY) == BIDS


def test_an_amendment_by_the_venue_is_told_and_counted():
    rig = quoting()
    order = rig.venue.open()[0]
    rig.targets.clear()
    rig.run(50)
    order.request = place_request(order.client_order_id, Side.BUY, MID - 7, 12)
    rig.give(rig.venue.update(order, ExecutionKind.AMENDED))
    assert [(e.price_ticks, e.quantity_lots) for e in rig.said(OrderAmended)] == [(MID - 7, 12)]
    assert rig.shown().worst_long_lots == 12


def test_a_fill_of_somebody_else_counts_in_the_position_at_once():
    rig = quoting()
    fill = rig.venue.trade_elsewhere(Side.SELL, 7)
    report = rig.venue.update(rig.venue.put(place_request("web_1", Side.SELL, MID, 7)), ExecutionKind.TRADE, fill)
    rig.give(report)
    assert rig.shown().position_lots == -7
    event = rig.said(OrderFilled)[0]
    assert (event.client_order_id, event.ours) == ("", False)
    assert len(rig.alerts(AlertCode.FOREIGN_FILL)) == 1


def test_an_order_of_somebody_else_is_reported_and_left():
    rig = quoting()
    order = rig.venue.put(place_request("web_1", Side.SELL, MID + 9, 7))
    rig.venue.tell(order, ExecutionKind.NEW)
    assert len(rig.alerts(AlertCode.FOREIGN_ORDER)) == 1
    assert rig.venue.of(CancelOrder) == []


def test_an_order_of_somebody_else_is_cancelled_where_configured():
    rig = quoting(foreign_orders="cancelled")
    order = rig.venue.put(place_request("web_1", Side.SELL, MID + 9, 7))
    rig.venue.tell(order, ExecutionKind.NEW)
    assert order.status is OrderStatus.CANCELED


def test_an_order_of_a_newer_epoch_shuts_the_gate_for_good():
    rig = quoting()
    order = rig.venue.put(place_request("rm1-8-000-1", Side.BUY, MID - 9, 1))
    rig.venue.tell(order, ExecutionKind.NEW)
    assert "SUPERSEDED" in rig.shown().gate_reasons
    assert [o.client_order_id for o in rig.venue.open()] == ["rm1-8-000-1"], "ours are withdrawn, the newer one's stay"
    assert len(rig.alerts(AlertCode.HIGHER_EPOCH_SEEN)) == 1


def test_an_order_of_an_older_epoch_that_appears_after_recovery_is_cancelled_and_halts():
    rig = quoting()
    order = rig.venue.put(place_request("rm1-3-000-1", Side.BUY, MID - 9, 1))
    rig.venue.tell(order, ExecutionKind.NEW)
    assert order.status is OrderStatus.CANCELED
    assert rig.shown().halted


def test_a_liquidation_halts_the_symbol():
    rig = quoting()
    fill = rig.venue.trade_elsewhere(Side.SELL, 5)
    order = rig.venue.put(place_request("autoclose-1", Side.SELL, MID, 5))
    order.status = OrderStatus.FILLED
    rig.give(
        OrderUpdate(
            kind=ExecutionKind.LIQUIDATION,
            order=order.report(rig.venue.now_ns),
            fill=fill,
            reason="LIQUIDATION",
            received_ns=rig.now_ns,
        )
    )
    assert "LIQUIDATION" in rig.shown().halted
    assert rig.shown().position_lots == -5
    assert [(fill.ours, fill.forced) for fill in rig.said(OrderFilled)] == [(False, True)]
    assert len(rig.venue.open()) == 0


@pytest.mark.parametrize("reason", ["LIQUIDATION", "ADL", "SETTLEMENT", "DELIVERY"])
def test_an_execution_by_an_order_of_the_venue_is_told_as_forced(reason: str):
    rig = quoting()
    fill = rig.venue.trade_elsewhere(Side.SELL, 5)
    order = rig.venue.put(place_request("x-1", Side.SELL, MID, 5))
    report = order.report(rig.venue.now_ns)
    kind = ExecutionKind.TRADE
    rig.give(OrderUpdate(kind=kind, order=report, fill=fill, reason=reason, received_ns=rig.now_ns))
    assert [fill.forced for fill in rig.said(OrderFilled)] == [True]


def test_funding_is_told_by_the_shard_of_its_symbol_and_balances_by_shard_0():
    rig = quoting()
    rig.give(
        BalanceUpdate(
            asset="USDC",
            wallet_balance=Decimal("999.5"),
            balance_change=Decimal("-0.5"),
            reason="FUNDING_FEE",
            symbol="BTCUSDC",
            venue_time_ns=5 * MS,
            received_ns=rig.now_ns,
        )
    )
    [paid] = rig.said(FundingPaid)
    [balance] = rig.said(BalanceChanged)
    assert (paid.instrument_id, paid.amount, paid.asset) == (BTC, Decimal("-0.5"), "USDC")
    assert (balance.wallet_balance, balance.event_seq) == (Decimal("999.5"), paid.event_seq + 1)


def test_positions_and_margin_calls_are_passed_on():
    rig = quoting()
    rig.venue.positions[BTC] = 0
    rig.give(
        PositionUpdate(
            instrument_id=BTC,
            position_lots=0,
            entry_price=Decimal(0),
            reason="ORDER",
            venue_time_ns=1,
            received_ns=rig.now_ns,
        )
    )
    rig.give(MarginCallUpdate(text="BTCUSDC", venue_time_ns=1, received_ns=rig.now_ns))
    rig.give(AccountConfigUpdate(text="leverage 20", venue_time_ns=1, received_ns=rig.now_ns))
    assert rig.said(VenuePosition)[-1].position_lots == 0
    assert len(rig.said(MarginCalled)) == 1
    assert len(rig.alerts(AlertCode.MARGIN_CALL)) == 1


def test_a_position_that_executions_do_not_explain_is_looked_into_at_once_and_the_venue_is_right():
    rig = quoting()
    rig.venue.positions[BTC] = 9
    rig.give(
        PositionUpdate(
            instrument_id=BTC,
            position_lots=9,
            entry_price=Decimal(60_000),
            reason="ADJUSTMENT",
            venue_time_ns=1,
            received_ns=rig.now_ns,
        )
    )
    rig.run(4_000)
    assert (rig.shown().position_lots, rig.shown().gate_open) == (0, False)
    rig.run(12_000)
    assert (rig.shown().position_lots, rig.shown().gate_open) == (9, True)
    assert len(rig.alerts(AlertCode.POSITION_MISMATCH)) == 1


def test_a_position_list_that_lags_the_executions_is_not_believed():
    rig = quoting(audit_period_ms=1_000)
    order = rig.venue.open()[0]
    rig.venue.fill(order.client_order_id, 10)
    newest = dict(rig.venue.positions)
    rig.venue.positions.clear()
    rig.run(9_000)
    assert not rig.shown().gate_open
    rig.venue.positions.update(newest)
    rig.run(4_000)
    assert (rig.shown().position_lots, rig.shown().gate_open) == (newest[BTC], True)
    assert rig.alerts(AlertCode.POSITION_MISMATCH) == []


def test_events_of_symbols_of_other_shards_are_left_alone():
    rig = quoting()
    order = rig.venue.put(place_request("rm1-9-001-1", Side.BUY, 1, 1, ETH))
    seq = rig.core.snapshot().event_seq
    rig.give(rig.venue.update(order, ExecutionKind.NEW))
    assert rig.core.snapshot().event_seq == seq
    assert rig.shown().gate_open


def test_an_expired_key_is_a_lost_stream():
    rig = quoting()
    rig.give(UserStreamExpired(received_ns=rig.now_ns))
    assert rig.said(UserStreamLost) == [UserStreamLost(shard=0, lost_ns=rig.now_ns)]
    rig.run(100)
    assert rig.venue.open() == []
    assert "USER_STREAM" in rig.shown().gate_reasons


def test_a_damaged_frame_of_the_private_stream_starts_a_comparison():
    rig = quoting()
    before = len(rig.venue.of(QueryOpenOrders))
    rig.give(BadFrame(stream="private", reason="not JSON", field="o.z", received_ns=rig.now_ns))
    rig.run(100)
    assert len(rig.venue.of(QueryOpenOrders)) == before + 1
    assert len(rig.alerts(AlertCode.BAD_DATA)) == 1


def test_executions_come_in_pages():
    rig = quoting()
    for _ in range(3):
        rig.venue.trade_elsewhere(Side.BUY, 1)
    honest = rig.venue.carry_out

    def page(request):
        if not isinstance(request, QueryFills):
            return None
        answer = honest(request)
        import msgspec

        return msgspec.structs.replace(answer, fills=answer.fills[:2], complete=len(answer.fills) <= 2)

    rig.venue.answer = page
    rig.run(11_000)
    assert rig.shown().position_lots == 3


def test_an_execution_that_is_missing_just_when_a_symbol_agrees_does_not_undo_the_agreement():
    rig = quoting()
    order = rig.venue.open()[0]
    rig.give(StreamChanged(stream="private", up=False, changed_ns=rig.now_ns))
    rig.run(1_000)

    def fill_after_the_positions(request):
        if not isinstance(request, QueryPositions) or order.filled_lots:
            return None
        rig.give(rig.venue.carry_out(request))
        rig.venue.fill(order.client_order_id, 1, tell=False)
        rig.give(rig.venue.update(order, ExecutionKind.CANCELED))
        return "lost"

    rig.venue.answer = fill_after_the_positions
    rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
    rig.run(4_000)
    assert (rig.shown().position_lots, rig.shown().gate_open) == (1, True)


def test_a_private_stream_that_stays_down_has_its_key_doubted_and_one_that_comes_back_does_not():
    rig = quoting()
    told = len(rig.said(UserStreamLost))
    rig.give(StreamChanged(stream="private", up=False, changed_ns=rig.now_ns))
    rig.run(2_500)
    assert len(rig.said(UserStreamLost)) == told
    rig.run(4_500)
    assert len(rig.said(UserStreamLost)) == told + 2
    rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
    rig.run(5_000)
    assert len(rig.said(UserStreamLost)) == told + 2


def test_an_order_whose_end_was_acknowledged_and_never_told_is_asked_for_at_once():
    rig = quoting()
    order = rig.venue.open()[0]
    rig.venue.tells = False
    rig.venue.fill(order.client_order_id, 4)
    rig.want([], [])
    assert rig.states() == {order.client_order_id: "CANCELED"}, "its execution is missing"
    since = len(rig.venue.requests)
    rig.give(EventMissing(instrument_id=BTC, client_order_id=order.client_order_id, noticed_ns=rig.now_ns))
    asked = rig.venue.requests[since:]
    assert [(type(one), getattr(one, "client_order_id", "")) for one in asked] == [(QueryOrder, order.client_order_id)]


def test_the_key_of_a_stream_that_is_found_mute_is_doubted_once_for_all_that_is_missing():
    """A stream that connects again with a dead key is up, and mute again: the key's owner has to hear of it."""
    rig = quoting()
    told = len(rig.said(UserStreamLost))
    for order in rig.venue.open()[:2]:
        rig.give(EventMissing(instrument_id=BTC, client_order_id=order.client_order_id, noticed_ns=rig.now_ns))
    assert rig.said(UserStreamLost)[told:] == [UserStreamLost(shard=0, lost_ns=rig.now_ns)]
    rig.run(3_300)
    rig.give(EventMissing(instrument_id=BTC, client_order_id="rm1-7-000-1", noticed_ns=rig.now_ns))
    assert rig.said(UserStreamLost)[told + 1 :] == [UserStreamLost(shard=0, lost_ns=rig.now_ns)]


def test_an_event_missing_for_a_symbol_of_another_shard_is_ignored():
    rig = quoting()
    since = len(rig.venue.requests)
    rig.give(EventMissing(instrument_id=ETH, client_order_id="rm1-7-000-1", noticed_ns=rig.now_ns))
    assert rig.venue.requests[since:] == []


def test_a_fill_that_a_list_tells_is_somebody_elses_only_when_the_venue_says_whose_it_is():
    rig = quoting()
    fill = rig.venue.trade_elsewhere(Side.SELL, 7)
    rig.venue.answer = lambda request: "lost" if isinstance(request, QueryOrder) else None
    rig.give(Reconcile(token=1))
    rig.run(300)
    assert rig.shown().position_lots == -7
    assert rig.alerts(AlertCode.FOREIGN_FILL) == []
    rig.venue.answer = lambda request: None
    rig.run(40_000)
    (alert,) = rig.alerts(AlertCode.FOREIGN_FILL)
    assert alert.text == f"7 lots of order {fill.venue_order_id}, which is not ours"


def test_a_fill_of_our_own_older_order_that_no_journal_tells_of_is_ours():
    old = Rig().come_up()
    old.want([(MID - 5, 10)], [])
    order = old.venue.open()[0]
    rig = Rig(venue=old.venue, epoch=8, now_ns=old.now_ns + SECOND).come_up()
    fill = rig.venue.fill(order.client_order_id, 4, tell=False)
    rig.give(rig.venue.update(order, ExecutionKind.TRADE, fill))
    event = rig.said(OrderFilled)[-1]
    assert (event.client_order_id, event.ours) == (order.client_order_id, True)
    assert rig.alerts(AlertCode.FOREIGN_FILL) == []
    assert rig.shown().position_lots == 4
    assert rig.shown().foreign_fills == 0


def test_so_is_one_that_only_a_list_tells_of():
    old = Rig().come_up()
    old.want([(MID - 5, 10)], [])
    order = old.venue.open()[0]
    rig = Rig(venue=old.venue, epoch=8, now_ns=old.now_ns + SECOND).come_up()
    rig.venue.fill(order.client_order_id, 4, tell=False)
    rig.give(Reconcile(token=1))
    rig.run(500)
    assert rig.shown().position_lots == 4
    assert rig.alerts(AlertCode.FOREIGN_FILL) == []


def test_a_fill_whose_order_the_venue_does_not_name_counts_as_somebody_elses():
    rig = quoting()
    fill = rig.venue.trade_elsewhere(Side.SELL, 7)
    rig.give(Reconcile(token=1))
    rig.run(500)
    (alert,) = rig.alerts(AlertCode.FOREIGN_FILL)
    assert alert.text == f"7 lots of order {fill.venue_order_id}, which is not ours"
