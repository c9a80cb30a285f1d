"""The shortest history that still breaks the same rule: faults are left out and shortened, and the run is cut, while it keeps failing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from ops.simulation.faults import Fault
from ops.simulation.seeds import Case, SeedResult

RUNS_MAX = 80
"""A failure is not run oftener than this to make it shorter."""

SHORTEST_MS = 20
"""Nothing is made shorter than this."""

CUT_SHARES = (0.25, 0.5, 0.75)
"""Parts of its trading to which a run is cut, the shortest first."""


def shrink(failed: SeedResult, run: Callable[[Case], SeedResult], runs_max: int = RUNS_MAX) -> SeedResult:
    """The shortest failure found of those that break one of the rules that `failed` broke.

    Args:
        failed: a run with violations.
        run: runs a case.
        runs_max: how many cases may be tried.
    """
    best, left = failed, runs_max
    while left > 0:
        shorter = None
        for case in _shorter(best.case):
            if left <= 0:
                break
            left -= 1
            result = run(case)
            if result.broken & failed.broken:
                shorter = result
                break
        if shorter is None:
            return best
        best = shorter
    return best


def _shorter(case: Case) -> Iterator[Case]:
    """Cases that are a step shorter, the boldest first."""
    schedule = case.schedule
    half = len(schedule) // 2
    if half > 1:
        yield _with(case, schedule[:half])
        yield _with(case, schedule[half:])
    for index in reversed(range(len(schedule))):
        yield _with(case, schedule[:index] + schedule[index + 1 :])
    if case.drain_ms:
        yield msgspec.structs.replace(case, drain_ms=0)
    for share in CUT_SHARES:
        trading_ms = int(case.trading_ms * share)
        if not case.drain_ms and trading_ms > 1_000:
            yield msgspec.structs.replace(case, trading_ms=trading_ms)
    for index, fault in enumerate(schedule):
        for gentler in _gentler(fault):
            yield _with(case, (*schedule[:index], gentler, *schedule[index + 1 :]))


def _with(case: Case, schedule: tuple[Fault, ...]) -> Case:
    return msgspec.structs.replace(case, schedule=schedule)


def _gentler(fault: Fault) -> Iterator[Fault]:
    """The fault with fewer victims, or half as long."""
    if fault.victims_may_be_fewer and len(fault.actors) > 1:
        for index in range(len(fault.actors)):
            yield msgspec.structs.replace(fault, actors=fault.actors[:index] + fault.actors[index + 1 :])
    if fault.lasts_ms >= 2 * SHORTEST_MS:
        yield msgspec.structs.replace(fault, lasts_ms=fault.lasts_ms // 2)
