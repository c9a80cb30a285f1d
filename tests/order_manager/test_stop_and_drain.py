"""SHUT at once, CLEAR when it is certain: emergency stop, the stop file, draining, and the venue's countdown."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from order_manager_rig import BTC, MID, MS, SECOND, START_NS, Rig, place_request, unknown

from actors.order_manager.countdown import Countdown
from configs.schema import OrderManagerSettings
from protocols.messages.alerts import AlertCode
from protocols.messages.control import ActorState, Drain, EmergencyStop, PullQuotes, Resume, ShardHalted, StopFileSeen
from protocols.messages.journal import PositionAdopted, Reconciled
from protocols.messages.market import VenueClock
from protocols.messages.orders import OrderFilled
from protocols.messages.risk import LeaseRequest
from protocols.values import InstrumentId, Side
from protocols.venue import CancelAll, CancelOrder, OrderStatus, PlaceOrder, QueryFills, QueryOpenOrders, SetCountdown

BIDS, ASKS = [(MID - 5, 10)], [(MID + 5, 10)]


def quoting(**changes: object) -> Rig:
    rig = Rig(**changes).come_up()
    rig.want(BIDS, ASKS)
    return rig


def test_a_drain_cancels_everything_confirms_twice_disarms_and_compares_once_more():
    rig = quoting()
    rig.give(Drain())
    assert rig.venue.open() == []
    assert rig.core.state is ActorState.DRAINING
    before = len(rig.venue.of(QueryOpenOrders))
    rig.run(1_000)
    assert rig.core.state is ActorState.STOPPED
    assert rig.core.snapshot().clear
    assert len(rig.venue.of(QueryOpenOrders)) - before == 3
    assert rig.venue.countdowns == {BTC: 0}
    assert rig.records(Reconciled)[-1].cause == "drain BTCUSDC"


def test_a_drain_does_not_end_before_it_has_booked_what_the_private_stream_left_out():
    rig = quoting(audit_period_ms=600_000)
    rig.venue.trade_elsewhere(Side.BUY, 3)
    rig.venue.answer = lambda request: unknown(request, rig.now_ns) if isinstance(request, QueryFills) else None
    rig.give(Drain())
    rig.run(2_000)
    assert rig.core.state is ActorState.DRAINING
    rig.venue.answer = lambda request: None
    rig.run(1_000)
    assert rig.core.state is ActorState.STOPPED
    assert (rig.shown().position_lots, len(rig.records(OrderFilled))) == (3, 1)
    assert [alert.text for alert in rig.alerts(AlertCode.POSITION_MISMATCH)] == [
        "trade 1 was missed by the private stream"
    ]


def test_a_drain_waits_three_seconds_for_that_and_says_what_it_leaves():
    rig = quoting(audit_period_ms=600_000)
    rig.venue.answer = lambda request: unknown(request, rig.now_ns) if isinstance(request, QueryFills) else None
    rig.give(Drain())
    rig.run(3_000)
    assert rig.core.state is ActorState.DRAINING
    rig.run(1_000)
    assert rig.core.state is ActorState.STOPPED
    (alert,) = rig.alerts(AlertCode.POSITION_MISMATCH)
    assert alert.text.startswith("stopped before executions and position agreed")


def test_a_drain_with_a_submit_in_doubt_looks_again_after_its_deadline():
    rig = Rig().come_up()
    rig.venue.answer = lambda request: unknown(request, rig.now_ns) if isinstance(request, PlaceOrder) else None
    rig.want(BIDS, [])
    began_ns = rig.now_ns
    rig.give(Drain())
    rig.run(2_500)
    assert rig.core.state is ActorState.DRAINING
    request = rig.venue.of(PlaceOrder)[0]
    rig.venue.put(request)
    rig.run(3_000)
    assert rig.core.state is ActorState.STOPPED
    assert rig.venue.orders[request.client_order_id].status is OrderStatus.CANCELED
    assert rig.now_ns - began_ns >= 3 * SECOND


def test_a_drain_cancels_again_what_a_lost_cancel_left():
    rig = quoting()
    rig.venue.answer = lambda request: "lost" if isinstance(request, CancelOrder) else None
    rig.give(Drain())
    rig.run(500)
    assert rig.core.state is ActorState.DRAINING
    rig.venue.answer = lambda request: None
    rig.run(2_000)
    assert rig.core.state is ActorState.STOPPED
    assert rig.venue.open() == []


def test_a_drain_leaves_the_orders_of_others_where_configured():
    rig = quoting()
    foreign = rig.venue.put(place_request("web_1", Side.BUY, MID - 90, 1))
    rig.give(Drain())
    rig.run(1_500)
    assert rig.core.state is ActorState.STOPPED
    assert foreign.status is OrderStatus.NEW


def test_a_second_drain_changes_nothing():
    rig = quoting()
    rig.give(Drain())
    rig.run(1_000)
    rig.give(Drain())
    rig.run(500)
    assert rig.core.state is ActorState.STOPPED


def test_a_drain_in_a_dry_run_is_done_at_once():
    rig = Rig(dry_run=True)
    rig.give(Drain())
    assert rig.core.state is ActorState.STOPPED
    rig.give(EmergencyStop(reason="again"))
    assert rig.venue.requests == []


def test_a_drain_during_recovery_waits_for_earlier_sends():
    rig = Rig()
    rig.give(VenueClock(offset_ns=0, error_ns=MS, sampled_ns=rig.now_ns))
    rig.give(Drain())
    rig.run(3_000)
    assert rig.core.state is ActorState.DRAINING
    rig.run(2_500)
    assert rig.core.state is ActorState.STOPPED
    assert rig.now_ns - START_NS >= 4 * SECOND
    assert [record.position_lots for record in rig.records(PositionAdopted)] == [0]


def test_an_emergency_stop_clears_the_whole_symbol_and_is_latched():
    rig = quoting()
    foreign = rig.venue.put(place_request("web_1", Side.BUY, MID - 90, 1))
    rig.give(EmergencyStop(reason="a person said so"))
    assert rig.venue.open() == []
    assert foreign.status is OrderStatus.CANCELED
    assert len(rig.venue.of(CancelAll)) == 1
    placed = len(rig.venue.of(PlaceOrder))
    rig.run(5_000)
    assert len(rig.venue.of(PlaceOrder)) == placed
    assert rig.core.snapshot().clear
    assert rig.core.snapshot().stopped == "a person said so"
    assert len(rig.alerts(AlertCode.EMERGENCY_STOP)) == 1


def test_after_a_stop_the_countdown_is_no_longer_renewed():
    rig = quoting()
    rig.give(EmergencyStop(reason="stop"))
    before = len(rig.venue.of(SetCountdown))
    rig.run(10_000)
    assert len(rig.venue.of(SetCountdown)) == before


def test_a_stop_finds_and_cancels_what_appears_late():
    rig = quoting()
    rig.give(EmergencyStop(reason="stop"))
    rig.venue.put(place_request("rm1-7-000-zz", Side.BUY, MID - 9, 1))
    rig.run(1_000)
    assert rig.venue.open() == []


def test_resume_agrees_with_the_venue_and_quotes_again():
    rig = quoting()
    rig.give(EmergencyStop(reason="stop"))
    rig.run(1_000)
    rig.give(Resume(reason="checked"))
    rig.run(500)
    assert len(rig.venue.open()) == 2
    assert len(rig.alerts(AlertCode.RESUMED)) == 1


def test_the_stop_file_stops_and_its_end_alone_does_not_resume():
    rig = quoting()
    rig.give(StopFileSeen(present=True, text="by hand"))
    assert rig.venue.open() == []
    rig.give(Resume(reason="too early"))
    rig.run(500)
    assert rig.venue.open() == []
    rig.give(StopFileSeen(present=False))
    rig.run(500)
    assert rig.venue.open() == []
    rig.give(Resume(reason="now"))
    rig.run(500)
    assert len(rig.venue.open()) == 2


def test_a_shard_that_the_supervisor_gave_up_stops():
    rig = quoting()
    rig.give(ShardHalted(shard=1, reason="another"))
    assert len(rig.venue.open()) == 2
    rig.give(ShardHalted(shard=0, reason="crash loop"))
    assert rig.venue.open() == []


def test_a_process_that_cannot_go_on_knows_what_to_cancel():
    rig = quoting()
    assert {request.client_order_id for request in rig.core.farewell(rig.now_ns)} == set(rig.states())


# the countdown


def test_the_gate_needs_an_acknowledged_countdown():
    rig = Rig()
    rig.venue.answer = lambda request: "lost" if isinstance(request, SetCountdown) else None
    rig.targets[BTC] = (tuple(BIDS), ())
    rig.come_up()
    assert rig.shown().gate_reasons == ("COUNTDOWN",)
    rig.venue.answer = lambda request: None
    rig.run(5_000)
    assert rig.shown().gate_open


def test_quotes_are_pulled_when_renewals_are_no_longer_acknowledged():
    rig = quoting()
    rig.venue.answer = lambda request: "lost" if isinstance(request, SetCountdown) else None
    rig.run(12_000)
    assert "COUNTDOWN" in rig.shown().gate_reasons
    assert rig.venue.open() == []


class Requests:
    """A desk that sends whatever it is given."""

    def __init__(self) -> None:
        self.sent_ns: list[int] = []

    def countdown(self, instrument_id: InstrumentId, countdown_ms: int, now_ns: int) -> int:
        self.sent_ns.append(now_ns)
        return len(self.sent_ns)


def test_a_renewal_that_is_refused_is_tried_again_a_second_later_not_when_the_next_is_due():
    desk = Requests()
    countdown = Countdown(OrderManagerSettings(countdown_ms=20_000), [BTC], desk, 2_400)  # type: ignore[arg-type]
    for tick in range(100):
        now_ns = SECOND + tick * SECOND // 10
        countdown.renew(BTC, now_ns)
        if desk.sent_ns[-1] == now_ns:
            countdown.answered(BTC, len(desk.sent_ns), now_ns, done=len(desk.sent_ns) != 1)
    assert countdown.renewal_ns == 5 * SECOND
    assert [sent_ns // SECOND for sent_ns in desk.sent_ns] == [1, 2, 7]
    assert countdown.covers(BTC, 10 * SECOND)


@given(st.integers(1, 200), st.integers(200, 100_000))
def test_period_and_renewal_keep_the_arithmetic_of_the_design(symbols: int, weight: int):
    settings = OrderManagerSettings()
    countdown = Countdown(settings, [f"v:a:S{n}" for n in range(symbols)], None, 2_400)  # type: ignore[arg-type,list-item]
    countdown.set_weight(weight)
    window_ns = settings.window_ms * MS
    assert countdown.period_ns >= countdown.renewal_ns + window_ns + 2 * SECOND
    assert symbols * 10 * 60 * SECOND / countdown.renewal_ns <= 0.2 * weight * 1.001


# quotes pulled by the supervisor's word


def test_pulled_quotes_are_gone_at_once_and_come_back_by_themselves():
    rig = quoting()
    assert len(rig.venue.open()) == 2
    rig.give(PullQuotes(reason="the node is starved", hold_ms=3_000))
    assert rig.venue.open() == []
    assert rig.shown().gate_reasons == ("PULLED",)
    rig.run(2_900)
    assert rig.venue.open() == []
    rig.run(200)
    assert len(rig.venue.open()) == 2


def test_a_word_from_the_supervisor_holds_quotes_back_for_half_a_minute_at_most():
    rig = quoting()
    rig.give(PullQuotes(reason="for ever", hold_ms=10**15))
    rig.give(PullQuotes(reason="a moment", hold_ms=0))
    rig.run(29_900)
    assert rig.shown().gate_reasons == ("PULLED",)
    rig.run(200)
    assert rig.shown().gate_open


# the lease, asked


def test_the_lease_is_asked_four_times_a_second_with_the_worst_case():
    rig = quoting()
    before = len(rig.said(LeaseRequest))
    rig.run(1_000)
    asked = rig.said(LeaseRequest)[before:]
    assert len(asked) == 4
    assert [b.nonce - a.nonce for a, b in pairwise(asked)] == [1, 1, 1]
    assert asked[-1].worst_case_notional == Decimal(600)
    assert asked[-1].fits
