"""The day's loss, transfers, and equity that is unknown, nothing or no number."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from account_samples import (
    BTC,
    ETH,
    START_NS,
    VENUE_OFFSET_NS,
    S,
    alert_codes,
    equity,
    mark,
    position,
)
from risk_monitor_rig import QUIET_HOUR, Driver

from protocols.messages.control import (
    EpochAnnounced,
    Resume,
)
from protocols.messages.inventory import EquityChanged
from protocols.messages.orders import BalanceChanged, FundingPaid
from protocols.messages.risk import TradingState

DAY_NS = 86_400 * S


def test_a_loss_beyond_the_days_limit_halts_until_the_next_day() -> None:
    risk = Driver().healthy("100000")
    effects = risk.tell(equity("98999"))
    assert alert_codes(effects) == [("DAILY_LOSS", "account")]
    assert risk.ask().state is TradingState.HALTED
    risk.tell(equity("100500"))
    assert risk.ask().state is TradingState.HALTED
    risk.now_ns += DAY_NS
    risk.refresh("100500")
    assert risk.ask().state is TradingState.ACTIVE


def test_a_loss_at_the_limit_is_no_breach() -> None:
    risk = Driver(**QUIET_HOUR).healthy("100000")
    risk.tell(equity("99000"))
    assert risk.ask().state is TradingState.ACTIVE


def test_the_day_begins_at_its_configured_time() -> None:
    since_midnight_ns = (START_NS + VENUE_OFFSET_NS) % DAY_NS
    minute = since_midnight_ns // (60 * S) + 1
    risk = Driver(day_starts=f"{minute // 60:02}:{minute % 60:02}").healthy("100000")
    risk.tell(equity("99500"))
    risk.now_ns += 60 * S
    risk.refresh("99500")
    assert risk.core.snapshot().day_pnl == "0"


def test_a_deposit_is_no_profit_and_counts_once_whichever_shard_reports_it() -> None:
    risk = Driver().healthy("100000")
    deposit = BalanceChanged(
        shard=0,
        event_seq=1,
        asset="USDC",
        wallet_balance=Decimal(105_000),
        balance_change=Decimal(5_000),
        reason="DEPOSIT",
        venue_time_ns=7,
    )
    risk.tell(deposit, BalanceChanged(**{**_fields(deposit), "shard": 1}), equity("104000"))
    assert risk.core.snapshot().day_pnl == "-1000"


def test_a_fill_and_funding_are_no_transfer() -> None:
    risk = Driver().healthy("100000")
    risk.tell(
        BalanceChanged(
            shard=0,
            event_seq=1,
            asset="USDC",
            wallet_balance=Decimal(1),
            balance_change=Decimal(9),
            reason="FUNDING_FEE",
            venue_time_ns=7,
        ),
        FundingPaid(
            shard=0,
            event_seq=2,
            instrument_id=BTC,
            asset="USDC",
            amount=Decimal(9),
            transaction_id="",
            venue_time_ns=7,
        ),
    )
    assert risk.core.snapshot().day_pnl == "0"


def test_an_equity_that_is_no_number_is_refused() -> None:
    risk = Driver().healthy()
    assert alert_codes(risk.tell(equity("NaN"))) == [("BAD_DATA", "account")]


def test_an_equity_of_nothing_reduces() -> None:
    risk = Driver(daily_loss_max=10**9).healthy("0")
    assert risk.ask().state is TradingState.REDUCING


def test_before_the_venues_clock_is_known_the_account_reduces() -> None:
    risk = Driver()
    risk.tell(EpochAnnounced(name="order_manager-0", shard=0, epoch=5, announced_ns=0))
    risk.refresh()
    assert risk.ask().reason == "the equity at the day's start is not known yet"


def test_a_person_who_resumes_after_a_daily_loss_measures_from_there() -> None:
    risk = Driver(**QUIET_HOUR).healthy("100000")
    risk.tell(equity("98000"), Resume(reason="accepted"))
    assert risk.ask().state is TradingState.ACTIVE
    risk.tell(equity("96999"))
    assert risk.ask().state is TradingState.HALTED


def _fields(message: BalanceChanged) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__struct_fields__}


def with_fees(amount: str, elsewhere: str, *unvalued: str) -> EquityChanged:
    return msgspec.structs.replace(equity(amount), fees_elsewhere=Decimal(elsewhere), unvalued=unvalued)


def test_fees_in_another_asset_are_a_loss_although_no_equity_falls() -> None:
    risk = Driver(**QUIET_HOUR).healthy("100000")
    risk.tell(with_fees("100000", "1000"))
    assert (risk.core.snapshot().day_pnl, risk.ask().state) == ("-1000", TradingState.ACTIVE)
    risk.tell(with_fees("100000", "1000.01"))
    view = risk.core.snapshot()
    assert (view.equity, view.day_pnl, view.drawdown, risk.ask().state) == (
        "100000",
        "-1000.01",
        "1000.01",
        TradingState.HALTED,
    )


def test_fees_that_wait_too_long_for_a_rate_halt_with_what_to_do_until_they_are_valued() -> None:
    risk = Driver().healthy("100000")
    for second, state in ((0, TradingState.ACTIVE), (10, TradingState.ACTIVE), (11, TradingState.HALTED)):
        risk.now_ns = START_NS + second * S
        risk.tell(mark("50000", risk.now_ns), mark("2500", risk.now_ns, ETH), position(0), position(0, ETH))
        risk.tell(msgspec.structs.replace(with_fees("100000", "0", "BNB"), valued_ns=risk.now_ns))
        assert risk.ask().state is state, second
    assert risk.core.snapshot().reason == (
        "fees in BNB cannot be valued, for the venue tells no rate: pay fees in the margin asset (at the venue, feeBurn off)"
    )
    risk.tell(msgspec.structs.replace(with_fees("100000", "60"), valued_ns=risk.now_ns))
    assert risk.ask().state is TradingState.ACTIVE


def test_a_deposit_of_what_is_no_margin_moves_nothing() -> None:
    risk = Driver().healthy("100000")
    head = {"shard": 0, "wallet_balance": Decimal(50), "balance_change": Decimal(50), "venue_time_ns": 7}
    risk.tell(BalanceChanged(**head, event_seq=1, asset="BNB", reason="DEPOSIT"), equity("100000"))
    assert risk.core.snapshot().day_pnl == "0"


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_fees_that_are_no_number_are_refused(amount: str) -> None:
    risk = Driver().healthy()
    assert alert_codes(risk.tell(with_fees("100000", amount))) == [("BAD_DATA", "account")]
