"""Nothing is sent inside a Retry-After (I10), also by a process whose disk holds it up, and by the one after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.loading import load_settings
from ops.simulation.faults import Fault, FaultKind
from ops.simulation.seeds import Case, run_case, run_seed
from ops.simulation.silences import Silences

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
BAN = Fault(kind=FaultKind.BANNED, at_ms=5_000, lasts_ms=4_000, actors=("order_manager-0",), size_ms=8_000)
SECOND = 1_000_000_000


@pytest.mark.parametrize("dies_ms", [5_500, 8_000])
def test_a_successor_keeps_the_silence_that_its_predecessor_was_told(dies_ms: int) -> None:
    death = Fault(kind=FaultKind.CRASH, at_ms=dies_ms, lasts_ms=300, actors=("order_manager-0",))
    result = run_case(Case(seed=5_001_542, schedule=(BAN, death)), load_settings(DEMO, {}))
    assert result.violations == ()
    assert result.checked["I10"] > 1


def test_a_disk_that_stalls_each_record_keeps_nobody_from_hearing_of_a_ban() -> None:
    """Seed 5,001,542: a heartbeat's cancels left 1.2 s after the answer to a question before them had come."""
    result = run_seed(5_001_542, load_settings(DEMO, {}))
    assert result.violations == ()
    assert result.injected["banned"] and result.injected["disk_slow"]


def test_a_refusal_that_came_to_a_dead_process_is_held_against_nobody() -> None:
    """Seed 7,000,722: the cancels that an order manager wrote with its last breath were refused for their rate."""
    result = run_seed(7_000_722, load_settings(DEMO, {}))
    assert result.violations == ()
    assert result.injected["disk_fails"] and result.injected["forbidden"]


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
