"""Grinding: when a cycle begins, what its two orders are, and what it may never do."""

from __future__ import annotations

import itertools
from collections import defaultdict
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_samples import BTC, S, instrument

from actors.strategy.grind_books import BACK, OUT
from actors.strategy.grinding import PATIENCE_NS, Grinder, Sight
from configs.schema import GrindingSettings
from protocols.messages.orders import (
    DenialCode,
    OrderAccepted,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from protocols.messages.requests import OrderRequest, WithdrawRequest
from protocols.messages.risk import RiskLevel
from protocols.values import Side, TimeInForce

START = 1_000 * S
HOUR = 3_600
TOUCH = (640_000, 640_001)
ON = GrindingSettings(enabled=True)
LONG = Sight(level=RiskLevel.NORMAL, position_lots=900, soft_lots=1_000, touch=TOUCH)


class Desk:
    """A grinder in time; `asked` is what it said, once each."""

    def __init__(self, own: GrindingSettings = ON, touch: tuple[int, int] = TOUCH) -> None:
        self.grinder = Grinder(instrument(BTC), own, "BTCUSDC/0/1/", START)
        self.now_ns = START
        self.touch = touch
        self.asked: list[OrderRequest] = []
        self.withdrawn: list[str] = []

    def step(self, sight: Sight, seconds: float = 1.0) -> list[OrderRequest | WithdrawRequest]:
        self.now_ns += int(seconds * S)
        self.grinder.observe(self.touch, self.now_ns)
        said = self.grinder.step(sight, self.now_ns)
        for one in said:
            if isinstance(one, WithdrawRequest):
                self.withdrawn.append(one.intent_id)
            elif one not in self.asked:
                self.asked.append(one)
        return said

    def watch(self, seconds: int, sight: Sight = LONG) -> Desk:
        for _ in range(seconds):
            self.step(sight)
        return self

    def tell(self, kind: type[Any], request: OrderRequest, **changes: Any) -> None:
        fields = {
            "shard": 0,
            "event_seq": 1,
            "instrument_id": BTC,
            "client_order_id": "rm1-1-000-1",
            "venue_order_id": 1,
            "venue_time_ns": 1,
            "side": request.side,
            "intent_id": request.intent_id,
        }
        self.grinder.take(kind(**{**fields, **changes}))

    def fill(self, request: OrderRequest, lots: int, ticks: int, fee: str = "0.5", asset: str = "USDC") -> None:
        self.tell(
            OrderFilled,
            request,
            trade_id=1,
            price_ticks=ticks,
            quantity_lots=lots,
            remaining_lots=0,
            fee=Decimal(fee),
            fee_asset=asset,
            maker=False,
            ours=True,
        )

    def totals(self) -> Any:
        return self.grinder.view(self.now_ns).totals


def ready(own: GrindingSettings = ON) -> Desk:
    """A desk after its first hour, with a position that is too small."""
    return Desk(own).watch(HOUR + 1, msgspec.structs.replace(LONG, position_lots=100))


def reducing(sight: Sight = LONG) -> tuple[Desk, OrderRequest]:
    desk = ready()
    (request,) = desk.step(sight)
    assert isinstance(request, OrderRequest)
    return desk, request


def test_it_is_off_by_default() -> None:
    desk = Desk(GrindingSettings()).watch(2 * HOUR)
    assert desk.asked == []
    assert desk.grinder.view(desk.now_ns).waits_for == "switched off"


def test_a_large_idle_position_is_reduced_by_a_taker_order_of_a_share_of_it() -> None:
    desk, request = reducing()
    assert request == OrderRequest(
        intent_id="grind-out:BTCUSDC/0/1/1",
        instrument_id=BTC,
        instrument_version=1,
        side=Side.SELL,
        quantity_lots=67,
        limit_ticks=639_936,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        reduce_only=True,
        asked_ns=desk.now_ns,
        expires_ns=desk.now_ns + 2 * S,
        reason="grinding",
    )


def test_a_short_position_is_reduced_by_buying() -> None:
    _, request = reducing(msgspec.structs.replace(LONG, position_lots=-900))
    assert (request.side, request.quantity_lots, request.limit_ticks) == (Side.BUY, 67, 640_065)


@pytest.mark.parametrize(
    ("position_lots", "funding_rate", "lots"),
    [(900, 0.0001, 94), (900, -0.0001, 67), (-900, -0.0001, 94), (-900, 0.0001, 67), (900, float("nan"), 67)],
)
def test_more_is_taken_off_where_the_position_pays_funding(position_lots: int, funding_rate: float, lots: int) -> None:
    sight = msgspec.structs.replace(LONG, position_lots=position_lots, funding_rate=funding_rate)
    _, request = reducing(sight)
    assert request.quantity_lots == lots


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"level": RiskLevel.CAUTION}, "level CAUTION"),
        ({"level": RiskLevel.RESTRICTED}, "level RESTRICTED"),
        ({"level": None}, "the level of risk is not known"),
        ({"position_lots": None}, "position or book are not known"),
        ({"touch": None}, "position or book are not known"),
        ({"soft_lots": 0}, "the soft limit is not known"),
        ({"position_lots": 869}, "position below 0.87 of its soft limit"),
        ({"position_lots": 0}, "position below 0.87 of its soft limit"),
        ({"position_lots": 12, "soft_lots": 10}, "the reduction is smaller than the venue takes"),
    ],
)
def test_nothing_begins(changes: dict[str, Any], why: str) -> None:
    desk = ready()
    assert desk.step(msgspec.structs.replace(LONG, **changes)) == []
    assert desk.grinder.view(desk.now_ns).waits_for == why


def test_a_price_that_moves_is_left_alone() -> None:
    desk = ready()
    for second in range(1_800):
        desk.touch = (640_000 + 5_000 * (second % 2), 640_001 + 5_000 * (second % 2))  # 0.39 % from the mean
        desk.step(LONG if second > 1_700 else msgspec.structs.replace(LONG, position_lots=100))
    assert desk.asked == []
    assert "the price moved by 0.0038" in desk.grinder.view(desk.now_ns).waits_for


def test_the_price_must_have_been_watched_for_half_an_hour() -> None:
    desk = ready()
    desk.now_ns += 1_000 * S
    assert desk.step(LONG) == []
    assert desk.grinder.view(desk.now_ns).waits_for == "the price was not watched for long enough"


def test_the_first_hour_after_a_start_is_spent_watching() -> None:
    desk = Desk().watch(HOUR - 1)
    assert desk.asked == []
    assert "a start counts as so many" in desk.grinder.view(desk.now_ns).waits_for
    desk.watch(2)
    assert len(desk.asked) == 1


def test_after_its_confirmed_fill_as_much_waits_to_come_back_cheaper() -> None:
    desk, request = reducing()
    desk.tell(OrderAccepted, request, price_ticks=1, quantity_lots=67)
    assert desk.step(LONG) == []
    desk.fill(request, 40, 640_000)
    assert desk.step(LONG) == []
    desk.fill(request, 27, 639_990)
    (back,) = desk.step(LONG)
    assert isinstance(back, OrderRequest)
    assert back == OrderRequest(
        intent_id="grind-back:BTCUSDC/0/1/1",
        instrument_id=BTC,
        instrument_version=1,
        side=Side.BUY,
        quantity_lots=67,
        limit_ticks=639_727,  # 639,995.97 less 4.2 bps of it
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=False,
        asked_ns=desk.now_ns,
        expires_ns=desk.now_ns + 200 * S,
        reason="grinding",
    )


def test_only_what_was_executed_comes_back_and_not_before_all_of_it_is_told() -> None:
    desk, request = reducing()
    desk.tell(OrderExpired, request, filled_lots=30, reason="")
    assert desk.step(LONG) == []
    desk.fill(request, 30, 640_000)
    (back,) = desk.step(LONG)
    assert isinstance(back, OrderRequest)
    assert back.quantity_lots == 30


def test_a_market_that_has_come_our_way_already_is_joined_at_its_touch() -> None:
    desk, request = reducing()
    desk.fill(request, 67, 640_000)
    (back,) = desk.step(msgspec.structs.replace(LONG, touch=(639_000, 639_001)))
    assert isinstance(back, OrderRequest)
    assert back.limit_ticks == 639_000


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (OrderDenied, {"code": DenialCode.RATE, "text": ""}),
        (OrderRejected, {"venue_code": -2022, "text": ""}),
        (OrderExpired, {"filled_lots": 0, "reason": ""}),
    ],
)
def test_what_took_nothing_off_brings_nothing_back(kind: type[Any], fields: dict[str, Any]) -> None:
    desk, request = reducing()
    desk.tell(kind, request, **fields)
    desk.watch(41)
    assert desk.asked == [request]
    desk.watch(1)
    assert [one.intent_id for one in desk.asked[1:]] == ["grind-out:BTCUSDC/0/1/2"]


def test_a_fill_that_is_never_confirmed_brings_nothing_back() -> None:
    desk, request = reducing()
    desk.tell(OrderUnknown, request, price_ticks=1, quantity_lots=67, reason="")
    desk.watch(PATIENCE_NS // S + 1)
    assert desk.asked == [request]
    desk.watch(1)
    assert desk.asked[-1].intent_id.startswith(OUT)
    desk.fill(request, 67, 640_000)
    desk.watch(5)
    assert not any(one.intent_id.startswith(BACK) for one in desk.asked)
    assert desk.totals().reduced == Decimal("0.067")


def test_an_unanswered_request_is_said_again_until_it_expires() -> None:
    desk, request = reducing()
    assert desk.step(LONG, 0.5) == [request]
    assert desk.step(LONG, 1.4) == [request]
    assert desk.step(LONG, 0.2) == []


def test_what_waits_to_come_back_is_withdrawn_when_the_level_leaves_normal() -> None:
    desk, request = reducing()
    desk.fill(request, 67, 640_000)
    (back,) = desk.step(LONG)
    assert isinstance(back, OrderRequest)
    caution = msgspec.structs.replace(LONG, level=RiskLevel.CAUTION)
    withdrawal = WithdrawRequest(intent_id=back.intent_id, instrument_id=BTC)
    assert desk.step(caution) == [withdrawal]
    assert desk.step(LONG) == [withdrawal], "it is said until the end is told"
    desk.tell(OrderDenied, back, code=DenialCode.LATE, text="withdrawn")
    assert desk.step(LONG) == []


def test_nothing_comes_back_when_the_level_left_normal_before_the_fill_was_confirmed() -> None:
    desk, request = reducing()
    desk.fill(request, 67, 640_000)
    assert desk.step(msgspec.structs.replace(LONG, level=None)) == []
    desk.watch(5)
    assert desk.asked == [request]


def test_cost_and_saving_are_of_the_executions_and_their_fees() -> None:
    desk, request = reducing()
    desk.fill(request, 40, 640_000, fee="1.00")
    desk.fill(request, 27, 640_000, fee="0.70")
    (back,) = desk.step(LONG)
    assert isinstance(back, OrderRequest)
    desk.fill(back, 50, 639_731, fee="-0.02")
    desk.fill(back, 17, 639_731, fee="0.001", asset="BNB")
    totals = desk.totals()
    assert (totals.reductions, totals.reentries) == (1, 1)
    assert (totals.reduced, totals.reentered) == (Decimal("0.067"), Decimal("0.067"))
    assert totals.cost == Decimal("1.68")
    assert totals.saving == Decimal("0.067") * Decimal("26.9")
    assert totals.fees_elsewhere == {"BNB": Decimal("0.001")}


def test_what_comes_back_dearer_is_a_loss() -> None:
    desk, request = reducing(msgspec.structs.replace(LONG, position_lots=-900))
    desk.fill(request, 67, 640_000)
    (back,) = desk.step(msgspec.structs.replace(LONG, position_lots=-833))
    assert isinstance(back, OrderRequest)
    desk.fill(back, 67, 639_990)
    assert desk.totals().saving == -Decimal("0.067")


HASTY = GrindingSettings(
    enabled=True, window_ms=10_000, interval_ms_min=4_000, cycles_max=3, cycles_window_ms=60_000, reentry_life_ms=5_000
)
STEPS = st.one_of(
    st.tuples(st.just("time"), st.integers(1, 20)),
    st.tuples(st.just("level"), st.sampled_from([RiskLevel.NORMAL, RiskLevel.NORMAL, RiskLevel.CAUTION, None])),
    st.tuples(st.just("position"), st.integers(-1_200, 1_200)),
    st.tuples(st.just("funding"), st.sampled_from([-0.001, 0.0, 0.001])),
    st.tuples(st.just("price"), st.integers(-300, 300)),
    st.tuples(st.just("fill"), st.integers(0, 5), st.integers(1, 100), st.integers(-300, 300)),
    st.tuples(st.just("end"), st.integers(0, 5)),
    st.tuples(st.just("deny"), st.integers(0, 5)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=80))
def test_whatever_happens_it_adds_nothing_on_balance_keeps_its_rates_and_its_level(steps: list[tuple]) -> None:
    desk = Desk(HASTY).watch(61, msgspec.structs.replace(LONG, position_lots=100))
    sight = LONG
    filled: dict[str, int] = defaultdict(int)
    ended: set[str] = set()
    begun_ns: list[int] = []
    known = 0
    for step in steps:
        seconds = 1
        match step:
            case ("time", seconds):
                pass
            case ("level", level):
                sight = msgspec.structs.replace(sight, level=level)
            case ("position", lots):
                sight = msgspec.structs.replace(sight, position_lots=lots)
            case ("funding", rate):
                sight = msgspec.structs.replace(sight, funding_rate=rate)
            case ("price", ticks):
                desk.touch = (640_000 + ticks, 640_001 + ticks)
                sight = msgspec.structs.replace(sight, touch=desk.touch)
            case ("fill", index, lots, ticks) if desk.asked:
                request = desk.asked[-1 - index % len(desk.asked)]
                lots = min(lots, request.quantity_lots - filled[request.intent_id])
                if lots > 0 and request.intent_id not in ended:
                    filled[request.intent_id] += lots
                    desk.fill(request, lots, 640_000 + ticks)
                    held = (sight.position_lots or 0) + request.side.sign * lots
                    sight = msgspec.structs.replace(sight, position_lots=held)
            case ("end", index) if desk.asked:
                request = desk.asked[-1 - index % len(desk.asked)]
                ended.add(request.intent_id)
                desk.tell(OrderExpired, request, filled_lots=filled[request.intent_id], reason="")
            case ("deny", index) if desk.asked:
                request = desk.asked[-1 - index % len(desk.asked)]
                if not filled[request.intent_id]:
                    ended.add(request.intent_id)
                    desk.tell(OrderDenied, request, code=DenialCode.RATE, text="")
        for _ in range(seconds):
            desk.step(sight)
            for request in desk.asked[known:]:
                assert sight.level is RiskLevel.NORMAL, "nothing is asked for outside NORMAL"
                assert sight.position_lots, "nor without a position"
                if request.intent_id.startswith(OUT):
                    assert request.reduce_only
                    assert request.side.sign * sight.position_lots < 0
                    assert request.quantity_lots <= abs(sight.position_lots) * 0.075 * 1.4
                    begun_ns.append(desk.now_ns)
                else:
                    taken = filled[OUT + request.intent_id.removeprefix(BACK)]
                    assert request.quantity_lots <= taken, "no more comes back than went, and that is certain"
            known = len(desk.asked)
    assert all(later - earlier >= 4 * S for earlier, later in itertools.pairwise(begun_ns))
    for index in range(len(begun_ns) - 3):
        assert begun_ns[index + 3] - begun_ns[index] >= 60 * S, "three in a minute"
    outs = sum(lots for intent_id, lots in filled.items() if intent_id.startswith(OUT))
    backs = sum(lots for intent_id, lots in filled.items() if intent_id.startswith(BACK))
    assert backs <= outs
    assert len({one.intent_id for one in desk.asked}) == len(desk.asked)
