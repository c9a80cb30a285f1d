"""A few seeds of the fault simulation; `raymaker simulate --seeds 1 --first N` repeats one."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.loading import load_settings
from configs.schema import Settings
from ops.simulation.faults import Cast, Fault, FaultKind, draw_schedule
from ops.simulation.seed_report import SeedTotals, UnknownFaultError, describe, kinds_of
from ops.simulation.seeds import SeedResult, run_seed

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"

ONCE_BROKEN = (2008, 2066, 2123, 2126, 4027, 4080)
"""Clocks that parted; a step under a stop; a count told of the last minute; a resume that was missed; an agreement undone; a key
that died unheard."""


def settings() -> Settings:
    return load_settings(DEMO, {})


@pytest.mark.parametrize("seed", (1, 7, *ONCE_BROKEN))
def test_a_seed_breaks_no_rule_and_everything_quotes_again(seed: int) -> None:
    result = run_seed(seed, settings())
    assert result.violations == ()
    assert result.accepted > 0
    assert all(count > 0 for count in result.checked.values())


def test_the_same_seed_gives_the_same_run() -> None:
    assert run_seed(12, settings()) == run_seed(12, settings())


def test_an_acknowledged_order_that_lagging_reads_hide_halts_nothing() -> None:
    lag = Fault(kind=FaultKind.READS_LAG, at_ms=1_000, lasts_ms=9_000, actors=("order_manager-0",), size_ms=4_000)
    result = run_seed(1, settings(), schedule=(lag,))
    assert result.violations == ()
    assert "ORDER_ZOMBIE" not in result.alerts


def test_a_schedule_strikes_only_with_the_kinds_asked_for() -> None:
    cast = Cast(actors=("order_manager-0", "market_data-0"), links=(("market_data-0", "order_manager-0"),))
    kinds = (FaultKind.CUT_LINK, FaultKind.LOSE_PRIVATE)
    drawn = [fault for seed in range(20) for fault in draw_schedule(seed, cast, kinds)]
    assert {fault.kind for fault in drawn} == set(kinds)


def test_every_kind_of_fault_is_drawn() -> None:
    cast = Cast(
        actors=("alerting", "inventory", "risk_monitor", "order_manager-0", "market_data-0", "strategy-0"),
        links=(("market_data-0", "order_manager-0"),),
    )
    drawn = {fault.kind for seed in range(100) for fault in draw_schedule(seed, cast)}
    assert drawn == set(FaultKind)


def test_an_unknown_fault_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownFaultError, match=r"no fault is named 'flood': there are crash, .*, and all"):
        kinds_of("crash,flood")


def test_a_failed_seed_is_told_with_its_schedule_and_the_command_that_repeats_it() -> None:
    failed = SeedResult(
        seed=41,
        shards=2,
        schedule=(Fault(kind=FaultKind.LOSE_PRIVATE, at_ms=1_500, lasts_ms=200, actors=("order_manager-1",)),),
        violations=("I1: twice",),
        checked={"I1": 3},
        messages=10,
        accepted=3,
        fills=1,
        virtual_s=60.0,
        recovered_s=1.0,
        alerts={},
    )
    assert describe(failed, "lose_private").splitlines() == [
        "seed 41 (2 shards):",
        "  I1: twice",
        "      1.500 s lose_private lasts_ms 200, actors order_manager-1",
        "  repeat: raymaker simulate --seeds 1 --first 41 --faults lose_private",
    ]
    totals = SeedTotals()
    totals.add(failed)
    assert (totals.failed, totals.view(2.0)["seeds_per_second"]) == (1, 0.5)
