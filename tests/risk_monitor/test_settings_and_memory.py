"""Limits that change while it runs, hard caps, and what a restart remembers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from account_samples import (
    START_NS,
    equity,
    settings,
    spec,
    venue_clock,
)
from risk_monitor_rig import QUIET_HOUR, Driver

from actors.risk_monitor.core import RiskMonitorCore
from protocols.effects import Append
from protocols.messages.control import (
    Resume,
    SettingsChanged,
)
from protocols.messages.orders import MarginCalled
from protocols.messages.risk import TradingState


def test_a_restart_remembers_day_latches_epochs_and_shares() -> None:
    risk = Driver().healthy("100000")
    risk.ask()
    risk.tell(MarginCalled(shard=0, event_seq=1, text="x", venue_time_ns=0), equity("98000"))
    restarted = Driver(memory=risk.memory())
    restarted.tell(venue_clock())
    restarted.refresh("100000")
    lease = restarted.ask(share_id=1)
    assert (lease.state, lease.epoch, lease.share_id) == (TradingState.HALTED, 5, 1)
    assert restarted.core.snapshot().latches == {"account": "margin call: x"}
    assert restarted.core.snapshot().day_pnl == "0"


def test_a_restart_on_an_unchanged_memory_writes_nothing() -> None:
    risk = Driver().healthy()
    risk.ask()
    restarted = RiskMonitorCore(spec("risk_monitor"), settings(), risk.memory())
    assert [effect for effect in restarted.start(START_NS) if isinstance(effect, Append)] == []


def test_a_damaged_memory_halts_until_a_person_resumes() -> None:
    risk = Driver(damaged="risk.msgpack cannot be understood").healthy()
    assert risk.ask().reason == "the risk monitor's memory is damaged: risk.msgpack cannot be understood"
    risk.tell(Resume(reason="looked"))
    assert risk.ask().state is TradingState.ACTIVE


def changed(**risk: Any) -> SettingsChanged:
    return SettingsChanged(settings_json=settings(risk=risk).model_dump_json(), changes=("a limit",))


def test_a_limit_that_is_tightened_while_running_is_in_the_next_lease() -> None:
    risk = Driver().healthy("100000")
    before = risk.ask().limits[0].notional_max
    risk.tell(changed(position_notional_max=4_000))
    assert (before, risk.ask().limits[0].notional_max) == (Decimal(10_000), Decimal(4_000))


def test_a_loss_above_a_limit_that_was_tightened_stops_with_the_next_valuation() -> None:
    risk = Driver(**QUIET_HOUR).healthy("100000")
    risk.tell(equity("99500"))
    assert risk.ask().state is TradingState.ACTIVE
    risk.tell(changed(daily_loss_max=400, **QUIET_HOUR), equity("99500"))
    assert risk.ask().state is not TradingState.ACTIVE
    assert risk.core.snapshot().day_pnl == "-500"


def test_a_share_of_equity_is_cut_at_the_hard_cap() -> None:
    caps = {"position_notional_max": 3_000, "account_notional_max": 5_000}
    risk = Driver(position_notional_max="10%", account_notional_max="50%")
    own = {"position_notional_max": "10%", "account_notional_max": "50%"}
    risk.core = RiskMonitorCore(spec("risk_monitor"), settings(hard_caps=caps, risk=own))
    risk.healthy("100000")
    lease = risk.ask()
    assert lease.limits[0].notional_max == Decimal(3_000)
    loosened = settings(risk={"position_notional_max": "90%", "account_notional_max": "90%"}).model_dump_json()
    risk.tell(SettingsChanged(settings_json=loosened, changes=("caps untouched",)))
    assert risk.ask().limits[0].notional_max == Decimal(3_000)
