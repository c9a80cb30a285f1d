"""Every event is booked once, journaled before it is told, and the journal gives the same books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from account_samples import (
    BTC,
    ETH,
    MS,
    START_NS,
    VENUE_OFFSET_NS,
    S,
    alert_codes,
    fill,
    mark,
    published,
)
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from inventory_rig import TICK, Driver, _events, balance, funding, happenings

from actors.inventory import core as inventory_core
from actors.inventory.records import BooksSaved
from protocols.effects import Append, LinkChanged, Publish, SetTimer
from protocols.messages.control import ActorState, Drain, EmergencyStop
from protocols.messages.inventory import PositionChanged
from protocols.values import Side
from protocols.venue import (
    Done,
    Usage,
)


def test_a_fill_is_journaled_before_the_position_is_published() -> None:
    event = fill(1, Side.BUY, 2, 500_000)
    changed = PositionChanged(
        instrument_id=BTC, position_lots=2, average_price=Decimal(50_000), shard=0, event_seq=1, known=True
    )
    assert Driver().with_wallet().tell(event) == [Append(event), Publish(changed)]


def test_an_event_is_booked_once_by_its_number() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 2, 500_000))
    assert inventory.tell(fill(1, Side.BUY, 2, 500_000)) == []
    assert inventory.lots() == (2, True)


def test_a_trade_is_booked_once_under_another_number() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 2, 500_000), fill(2, Side.BUY, 2, 500_000, trade_id=101, venue_order_id=1))
    assert inventory.lots() == (2, True)
    assert inventory.core.snapshot().repeated == 1


def test_both_sides_of_one_trade_of_our_own_are_booked() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 2, 500_000, fee=Decimal(1)), fill(2, Side.SELL, 2, 500_000, trade_id=101))
    assert (inventory.lots(), inventory.core.snapshot().symbols["BTCUSDC"].fills) == ((0, True), 2)


def test_a_foreign_fill_counts_like_any_other() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.SELL, 2, 500_000, ours=False, client_order_id=""))
    assert inventory.lots() == (-2, True)


def test_everything_is_said_again_four_times_a_second() -> None:
    inventory = Driver().with_wallet()
    effects = inventory.tell(TICK)
    assert SetTimer("tick", START_NS + 250 * MS) in effects
    assert [p.instrument_id for p in published(effects, PositionChanged)] == [BTC, ETH]


def test_a_balance_repeated_after_the_next_change_of_its_millisecond_is_not_adopted() -> None:
    inventory = Driver().with_wallet("1000")
    at_ns = START_NS + VENUE_OFFSET_NS + 5 * S
    fee = {"fee": Decimal(1), "venue_time_ns": at_ns}
    inventory.tell(balance(1, "999", venue_time_ns=at_ns), fill(2, Side.BUY, 2, 500_000, **fee))
    inventory.tell(balance(3, "998", venue_time_ns=at_ns), fill(4, Side.BUY, 2, 500_000, **fee))
    inventory.tell(balance(5, "999", venue_time_ns=at_ns))
    assert alert_codes(inventory.wait(5)) == []
    assert inventory.core.snapshot().wallets == {"USDC": "998"}


def test_a_restart_from_the_journal_gives_the_same_books() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(
        fill(1, Side.BUY, 4, 500_000, fee=Decimal("0.1")),
        balance(2, "1499.9", "500", "DEPOSIT"),
        funding(3, "0.5"),
        fill(4, Side.SELL, 6, 510_000, fee=Decimal("0.1")),
        fill(9, Side.BUY, 1, 510_000),
    )
    restarted = Driver(inventory.journal)
    restarted.tell(mark("50000"), mark("2500", START_NS, ETH), TICK)
    before, after = inventory.core.snapshot(), restarted.core.snapshot()
    assert (after.symbols, after.wallets, after.day_pnl, after.event_seq) == (
        before.symbols,
        before.wallets,
        before.day_pnl,
        before.event_seq,
    )
    assert restarted.core.resume_from(0) == 9


def test_a_checkpoint_comes_after_so_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_core, "CHECKPOINT_EVENTS", 2)
    inventory = Driver().with_wallet()
    inventory.tell(*(fill(number, Side.BUY, 1, 500_000) for number in range(1, 5)))
    assert sum(isinstance(record, BooksSaved) for record in inventory.journal) == 3
    last = max(i for i, record in enumerate(inventory.journal) if isinstance(record, BooksSaved))
    assert Driver(inventory.journal[last:]).lots() == (4, True)


def test_what_does_not_concern_inventory_changes_nothing() -> None:
    inventory = Driver()
    before = inventory.core.snapshot()
    stray = Done(request_id=99, received_ns=0, usage=Usage())
    assert inventory.tell(LinkChanged(peer="x", up=True), EmergencyStop(reason=""), stray) == []
    assert inventory.core.snapshot() == before


def test_a_drained_inventory_is_stopped() -> None:
    inventory = Driver()
    inventory.tell(Drain())
    assert inventory.core.state() is ActorState.STOPPED


@hypothesis_settings(max_examples=60, deadline=None)
@given(happened=happenings, data=st.data())
def test_replaying_events_twice_changes_nothing(happened: list[tuple[Any, ...]], data: st.DataObject) -> None:
    events = _events(happened)
    once = Driver().with_wallet()
    once.tell(*events)
    twice = Driver().with_wallet()
    again = data.draw(st.integers(0, len(events)))
    twice.tell(*events, *events[again:])
    assert (once.core.snapshot().symbols, once.core.snapshot().wallets) == (
        twice.core.snapshot().symbols,
        twice.core.snapshot().wallets,
    )
    restarted = Driver(twice.journal)
    restarted.tell(mark("50000"), mark("2500", START_NS, ETH), *events)
    assert restarted.core.snapshot().symbols == once.core.snapshot().symbols
