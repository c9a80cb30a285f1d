"""The judgement of a row: bounds fail beyond three times their value, a broken check fails at once."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from ops.chaos.rows import Bounds, Injection, Row, Safe
from ops.chaos.timeline import Timeline
from ops.invariants.history import Verdict

FAILS_BEYOND = 3.0
"""A bound that is missed by less is told, and fails nothing: the machine is shared."""


class Outcome(enum.StrEnum):
    """How a row ended. LATE: everything held, a bound was missed by less than FAILS_BEYOND."""

    PASSED = "passed"
    LATE = "late"
    FAILED = "FAILED"
    NOT_RUN = "not run"


class Began(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A row begins."""

    key: str


class RowRun(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What was seen in one run of a row. Times in seconds after the fault; None was not seen, or does not apply.

    `checks` are of this row alone; `whole` those of the whole life of its system, on which the rows `after` were played before it.
    """

    key: str
    detected_s: float | None = None
    safe_s: float | None = None
    quoting_s: float | None = None
    gap_s: float | None = None
    orders_per_second: float = 0.0
    checks: tuple[Verdict, ...] = ()
    whole: tuple[Verdict, ...] = ()
    after: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    timeline: Timeline | None = None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every check that this row has to pass."""
        return (*self.whole, *self.checks)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its run and the judgement. `reasons` says why it is not simply passed."""

    key: str
    fault: str
    bounds: Bounds
    run: RowRun
    outcome: Outcome
    reasons: tuple[str, ...]


def judge(row: Row, run: RowRun) -> Judged:
    """Judge one run."""
    failures = list(run.failures)
    late: list[str] = []
    for name, bound_s, seen_s in (
        ("detected", row.bounds.detected_s, run.detected_s),
        ("safe", row.bounds.safe_s, run.safe_s),
        ("quoting again", row.bounds.quoting_s, run.quoting_s),
    ):
        if bound_s is None:
            continue
        if seen_s is None:
            failures.append(f"{name}: not seen")
        elif seen_s > FAILS_BEYOND * bound_s:
            failures.append(f"{name}: {seen_s:.2f} s, more than {FAILS_BEYOND:g} times {bound_s:g} s")
        elif seen_s > bound_s:
            late.append(f"{name}: {seen_s:.2f} s, bound {bound_s:g} s")
    if row.quotes_again and run.quoting_s is None and row.bounds.quoting_s is None:
        failures.append("quoting again: not seen")
    failures += [
        f"{check.name} broken: {check.violations[0] if check.violations else ''}"
        for check in run.verdicts
        if not check.held
    ]
    if not run.verdicts:
        failures.append("no invariant was checked")
    outcome = Outcome.FAILED if failures else Outcome.LATE if late else Outcome.PASSED
    return Judged(
        key=row.key,
        fault=row.fault,
        bounds=row.bounds,
        run=run,
        outcome=outcome,
        reasons=(*failures, *late),
    )


def judge_run_for(name: str, run: RowRun) -> Judged:
    """Judge a run of many faults: by its checks alone."""
    row = Row(key=run.key, fault=name, injection=Injection.KILL, bounds=Bounds(), safe=Safe.NONE, quotes_again=False)
    return judge(row, run)


def not_run(key: str, fault: str, why: str) -> Judged:
    """A row that this machine or this command cannot run."""
    return Judged(
        key=key,
        fault=fault,
        bounds=Bounds(),
        run=RowRun(key=key),
        outcome=Outcome.NOT_RUN,
        reasons=(why,),
    )


def checked_in_all(judged: Sequence[Judged]) -> dict[str, int]:
    """How often each check looked, over every row; what rows on one system share counts once."""
    counts: dict[str, int] = {}
    for each in judged:
        for check in each.run.checks if each.run.after else each.run.verdicts:
            counts[check.name] = counts.get(check.name, 0) + check.checked
    return counts


def passed(judged: Sequence[Judged]) -> bool:
    """Whether no row failed, at least one ran, and no check looked at nothing in all of them."""
    ran = [each for each in judged if each.outcome is not Outcome.NOT_RUN]
    return bool(ran) and all(each.outcome is not Outcome.FAILED for each in ran) and all(checked_in_all(ran).values())
