"""The inventory-cost engine in the whole system: it reduces, comes back, counts the same as the ledger, and breaks nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from actors.strategy.core import StrategyCore
from configs.loading import load_settings
from configs.schema import GrindingSettings
from ops.invariants.all import check_all
from ops.report import build_report
from ops.simulation.house import House
from protocols.messages.control import Drain, HoldLevel
from protocols.messages.journal import OrderIntended
from protocols.messages.risk import RiskLevel

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
EAGER = GrindingSettings(
    enabled=True,
    position_share_min=0.05,
    deviation_share_max=0.5,
    window_ms=10_000,
    reduce_share=0.5,
    reentry_bps=0.2,
    interval_ms_min=2_000,
    cycles_window_ms=20_000,
    reentry_life_ms=5_000,
)
"""Rates and windows in seconds instead of minutes, so that a short run has cycles."""


def grinding_house(seed: int, own: GrindingSettings = EAGER) -> House:
    settings = load_settings(DEMO, {})
    strategy = settings.strategy.model_copy(update={"grinding": own, "skew_bps_at_limit": 0.0})
    house = House(settings.model_copy(update={"strategy": strategy}), seed)
    house.start()
    house.run_s(60)
    return house


def requests(house: House) -> list[OrderIntended]:
    records = house.world.journal_of("order_manager-0")
    return [record for record in records if isinstance(record, OrderIntended) and record.intent_id]


@pytest.mark.parametrize("seed", [31, 32])
def test_cycles_reduce_and_come_back_and_the_view_counts_as_the_ledger_does(seed: int) -> None:
    house = grinding_house(seed)
    core = house.world.core_of("strategy-0")
    assert isinstance(core, StrategyCore)
    shown = {symbol: row.grinding.totals for symbol, row in core.snapshot().symbols.items()}
    house.tell("order_manager-0", Drain())
    house.run_s(8)
    history = house.history()
    assert {v.name: v.violations for v in check_all(history) if not v.held} == {}
    report = build_report(history)["symbols"]
    for symbol, totals in shown.items():
        told = report[symbol]["requests"]["grinding"]
        assert (totals.reductions, totals.reentries) == (told["reductions"], told["reentries"])
        for name in ("reduced", "reentered", "cost", "saving"):
            assert getattr(totals, name) == Decimal(told[name]), name
    assert sum(totals.reductions for totals in shown.values()) >= 3
    assert sum(totals.reentries for totals in shown.values()) >= 1
    assert all(totals.reentered <= totals.reduced for totals in shown.values())


def test_nothing_is_asked_for_outside_normal() -> None:
    house = grinding_house(31)
    before = len(requests(house))
    assert before > 0
    house.tell("risk_monitor", HoldLevel(subject="account", level=RiskLevel.CAUTION, reason="test"))
    house.run_s(2)
    asked = len(requests(house))
    house.run_s(30)
    assert len(requests(house)) == asked


def test_it_is_off_unless_the_configuration_says_so() -> None:
    house = grinding_house(31, GrindingSettings())
    assert requests(house) == []
