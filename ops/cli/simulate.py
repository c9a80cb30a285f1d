"""`raymaker simulate`: the whole system in one process, under seeded faults, judged by the invariants."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from ops.cli.options import JsonOption

VIOLATED = 1
"""Exit code when a seed broke a rule, or a long run left a fault or an invariant out."""

PROGRESS_S = 15.0
"""How often a long run says how far it is."""

SHRUNK_MAX = 5
"""Failures for which the shortest history is looked for; the others are told as they are."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    seeds: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many seeds.")] = 10,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the seeds.")] = 1,
    faults: Annotated[str, typer.Option(help="Kinds of faults, separated by commas, or all.")] = "all",
    case: Annotated[str | None, typer.Option(help="Repeat one case, as a failure prints it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run seeds of the deterministic world: real cores, the venue's core, a schedule of faults each.

    Exit code 1 when a seed broke an invariant (the shortest history found and the commands that repeat it are printed), or when a kind of
    fault never struck or an invariant was never checked although so many seeds ran that each must have had its turn. Ctrl-C ends it and
    prints what was seen; exit code 4 then.
    """
    import json
    from importlib.resources import files
    from pathlib import Path

    from ops.cli.outcome import ExitCode, bad_usage
    from ops.cli.settings import settings_from
    from ops.simulation.pool import run_many
    from ops.simulation.seed_report import (
        SeedTotals,
        UnknownFaultError,
        UnreadableCaseError,
        case_of,
        describe,
        kinds_of,
    )
    from ops.simulation.seeds import run_case
    from ops.simulation.shrinking import RUNS_MAX, shrink

    try:
        kinds = kinds_of(faults)
        only = None if case is None else case_of(case)
    except (UnknownFaultError, UnreadableCaseError) as error:
        raise bad_usage(str(error)) from error
    settings = settings_from(Path(str(files("configs").joinpath("demo.yaml"))))
    totals = SeedTotals(kinds)
    interrupted = False
    clock = _Clock()
    progress = _Progress(seeds if only is None else 1)
    results = (
        run_many(range(first, first + seeds), settings, kinds, workers) if only is None else [run_case(only, settings)]
    )
    try:
        for result in results:
            totals.add(result)
            progress.tell(totals.seeds, totals.failed)
            if not result.violations or as_json:
                continue
            with clock.stopped():
                tries = RUNS_MAX if totals.failed <= SHRUNK_MAX else 0
                shortest = shrink(result, lambda shorter: run_case(shorter, settings), tries)
                print(describe(result, shortest, faults), flush=True)
    except KeyboardInterrupt:
        interrupted = True
    shown = totals.view(clock.wall_s(), clock.cpu_s(), workers)
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        for name, value in shown.items():
            print(f"{name}: {value}")
        if not totals.must_be_complete and totals.missing():
            print(
                f"this run proves little: it takes {totals.honest_seeds} seeds in a row until every kind of fault has struck"
            )
        if interrupted:
            print(f"interrupted after {totals.seeds} of {seeds} seeds")
    if not totals.passed:
        raise typer.Exit(VIOLATED)
    if interrupted:
        raise typer.Exit(int(ExitCode.UNCONFIRMED))


class _Progress:
    """A line on standard error now and then, where the run is long."""

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds
        self._began_s = self._told_s = time.monotonic()

    def tell(self, done: int, failed: int) -> None:
        """Say how far the run is, at most every `PROGRESS_S`."""
        now_s = time.monotonic()
        if now_s - self._told_s < PROGRESS_S or done == self._seeds:
            return
        self._told_s = now_s
        left_s = (now_s - self._began_s) / done * (self._seeds - done)
        print(
            f"{done} of {self._seeds} seeds, {failed} failed, about {left_s / 60:.0f} min left",
            file=sys.stderr,
            flush=True,
        )


class _Clock:
    """Time on the wall, and of all cores together, without that for which it was stopped."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = -time.monotonic(), -_cpu_s()

    def wall_s(self) -> float:
        """Seconds on the wall."""
        return time.monotonic() + self._wall_s

    def cpu_s(self) -> float:
        """Seconds of cores, those of ended workers included."""
        return _cpu_s() + self._cpu_s

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand still within."""
        wall_s, cpu_s = time.monotonic(), _cpu_s()
        yield
        self._wall_s -= time.monotonic() - wall_s
        self._cpu_s -= _cpu_s() - cpu_s


def _cpu_s() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
