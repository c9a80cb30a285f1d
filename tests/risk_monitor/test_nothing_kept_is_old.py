"""The law of what is kept: a core that makes everything anew at each look says the same, in the same words, whatever happens.

Marks, equity, positions, the venue's answers (margin, leverage, brackets, fees, listing, locks), settings, levels that are held, failures
and time all move; what follows from them may be kept only as long as none of them has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from account_samples import BTC, ETH, MS, equity, instrument, mark, position, settings, venue_clock
from hypothesis import HealthCheck, given
from hypothesis import settings as law
from hypothesis import strategies as st
from risk_market import Market, book
from risk_monitor_rig import Driver

from actors.risk_monitor.derived import Derived
from actors.risk_monitor.judgement import SymbolView
from actors.risk_monitor.limit_desk import LimitDesk
from configs.schema import Settings
from protocols.effects import Effect
from protocols.messages.control import HoldLevel, Resume, SettingsChanged
from protocols.messages.orders import OrderAccepted, OrderCanceled, RateUsage
from protocols.messages.risk import RiskLevel
from protocols.values import InstrumentId, Side
from protocols.venue import Bracket, BracketReport, ListingReport, RuleReport, SymbolConfigReport

Step = tuple[Any, ...]
IDS = st.sampled_from([BTC, ETH])
AMOUNTS = st.sampled_from(
    [Decimal(0), Decimal(900), Decimal(50_000), Decimal(100_000), Decimal(100_500), Decimal(160_000)]
)


@contextmanager
def keeping_nothing() -> Iterator[None]:
    """Everything is made anew at each look."""
    with patch.object(Derived, "of", lambda self, make, *inputs: make(*inputs)):
        yield


class Shaken(Market):
    """A risk monitor to which anything happens; `said` is everything that it said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Effect] = []
        self.failures = self.seq = 0
        self.healthy()

    def step(self, step: Step) -> None:
        match step:
            case ("mark", instrument_id, price):
                self.tell(mark(price, self.now_ns, instrument_id))
            case ("book", instrument_id, mid, lots):
                self.tell(book(self.now_ns, mid, 1, lots, instrument_id))
            case ("position", instrument_id, lots, known):
                self.venue_lots[instrument_id] = lots
                self.tell(position(lots, instrument_id, known))
            case ("equity", amount):
                self.tell(equity(str(amount), self.now_ns))
            case ("order", instrument_id, number, side, lots):
                self.seq += 1
                self.tell(self._order(instrument_id, number, side, lots))
            case ("fail", calls):
                self.failures += calls
                self.tell(self._usage())
            case ("hold", subject, level):
                self.tell(HoldLevel(subject=subject, level=level, reason="a look"))
            case ("limits", position_max, drawdown):
                changed = settings(risk={"position_notional_max": position_max, "drawdown_max": drawdown})
                self.tell(SettingsChanged(settings_json=Settings.model_dump_json(changed), changes=("limits",)))
            case ("resume",):
                self.tell(Resume(reason="looked"))
            case ("time", milliseconds, alive):
                self.now_ns += milliseconds * MS
                if alive:
                    self.tell(venue_clock(self.now_ns), equity("100000", self.now_ns))
                    self.tell(*(self.alive(i) for i in (BTC, ETH)))
                self.tell_timer()
            case _:
                self.of_venue(step)
        self.tell_request()
        self.said += self.effects
        self.effects.clear()

    def of_venue(self, step: Step) -> None:
        """What the venue answers from now on."""
        match step:
            case ("margin", balance, maintenance):
                self.venue_equity, self.venue_maintenance = balance, maintenance
            case ("config", leverage, notional_max, margin_type):
                self.venue_configs = [
                    SymbolConfigReport(
                        instrument_id=i, leverage=leverage, notional_max=Decimal(notional_max), margin_type=margin_type
                    )
                    for i in (BTC, ETH)
                ]
            case ("listing", status, tick, lots_max):
                news = instrument(BTC, tick_size=Decimal(tick), quantity_lots_max=lots_max)
                self.venue_listing = [ListingReport(instrument_id=BTC, status=status, instrument=news)]
            case ("fees", taker, burn):
                self.venue_fees, self.venue_fee_burn = (Decimal(0), Decimal(taker)), burn
            case ("brackets", leverage):
                one = Bracket(notional_cap=Decimal(50_000), leverage_max=leverage, maintenance_rate=Decimal("0.004"))
                self.venue_brackets = [BracketReport(instrument_id=BTC, brackets=(one,))]
            case ("quantile", quantile):
                self.venue_adl = {BTC: quantile}
            case ("rule", value, locked):
                rule = RuleReport(
                    symbol="BTCUSDC",
                    rule="UFR",
                    value=Decimal(value),
                    trigger=Decimal("0.995"),
                    locked=locked,
                    recovers_venue_ms=0,
                )
                self.venue_rules = [rule]
            case _:
                raise AssertionError(step)

    def _order(self, instrument_id: InstrumentId, number: int, side: Side, lots: int) -> OrderAccepted | OrderCanceled:
        head: dict[str, Any] = {
            "shard": 0,
            "event_seq": self.seq,
            "instrument_id": instrument_id,
            "client_order_id": f"rm1-5-000-{number}",
            "venue_order_id": number,
            "venue_time_ns": 1,
            "side": side,
        }
        if not lots:
            return OrderCanceled(**head, filled_lots=0)
        return OrderAccepted(**head, price_ticks=500_000, quantity_lots=lots)

    def _usage(self) -> RateUsage:
        return RateUsage(
            shard=0,
            weight_used_1m=1,
            orders_used_10s=1,
            orders_used_1m=1,
            observed_ns=self.now_ns,
            answers_total=self.failures + 1,
            failures_total=self.failures,
        )


STEPS = st.one_of(
    st.tuples(st.just("mark"), IDS, st.sampled_from(["50000", "50010", "50600", "2500", "2503"])),
    st.tuples(st.just("book"), IDS, st.sampled_from([500_000, 500_020, 520_000]), st.sampled_from([1, 100])),
    st.tuples(st.just("position"), IDS, st.sampled_from([0, 40, -150, 250]), st.booleans()),
    st.tuples(st.just("equity"), AMOUNTS),
    st.tuples(st.just("order"), IDS, st.integers(0, 9), st.sampled_from(list(Side)), st.sampled_from([0, 1, 400])),
    st.tuples(st.just("fail"), st.sampled_from([0, 30])),
    st.tuples(
        st.just("hold"),
        st.sampled_from(["account", "BTCUSDC"]),
        st.sampled_from([None, RiskLevel.CAUTION, RiskLevel.HALTED]),
    ),
    st.tuples(st.just("limits"), st.sampled_from([5_000, "7%", "0.3 base"]), st.sampled_from(["50%", 300])),
    st.tuples(st.just("resume")),
    st.tuples(st.just("time"), st.sampled_from([1, 500, 2_500, 61_000]), st.booleans()),
    st.tuples(st.just("margin"), AMOUNTS, st.sampled_from([Decimal(0), Decimal(700)])),
    st.tuples(
        st.just("config"),
        st.sampled_from([5, 20]),
        st.sampled_from([10**4, 10**6]),
        st.sampled_from(["CROSSED", "isolated"]),
    ),
    st.tuples(
        st.just("listing"),
        st.sampled_from(["TRADING", "CLOSE"]),
        st.sampled_from(["0.1", "0.5"]),
        st.sampled_from([9, 10**6]),
    ),
    st.tuples(st.just("fees"), st.sampled_from(["0.0004", "0.0005"]), st.booleans()),
    st.tuples(st.just("brackets"), st.sampled_from([50, 125])),
    st.tuples(st.just("quantile"), st.sampled_from([0, 4])),
    st.tuples(st.just("rule"), st.sampled_from(["0.5", "0.999"]), st.booleans()),
)


def told(steps: list[Step]) -> tuple[list[Effect], str]:
    risk = Shaken()
    for step in steps:
        risk.step(step)
    return risk.said, repr(risk.core.snapshot())


@law(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=5, max_size=40))
def test_a_core_that_makes_everything_anew_says_the_same(steps: list[Step]) -> None:
    kept = told(steps)
    with keeping_nothing():
        assert told(steps) == kept


def test_the_law_is_not_empty_a_core_that_keeps_what_is_old_says_something_else() -> None:
    steps: list[Step] = [("mark", BTC, "50600"), ("margin", Decimal(900), Decimal(0)), ("time", 2_500, True)]
    first = Derived.of

    def kept_for_ever(self: Derived[Any], make: Any, *inputs: Any) -> Any:
        return first(self, make, *inputs) if self._inputs is None else self._made

    said = told(steps)
    with patch.object(Derived, "of", kept_for_ever):
        assert told(steps) != said


@given(st.lists(st.tuples(IDS, st.sampled_from(["40000", "50000", "2500"]), AMOUNTS), max_size=20))
def test_the_parts_of_all_limits_follow_each_change(moves: list[tuple[InstrumentId, str, Decimal]]) -> None:
    risk = Driver(position_notional_max="0.1 base")
    desk, views = limits_of(risk)
    for instrument_id, price, amount in moves:
        risk.tell(mark(price, risk.now_ns, instrument_id), equity(str(amount), risk.now_ns))
        total = sum(view.limits.position_notional_max for view in views)
        for view in views:
            assert desk.part_of(view) == (view.limits.position_notional_max / total if total else 0)


def limits_of(risk: Driver) -> tuple[LimitDesk, list[SymbolView]]:
    picture = risk.core._picture
    return picture.limits, list(picture.symbols.values())
