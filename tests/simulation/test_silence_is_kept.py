"""Nothing is sent inside a Retry-After (I10), also by a process whose disk holds it up, and by the one after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.exchange.ledger import RequestThrottled
from configs.loading import load_settings
from ops.simulation.faults import Fault, FaultKind
from ops.simulation.house import House
from ops.simulation.seeds import Case, run_case
from ops.simulation.silences import Silences
from ops.simulation.wire_faults import Rule, WireTrouble

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
BAN = Fault(kind=FaultKind.BANNED, at_ms=5_000, lasts_ms=4_000, actors=("order_manager-0",), size_ms=8_000)
SECOND = 1_000_000_000


@pytest.mark.parametrize("dies_ms", [5_500, 8_000])
def test_a_successor_keeps_the_silence_that_its_predecessor_was_told(dies_ms: int) -> None:
    death = Fault(kind=FaultKind.CRASH, at_ms=dies_ms, lasts_ms=300, actors=("order_manager-0",))
    result = run_case(Case(seed=5_001_542, schedule=(BAN, death)), load_settings(DEMO, {}))
    assert result.violations == ()
    assert result.checked["I10"] > 1


@pytest.mark.parametrize("seed", [5_001_541, 5_001_542, 5_001_545])
def test_a_disk_that_stalls_each_record_keeps_nobody_from_hearing_of_a_ban(seed: int) -> None:
    """As in seed 5,001,542, where a heartbeat's cancels left 1.2 s after the answer to a question before them had come."""
    slow = Fault(kind=FaultKind.DISK_SLOW, at_ms=5_000, lasts_ms=4_000, actors=("order_manager-0",), size_ms=1_400)
    ban = Fault(kind=FaultKind.BANNED, at_ms=6_000, lasts_ms=3_000, actors=("order_manager-0",), size_ms=8_000)
    result = run_case(Case(seed=seed, schedule=(slow, ban)), load_settings(DEMO, {}))
    assert result.violations == ()
    assert result.checked["I10"] > 1


def test_a_refusal_that_comes_to_a_dead_process_is_held_against_nobody() -> None:
    """As in seed 7,000,722: what an order manager wrote with its last breath was refused for its rate."""
    house = House(load_settings(DEMO, {}), 1)
    house.start()
    house.run_s(3)
    house.venue.faults.add(
        Rule(
            trouble=WireTrouble.FORBIDDEN,
            actor="order_manager-0",
            until_ns=house.world.now_ns + 10 * SECOND,
            size_ns=SECOND,
        )
    )
    refused: list[RequestThrottled] = []
    ends_ns = house.world.now_ns + 10 * SECOND
    while not refused and house.world.now_ns < ends_ns:
        house.run_s(0.000_1)
        refused = [record for record in house.venue.ledger[-20:] if isinstance(record, RequestThrottled)]
    house.crash_for("order_manager-0", 1)
    house.run_s(0.5)
    all_refused = [record for record in house.venue.ledger if isinstance(record, RequestThrottled)]
    assert house.venue.untold == {(record.address, record.t) for record in all_refused}


def test_a_core_that_has_heard_it_has_to_keep_silence_by_itself() -> None:
    silences = Silences()
    silences.tell("order_manager-0", 4, 9 * SECOND, is_unread=False)
    assert not silences.stops("order_manager-0", 4, 5 * SECOND)


def test_who_has_it_unread_or_is_another_process_sends_nothing_until_it_is_over() -> None:
    silences = Silences()
    silences.tell("order_manager-0", 4, 9 * SECOND, is_unread=True)
    silences.tell("inventory", 2, 9 * SECOND, is_unread=False)
    assert silences.stops("order_manager-0", 4, 9 * SECOND - 1)
    assert not silences.stops("order_manager-0", 4, 9 * SECOND)
    assert silences.stops("inventory", 3, 9 * SECOND - 1)
    assert not silences.stops("market_data-0", 3, 0)
