"""The venue changes a bound of its filters while the whole system runs: it is followed without a restart, and nothing is lost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from actors.exchange.faults import Fault, FaultKind
from actors.market_data.core import MarketDataCore
from actors.order_manager.core import OrderManagerCore
from actors.risk_monitor.core import RiskMonitorCore
from configs.loading import load_settings
from ops.invariants.all import check_all
from ops.simulation.house import House
from ops.simulation.venue_acts import Bound
from protocols.messages.alerts import AlertCode
from protocols.messages.control import Drain
from protocols.messages.journal import OrderIntended
from protocols.messages.orders import InstrumentTaken
from protocols.messages.risk import RiskLevel

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"


def quoting_house(seed: int) -> House:
    settings = load_settings(DEMO, {})
    eyes = settings.risk.eyes.model_copy(update={"symbol_config_ms": 3_000})
    house = House(settings.model_copy(update={"risk": settings.risk.model_copy(update={"eyes": eyes})}), seed)
    house.start()
    house.run_s(10)
    return house


def versions(house: House) -> dict[str, int]:
    """The version that each symbol's orders were made by last."""
    records = house.world.journal_of("order_manager-0")
    return {r.instrument_id: r.instrument_version for r in records if isinstance(r, OrderIntended)}


def change(house: House) -> None:
    house.venue.exchange.inject(Fault(kind=FaultKind.FILTERS_CHANGED))


def all_held(house: House) -> None:
    house.tell("order_manager-0", Drain())
    house.run_s(8)
    history = house.history()
    assert {v.name: v.violations for v in check_all(history) if not v.held} == {}


def test_orders_are_made_by_the_new_filters_within_seconds_and_nothing_halts() -> None:
    house = quoting_house(41)
    assert set(versions(house).values()) == {1}
    change(house)
    house.run_s(8)
    assert set(versions(house).values()) == {2}
    core = house.world.core_of("risk_monitor")
    assert isinstance(core, RiskMonitorCore)
    assert {row.level for row in core.snapshot().symbols.values()} == {RiskLevel.NORMAL}
    change(house)
    house.run_s(8)
    assert set(versions(house).values()) == {3}
    all_held(house)


@pytest.mark.parametrize("victim", ["order_manager-0", "market_data-0", "strategy-0", "risk_monitor", "inventory"])
def test_whoever_restarts_after_it_learns_the_filters_in_force(victim: str) -> None:
    house = quoting_house(42)
    change(house)
    house.run_s(8)
    house.crash_for(victim, 0.7)
    house.run_s(15)
    assert set(versions(house).values()) == {2}
    manager, market = house.world.core_of("order_manager-0"), house.world.core_of("market_data-0")
    assert isinstance(manager, OrderManagerCore)
    assert isinstance(market, MarketDataCore)
    assert all(view.gate_open for view in manager.snapshot().symbols.values())
    taken = [r for r in house.world.journal_of("order_manager-0") if isinstance(r, InstrumentTaken)]
    assert taken[-1].instrument.version == 2
    all_held(house)


def resting_lots(house: House) -> dict[str, int]:
    """By symbol the largest order of ours that rests at the venue."""
    account = house.venue.exchange.venue.account("main")
    return {
        symbol: max((order.remaining_lots for order in account.live_orders(symbol)), default=0)
        for symbol in house.settings.symbols
    }


def test_no_order_is_larger_than_a_largest_quantity_that_shrank() -> None:
    house = quoting_house(43)
    before = resting_lots(house)
    house.venue.acts.change_bound(Bound.QUANTITY_MAX)
    house.run_s(8)
    bounds = {
        symbol: market.contract.quantity_lots_max for symbol, market in house.venue.exchange.venue.markets.items()
    }
    after = resting_lots(house)
    assert all(before[symbol] > bounds[symbol] >= after[symbol] > 0 for symbol in house.settings.symbols)
    all_held(house)


def test_a_bound_that_changes_twice_is_what_it_was_at_first() -> None:
    house = quoting_house(46)

    def least() -> list[Decimal]:
        return [market.contract.notional_min for market in house.venue.exchange.venue.markets.values()]

    first = least()
    house.venue.acts.change_bound(Bound.NOTIONAL_MIN)
    assert least() == [notional * 2 for notional in first]
    house.venue.acts.change_bound(Bound.NOTIONAL_MIN)
    assert least() == first


def test_quotes_go_on_within_price_bands_that_shrank() -> None:
    house = quoting_house(44)
    house.venue.acts.change_bound(Bound.PRICE_BAND)
    house.run_s(8)
    assert set(versions(house).values()) == {2}
    assert all(lots > 0 for lots in resting_lots(house).values())
    all_held(house)


def test_a_tick_that_changes_halts_its_symbol_until_it_is_back_and_no_other() -> None:
    house = quoting_house(45)
    house.venue.acts.change_tick(10)
    house.run_s(14)
    changed, other = house.settings.symbols
    lots = resting_lots(house)
    assert (lots[changed], lots[other] > 0) == (0, True)
    core = house.world.core_of("risk_monitor")
    assert isinstance(core, RiskMonitorCore)
    assert core.snapshot().symbols[changed].level == RiskLevel.HALTED
    assert any(
        a.code is AlertCode.LEVEL_CHANGED and a.subject == changed and "-> HALTED" in a.text for a in house.raised
    )
    house.venue.acts.change_tick(1)
    house.run_s(30)
    assert resting_lots(house)[changed] > 0
    all_held(house)
