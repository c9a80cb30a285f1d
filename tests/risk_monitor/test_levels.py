"""Levels: up at once, down one at a time after a quiet time, held by people, recorded, and told to strategy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from account_samples import BTC, ETH, MS, START_NS, S, alert_codes, equity, position, published, settings
from hypothesis import given
from hypothesis import strategies as st
from risk_monitor_rig import QUIET_HOUR, Driver, states

from actors.risk_monitor.levels import NORMAL, Permissions, Standing, Verdict, worst
from protocols.effects import ShutNode
from protocols.messages.control import EmergencyStop, HoldLevel, Resume
from protocols.messages.risk import LevelChanged, QuotingTerms, RiskLevel, TradingState

QUIET_NS = 3 * S
LEVELS = st.sampled_from(list(RiskLevel))


def standing() -> Standing:
    return Standing(QUIET_NS, NORMAL)


def cause(level: RiskLevel, **changes: Any) -> Verdict:
    return Verdict(level, f"for {level}", **changes)


def test_a_level_rises_at_once_by_any_number_of_steps() -> None:
    assert standing().judge([cause(RiskLevel.HALTED)], START_NS).level is RiskLevel.HALTED


def test_a_level_falls_one_step_after_each_quiet_time() -> None:
    subject = standing()
    subject.judge([cause(RiskLevel.HALTED)], START_NS)
    seen = [subject.judge([], START_NS + n * S).level.value for n in (1, 2, 3, 5, 6, 8, 9, 10)]
    assert seen == ["HALTED", "HALTED", "RESTRICTED", "RESTRICTED", "CAUTION", "CAUTION", "NORMAL", "NORMAL"]


def test_a_cause_that_comes_back_begins_the_quiet_time_anew() -> None:
    subject = standing()
    for second in range(0, 10, 2):
        assert subject.judge([cause(RiskLevel.CAUTION)], START_NS + second * S).level is RiskLevel.CAUTION
        assert subject.judge([], START_NS + (second + 1) * S).level is RiskLevel.CAUTION


def test_what_is_not_known_ends_when_it_is_known() -> None:
    subject = standing()
    subject.judge([cause(RiskLevel.HALTED, passing=True)], START_NS)
    assert subject.judge([], START_NS + MS) == NORMAL


def test_a_level_that_was_earned_stays_under_one_that_passes() -> None:
    subject = standing()
    subject.judge([cause(RiskLevel.CAUTION), cause(RiskLevel.HALTED, passing=True)], START_NS)
    assert subject.judge([], START_NS + MS).level is RiskLevel.CAUTION


@given(st.lists(st.tuples(st.lists(LEVELS, max_size=3), st.integers(1, 5 * S)), max_size=30))
def test_a_level_is_never_below_its_causes_and_never_falls_two_steps_at_once(steps: list[Any]) -> None:
    subject, now_ns, before, changed_ns = standing(), START_NS, RiskLevel.NORMAL, START_NS
    for levels, wait_ns in steps:
        now_ns += wait_ns
        after = subject.judge([cause(level) for level in levels], now_ns).level
        highest = max((level.rank for level in levels), default=0)
        assert after.rank >= highest
        assert after.rank >= before.rank - 1
        if after.rank > before.rank:
            assert after.rank == highest
        if after is not before:
            assert after.rank > before.rank or now_ns - changed_ns >= QUIET_NS
            changed_ns = now_ns
        before = after


@given(st.lists(LEVELS, min_size=1), LEVELS)
def test_one_more_cause_never_lowers_the_level(levels: list[RiskLevel], more: RiskLevel) -> None:
    verdicts = [cause(level) for level in levels]
    assert worst([*verdicts, cause(more)]).level.rank >= worst(verdicts).level.rank


@given(LEVELS, LEVELS, st.floats(0.01, 1), st.floats(1, 100))
def test_a_higher_level_never_allows_more(one: RiskLevel, other: RiskLevel, size: float, spread: float) -> None:
    permissions = Permissions(
        settings(risk={"levels": {"caution_size_factor": size, "caution_spread_factor": spread}}).risk.levels
    )
    low, high = sorted((one, other), key=lambda level: level.rank)
    less, more = permissions.of(high), permissions.of(low)
    states = list(TradingState)
    assert states.index(less.state) >= states.index(more.state)
    assert less.size_factor_bps <= more.size_factor_bps
    assert less.spread_factor_bps >= more.spread_factor_bps


def rank(*told: Any, **risk_settings: Any) -> tuple[int, int]:
    """Ranks of the account and of BTC after what was told, all at one moment."""
    risk = Driver(**risk_settings).healthy()
    risk.ask()
    risk.tell(*told)
    lease = risk.ask()
    return lease.level.rank, lease.limits[0].level.rank


@given(st.integers(0, 450), st.integers(0, 900), st.sampled_from((1, -1)))
def test_a_larger_position_never_gives_a_lower_level(lots: int, more: int, sign: int) -> None:
    less, larger = rank(position(sign * lots)), rank(position(sign * (lots + more)))
    assert larger[0] >= less[0] and larger[1] >= less[1]


@given(st.integers(-1_000, 101_000), st.integers(0, 60_000))
def test_a_greater_loss_never_gives_a_lower_level(amount: int, more: int) -> None:
    less, greater = rank(equity(str(amount))), rank(equity(str(amount - more)))
    assert greater[0] >= less[0] and greater[1] >= less[1]


def test_the_limits_that_are_judged_in_exact_decimals_are_met_to_the_lot_and_the_cent() -> None:
    assert [rank(position(lots))[1] for lots in (190, 191, 200, 201)] == [0, 1, 1, 2]
    amounts = ("99300.00", "99299.99", "99000.00", "98999.99", "50000.00", "49999.99")
    assert [rank(equity(amount), **QUIET_HOUR)[0] for amount in amounts] == [0, 1, 1, 3, 3, 4]


def hold(subject: str, level: RiskLevel | None) -> HoldLevel:
    return HoldLevel(subject=subject, level=level, reason="news")


def test_a_symbol_that_a_person_holds_in_caution_quotes_smaller_and_wider() -> None:
    risk = Driver().healthy()
    risk.ask()
    effects = risk.tell(hold("BTCUSDC", RiskLevel.CAUTION))
    assert published(effects, QuotingTerms) == [
        QuotingTerms(
            instrument_id=BTC,
            level=RiskLevel.CAUTION,
            size_factor_bps=5_000,
            spread_factor_bps=15_000,
            notional_max=Decimal(10_000),
        )
    ]
    btc, eth = risk.ask().limits
    assert (btc.level, btc.state, btc.order_lots_max) == (RiskLevel.CAUTION, TradingState.ACTIVE, 20)
    assert (eth.level, eth.order_lots_max) == (RiskLevel.NORMAL, 800)


def test_a_held_account_is_told_of_every_symbol() -> None:
    risk = Driver().healthy()
    risk.ask()
    terms = published(risk.tell(hold("account", RiskLevel.HALTED)), QuotingTerms)
    assert [(one.instrument_id, one.level, one.size_factor_bps) for one in terms] == [
        (BTC, RiskLevel.HALTED, 0),
        (ETH, RiskLevel.HALTED, 0),
    ]
    assert states(risk.ask()) == ("HALTED", "HALTED", "HALTED")


def test_a_hold_is_lifted_by_a_person_and_by_no_resume() -> None:
    risk = Driver().healthy()
    risk.tell(hold("account", RiskLevel.RESTRICTED), Resume(reason="other things"))
    assert risk.ask().level is RiskLevel.RESTRICTED
    risk.tell(hold("account", None))
    assert risk.ask().level is RiskLevel.NORMAL


def test_a_hold_survives_a_restart() -> None:
    risk = Driver().healthy()
    risk.tell(hold("ETHUSDC", RiskLevel.HALTED))
    restarted = Driver(memory=risk.memory()).healthy()
    assert states(restarted.ask()) == ("ACTIVE", "ACTIVE", "HALTED")


def test_a_stranger_is_not_held() -> None:
    risk = Driver().healthy()
    before = risk.ask()
    risk.tell(hold("DOGEUSDC", RiskLevel.HALTED))
    assert states(risk.ask()) == states(before)


def test_an_earned_level_survives_a_restart_and_falls_after_its_quiet_time() -> None:
    risk = Driver().healthy()
    risk.tell(position(-201))
    risk.ask()
    restarted = Driver(memory=risk.memory()).healthy()
    assert states(restarted.ask()) == ("ACTIVE", "REDUCING", "ACTIVE")
    restarted.now_ns += QUIET_NS
    restarted.refresh()
    restarted.ask()
    assert restarted.ask().limits[0].level is RiskLevel.CAUTION


def test_a_resume_forgives_what_was_earned() -> None:
    risk = Driver().healthy()
    risk.tell(position(-201))
    risk.ask()
    risk.tell(position(0), Resume(reason="looked at it"))
    assert risk.ask().limits[0].level is RiskLevel.NORMAL


def test_an_emergency_stop_is_the_highest_level() -> None:
    risk = Driver().healthy()
    risk.tell(EmergencyStop(reason="by hand"))
    assert risk.ask().level is RiskLevel.EMERGENCY


def test_a_level_of_emergency_stops_everything_and_one_that_follows_a_stop_does_not_repeat_it() -> None:
    risk = Driver().healthy()
    risk.ask()
    effects = risk.tell(hold("account", RiskLevel.EMERGENCY))
    assert [effect.reason for effect in effects if isinstance(effect, ShutNode)] == [
        "risk: account NORMAL -> EMERGENCY: held by a person: news"
    ]
    stopped = Driver().healthy()
    stopped.ask()
    assert not any(isinstance(effect, ShutNode) for effect in stopped.tell(EmergencyStop(reason="by hand")))


def test_a_change_is_on_file_with_its_indicator_value_and_threshold_before_the_alert() -> None:
    risk = Driver().healthy()
    risk.ask()
    before = len(risk.changes())
    effects = risk.tell(position(-201))
    assert risk.changes()[before:] == [
        LevelChanged(
            subject=BTC,
            before=RiskLevel.NORMAL,
            after=RiskLevel.RESTRICTED,
            indicator="position",
            value="10050.00",
            threshold="10000",
            reason="position of 10050.00 is above its limit of 10000",
            changed_ns=risk.now_ns,
            venue_time_ns=risk.changes()[-1].venue_time_ns,
        )
    ]
    kinds = [type(getattr(effect, "record", getattr(effect, "body", None))).__name__ for effect in effects]
    assert kinds.index("LevelChanged") < kinds.index("Alert") and "RiskMemory" in kinds


def test_what_becomes_known_for_the_first_time_is_recorded_and_no_alert() -> None:
    risk = Driver().healthy()
    assert alert_codes(risk.tell_request()) == []
    assert {change.after for change in risk.changes()} == {RiskLevel.NORMAL}


def test_every_later_fall_is_told() -> None:
    risk = Driver().healthy()
    risk.ask()
    risk.tell(hold("account", RiskLevel.CAUTION))
    effects = risk.tell(hold("account", None))
    assert alert_codes(effects) == [("LEVEL_CHANGED", "account")]


def test_strategy_hears_its_terms_again_every_second() -> None:
    risk = Driver().healthy()
    risk.tell_timer()
    risk.now_ns += S - 1
    assert published(risk.tell_timer(), QuotingTerms) == []
    risk.now_ns += 1
    assert len(published(risk.tell_timer(), QuotingTerms)) == 2


@pytest.mark.parametrize("level", list(RiskLevel))
def test_a_lease_never_allows_more_than_its_level(level: RiskLevel) -> None:
    risk = Driver().healthy()
    free = risk.ask()
    risk.tell(hold("account", level))
    if level is RiskLevel.EMERGENCY:
        risk.tell(EmergencyStop(reason="by hand"))
    lease = risk.ask()
    allowed = Permissions(settings().risk.levels).of(level)
    for limits, before in zip(lease.limits, free.limits, strict=True):
        assert (limits.level, limits.state) == (level, allowed.state)
        assert limits.order_lots_max <= before.order_lots_max * allowed.size_factor_bps / 10_000
