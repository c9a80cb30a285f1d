"""The whole system in one process, under fixed seeds: it quotes, it is filled, and whatever is killed comes back without a trace.

A failing case is repeated by its test id alone: the same seed gives the same history.
"""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors.inventory.core import InventoryCore
from actors.order_manager.core import OrderManagerCore
from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.eyes import WEIGHT_1M
from actors.risk_monitor.snapshot import RiskSnapshot
from configs.loading import load_settings
from configs.schema import FeeSettings, Settings
from ops.invariants.all import check_all
from ops.invariants.history import History
from ops.report import build_report, live_order_ids
from ops.simulation.house import House
from protocols.client_order_id import parse_client_order_id
from protocols.messages.control import Drain, EmergencyStop
from protocols.messages.orders import OrderFilled

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
WARM_UP_S = 8
QUOTING_AGAIN_S = 15
DRAIN_S = 8
ACTORS = ("alerting", "inventory", "risk_monitor", "order_manager-0", "market_data-0", "strategy-0")


def demo_settings(shards: int = 1) -> Settings:
    return load_settings(DEMO, {}).model_copy(update={"shards": shards})


def quoting_house(seed: int, shards: int = 1) -> House:
    house = House(demo_settings(shards), seed)
    house.start()
    house.run_s(WARM_UP_S)
    return house


def order_managers(house: House) -> list[str]:
    return [name for name in house.specs if name.startswith("order_manager")]


def symbols_not_quoting(house: House) -> dict[str, object]:
    idle = {}
    for name in order_managers(house):
        core = house.world.core_of(name)
        assert isinstance(core, OrderManagerCore)
        for symbol, view in msgspec.to_builtins(core.snapshot())["symbols"].items():
            if not view["gate_open"] or view["open_orders"] == 0:
                idle[symbol] = view["gate_reasons"]
    return idle


def drained(house: House) -> History:
    for name in order_managers(house):
        house.tell(name, Drain())
    house.run_s(DRAIN_S)
    return house.history()


def violations(history: History) -> dict[str, tuple[str, ...]]:
    return {verdict.name: verdict.violations for verdict in check_all(history) if not verdict.held}


def test_a_quiet_run_quotes_both_sides_is_filled_and_ends_with_nothing_live() -> None:
    house = quoting_house(seed=1)
    house.run_s(40)
    report = build_report(drained(house))
    for symbol in ("BTCUSDC", "ETHUSDC"):
        assert report["symbols"][symbol]["quoted_both_share"] > 0.8
        assert report["symbols"][symbol]["fills"] >= 3
    assert report["live_orders_at_end"] == 0
    assert all(verdict["held"] for verdict in report["invariants"].values())
    looked_at = {name for name, verdict in report["invariants"].items() if verdict["checked"] > 0}
    assert looked_at >= {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I10", "I13", "I14", "I15"}


@pytest.mark.parametrize("bnb", ["0", "10"])
def test_over_a_whole_run_the_books_equal_the_venues_income_records_to_the_last_digit(bnb: str) -> None:
    settings = demo_settings()
    assert settings.exchange is not None
    own = {
        "fees": {"USDC": FeeSettings(maker=Decimal("0.0001237"), taker=Decimal("0.0004"))},
        "fee_burn": bnb != "0",
        "balances": {"USDC": Decimal(100_000), "BNB": Decimal(bnb)},
    }
    house = House(settings.model_copy(update={"exchange": settings.exchange.model_copy(update=own)}), seed=4)
    house.start()
    house.run_s(130)
    inventory = house.world.core_of("inventory")
    assert isinstance(inventory, InventoryCore)
    view = inventory.snapshot()
    assert (view.income_windows >= 3, view.income_records > 50, view.income_differences) == (True, True, {})
    assert all(Decimal(one.fees) > 0 and not one.fees_unvalued for one in view.symbols.values())
    fills = [one for one in house.world.journal_of("order_manager-0") if isinstance(one, OrderFilled)]
    assert {one.fee_asset for one in fills} == {"USDC" if bnb == "0" else "BNB"}


def test_limits_that_the_venue_has_lowered_are_obeyed_without_a_refusal() -> None:
    lowered = {"orders_per_10s": 30, "orders_per_minute": 100, "weight_per_minute": 700}
    settings = demo_settings()
    assert settings.exchange is not None
    house = House(settings.model_copy(update={"exchange": settings.exchange.model_copy(update=lowered)}), seed=8)
    house.start()
    house.run_s(60)
    core = house.world.core_of("order_manager-0")
    assert isinstance(core, OrderManagerCore)
    shown = core.snapshot()
    # Part of the weight is kept for what the risk monitor reads by itself.
    rate = shown.rate
    assert (rate.orders_max_10s, rate.orders_max_1m, rate.weight_max_1m) == (30, 100, 700 - WEIGHT_1M)
    assert shown.rate.throttled == 0
    assert len(list(house.history().our_accepted())) > 60
    assert any(view.denials.get("RATE", 0) for view in shown.symbols.values())


def test_the_same_seed_gives_the_same_history_to_the_byte() -> None:
    first, second = quoting_house(seed=5), quoting_house(seed=5)
    encode = msgspec.msgpack.Encoder().encode
    assert encode(first.venue.ledger) == encode(second.venue.ledger)
    assert encode(first.world.journal_of("order_manager-0")) == encode(second.world.journal_of("order_manager-0"))


@pytest.mark.parametrize("victim", ACTORS)
def test_any_one_actor_killed_comes_back_and_everything_quotes_again(victim: str) -> None:
    house = quoting_house(seed=2)
    house.crash(victim)
    house.run_s(0.7)
    house.begin(victim)
    house.run_s(QUOTING_AGAIN_S)
    assert symbols_not_quoting(house) == {}
    history = drained(house)
    assert violations(history) == {}
    assert live_order_ids(history.ledger) == set()


def test_all_actors_killed_at_once_come_back_and_quote_again() -> None:
    house = quoting_house(seed=3)
    for name in house.specs:
        house.crash(name)
    house.run_s(1)
    for name in house.specs:
        house.begin(name)
    house.run_s(QUOTING_AGAIN_S)
    assert symbols_not_quoting(house) == {}
    history = drained(house)
    assert violations(history) == {}
    assert live_order_ids(history.ledger) == set()


def test_a_risk_monitor_that_died_comes_back_with_its_latches_and_the_days_beginning() -> None:
    house = quoting_house(seed=10)
    house.tell("risk_monitor", EmergencyStop(reason="a person said so"))
    house.run_s(0.5)
    before = risk_snapshot(house)
    house.crash("risk_monitor")
    house.run_s(0.5)
    house.begin("risk_monitor")
    house.run_s(2)
    after = risk_snapshot(house)
    assert after.latches == before.latches == {"account": "emergency stop: a person said so"}
    assert after.day == before.day
    assert after.shards[0].share_id >= before.shards[0].share_id > 0


def risk_snapshot(house: House) -> RiskSnapshot:
    core = house.world.core_of("risk_monitor")
    assert isinstance(core, RiskMonitorCore)
    return core.snapshot()


def test_an_order_manager_that_lost_its_journal_starts_from_the_venue_and_everybody_hears_it_again() -> None:
    house = quoting_house(seed=9)
    house.run_s(10)
    house.crash("order_manager-0")
    house.world.journal_of("order_manager-0").clear()
    house.run_s(0.5)
    house.begin("order_manager-0")
    house.run_s(QUOTING_AGAIN_S)
    assert symbols_not_quoting(house) == {}
    fills_before = len(order_fills(house))
    house.run_s(30)
    assert len(order_fills(house)) > fills_before
    history = drained(house)
    assert "I3" not in violations(history)
    assert live_order_ids(history.ledger) == set()


def order_fills(house: House) -> list[OrderFilled]:
    """What the order manager has journaled of executions."""
    return [record for record in house.world.journal_of("order_manager-0") if isinstance(record, OrderFilled)]


def test_nothing_of_ours_lives_at_the_venue_long_after_everybody_died() -> None:
    house = quoting_house(seed=4)
    for name in house.specs:
        house.crash(name)
    countdown_ms = house.settings.order_manager.countdown_ms
    house.run_s(countdown_ms / 1_000 + 1)
    assert live_order_ids(house.history().ledger) == set()


def test_after_an_emergency_stop_nothing_more_is_accepted_and_nothing_rests() -> None:
    house = quoting_house(seed=6)
    before = len(list(house.history().our_accepted()))
    house.tell("order_manager-0", EmergencyStop(reason="a test"))
    house.run_s(0.05)
    accepted_when_shut = len(list(house.history().our_accepted()))
    house.run_s(10)
    history = house.history()
    assert before > 0
    assert len(list(history.our_accepted())) == accepted_when_shut
    assert live_order_ids(history.ledger) == set()


def test_a_replacement_quotes_under_its_own_epoch_only() -> None:
    house = quoting_house(seed=7)
    house.crash("order_manager-0")
    house.run_s(0.5)
    house.begin("order_manager-0")
    epoch = house.world.epoch_of("order_manager-0")
    accepted_before = len(list(house.history().our_accepted()))
    house.run_s(QUOTING_AGAIN_S)
    later = list(house.history().our_accepted())[accepted_before:]
    parsed = [parse_client_order_id(order.client_order_id) for order in later]
    assert later
    assert {order.epoch for order in parsed if order is not None} == {epoch}


@pytest.mark.parametrize("seed", range(100, 106))
def test_random_deaths_break_no_invariant_and_quoting_resumes(seed: int) -> None:
    chance = random.Random(seed)
    house = quoting_house(seed, shards=chance.choice((1, 2)))
    names = list(house.specs)
    for _ in range(chance.randint(1, 3)):
        victims = chance.sample(names, chance.choice((1, 1, 2, 3)))
        for name in victims:
            house.crash(name)
        house.run_s(chance.uniform(0.05, 2.5))
        for name in names:
            if name in victims:
                house.begin(name)
        house.run_s(chance.uniform(0.0, 6.0))
    house.run_s(QUOTING_AGAIN_S)
    assert symbols_not_quoting(house) == {}
    history = drained(house)
    assert violations(history) == {}
    assert live_order_ids(history.ledger) == set()
