"""Indicators in the core: each message moves its own, thresholds raise levels at once, and what cannot be is dangerous."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from account_samples import BTC, ETH, MS, S, equity, mark, position, settings
from hypothesis import given
from hypothesis import strategies as st
from risk_market import Market, book
from risk_monitor_rig import Driver

from actors.risk_monitor.board import Board
from actors.risk_monitor.estimators.realised_volatility import YEAR_S
from configs.schema import KINDS, Indicator, IndicatorThresholds, Limit
from protocols.messages.inventory import PnlChanged
from protocols.messages.market import FeedState, FeedStatus
from protocols.messages.orders import (
    BalanceChanged,
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    RateUsage,
)
from protocols.messages.risk import RiskLevel
from protocols.values import Side


def order(kind: type[Any], seq: int, name: str = "a", **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "shard": 0,
        "event_seq": seq,
        "instrument_id": BTC,
        "client_order_id": name,
        "venue_order_id": seq,
        "venue_time_ns": 1,
        "side": Side.BUY,
    }
    return kind(**{**fields, **changes})


def test_a_calm_market_raises_no_level() -> None:
    market = Market().calm()
    assert market.core.snapshot().level == "NORMAL"
    assert (market.level(), market.level("ETHUSDC")) == ("NORMAL", "NORMAL")


def test_every_indicator_of_the_catalogue_is_shown_once_it_can_be_known() -> None:
    market = Market()
    market.venue_adl = {BTC: 1}
    market.calm()
    market.tell(
        order(OrderAccepted, 1, price_ticks=499_990, quantity_lots=2),
        order(
            OrderFilled,
            2,
            trade_id=1,
            price_ticks=499_990,
            quantity_lots=2,
            remaining_lots=0,
            fee=Decimal(0),
            fee_asset="USDC",
            maker=True,
            ours=True,
        ),
        RateUsage(shard=0, weight_used_1m=1, orders_used_10s=1, orders_used_1m=1, observed_ns=0, answers_total=1),
        PnlChanged(
            instrument_id=BTC,
            realised=Decimal(1),
            unrealised=Decimal(2),
            fees=Decimal(0),
            funding=Decimal(0),
            net=Decimal(3),
            valued_ns=0,
        ),
        position(2),
    )
    market.now_ns += 6 * S
    market.refresh(btc_lots=2)
    market.tell(book(market.now_ns))
    market.tell_timer()
    assert {*market.seen(), *market.account()} == {one.value for one in Indicator}


@pytest.mark.parametrize(
    ("half", "lots", "indicator"), [(10, 100, "spread_ratio"), (1, 5, "depth_ratio"), (30, 100, "spread_ratio")]
)
def test_a_book_that_is_not_as_usual_is_cautioned_at_once(half: int, lots: int, indicator: str) -> None:
    market = Market().calm()
    market.tell(book(market.now_ns, half=half, lots=lots))
    assert (market.level(), market.level("ETHUSDC")) == ("CAUTION", "NORMAL")
    assert market.changes()[-1].indicator == indicator


def test_a_mark_that_leaves_the_mid_halts_the_symbol() -> None:
    market = Market().calm()
    market.tell(mark("51000", market.now_ns))
    assert market.changes()[-1].indicator == "mark_gap"
    assert market.level() == "HALTED"


@pytest.mark.parametrize(("ticks", "level"), [(0, "NORMAL"), (200, "HALTED")])
def test_a_mark_that_stands_still_while_the_market_moves_halts_the_symbol(ticks: int, level: str) -> None:
    market = Market().calm()
    for step in range(64):
        market.now_ns += 500 * MS
        market.refresh()
        for instrument_id, mid in ((BTC, 500_000 + ticks * min(step, 4) // 4), (ETH, 25_000)):
            market.tell(book(market.now_ns, mid=mid, instrument_id=instrument_id))
        market.tell(market.alive(BTC), market.alive(ETH))
        market.ask()
        market.tell_timer()
    assert market.level() == level
    assert (market.changes()[-1].indicator if ticks else "mark_still") == "mark_still"


def test_a_crossed_book_is_no_number_and_restricts() -> None:
    market = Market().calm()
    market.tell(book(market.now_ns, half=-1))
    assert market.level() == "RESTRICTED"
    assert "no number" in market.core.snapshot().symbols["BTCUSDC"].reason


def test_a_price_that_jumps_raises_the_volatility() -> None:
    market = Market().calm()
    for step in range(1, 20):
        market.now_ns += S
        market.tell(mark(str(50_000 + 40 * (step % 2)), market.now_ns))
        market.tell(book(market.now_ns, mid=500_000 + 400 * (step % 2)))
        market.tell_timer()
    assert market.seen()["volatility_ratio"] > 1
    expected = math.log(500_400 / 500_000) * math.sqrt(19 / 60 * YEAR_S)
    assert market.seen()["volatility_short"] == pytest.approx(expected)


def test_a_feed_that_says_nothing_ages_and_is_fresh_again_without_a_quiet_time() -> None:
    market = Market().calm()
    market.now_ns += 3 * S
    market.refresh()
    market.tell_timer()
    assert (market.level(), market.changes()[-1].indicator) == ("CAUTION", "book_age")
    market.tell(
        FeedStatus(instrument_id=BTC, state=FeedState.LIVE, update_id=1, confirmed_ns=market.now_ns, since_ns=0)
    )
    market.tell_timer()
    assert market.level() == "NORMAL"


def test_losses_of_an_hour_are_cautioned_and_then_restrict() -> None:
    market = Market(breakers={"loss_share_max": 0.9}).calm()
    market.tell(equity("99400", market.now_ns))
    assert market.core.snapshot().level == "CAUTION"
    market.tell(equity("99100", market.now_ns))
    assert market.core.snapshot().level == "RESTRICTED"


def test_a_drawdown_beyond_its_limit_is_an_emergency_until_a_person_resumes() -> None:
    risk = Driver(drawdown_max="3%", daily_loss_max="50%").healthy("100000")
    risk.tell(equity("102000"))
    assert risk.ask().level is not RiskLevel.EMERGENCY
    risk.tell(equity("98939"))
    assert risk.ask().level is RiskLevel.EMERGENCY
    restarted = Driver(memory=risk.memory(), drawdown_max="3%", daily_loss_max="50%").healthy("103000")
    assert restarted.ask().level is RiskLevel.EMERGENCY


def test_the_peak_of_equity_survives_a_restart() -> None:
    risk = Driver(drawdown_max="3%", daily_loss_max="50%").healthy("100000")
    risk.tell(equity("102000"))
    risk.ask()
    restarted = Driver(memory=risk.memory(), drawdown_max="3%", daily_loss_max="50%").healthy("98939")
    assert restarted.ask().level is RiskLevel.EMERGENCY


def test_a_deposit_that_equity_does_not_hold_yet_is_no_loss() -> None:
    risk = Driver(drawdown_max="3%").healthy("100000")
    risk.tell(
        BalanceChanged(
            shard=0,
            event_seq=1,
            asset="USDC",
            wallet_balance=Decimal(1),
            balance_change=Decimal(10_000),
            reason="DEPOSIT",
            venue_time_ns=7,
        )
    )
    risk.tell(equity("100000", risk.now_ns))
    assert risk.ask().level is RiskLevel.NORMAL
    risk.now_ns += 2 * S
    risk.refresh("110000")
    assert risk.ask().level is RiskLevel.NORMAL


def test_many_orders_that_the_venue_calls_invalid_restrict_and_post_only_refusals_do_not() -> None:
    market = Market().calm()
    for seq in range(1, 31):
        market.tell(order(OrderAccepted, 2 * seq, f"a{seq}", price_ticks=499_990, quantity_lots=1))
        market.tell(order(OrderRejected, 2 * seq + 1, f"r{seq}", venue_code=-5022, text="post only"))
    assert market.seen()["invalid_ratio"] == market.seen()["reject_ratio"] == 0
    for seq in range(40, 50):
        market.tell(order(OrderRejected, 100 + seq, f"i{seq}", venue_code=-4014, text="tick"))
    assert market.seen()["invalid_ratio"] == pytest.approx(0.25)
    assert market.level() == "RESTRICTED"


def test_a_maker_that_cancels_nearly_everything_after_two_seconds_is_not_stopped() -> None:
    market = Market(behaviour={"orders_min": 20, "cancel_orders_min": 20}).calm()
    for seq in range(1, 101):
        market.tell(order(OrderAccepted, 2 * seq, f"a{seq}", price_ticks=499_990, quantity_lots=2))
        market.now_ns += 2 * S
        market.refresh()
        market.tell(order(OrderCanceled, 2 * seq + 1, f"a{seq}", filled_lots=0))
    assert (market.seen()["cancel_ratio"], market.seen()["unfilled_ratio"]) == (0.0, 1.0)
    assert market.core.snapshot().symbols["BTCUSDC"].state == "ACTIVE"


def test_equity_of_nothing_and_below_is_restricted_with_its_reason() -> None:
    risk = Driver(daily_loss_max=10**9).healthy("-5")
    assert risk.ask().level.rank >= RiskLevel.RESTRICTED.rank
    assert "the equity is -5.00" in risk.core.snapshot().reason


def test_limits_that_are_shares_follow_the_equity_in_steps() -> None:
    risk = Driver(position_notional_max="10%").healthy("100000")
    assert risk.ask().limits[0].notional_max == 10_000
    risk.tell(equity("100500"))
    assert risk.ask().limits[0].notional_max == 10_000
    risk.tell(equity("102000"))
    assert risk.ask().limits[0].notional_max == 10_200


def test_a_limit_in_base_units_follows_the_mark() -> None:
    risk = Driver(position_notional_max="0.2 base").healthy()
    assert risk.ask().limits[0].notional_max == 10_000


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(st.sampled_from(list(Indicator)), st.floats(-1e12, 1e12), st.floats(0, 1e12))
def test_a_worse_number_never_gives_a_lower_level(indicator: Indicator, value: float, worse_by: float) -> None:
    board = Board(IndicatorThresholds.model_validate({}))
    sign = -1 if KINDS[indicator].less_is_worse else 1
    board.put(indicator, value)
    before = max((verdict.level.rank for verdict in board.verdicts()), default=0)
    board.put(indicator, value + sign * worse_by)
    after = max((verdict.level.rank for verdict in board.verdicts()), default=0)
    if not KINDS[indicator].exact:
        assert after >= before


@given(st.sampled_from([one for one in Indicator if not KINDS[one].by_guard]))
def test_what_is_no_number_restricts_or_worse(indicator: Indicator) -> None:
    board = Board(IndicatorThresholds.model_validate({}))
    board.put(indicator, float("nan"))
    assert [verdict.level.rank >= RiskLevel.RESTRICTED.rank for verdict in board.verdicts()] == [True]


@given(st.lists(st.tuples(st.sampled_from(list(Indicator)), NUMBERS, st.booleans()), max_size=30))
def test_the_board_tells_of_each_crossing_and_forgets_what_is_over(puts: list[tuple[Indicator, float, bool]]) -> None:
    board = Board(IndicatorThresholds.model_validate({}))
    for indicator, value, judged in puts:
        before = board.band(indicator)
        board.verdicts()
        board.put(indicator, value, judged)
        assert board.has_crossed == (board.band(indicator) != before)
    for indicator in Indicator:
        board.clear(indicator)
    assert board.verdicts() == []


@pytest.mark.parametrize(
    ("written", "shown"),
    [("2%", "2%"), ("2 % of equity", "2%"), (500, "500"), ("0.5 base", "0.5 base"), ("7 quote", "7")],
)
def test_a_limit_is_read_as_people_write_it(written: Any, shown: str) -> None:
    limit = Limit.model_validate(written)
    assert str(limit) == shown
    assert Limit.model_validate(str(limit)) == limit


@pytest.mark.parametrize("written", ["nan", float("inf"), "0", "-2%", "two", "5 apples", True, None, "20000%"])
def test_a_limit_that_makes_no_sense_is_refused(written: Any) -> None:
    with pytest.raises(ValueError):
        Limit.model_validate(written)


@pytest.mark.parametrize(
    ("indicators", "reason"),
    [
        ({"drawdawn": {"limit": 1}}, "drawdawn is no indicator"),
        ({"mark_gap": {"warning": 200}}, "beyond its limit"),
        ({"depth_ratio": {"warning": 0.01}}, "beyond its limit"),
        ({"position": {"limit": 2}}, "its limit stays 1"),
        ({"mark_gap": {"warning": float("nan")}}, "finite"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(indicators: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        settings(risk={"indicators": indicators})


def test_thresholds_survive_the_way_to_the_actors() -> None:
    changed = settings(risk={"indicators": {"mark_gap": {"limit": 70, "at_limit": "HALTED"}}})
    again = type(changed).model_validate_json(changed.model_dump_json())
    assert again == changed
    assert again.risk.indicators.of(Indicator.MARK_GAP).at_limit is RiskLevel.HALTED


@pytest.mark.parametrize("name", ["volatility_short", "volatility_long", "volatility_ratio", "volatility_ewma"])
def test_volatility_moves_with_the_book_and_waits_for_no_sample(name: str) -> None:
    market = Market().calm()
    before = market.seen()[name]
    market.now_ns += 300 * MS
    market.tell(book(market.now_ns, mid=500_100))
    assert market.seen()[name] != before


def test_value_at_risk_and_correlated_exposure_move_with_the_book_and_wait_for_no_sample() -> None:
    market = Market().calm()
    for step in range(40):
        market.now_ns += S
        market.refresh()
        market.tell(book(market.now_ns, mid=500_000 + step % 3))
        market.tell(book(market.now_ns, mid=25_000 + step % 2, instrument_id=ETH))
        market.tell_timer()
    market.tell(position(20), position(100, ETH))
    before = market.account()
    market.now_ns += 300 * MS
    market.tell(book(market.now_ns, mid=500_100))
    after = market.account()
    assert after["value_at_risk"] > before["value_at_risk"] > 0
    assert after["correlated_exposure"] != before["correlated_exposure"]
