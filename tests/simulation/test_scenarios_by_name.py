"""The demo's system in every scenario of the synthetic market: levels rise, quotes go, the account stays inside its limits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from actors.exchange.scenarios import QUIET_S, SCENARIOS
from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.snapshot import RiskSnapshot
from configs.loading import load_settings
from configs.schema import Settings
from ops.invariants.all import check_all
from ops.simulation.house import House
from protocols.messages.control import Drain
from protocols.messages.risk import LevelChanged, RiskLevel

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
SECONDS = 60
STARTED_S = 5
"""By then everything is known that was not at the start."""


class Run(NamedTuple):
    seen: list[RiskSnapshot]
    changes: list[LevelChanged]
    broken: dict[str, tuple[str, ...]]


def settings_of(name: str) -> Settings:
    settings = load_settings(DEMO, {})
    assert settings.exchange is not None
    return settings.model_copy(update={"exchange": settings.exchange.model_copy(update={"scenario": name})})


@cache
def run(name: str) -> Run:
    house = House(settings_of(name), 1)
    house.start()
    seen = []
    for _ in range(SECONDS):
        house.run_s(1)
        core = house.world.core_of("risk_monitor")
        assert isinstance(core, RiskMonitorCore)
        seen.append(core.snapshot())
    house.tell("order_manager-0", Drain())
    house.run_s(8)
    broken = {v.name: v.violations for v in check_all(house.history()) if not v.held}
    changes = [record for record in house.world.journal_of("risk_monitor") if isinstance(record, LevelChanged)]
    return Run(seen, changes, broken)


HALTING = ("flash-crash", "gap", "liquidity-gone", "halt", "delist", "tick-size-change")


def symbols_of(run_: Run) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Level and open orders of each symbol at the end of each second."""
    for symbol in run_.seen[0].symbols:
        yield symbol, [(one.symbols[symbol].level, one.symbols[symbol].open_orders) for one in run_.seen]


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_account_stays_inside_its_limits_and_nothing_is_broken(name: str) -> None:
    played = run(name)
    assert played.broken == {}
    for shown in played.seen:
        for view in shown.symbols.values():
            assert float(view.notional) <= float(view.position_notional_max or 0) or view.notional == "0"
        assert float(shown.notional) <= float(shown.account_notional_max or 0) or shown.notional == "0"


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_quotes_while_the_market_is_calm(name: str) -> None:
    calm = int(QUIET_S) - 3
    for _, seconds in symbols_of(run(name)):
        assert seconds[calm][0] == "NORMAL"
        assert max(orders for _, orders in seconds[:calm]) > 0


@pytest.mark.parametrize("name", HALTING)
def test_the_level_rises_and_the_quotes_go(name: str) -> None:
    played = run(name)
    for symbol, seconds in symbols_of(played):
        halted = [number for number, (level, _) in enumerate(seconds) if level == "HALTED" and number >= STARTED_S]
        assert halted, f"{symbol} was never halted"
        assert halted[0] >= QUIET_S - 1
        assert {seconds[number][1] for number in halted[1:] if number - 1 in halted} == {0}
    rises = [one for one in played.changes if one.after is RiskLevel.HALTED]
    assert all(one.reason for one in rises)


def test_where_the_liquidity_was_gone_it_quotes_again_by_itself() -> None:
    for _, seconds in symbols_of(run("liquidity-gone")):
        halted = max(number for number, (level, _) in enumerate(seconds[:45]) if level == "HALTED")
        assert any(level == "NORMAL" and orders > 0 for level, orders in seconds[halted:])
