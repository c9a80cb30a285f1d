"""The composition: which actors a configuration becomes, and who reads whom."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors.runtime.state_dir import StateDir
from configs.loading import load_settings, with_changes
from configs.schema import Settings
from ops.system import SHELLS, START_ORDER, build_plan, deal
from protocols.messages.control import SystemPlan
from protocols.values import Instrument, RateLimits, make_instrument_id

ROOT = Path(__file__).resolve().parents[2]


def instrument(symbol: str) -> Instrument:
    return Instrument(
        instrument_id=make_instrument_id("binance_usdm", "main", symbol),
        version=1,
        base_asset=symbol[:-4],
        quote_asset=symbol[-4:],
        margin_asset=symbol[-4:],
        tick_size=Decimal("0.1"),
        lot_size=Decimal("0.001"),
        price_ticks_min=1,
        price_ticks_max=10_000_000,
        quantity_lots_min=1,
        quantity_lots_max=1_000_000,
        notional_min=Decimal(5),
        price_multiplier_up=Decimal("1.05"),
        price_multiplier_down=Decimal("0.95"),
        open_orders_max=200,
    )


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "state").create()


def plan_of(state: StateDir, shards: int = 1, **changes: object) -> SystemPlan:
    settings = load_settings(ROOT / "configs" / "demo.yaml", {})
    settings = with_changes(settings, {"shards": shards, **changes}, source="the test")
    instruments = {symbol: instrument(symbol) for symbol in settings.symbols}
    return build_plan(settings, instruments, 41, state, RateLimits(orders_10s=50))


def peers(plan: SystemPlan) -> dict[str, list[str]]:
    return {child.spec.name: sorted(child.spec.peers) for child in plan.children}


def test_symbols_are_dealt_in_turn() -> None:
    assert deal(["A", "B", "C", "D", "E"], 2) == (("A", "C", "E"), ("B", "D"))
    assert deal(["A", "B"], 1) == (("A", "B"),)


def test_one_shard_has_every_actor_once_in_the_order_of_starting(state: StateDir) -> None:
    plan = plan_of(state)
    assert [child.spec.name for child in sorted(plan.children, key=lambda child: child.start_order)] == [
        "exchange",
        "alerting",
        "inventory",
        "risk_monitor",
        "order_manager-0",
        "market_data-0",
        "strategy-0",
    ]
    assert all(child.shell == SHELLS[child.spec.role] for child in plan.children)
    assert plan.epoch_floor == 41


def test_two_shards_give_each_symbol_its_own_feed_strategy_and_order_manager(state: StateDir) -> None:
    plan = plan_of(state, shards=2)
    served = {child.spec.name: [i.symbol for i in child.spec.instruments] for child in plan.children}
    assert served == {
        "exchange": [],
        "alerting": ["BTCUSDC", "ETHUSDC"],
        "inventory": ["BTCUSDC", "ETHUSDC"],
        "risk_monitor": ["BTCUSDC", "ETHUSDC"],
        "order_manager-0": ["BTCUSDC"],
        "order_manager-1": ["ETHUSDC"],
        "market_data-0": ["BTCUSDC"],
        "market_data-1": ["ETHUSDC"],
        "strategy-0": ["BTCUSDC"],
        "strategy-1": ["ETHUSDC"],
    }


def test_an_actor_of_a_shard_reads_its_own_shard_and_an_account_wide_one_reads_all(state: StateDir) -> None:
    assert peers(plan_of(state, shards=2)) == {
        "exchange": [],
        "alerting": [
            "inventory",
            "market_data-0",
            "market_data-1",
            "order_manager-0",
            "order_manager-1",
            "risk_monitor",
            "strategy-0",
            "strategy-1",
            "supervisor",
        ],
        "inventory": ["market_data-0", "market_data-1", "order_manager-0", "order_manager-1"],
        "risk_monitor": ["inventory", "market_data-0", "market_data-1", "order_manager-0", "order_manager-1"],
        "order_manager-0": ["inventory", "market_data-0", "risk_monitor", "strategy-0"],
        "order_manager-1": ["inventory", "market_data-1", "risk_monitor", "strategy-1"],
        "market_data-0": ["risk_monitor"],
        "market_data-1": ["risk_monitor"],
        "strategy-0": ["inventory", "market_data-0", "order_manager-0", "risk_monitor"],
        "strategy-1": ["inventory", "market_data-1", "order_manager-1", "risk_monitor"],
    }


def test_every_actor_of_the_plan_knows_the_venues_limits(state: StateDir) -> None:
    limits = {child.spec.name: child.spec.rate_limits.orders_10s for child in plan_of(state, exchange=None).children}
    assert set(limits.values()) == {50}


def test_everybody_dials_the_address_that_the_other_listens_on(state: StateDir) -> None:
    plan = plan_of(state, shards=2)
    listening = {child.spec.name: child.spec.address for child in plan.children} | {
        "supervisor": state.socket("supervisor")
    }
    assert len(set(listening.values())) == len(listening)
    for child in plan.children:
        assert child.spec.peers == {name: listening[name] for name in child.spec.peers}


def test_the_code_of_a_symbol_is_its_place_among_all_whatever_its_shard(state: StateDir) -> None:
    one, two = plan_of(state), plan_of(state, shards=2)
    codes = {"binance_usdm:main:BTCUSDC": 0, "binance_usdm:main:ETHUSDC": 1}
    for plan in (one, two):
        assert [child.spec.symbol_codes for child in plan.children[1:]] == [codes] * (len(plan.children) - 1)


def test_only_the_simulated_venue_is_irreplaceable_and_a_real_venue_has_none(state: StateDir) -> None:
    assert [child.spec.name for child in plan_of(state).children if not child.replaceable] == ["exchange"]
    assert [child.spec.role for child in plan_of(state, exchange=None).children] == list(START_ORDER)


def test_a_plan_survives_the_way_to_the_supervisor(state: StateDir) -> None:
    plan = plan_of(state, shards=2)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plan), type=SystemPlan) == plan
    assert Settings.model_validate_json(plan.settings_json).shards == 2


def test_no_secret_is_in_a_plan(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYMAKER_API_KEY", "visible-key")
    monkeypatch.setenv("RAYMAKER_API_SECRET", "visible-secret")
    encoded = msgspec.msgpack.encode(plan_of(state))
    assert b"visible-key" not in encoded and b"visible-secret" not in encoded
