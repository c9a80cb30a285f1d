"""Laws that hold for any sequence of targets, answers, events, losses and leases."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from order_manager_rig import BTC, MID, MS, OFFSET_NS, Rig, unknown

from actors.order_manager.orders import RANKS, OrderState
from protocols.messages.control import ActorState, Drain, EmergencyStop, Resume
from protocols.messages.journal import GateChanged, OrderIntended, OrderNotSent, PositionAdopted
from protocols.messages.market import VenueClock
from protocols.messages.orders import (
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from protocols.messages.requests import OrderRequest
from protocols.messages.risk import TradingState
from protocols.values import Side, TimeInForce
from protocols.venue import (
    CancelOrder,
    ExecutionKind,
    NotSent,
    OrderStatus,
    PlaceOrder,
    RefusalKind,
    Refused,
    StreamChanged,
    Usage,
    VenueRequest,
)

LEVEL = st.tuples(st.integers(1, 40), st.integers(1, 30))
STEPS = st.one_of(
    st.tuples(st.just("want"), st.lists(LEVEL, max_size=3), st.lists(LEVEL, max_size=3)),
    st.tuples(st.just("fill"), st.integers(0, 20), st.integers(1, 30), st.booleans()),
    st.tuples(st.just("expire"), st.integers(0, 20)),
    st.tuples(
        st.just("fault"), st.sampled_from(["lost", "mute", "unknown", "unknown-done", "refused", "not-sent", "none"])
    ),
    st.tuples(st.just("limit"), st.integers(0, 60)),
    st.tuples(st.just("state"), st.sampled_from(list(TradingState))),
    st.tuples(st.just("lease"), st.booleans()),
    st.tuples(st.just("stream"), st.booleans()),
    st.tuples(st.just("tells"), st.booleans()),
    st.tuples(st.just("repeat"), st.integers(0, 20)),
    st.tuples(st.just("time"), st.integers(1, 30)),
    st.tuples(
        st.just("request"),
        st.sampled_from(list(Side)),
        st.integers(-40, 40),
        st.integers(1, 30),
        st.sampled_from(list(TimeInForce)),
        st.booleans(),
        st.integers(0, 5_000),
    ),
    st.tuples(st.just("ask again"), st.integers(0, 20)),
    st.tuples(st.just("stop")),
    st.tuples(st.just("resume")),
)


class Judge:
    """Applies steps and holds every law that can be held at once."""

    def __init__(self) -> None:
        self.rig = Rig(order_age_ms_min=0)
        self.rig.position_lots_max = 50
        self.rig.come_up()
        self.fault = "none"
        self.rig.venue.answer = self._answer
        self.limit_of: dict[str, int] = {}
        self.requests: list[OrderRequest] = []

    def _answer(self, request: VenueRequest):
        if isinstance(request, PlaceOrder):
            self._judge_send(request)
        if not isinstance(request, PlaceOrder | CancelOrder):
            return None
        match self.fault:
            case "lost" | "mute":
                return self.fault
            case "unknown":
                return unknown(request, self.rig.now_ns)
            case "unknown-done":
                self.rig.venue.carry_out(request)
                return unknown(request, self.rig.now_ns)
            case "refused":
                return Refused(
                    request_id=request.request_id,
                    received_ns=self.rig.now_ns,
                    usage=Usage(),
                    kind=RefusalKind.POST_ONLY if isinstance(request, PlaceOrder) else RefusalKind.NOT_FOUND,
                    venue_code=-5022,
                    text="",
                )
            case "not-sent":
                return NotSent(request_id=request.request_id, received_ns=self.rig.now_ns, usage=Usage(), reason="late")
            case _:
                return None

    def _judge_send(self, request: PlaceOrder) -> None:
        intent = next(r for r in reversed(self.rig.journal) if isinstance(r, OrderIntended))
        assert intent.client_order_id == request.client_order_id, "the intent is journaled before the send"
        assert intent.worst_case_lots <= intent.limit_lots
        gate = [r for r in self.rig.journal if isinstance(r, GateChanged)]
        assert gate and (gate[-1].open or intent.intent_id)
        assert not self.rig.core.snapshot().stopped
        venue = self.rig.venue
        across = [o.request.price_ticks for o in venue.open() if o.request.side is not request.side]
        assert all(request.side.sign * (request.price_ticks - ticks) < 0 for ticks in across), "no trade with ourselves"
        resting = sum(o.request.quantity_lots - o.filled_lots for o in venue.open() if o.request.side is request.side)
        worst = request.side.sign * venue.positions.get(BTC, 0) + resting + request.quantity_lots
        assert worst <= intent.limit_lots or request.reduce_only, "the venue's own worst case is within the limit"

    def step(self, step: tuple) -> None:
        rig, venue = self.rig, self.rig.venue
        live = venue.open()
        match step:
            case ("want", bids, asks):
                rig.want(
                    sorted(((MID - 2 - d, lots) for d, lots in bids), reverse=True),
                    sorted((MID + 2 + d, lots) for d, lots in asks),
                )
            case ("fill", index, lots, tell) if live:
                order = live[index % len(live)]
                venue.fill(order.client_order_id, min(lots, order.request.quantity_lots - order.filled_lots), tell)
            case ("expire", index) if live:
                venue.end(live[index % len(live)], OrderStatus.EXPIRED)
            case ("fault", fault):
                self.fault = fault
            case ("limit", lots):
                rig.position_lots_max = lots
            case ("state", state):
                rig.state = state
            case ("lease", on):
                rig.lease_on = on
            case ("stream", up):
                venue.tells = up
                rig.stream_on = up
                rig.give(StreamChanged(stream="private", up=up, changed_ns=rig.now_ns))
            case ("tells", tells):
                venue.tells = tells
            case ("repeat", index) if venue.orders:
                order = list(venue.orders.values())[index % len(venue.orders)]
                fill = next((f for f in venue.fills if f.venue_order_id == order.venue_order_id), None)
                rig.give(venue.update(order, ExecutionKind.TRADE if fill else ExecutionKind.NEW, fill))
            case ("time", beats):
                rig.run(50 * beats)
            case ("request", side, distance, lots, time_in_force, reduce_only, life_ms):
                request = rig.request(
                    side,
                    lots,
                    MID + distance,
                    intent_id=f"test-{len(self.requests)}",
                    time_in_force=time_in_force,
                    reduce_only=reduce_only,
                    expires_ns=rig.now_ns + life_ms * MS,
                )
                self.requests.append(request)
                rig.give(request)
            case ("ask again", index) if self.requests:
                rig.give(self.requests[index % len(self.requests)])
            case ("stop",):
                rig.give(EmergencyStop(reason="test"))
            case ("resume",):
                rig.give(Resume(reason="test"))
            case _:
                pass

    def calm_down(self) -> None:
        """Every fault ends; the venue speaks again."""
        rig = self.rig
        self.fault = "none"
        rig.venue.tells = rig.stream_on = rig.lease_on = True
        rig.state = TradingState.ACTIVE
        rig.position_lots_max = 50
        rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
        rig.run(30_000)


def judge_history(judge: Judge) -> None:
    journal = judge.rig.journal
    ids = Counter(r.client_order_id for r in journal if isinstance(r, OrderIntended))
    assert all(count == 1 for count in ids.values()), "no id is used twice"
    sent = Counter(r.client_order_id for r in judge.rig.venue.requests if isinstance(r, PlaceOrder))
    assert all(count == 1 for count in sent.values()), "no intent is sent twice"
    for kind in (OrderIntended, OrderDenied):
        asked = Counter(r.intent_id for r in journal if isinstance(r, kind) and r.intent_id)
        assert all(count == 1 for count in asked.values()), "no request is decided twice"
    seqs = [r.event_seq for r in journal if hasattr(r, "event_seq")]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), "events are numbered without a gap"
    ended: dict[str, str] = {}
    booked: dict[tuple[int, int], int] = defaultdict(int)
    for record in journal:
        match record:
            case OrderCanceled() | OrderExpired() | OrderRejected():
                assert record.client_order_id not in ended, "an order ends once"
                ended[record.client_order_id] = type(record).__name__
            case OrderAccepted() | OrderUnknown():
                assert record.client_order_id not in ended, "nothing but executions after the end"
            case OrderFilled():
                booked[record.trade_id, record.venue_order_id] += 1
            case OrderNotSent() | OrderDenied():
                pass
    assert all(count == 1 for count in booked.values()), "each execution is booked once"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_limits_hold_ids_are_unique_and_positions_agree(steps: list[tuple]) -> None:
    judge = Judge()
    for step in steps:
        judge.step(step)
    judge.calm_down()
    judge_history(judge)
    rig = judge.rig
    sent = {r.intent_id for r in rig.journal if isinstance(r, OrderIntended)}
    refused = {r.intent_id for r in rig.journal if isinstance(r, OrderDenied)}
    assert all(request.intent_id in sent | refused for request in judge.requests), "every request was decided"
    shown = rig.shown()
    assert shown.position_lots == rig.venue.positions.get(BTC, 0)
    adopted = [r for r in rig.journal if isinstance(r, PositionAdopted)]
    assert len(adopted) == 1, "the executions alone explain the position"
    fills = [r for r in rig.journal if isinstance(r, OrderFilled)]
    assert sum(f.side.sign * f.quantity_lots for f in fills) == shown.position_lots
    assert shown.unknown_orders == 0, "no order stays in doubt when the venue answers"
    assert {row.client_order_id for row in rig.core.snapshot().orders} == {o.client_order_id for o in rig.venue.open()}
    rig.give(Drain())
    rig.run(8_000)
    assert rig.core.state is ActorState.STOPPED
    assert rig.venue.open() == []


@given(st.lists(st.sampled_from(list(OrderState)), max_size=12))
def test_states_only_move_forward(states: list[OrderState]) -> None:
    from actors.order_manager.orders import Order
    from protocols.values import TimeInForce

    order = Order(
        client_order_id="rm1-7-000-1",
        epoch=7,
        side=Side.BUY,
        price_ticks=1,
        lots=1,
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=False,
        created_ns=0,
        deadline_venue_ns=0,
    )
    for state in states:
        before = order.state
        moved = order.move(state)
        assert moved == (order.state is not before)
        assert RANKS[order.state] >= RANKS[before]
        if RANKS[before] == max(RANKS.values()):
            assert order.state is before


def test_a_clock_that_is_not_trusted_sends_nothing_that_adds_risk() -> None:
    rig = Rig().come_up()
    rig.give(VenueClock(offset_ns=OFFSET_NS, error_ns=300 * MS, sampled_ns=rig.now_ns))
    rig.want([(MID - 5, 10)], [(MID + 5, 10)])
    assert rig.intents() == []
    assert "CLOCK" in rig.shown().gate_reasons
