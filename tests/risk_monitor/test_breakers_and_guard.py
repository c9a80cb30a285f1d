"""Circuit breakers open, try, and close by themselves; the behaviour guard asks for longer lives before fewer levels."""

from __future__ import annotations

from decimal import Decimal

import pytest
from account_samples import MS, S, equity, mark
from hypothesis import given
from hypothesis import strategies as st
from risk_market import Market, book

from actors.risk_monitor.board import Board
from actors.risk_monitor.breakers import Breaker, BreakerState
from actors.risk_monitor.guard import NOTHING, BehaviourGuard, Remedy
from configs.schema import BehaviourSettings, Indicator, IndicatorThresholds
from protocols.messages.orders import RateUsage
from protocols.messages.risk import RiskLevel
from protocols.venue import RuleReport

START = 1_000 * S


def breaker() -> Breaker:
    return Breaker(failures_max=3, window_ns=10 * S, timeout_ns=5 * S, trials=2)


def opened() -> Breaker:
    made = breaker()
    for _ in range(3):
        made.failed("no answer", START)
    return made


def test_failures_that_are_rare_leave_it_closed() -> None:
    made = breaker()
    for second in range(0, 100, 6):
        made.failed("no answer", START + second * S)
    assert made.state is BreakerState.CLOSED


def test_failures_within_the_window_open_it_until_its_timeout() -> None:
    made = opened()
    assert (made.state, made.reason) == (BreakerState.OPEN, "no answer")
    assert made.tick(START + 5 * S - 1) is BreakerState.OPEN
    assert made.tick(START + 5 * S) is BreakerState.HALF_OPEN


def test_a_failure_of_a_trial_opens_it_again() -> None:
    made = opened()
    made.tick(START + 5 * S)
    made.failed("no answer", START + 6 * S)
    assert made.state is BreakerState.OPEN
    assert made.tick(START + 11 * S - 1) is BreakerState.OPEN


def test_so_many_trials_that_go_well_close_it() -> None:
    made = opened()
    made.tick(START + 5 * S)
    made.succeeded(START + 5 * S)
    assert made.state is BreakerState.HALF_OPEN
    made.succeeded(START + 5 * S)
    assert made.state is BreakerState.CLOSED


def test_what_still_fails_keeps_it_open() -> None:
    made = opened()
    made.failed("no answer", START + 4 * S)
    assert made.tick(START + 8 * S) is BreakerState.OPEN


@given(st.lists(st.tuples(st.sampled_from(["fail", "succeed", "tick"]), st.integers(0, 8 * S)), max_size=60))
def test_it_never_goes_from_open_to_closed_without_trials(steps: list[tuple[str, int]]) -> None:
    made, now_ns = breaker(), START
    for what, wait_ns in steps:
        now_ns += wait_ns
        before = made.state
        if what == "fail":
            made.failed("x", now_ns)
        elif what == "succeed":
            made.succeeded(now_ns)
        else:
            made.tick(now_ns)
        assert (before, made.state) not in (
            (BreakerState.OPEN, BreakerState.CLOSED),
            (BreakerState.CLOSED, BreakerState.HALF_OPEN),
        )


def test_a_gap_of_the_price_halts_the_symbol_then_lets_trial_orders_through() -> None:
    market = Market().calm()
    market.tell(mark("50250", market.now_ns), book(market.now_ns, mid=502_500))
    assert market.level() == "HALTED"
    assert "50.0 bps from one book to the next" in market.core.snapshot().symbols["BTCUSDC"].reason
    assert market.level("ETHUSDC") == "NORMAL"
    change = next(one for one in market.changes() if one.after is RiskLevel.HALTED)
    assert (change.indicator, change.value, change.threshold) == ("price_gap", "50", "40")
    for _ in range(31):
        market.pass_ms(100, mid=502_500)
    assert market.core.snapshot().symbols["BTCUSDC"].state == "ACTIVE"
    assert market.ask().limits[0].open_orders_max == 2
    market.pass_ms(4_000, mid=502_500)
    assert market.ask().limits[0].open_orders_max == 32


def test_a_jump_of_many_times_the_usual_move_halts_the_symbol() -> None:
    market = Market(breakers={"gap_bps_max": 1_000}).calm()
    market.now_ns += S
    market.tell(mark("50150", market.now_ns), book(market.now_ns, mid=500_001))
    market.tell_timer()
    market.now_ns += S
    market.tell(book(market.now_ns, mid=501_501))
    market.tell_timer()
    assert market.level() == "HALTED"
    assert "the price jumped 30.0 bps" in market.core.snapshot().symbols["BTCUSDC"].reason


def test_an_empty_book_halts_the_symbol_until_it_is_back_for_a_while_then_lets_trial_orders_through() -> None:
    market = Market().calm()
    market.tell(book(market.now_ns, lots=1))
    assert market.level() == "HALTED"
    assert "the breaker of liquidity is open" in market.core.snapshot().symbols["BTCUSDC"].reason
    for _ in range(20):
        market.pass_ms(100)
    market.tell(book(market.now_ns, lots=10))
    for _ in range(29):
        market.pass_ms(100)
    assert market.level() == "HALTED", "a tenth of the usual is not back"
    for _ in range(2):
        market.pass_ms(100)
    assert market.ask().limits[0].open_orders_max == 2
    market.tell(book(market.now_ns, lots=1))
    assert market.level() == "HALTED", "it is gone again"
    for _ in range(62):
        market.pass_ms(100)
    assert market.level() != "HALTED"
    assert market.ask().limits[0].open_orders_max == 32


@pytest.mark.parametrize(
    ("settings", "moves"),
    [({"gaps_max": 3}, [502_500, 500_000, 502_500]), ({"gaps_max": 2, "market_window_ms": 60_000}, [502_500, 500_000])],
)
def test_only_so_many_gaps_within_the_window_open_the_breaker(settings: dict[str, int], moves: list[int]) -> None:
    market = Market(breakers=settings).calm()
    levels = []
    for mid in moves:
        market.tell(mark(str(mid / 10), market.now_ns), book(market.now_ns, mid=mid))
        levels.append(market.level() == "HALTED")
    assert levels == [*[False] * (len(moves) - 1), True]


def test_a_jump_is_seen_with_the_message_that_makes_it_and_counts_once_a_period() -> None:
    market = Market(breakers={"gap_bps_max": 1_000, "jumps_max": 2, "jump_sigmas": 5}).calm()
    market.pass_ms(1_000, mid=500_001)
    for mid in (501_501, 501_502, 501_503):
        market.tell(mark("50150", market.now_ns), book(market.now_ns, mid=mid))
    assert market.level() != "HALTED", "one move is one jump"
    market.pass_ms(1_000, mid=501_503)
    market.tell(book(market.now_ns, mid=500_003))
    assert market.level() == "HALTED"
    assert "the breaker of price jumps is open" in market.core.snapshot().symbols["BTCUSDC"].reason


def usage(answers: int, failures: int) -> RateUsage:
    return RateUsage(
        shard=0,
        weight_used_1m=1,
        orders_used_10s=1,
        orders_used_1m=1,
        observed_ns=0,
        answers_total=answers,
        failures_total=failures,
    )


def test_a_venue_that_keeps_failing_halts_the_account_and_trials_close_it() -> None:
    market = Market(indicators={"error_rate": {"warning": None, "limit": None}}).calm()
    market.tell(usage(100, 0), usage(125, 25))
    assert market.core.snapshot().level == "HALTED"
    for _ in range(31):
        market.now_ns += 100 * MS
        market.refresh()
        market.tell_timer()
    assert market.core.snapshot().level == "CAUTION"
    market.tell(usage(127, 25))
    market.tell_timer()
    assert market.core.snapshot().level == "NORMAL"


def test_failures_that_come_in_two_reports_are_on_file_together_and_a_fall_names_what_holds_then() -> None:
    market = Market(indicators={"error_rate": {"warning": None, "limit": None}}).calm()
    market.tell(usage(100, 0), usage(112, 12), usage(124, 24))
    risen = market.changes()[-1]
    assert (risen.indicator, risen.value, risen.threshold) == ("api_failures", "24", "20")
    market.now_ns += 2_500 * MS
    market.tell_timer()
    market.now_ns += 600 * MS
    market.tell_timer()
    fallen = market.changes()[-1]
    assert (fallen.before, fallen.after, fallen.indicator) == ("HALTED", "RESTRICTED", "")
    assert fallen.reason == "inventory is silent about the equity"


def test_a_loss_that_comes_too_fast_halts_the_account() -> None:
    market = Market(indicators={"hourly_pnl": {"warning": None, "limit": None}}).calm()
    market.tell(equity("99650", market.now_ns))
    assert market.core.snapshot().level == "HALTED"
    assert market.core.snapshot().breakers == {"losses": "OPEN: 0.35% of equity was lost within 60 s"}


def guard(**changes: int) -> BehaviourGuard:
    return BehaviourGuard("BTCUSDC", BehaviourSettings(**changes))  # type: ignore[arg-type]


def board(**values: float) -> Board:
    made = Board(IndicatorThresholds.model_validate({}))
    for name, value in values.items():
        made.put(Indicator(name), value)
    return made


FIRST = Remedy(2_000, 20_000, 0)
LAST = Remedy(2_000, 20_000, 1)


def test_nothing_is_asked_for_while_the_ratios_are_low() -> None:
    assert guard().judge(board(cancel_ratio=0.5, unfilled_ratio=0.5), (), START) == NOTHING


def test_a_ratio_at_four_fifths_of_its_trigger_asks_for_longer_lives_first() -> None:
    assert guard().judge(board(cancel_ratio=0.8), (), START) == FIRST


def test_only_after_a_whole_window_near_the_trigger_there_are_fewer_levels() -> None:
    made, near = guard(window_ms=60_000), board(unfilled_ratio=0.99)
    assert made.judge(near, (), START) == FIRST
    assert made.judge(near, (), START + 59 * S) == FIRST
    assert made.judge(near, (), START + 60 * S) == LAST
    assert made.judge(board(unfilled_ratio=0.9), (), START + 61 * S) == FIRST
    assert made.judge(board(unfilled_ratio=0.1), (), START + 62 * S) == FIRST
    assert made.judge(board(unfilled_ratio=0.1), (), START + 200 * S) == NOTHING


def test_a_maker_that_cancels_98_percent_loses_no_level() -> None:
    made, busy = guard(window_ms=1_000), board(unfilled_ratio=0.98)
    assert {made.judge(busy, (), START + second * S).levels_max for second in range(100)} == {0}


def rule(value: str, symbol: str = "BTCUSDC") -> RuleReport:
    return RuleReport(
        symbol=symbol, rule="UFR", locked=False, value=Decimal(value), trigger=Decimal("0.995"), recovers_venue_ms=0
    )


@pytest.mark.parametrize(("value", "remedy"), [("0.1", NOTHING), ("0.8", FIRST), ("0.99", FIRST)])
def test_what_the_venue_says_of_a_ratio_decides(value: str, remedy: Remedy) -> None:
    assert guard().judge(board(unfilled_ratio=0.99), (rule(value),), START) == remedy
    assert guard().judge(board(unfilled_ratio=0.99), (rule(value, "ETHUSDC"),), START) == FIRST
