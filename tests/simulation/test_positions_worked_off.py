"""A position beyond the account's limit holds every symbol back until it is worked off: no silence, as long as it is true and tended."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from actors.order_manager.core import OrderManagerCore
from actors.order_manager.snapshot import SymbolView
from configs.loading import load_settings
from ops.simulation.allowances import tending_s
from ops.simulation.draws import draw_flow, draw_settings
from ops.simulation.faults import Fault, FaultKind
from ops.simulation.held_back import WorkingOff
from ops.simulation.house import House
from ops.simulation.seeds import Case, run_case, run_seed

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
SEED = 102
BOUGHT = 9
"""Hundredths of a coin that somebody else buys: 5,760 where the account may hold 2,400."""


def views(house: House) -> dict[str, SymbolView]:
    core = house.world.core_of("order_manager-0")
    assert isinstance(core, OrderManagerCore)
    return core.snapshot().symbols


def bought(seed: int, hundredths: int) -> tuple[House, WorkingOff]:
    """A house that quotes, and in which somebody then buys too much of the first symbol."""
    chance = random.Random(f"run {seed}")
    settings, flow = draw_settings(chance, load_settings(DEMO, {})), draw_flow(chance)
    house = House(settings, seed, flow=flow, by_wire=False)
    house.start()
    house.run_s(20)
    house.venue.trade_foreign(hundredths)
    return house, WorkingOff(house)


@pytest.fixture
def held_back() -> tuple[House, WorkingOff]:
    return bought(SEED, BOUGHT)


def look(house: House, working_off: WorkingOff, seconds: int) -> None:
    for _ in range(seconds):
        house.run_s(1)
        for symbol, view in views(house).items():
            working_off.look(symbol, view)


def test_who_has_no_position_may_be_silent_while_the_others_is_worked_off(held_back: tuple[House, WorkingOff]) -> None:
    house, working_off = held_back
    look(house, working_off, 15)
    assert house.venue.resting("ETHUSDC") == 0
    assert working_off.excuses("ETHUSDC", views(house)["ETHUSDC"])


def test_a_position_that_nobody_works_off_excuses_nothing(held_back: tuple[House, WorkingOff]) -> None:
    house, working_off = held_back
    look(house, working_off, 15)
    house.crash("strategy-0")
    look(house, working_off, int(tending_s(house.settings)) + 8)
    assert not working_off.excuses("ETHUSDC", views(house)["ETHUSDC"])


def test_a_restriction_that_outlives_its_reason_excuses_nothing(held_back: tuple[House, WorkingOff]) -> None:
    house, working_off = held_back
    look(house, working_off, 15)
    before = views(house)["ETHUSDC"]
    house.venue.trade_foreign(-BOUGHT)
    assert not working_off.excuses("ETHUSDC", before)


def test_who_is_left_no_room_by_a_position_that_is_worked_off_may_be_silent() -> None:
    """Seed 8,006,583, shrunk: 2,304 of the 2,400 that the account may hold were in one symbol that may hold 1,500, and half an order of
    the other was more than the rest."""
    stranger = Fault(kind=FaultKind.FOREIGN_TRADE, at_ms=9_347, count=3)
    result = run_case(Case(seed=8_006_583, schedule=(stranger,), trading_ms=1_054), load_settings(DEMO, {}))
    assert result.violations == ()


def test_a_lack_of_room_that_nobody_works_at_excuses_nothing() -> None:
    house, working_off = bought(8_006_583, 3)
    look(house, working_off, 15)
    assert working_off.excuses("ETHUSDC", views(house)["ETHUSDC"])
    house.crash("strategy-0")
    look(house, working_off, int(tending_s(house.settings)) + 8)
    assert not working_off.excuses("ETHUSDC", views(house)["ETHUSDC"])


def test_a_seed_of_strangers_alone_breaks_no_rule() -> None:
    result = run_seed(SEED, load_settings(DEMO, {}), (FaultKind.FOREIGN_TRADE,))
    assert result.violations == ()
