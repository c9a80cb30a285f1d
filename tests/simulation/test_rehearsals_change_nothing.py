"""A system whose actors rehearse before every message has the history of one that never does, to the byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.market_data.rehearsal import Rehearsal as MarketDataRehearsal
from actors.order_manager.rehearsal import Rehearsal as OrderManagerRehearsal
from actors.strategy.rehearsal import Rehearsal as StrategyRehearsal
from configs.loading import load_settings
from ops.simulation.house import House
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.effects import Append, Call, Effect, Publish
from protocols.messages.control import ActorSpec
from protocols.messages.journal import AmendIntended
from protocols.messages.market import BookTop
from protocols.messages.quoting import QuoteTargets
from protocols.venue import AmendOrder, CancelOrder, PlaceOrder

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
SECONDS = 15
MS = 1_000_000


class Walk:
    """One role's rehearsal, played as its shell plays it."""

    def __init__(self, spec: ActorSpec, house: House) -> None:
        now_ns = house.world.now_ns
        self._decoder = MarketStreamDecoder(WireInstruments(spec.instruments))
        self._play: Any
        match spec.role:
            case "market_data":
                market = MarketDataRehearsal(spec, house.settings, now_ns)
                self._play = lambda now: market.play(self._event(market.next_frame(now), now), now)
            case "strategy":
                strategy = StrategyRehearsal(spec, house.settings, now_ns)
                self._play = lambda now: strategy.play(strategy.next_book(now), now)
            case _:
                manager = OrderManagerRehearsal(spec, house.settings)
                self._play = lambda now: manager.play(manager.next_targets(), now)

    def once(self, now_ns: int) -> list[Effect]:
        effects: list[Effect] = self._play(now_ns)
        return effects

    def _event(self, frame: bytes, now_ns: int) -> Any:
        event = self._decoder.decode(frame, now_ns)
        assert event is not None
        return event


def played(rehearse: bool) -> tuple[bytes, list[Any], list[Any]]:
    """Ledger, journal and last snapshots of one run."""
    house = House(load_settings(DEMO, {}), seed=5)
    if rehearse:
        _rehearse_before_every_message(house)
    house.start()
    house.run_s(SECONDS)
    ledger = msgspec.json.encode(list(house.venue.ledger))
    journal = house.world.journal_of("order_manager-0")
    snapshots = [core.snapshot() for name in house.specs if (core := house.world.core_of(name)) is not None]
    return ledger, journal, snapshots


def _rehearse_before_every_message(house: House) -> None:
    make: Any = house._make_core

    def watched(spec: ActorSpec, epoch: int, journal: Any) -> Any:
        core: Any = make(spec, epoch, journal)
        if spec.role in ("market_data", "strategy", "order_manager"):
            walk, handle = Walk(spec, house), core.handle

            def rehearsed(message: Any, now_ns: int) -> Any:
                walk.once(now_ns)
                return handle(message, now_ns)

            core.handle = rehearsed
        return core

    house._make_core = watched  # type: ignore[method-assign]


def test_ledger_journal_and_every_state_are_the_same_with_rehearsals_and_without() -> None:
    ledger, journal, snapshots = played(rehearse=False)
    assert len(journal) > 50
    assert played(rehearse=True) == (ledger, journal, snapshots)


@pytest.fixture(scope="module")
def house() -> House:
    return House(load_settings(DEMO, {}), seed=1)


def walk_of(house: House, role: str) -> Walk:
    return Walk(house.specs[f"{role}-0"], house)


@pytest.mark.parametrize(("role", "told"), [("market_data", BookTop), ("strategy", QuoteTargets)])
def test_each_imagined_frame_makes_a_book_and_each_imagined_book_a_ladder(
    house: House, role: str, told: type[Any]
) -> None:
    walk, now_ns = walk_of(house, role), house.world.now_ns
    for number in range(1, 2_000):
        (effect,) = walk.once(now_ns + number * MS)
        assert isinstance(effect, Publish)
        assert type(effect.body) is told
        if isinstance(effect.body, QuoteTargets):
            assert effect.body.bids
            assert effect.body.asks


def test_each_imagined_ladder_moves_a_quote_past_every_check(house: House) -> None:
    walk, now_ns = walk_of(house, "order_manager"), house.world.now_ns
    placed = [effect.request for _ in range(1) for effect in walk.once(now_ns) if isinstance(effect, Call)]
    assert {type(request) for request in placed} == {PlaceOrder}
    for number in range(1, 2_000):
        intent, move = walk.once(now_ns + number * MS)
        assert isinstance(intent, Append)
        assert isinstance(intent.record, AmendIntended)
        assert isinstance(move, Call)
        assert isinstance(move.request, AmendOrder)


def test_where_quotes_move_by_cancel_and_place_that_is_rehearsed(house: House) -> None:
    own = house.settings.order_manager.model_copy(update={"amends": False})
    manager = OrderManagerRehearsal(
        house.specs["order_manager-0"], house.settings.model_copy(update={"order_manager": own})
    )
    manager.play(manager.next_targets(), 1)
    for number in range(2, 100):
        effects = manager.play(manager.next_targets(), number * MS)
        requests = [type(effect.request) for effect in effects if isinstance(effect, Call)]
        assert requests == [CancelOrder, PlaceOrder]


def test_what_is_imagined_does_not_pile_up(house: House) -> None:
    manager = OrderManagerRehearsal(house.specs["order_manager-0"], house.settings)
    for second in range(1, 200):
        manager.play(manager.next_targets(), second * 1_000 * MS)
    shard = manager._shard
    (symbol,) = shard.symbols.values()
    assert shard.budget.orders_used_1m <= 61
    assert (len(symbol.table.live), len(symbol.table.finished), len(shard.desk.in_flight)) == (2, 0, 0)
