"""The shortest history that still breaks the same rule."""

from __future__ import annotations

from ops.simulation.faults import Fault, FaultKind
from ops.simulation.seeds import Case, SeedResult
from ops.simulation.shrinking import shrink


def crash(at_ms: int, *actors: str, lasts_ms: int = 640) -> Fault:
    return Fault(kind=FaultKind.CRASH_SEVERAL, at_ms=at_ms, actors=actors, lasts_ms=lasts_ms)


def result(case: Case, violations: tuple[str, ...]) -> SeedResult:
    return SeedResult(
        case=case,
        shards=1,
        violations=violations,
        checked={},
        injected={},
        messages=0,
        accepted=0,
        fills=0,
        virtual_s=0.0,
        recovered_s=0.0,
        alerts={},
        history="",
    )


class Suspicious:
    """Breaks I1 when inventory dies for at least 100 ms after the third second, and I2 when nothing happens at all."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, case: Case) -> SeedResult:
        self.runs += 1
        guilty = any("inventory" in f.actors and f.at_ms >= 3_000 and f.lasts_ms >= 100 for f in case.schedule)
        return result(case, ("I1: twice",) if guilty else ("I2: late",) if not case.schedule else ())


FAILED = result(
    Case(
        seed=1,
        schedule=(
            crash(1_000, "alerting", "inventory"),
            crash(2_000, "strategy-0", "inventory"),
            crash(3_000, "alerting", "inventory", "strategy-0"),
            crash(4_000, "alerting", "strategy-0"),
            crash(5_000, "market_data-0", "strategy-0"),
        ),
        drain_ms=9_000,
    ),
    ("I1: twice",),
)


def test_faults_victims_and_lengths_go_that_do_not_matter() -> None:
    shortest = shrink(FAILED, Suspicious())
    assert shortest.case.schedule == (crash(3_000, "inventory", lasts_ms=160),)
    assert shortest.case.drain_ms == 0
    assert shortest.case.trading_ms < FAILED.case.trading_ms


def test_a_shorter_history_breaks_one_of_the_same_rules() -> None:
    assert shrink(FAILED, Suspicious()).violations == ("I1: twice",)


def test_the_number_of_tries_is_bounded() -> None:
    suspicious = Suspicious()
    shrink(FAILED, suspicious, runs_max=7)
    assert suspicious.runs == 7
    assert shrink(FAILED, suspicious, runs_max=0) is FAILED
