"""A strategy that goes mad: random, huge, crossing and far quotes, without end. The account stays inside its limits."""

from __future__ import annotations

import random
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from actors.strategy.snapshot import StrategySnapshot
from configs.loading import load_settings
from configs.schema import Settings
from configs.schema.limits import quote
from ops.invariants.all import check_all
from ops.simulation import house as houses
from ops.simulation.house import House
from protocols.effects import Effect, Publish, SetTimer
from protocols.messages.control import ActorSpec
from protocols.messages.market import BookTop
from protocols.messages.quoting import QuoteTargets
from protocols.values import InstrumentId

PERIOD_NS = 50_000_000
POSITION_MAX = 3_000


class MadStrategy:
    """Publishes a random ladder for every symbol twenty times a second, always with the newest book's name on it."""

    drained = False

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        self._chance = random.Random(spec.epoch * 7919 + spec.shard)
        self._versions = {one.instrument_id: one.version for one in spec.instruments}
        self._tops: dict[InstrumentId, BookTop] = {}

    def start(self, now_ns: int) -> list[Effect]:
        return [SetTimer("mad", now_ns + PERIOD_NS)]

    def handle(self, message: Any, now_ns: int) -> list[Effect]:
        if isinstance(message, BookTop):
            self._tops[message.instrument_id] = message
            return []
        if getattr(message, "name", "") != "mad":
            return []
        told: list[Effect] = [Publish(self._targets(top)) for top in self._tops.values()]
        return [*told, SetTimer("mad", now_ns + PERIOD_NS)]

    def snapshot(self) -> StrategySnapshot:
        raise AssertionError("nobody looks at a mad strategy")

    def _targets(self, top: BookTop) -> QuoteTargets:
        mid = (top.bids[0][0] + top.asks[0][0]) // 2
        return QuoteTargets(
            instrument_id=top.instrument_id,
            instrument_version=self._versions[top.instrument_id],
            book_update_id=top.update_id,
            book_received_ns=top.received_ns,
            bids=self._side(mid, -1),
            asks=self._side(mid, 1),
        )

    def _side(self, mid: int, sign: int) -> tuple[tuple[int, int], ...]:
        chance = self._chance
        reach = chance.choice((3, 50, mid // 1_000, mid // 10))
        prices = {mid + sign * chance.randint(-reach // 3, reach) for _ in range(chance.randint(0, 12))}
        sizes = chance.choice((20, 1_000, 10**6, 10**9))
        return tuple((max(ticks, 1), chance.randint(1, sizes)) for ticks in sorted(prices, key=lambda t: sign * t))


@pytest.mark.parametrize("seed", range(1, 5))
def test_whatever_a_mad_strategy_wants_the_account_stays_inside_its_limits(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(houses, "StrategyCore", MadStrategy)
    settings = demo_settings()
    house = House(settings, seed)
    house.start()
    for _ in range(24):
        house.run_s(1.0)
    house.drain()
    house.run_s(8.0)
    history = house.history()
    verdicts = {verdict.name: verdict for verdict in check_all(history)}
    assert {name: verdict.violations for name, verdict in verdicts.items() if verdict.violations} == {}
    assert verdicts["I6"].checked > 20, "the mad orders that are harmless are placed"
    views = house.world.core_of("risk_monitor").snapshot().symbols  # type: ignore[union-attr]
    assert all(float(view.notional) <= POSITION_MAX for view in views.values())


def demo_settings() -> Settings:
    settings = load_settings(Path(str(files("configs").joinpath("demo.yaml"))), {})
    risk = settings.risk.model_copy(
        update={"position_notional_max": quote(POSITION_MAX), "account_notional_max": quote(2 * POSITION_MAX)}
    )
    return settings.model_copy(update={"risk": risk})
