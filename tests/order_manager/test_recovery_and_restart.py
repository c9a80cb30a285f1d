"""Recovery is start-up: what earlier incarnations left at the venue and in the journal, and when the gate may open."""

from __future__ import annotations

import msgspec
from order_manager_rig import BTC, ETH, MID, MS, SECOND, START_NS, Rig, place_request

from protocols.arithmetic.sequences import era_begins_after
from protocols.envelope import Message
from protocols.messages.alerts import AlertCode
from protocols.messages.control import ActorState
from protocols.messages.journal import EpochBegan, GateChanged, OrderIntended, OrderNotSent, PositionAdopted, Reconciled
from protocols.messages.orders import (
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    VenuePosition,
)
from protocols.messages.risk import LeaseRequest
from protocols.values import Side
from protocols.venue import (
    CancelAll,
    OrderStatus,
    PlaceOrder,
    QueryPositions,
    QueryTime,
    StreamChanged,
)

BIDS, ASKS = [(MID - 5, 10)], [(MID + 5, 10)]
FENCE_NS = (1_000 + 1_500 + 250 + 1_500) * MS
"""Lease, window, clock error and slack."""


def restart(old: Rig, epoch: int, **changes: object) -> Rig:
    """A new incarnation with the journal and the venue of a dead one."""
    return Rig(journal=list(old.journal), venue=old.venue, epoch=epoch, now_ns=old.now_ns + SECOND, **changes)


def test_the_first_record_is_the_epoch_and_the_venue_is_asked_for_its_time():
    rig = Rig()
    assert rig.journal[0] == EpochBegan(epoch=7, began_ns=START_NS, venue_time_ns=START_NS)
    assert len(rig.venue.of(QueryTime)) == 1
    assert rig.core.state is ActorState.RECOVERING


def test_nothing_is_placed_before_every_earlier_send_is_past_its_deadline():
    rig = Rig()
    rig.targets[BTC] = (tuple(BIDS), tuple(ASKS))
    rig.come_up()
    assert rig.intents()[0].decided_ns >= START_NS + FENCE_NS
    assert rig.intents()[0].decided_ns < START_NS + FENCE_NS + SECOND


def test_the_fence_counts_from_the_announcement_of_the_epoch():
    rig = Rig(started_ns=START_NS - 3 * SECOND)
    rig.targets[BTC] = (tuple(BIDS), ())
    rig.come_up()
    assert rig.intents()[0].decided_ns < START_NS + FENCE_NS - 2 * SECOND


def test_orders_of_older_epochs_are_cancelled_at_once_without_waiting():
    old = Rig().come_up()
    old.want(BIDS, ASKS)
    new = restart(old, 9)
    new.give(StreamChanged(stream="private", up=True, changed_ns=new.now_ns))
    new.run(200)
    assert new.venue.open() == []
    assert new.core.state is ActorState.RECOVERING


def test_many_older_orders_are_cancelled_by_one_request():
    rig = Rig(epoch=9)
    for n in range(1, 8):
        rig.venue.put(place_request(f"rm1-7-000-{n}", Side.BUY, MID - 5 * n, 1))
    rig.run(200)
    assert rig.venue.open() == []
    assert len(rig.venue.of(CancelAll)) == 1


def test_orders_of_somebody_else_are_left_and_their_symbol_does_not_quote_before_they_are_gone():
    rig = Rig()
    order = rig.venue.put(place_request("web_1", Side.BUY, MID - 100, 1))
    rig.come_up()
    assert order.status is OrderStatus.NEW
    assert "RECOVERING" in rig.shown().gate_reasons
    assert rig.venue.countdowns == {}, "a countdown would end it"
    assert len(rig.alerts(AlertCode.FOREIGN_ORDER)) >= 1
    rig.run(25_000)
    assert "foreign_orders_accepted" in rig.alerts(AlertCode.RECOVERY_FAILED)[0].text
    rig.venue.end(order)
    rig.run(6_000)
    assert rig.shown().gate_reasons == ("TARGET",)


def test_where_it_is_accepted_by_name_a_symbol_quotes_beside_somebody_else():
    rig = Rig(foreign_orders_accepted=("BTCUSDC",))
    order = rig.venue.put(place_request("web_1", Side.BUY, MID - 100, 1))
    rig.come_up()
    assert order.status is OrderStatus.NEW
    assert rig.shown().gate_reasons == ("TARGET",)
    assert len(rig.alerts(AlertCode.FOREIGN_ORDER)) >= 1


def test_orders_of_somebody_else_are_cancelled_in_recovery_where_configured():
    rig = Rig(foreign_orders="cancelled")
    order = rig.venue.put(place_request("web_1", Side.BUY, MID - 100, 1))
    rig.come_up()
    assert order.status is OrderStatus.CANCELED
    assert rig.shown().gate_reasons == ("TARGET",)


def test_after_a_restart_orders_have_ends_fills_are_booked_and_quoting_goes_on():
    old = Rig().come_up()
    old.want(BIDS, ASKS)
    bid = next(o for o in old.venue.open() if o.request.side is Side.BUY)
    old.venue.fill(bid.client_order_id, 3)
    old.venue.tells = False
    old.venue.fill(bid.client_order_id, 4)
    old.venue.tells = True
    new = restart(old, 9)
    new.targets[BTC] = (tuple(BIDS), tuple(ASKS))
    new.come_up()
    assert new.shown().position_lots == 7
    assert [(e.trade_id, e.ours) for e in new.records(OrderFilled)] == [(1, True), (2, True)]
    assert {e.client_order_id for e in new.records(OrderCanceled)} == {"rm1-7-000-1", "rm1-7-000-2"}
    assert {o.client_order_id for o in new.venue.open()} == {"rm1-9-000-1", "rm1-9-000-2"}
    seqs = [record.event_seq for record in new.journal if hasattr(record, "event_seq")]
    first = era_begins_after(7) + 1
    assert seqs == list(range(first, first + len(seqs))), "event numbers go on over the restart"


def test_an_order_executed_before_it_was_known_as_ours_is_over_after_a_restart():
    old = Rig().come_up()
    old.want(BIDS, ASKS)
    accepted = next(record for record in old.records(OrderAccepted) if record.side is Side.BUY)
    known_late = msgspec.structs.replace(accepted, filled_lots=accepted.quantity_lots)
    old.journal[old.journal.index(accepted)] = known_late
    new = restart(old, 9)
    assert accepted.client_order_id not in {order.client_order_id for order in new.core.snapshot().orders}


def test_after_the_loss_of_its_journal_a_replacement_numbers_its_events_above_all_earlier_ones():
    old = Rig().come_up()
    old.want(BIDS, ASKS)
    new = Rig(venue=old.venue, epoch=9, now_ns=old.now_ns + SECOND).come_up()
    seqs = [record.event_seq for record in new.journal if hasattr(record, "event_seq")]
    assert seqs[0] == era_begins_after(9) + 1 > old.core.event_seq


def copied(rig: Rig) -> list[Message]:
    """What inventory has on file of a shard's events."""
    return [record for record in rig.journal if hasattr(record, "event_seq")]


def test_without_a_journal_executions_are_booked_once_from_inventorys_copy_and_the_venue():
    old = Rig().come_up(position_lots=5)
    old.want(BIDS, ASKS)
    bid, ask = old.venue.open()
    old.venue.fill(bid.client_order_id, 3)
    old.venue.tells = False
    old.venue.fill(bid.client_order_id, 4)
    old.venue.fill(ask.client_order_id, 1)
    old.venue.tells = True
    new = Rig(copy=copied(old), venue=old.venue, epoch=9, now_ns=old.now_ns + SECOND)
    assert new.shown().position_lots == 8, "the position of the copy, before the venue is asked"
    new.come_up()
    assert new.shown().position_lots == 11
    assert [(fill.trade_id, fill.quantity_lots) for fill in new.records(OrderFilled)] == [(2, 4), (3, 1)]
    assert [adopted.position_lots for adopted in new.records(PositionAdopted)] == [11]
    assert new.venue.open() == []
    assert new.alerts(AlertCode.JOURNAL_LOST)


def test_after_a_machine_death_events_are_numbered_anew_for_the_last_ones_may_be_lost():
    old = Rig().come_up()
    old.want(BIDS, ASKS)
    old.venue.fill("rm1-7-000-1", 3)
    new = Rig(journal=list(old.journal), venue=old.venue, epoch=9, now_ns=old.now_ns + SECOND, machine_died=True)
    new.come_up()
    seqs = [record.event_seq for record in new.journal[len(old.journal) :] if hasattr(record, "event_seq")]
    assert seqs[0] == era_begins_after(9) + 1
    assert new.shown().position_lots == 3
    assert new.alerts(AlertCode.JOURNAL_LOST)


def test_a_replacement_says_that_it_fits_only_when_every_symbol_has_recovered():
    old = Rig(symbols=(BTC, ETH)).come_up()
    new = restart(old, 9, symbols=(BTC, ETH))
    began_ns = new.now_ns
    new.come_up()
    fitting_from_ns = min(request.requested_ns for request in new.said(LeaseRequest) if request.fits)
    assert new.said(LeaseRequest)[0].requested_ns == began_ns
    assert began_ns + FENCE_NS <= fitting_from_ns < began_ns + FENCE_NS + SECOND


def test_an_intent_whose_fate_nobody_knows_is_resolved_by_its_id_before_quoting():
    old = Rig().come_up()
    old.venue.answer = lambda request: "lost" if isinstance(request, PlaceOrder) else None
    old.want(BIDS, [])
    old.venue.answer = lambda request: None
    new = restart(old, 9)
    assert new.states() == {"rm1-7-000-1": "UNKNOWN"}
    assert new.shown().worst_long_lots == 10
    new.targets[BTC] = (tuple(BIDS), ())
    new.come_up()
    assert [e.client_order_id for e in new.records(OrderRejected)] == ["rm1-7-000-1"]
    assert [o.client_order_id for o in new.venue.open()] == ["rm1-9-000-1"]


def test_an_intent_that_was_accepted_late_is_cancelled_and_its_fill_counted():
    old = Rig().come_up()
    old.venue.answer = lambda request: "mute" if isinstance(request, PlaceOrder) else None
    old.venue.tells = False
    old.want(BIDS, [])
    old.venue.fill("rm1-7-000-1", 2)
    old.venue.tells, old.venue.answer = True, lambda request: None
    new = restart(old, 9).come_up()
    assert new.shown().position_lots == 2
    assert new.venue.orders["rm1-7-000-1"].status is OrderStatus.CANCELED
    assert new.states() == {}


def test_loading_a_journal_twice_changes_nothing():
    old = Rig().come_up()
    old.want(BIDS, ASKS)
    old.venue.fill("rm1-7-000-1", 3)
    once = Rig(journal=list(old.journal), epoch=9, now_ns=old.now_ns)
    twice = Rig(journal=[*old.journal, *old.journal], epoch=9, now_ns=old.now_ns)
    assert twice.shown() == once.shown()
    assert twice.states() == once.states()
    assert twice.core.event_seq == once.core.event_seq


def test_every_kind_of_end_is_loaded():
    old = Rig(order_age_ms_min=0).come_up()
    old.want(BIDS, ASKS)
    old.targets.clear()
    bid, ask = old.venue.open()
    old.venue.end(bid, OrderStatus.EXPIRED)
    old.now_ns += MS
    again = next(o for o in old.venue.open() if o is not ask)
    again.request = place_request(again.client_order_id, Side.BUY, MID - 7, 12)
    from protocols.venue import ExecutionKind

    old.give(old.venue.update(again, ExecutionKind.AMENDED))
    assert old.records(OrderExpired) and old.records(OrderAmended)
    not_sent = old.intents()[-1]
    fields = {name: getattr(not_sent, name) for name in not_sent.__struct_fields__}
    extra = OrderIntended(**{**fields, "client_order_id": "rm1-7-000-zz"})
    journal = [*old.journal, extra, OrderNotSent(client_order_id="rm1-7-000-zz", reason="late")]
    new = Rig(journal=journal, epoch=9, now_ns=old.now_ns)
    rows = {row.client_order_id: row for row in new.core.snapshot().orders}
    assert "rm1-7-000-zz" not in rows
    assert bid.client_order_id not in rows
    assert rows[again.client_order_id].quantity_lots == 12


def test_the_venues_position_is_adopted_at_the_first_start():
    rig = Rig().come_up(position_lots=-12)
    [adopted] = rig.records(PositionAdopted)
    assert (adopted.position_lots, adopted.trade_id_last) == (-12, 0)
    assert rig.said(VenuePosition)[0].position_lots == -12
    assert rig.shown().position_lots == -12


def test_executions_before_the_first_start_are_in_the_adopted_position_and_not_booked_again():
    rig = Rig()
    rig.venue.trade_elsewhere(Side.BUY, 4)
    rig.come_up()
    assert rig.shown().position_lots == 4
    assert rig.said(OrderFilled) == []
    assert rig.records(PositionAdopted)[0].trade_id_last == 1
    rig.run(15_000)
    assert rig.shown().position_lots == 4


def test_a_position_that_differs_after_a_restart_becomes_the_venues_with_an_alert():
    old = Rig().come_up()
    old.venue.positions[BTC] = 5
    new = restart(old, 9).come_up()
    new.run(10_000)
    assert new.shown().position_lots == 5
    assert len(new.alerts(AlertCode.POSITION_MISMATCH)) == 1
    assert any(record.differences for record in new.records(Reconciled))


def test_a_symbol_opens_when_it_agrees_whatever_another_does():
    rig = Rig(symbols=(BTC, ETH))

    def fail_eth(request):
        is_eth = getattr(request, "instrument_id", None) == ETH
        return "lost" if is_eth and type(request).__name__ == "QueryFills" else None

    rig.venue.answer = fail_eth
    rig.targets = {BTC: (tuple(BIDS), ()), ETH: (tuple(BIDS), ())}
    rig.come_up()
    assert rig.shown("BTCUSDC").gate_open
    assert "RECOVERING" in rig.shown("ETHUSDC").gate_reasons
    assert rig.core.state is ActorState.RECOVERING
    rig.venue.answer = lambda request: None
    rig.run(5_000)
    assert rig.shown("ETHUSDC").gate_open


def test_recovery_waits_for_the_private_stream_and_says_so():
    rig = Rig()
    rig.run(31_000)
    assert rig.core.state is ActorState.RECOVERING
    [alert] = rig.alerts(AlertCode.RECOVERY_FAILED)
    assert "private stream is down" in alert.text


def test_recovery_without_a_clock_asks_again_and_says_so():
    rig = Rig()
    rig.core._shard.clock.is_known = False
    rig.venue.answer = lambda request: "lost"
    rig.run(31_000)
    assert len(rig.venue.of(QueryTime)) > 5
    assert "clock" in rig.alerts(AlertCode.RECOVERY_FAILED)[0].text


def test_a_failed_question_is_asked_again():
    rig = Rig()
    failures = {"left": 3}

    def fail_some(request):
        if isinstance(request, QueryPositions) and failures["left"]:
            failures["left"] -= 1
            from order_manager_rig import unknown

            return unknown(request, rig.now_ns)
        return None

    rig.venue.answer = fail_some
    rig.come_up()
    assert rig.core.state is ActorState.RUNNING


def test_the_gate_is_journaled_shut_from_the_first_moment():
    rig = Rig()
    first = rig.records(GateChanged)[0]
    assert not first.open
    assert "RECOVERING" in first.reason


def test_a_journal_of_another_shards_symbols_is_read_over():
    old = Rig(symbols=(BTC, ETH)).come_up()
    old.want(BIDS, [], ETH)
    old.venue.fill("rm1-7-001-1", 2)
    new = Rig(journal=list(old.journal), epoch=9, now_ns=old.now_ns)
    assert new.states() == {}
    assert new.shown().position_lots == 0
