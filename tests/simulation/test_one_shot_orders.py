"""One-shot orders in the whole system: they trade once, whatever dies, and every invariant holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.order_manager.core import OrderManagerCore
from configs.loading import load_settings
from ops.invariants.all import check_all
from ops.report import build_report
from ops.simulation.house import House
from protocols.messages.control import Drain
from protocols.messages.orders import OrderFilled
from protocols.messages.requests import OrderRequest
from protocols.values import Side, TimeInForce, make_instrument_id

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")
LOTS = 3


def quoting_house(seed: int) -> House:
    house = House(load_settings(DEMO, {}), seed)
    house.start()
    house.run_s(8)
    return house


def manager(house: House) -> OrderManagerCore:
    core = house.world.core_of("order_manager-0")
    assert isinstance(core, OrderManagerCore)
    return core


def buying(house: House, number: int, life_s: float = 30.0) -> OrderRequest:
    """Lift the offer, through it by a little."""
    now_ns = house.world.now_ns
    top = manager(house)._shard.symbols[BTC].top
    assert top is not None
    return OrderRequest(
        intent_id=f"test-{number}",
        instrument_id=BTC,
        instrument_version=1,
        side=Side.BUY,
        quantity_lots=LOTS,
        limit_ticks=top.asks[0][0] + 50,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        reduce_only=False,
        asked_ns=now_ns,
        expires_ns=now_ns + int(life_s * 1e9),
    )


def bought(house: House, number: int) -> int:
    records = house.world.journal_of("order_manager-0")
    return sum(r.quantity_lots for r in records if isinstance(r, OrderFilled) and r.intent_id == f"test-{number}")


def end(house: House) -> dict:
    house.tell("order_manager-0", Drain())
    house.run_s(8)
    history = house.history()
    assert {v.name: v.violations for v in check_all(history) if not v.held} == {}
    report = build_report(history)
    assert report["live_orders_at_end"] == 0
    return report["symbols"]["BTCUSDC"]["requests"]


def test_a_taker_order_trades_beside_the_ladder_and_stands_in_the_report() -> None:
    house = quoting_house(seed=21)
    for number in range(3):
        house.tell("order_manager-0", buying(house, number))
        house.run_s(2)
        assert bought(house, number) == LOTS
    report = end(house)
    assert (report["sent"], report["denied"]) == (3, {})
    assert report["fills"] >= 3
    assert float(report["fees"]) > 0


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_the_order_manager_dies_at_it_and_the_request_comes_again_and_again(share: float) -> None:
    house = quoting_house(seed=22)
    request = buying(house, 0)
    house.world.doom("order_manager-0", 1, share, lambda: house.crash_for("order_manager-0", 0.7))
    house.tell("order_manager-0", request)
    for _ in range(20):
        house.run_s(1)
        house.tell("order_manager-0", request)
    house.run_s(2)
    assert bought(house, 0) <= LOTS
    report = end(house)
    assert report["sent"] + sum(report["denied"].values()) == 1
