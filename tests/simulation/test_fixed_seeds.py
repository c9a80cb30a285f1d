"""A few seeds of the fault simulation; `raymaker simulate --seeds 1 --first N` repeats one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.strategy.core import StrategyCore
from configs.loading import load_settings
from configs.schema import Settings
from ops.simulation.draws import cast_of
from ops.simulation.fault_draws import certain_kinds, draw_schedule, seeds_for_all
from ops.simulation.faults import Cast, Fault, FaultKind
from ops.simulation.house import House
from ops.simulation.pool import run_many
from ops.simulation.seed_report import (
    AVERAGED_SEEDS,
    SeedTotals,
    UnknownFaultError,
    UnreadableCaseError,
    case_of,
    describe,
    kinds_of,
)
from ops.simulation.seeds import Case, SeedResult, draw_case, run_case, run_seed
from protocols.effects import Effect

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"

FIXED = (1, 7, 20, 77, 414, 2008, 2066, 2123, 2126, 4027, 4080, 5000, 1_000_496)
"""414: a symbol halted by the risk monitor's own look comes down level by level; 20 and 5000 send signed bytes; 1,000,496: words of the
private stream are shuffled within a millisecond."""


def settings() -> Settings:
    return load_settings(DEMO, {})


@pytest.mark.parametrize("seed", FIXED)
def test_a_seed_breaks_no_rule_and_everything_quotes_again(seed: int) -> None:
    result = run_seed(seed, settings())
    assert result.violations == ()
    assert result.accepted > 0


def test_the_same_seed_gives_the_same_run() -> None:
    assert run_seed(12, settings()) == run_seed(12, settings())


def test_the_history_of_a_seed_is_the_same_in_every_process() -> None:
    here = SeedTotals()
    for seed in (20, 21):
        here.add(run_seed(seed, settings()))
    told = [_simulate_elsewhere(hash_seed) for hash_seed in ("0", "4711")]
    assert [run["history"] for run in told] == [here.view(1.0, 1.0)["history"]] * 2


def _simulate_elsewhere(hash_seed: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "ops.cli.main", "simulate", "--seeds", "2", "--first", "20", "--json"]
    done = subprocess.run(
        command, cwd=DEMO.parents[1], env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True, check=True
    )
    view: dict[str, Any] = json.loads(done.stdout)
    return view


def test_workers_give_the_same_results_in_the_same_order() -> None:
    seeds = range(30, 37)
    alone = list(run_many(seeds, settings(), tuple(FaultKind)))
    assert list(run_many(seeds, settings(), tuple(FaultKind), workers=2)) == alone
    assert [result.case.seed for result in alone] == list(seeds)


def test_an_acknowledged_order_that_lagging_reads_hide_halts_nothing() -> None:
    lag = Fault(kind=FaultKind.READS_LAG, at_ms=1_000, lasts_ms=9_000, actors=("order_manager-0",), size_ms=4_000)
    result = run_case(Case(seed=1, schedule=(lag,)), settings())
    assert result.violations == ()
    assert "ORDER_ZOMBIE" not in result.alerts


def test_a_schedule_strikes_only_with_the_kinds_asked_for() -> None:
    cast = Cast(actors=("order_manager-0", "market_data-0"), links=(("market_data-0", "order_manager-0"),))
    kinds = (FaultKind.CUT_LINK, FaultKind.LOSE_PRIVATE)
    drawn = [fault for seed in range(20) for fault in draw_schedule(seed, cast, kinds)]
    assert {fault.kind for fault in drawn} == set(kinds)


def test_every_kind_of_fault_is_drawn_within_the_smallest_honest_run() -> None:
    cast = Cast(
        actors=("alerting", "inventory", "risk_monitor", "order_manager-0", "market_data-0", "strategy-0"),
        links=(("market_data-0", "order_manager-0"),),
    )
    kinds = tuple(FaultKind)
    for first in (0, 7, 1_000):
        seeds = range(first, first + seeds_for_all(len(kinds)))
        certain = {kind for seed in seeds for kind in certain_kinds(seed, kinds)}
        drawn = {fault.kind for seed in seeds for fault in draw_schedule(seed, cast)}
        assert certain == drawn == set(kinds)


def test_a_drain_amid_the_faults_leaves_out_none_that_the_seed_has_for_certain() -> None:
    cases = [draw_case(seed, settings()) for seed in range(60)]
    drained = [case for case in cases if case.drain_ms]
    assert drained
    for case in drained:
        struck = {fault.kind for fault in case.schedule if fault.at_ms < case.drain_ms}
        assert struck >= set(certain_kinds(case.seed, tuple(FaultKind)))


@pytest.mark.parametrize("shards", [1, 2])
def test_schedules_know_every_actor_and_every_link(shards: int) -> None:
    house = House(settings().model_copy(update={"shards": shards}), seed=1)
    cast = cast_of(shards)
    assert (cast.actors, sorted(cast.links)) == (tuple(house.specs), sorted(house.links))


def test_an_unknown_fault_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownFaultError, match=r"no fault is named 'flood': there are crash, .*, and all"):
        kinds_of("crash,flood")


def test_a_failed_seed_is_told_with_its_schedule_and_the_command_that_repeats_it() -> None:
    lost = Fault(kind=FaultKind.LOSE_PRIVATE, at_ms=1_500, lasts_ms=200, actors=("order_manager-1",))
    failed = failure(lost, lost, lost)
    assert describe(failed, failure(lost), "lose_private").splitlines() == [
        "seed 41 (2 shards):",
        "  I1: twice",
        "  repeat: raymaker simulate --seeds 1 --first 41 --faults lose_private",
        "  shortest history found: 1 of 3 faults, 60 s, 10 messages",
        "      1.500 s lose_private lasts_ms 200, actors order_manager-1",
        """  repeat: raymaker simulate --case '{"seed":41,"schedule":[{"kind":"lose_private","at_ms":1500,"lasts_ms":200,"""
        """"actors":["order_manager-1"]}]}'""",
    ]
    totals = SeedTotals()
    totals.add(failed)
    assert (totals.failed, totals.view(2.0, 1.0)["seeds_per_second"]) == (1, 0.5)


def test_a_case_is_read_back_from_what_a_failure_prints() -> None:
    lost = Fault(kind=FaultKind.LOSE_PRIVATE, at_ms=1_500, lasts_ms=200, actors=("order_manager-1",))
    case = Case(seed=3, schedule=(lost,), drain_ms=100)
    assert case_of(msgspec.json.encode(case).decode()) == case
    with pytest.raises(UnreadableCaseError, match="this is no case of a seed"):
        case_of('{"seed": 3}')


def test_a_run_that_left_a_fault_or_an_invariant_out_fails_once_each_must_have_had_its_turn() -> None:
    kinds = (FaultKind.LOSE_PRIVATE, FaultKind.CRASH, FaultKind.RESTART, FaultKind.PARTITION)
    totals = SeedTotals(kinds)
    assert totals.honest_seeds == 2
    totals.add(failure(broken=""))
    assert totals.passed
    totals.add(failure(broken=""))
    assert not totals.passed
    assert totals.missing()[:5] == [
        *(f"fault {kind.value} was never injected" for kind in kinds),
        "invariant I2 was never checked",
    ]


def test_a_long_run_of_thin_seeds_fails() -> None:
    totals = SeedTotals()
    for _ in range(AVERAGED_SEEDS):
        totals.add(failure(broken=""))
    assert totals.missing()[-4:] == [
        "messages of a seed: 10.0 on average, at least 3000 wanted",
        "accepted of a seed: 3.0 on average, at least 100 wanted",
        "fills of a seed: 1.0 on average, at least 10 wanted",
        "faults of a seed: 0.0 on average, at least 3 wanted",
    ]
    assert not totals.passed


def test_a_core_that_raises_is_a_failed_seed_and_not_the_end_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: StrategyCore, message: object, now_ns: int) -> list[Effect]:
        raise AssertionError("torn state")

    monkeypatch.setattr(StrategyCore, "handle", broken)
    result = run_seed(3, settings())
    assert "FAILED" in result.broken
    assert "AssertionError at" in result.violations[0] and "torn state" in result.violations[0]


def failure(*schedule: Fault, broken: str = "I1: twice") -> SeedResult:
    return SeedResult(
        case=Case(seed=41, schedule=schedule),
        shards=2,
        violations=(broken,) if broken else (),
        checked={"I1": 3},
        injected={"lose_private": len(schedule)},
        messages=10,
        accepted=3,
        fills=1,
        virtual_s=60.0,
        recovered_s=1.0,
        alerts={},
        history="",
    )
