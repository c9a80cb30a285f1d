"""`raymaker simulate`: the whole system in one process, under seeded faults, judged by the invariants."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.cli.options import JsonOption

VIOLATED = 1
"""Exit code when a seed broke a rule, or a long run left a fault or an invariant out."""

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

    Exit code 1 when a seed broke an invariant (the shortest history found and the commands that repeat it are printed), or when so many
    seeds ran that each kind of fault must have struck and each invariant been checked, and one was not.
    """
    import json
    import time
    from importlib.resources import files
    from pathlib import Path

    from ops.cli.outcome import bad_usage
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
    began_s, shrinking_s = time.monotonic(), 0.0
    results = (
        run_many(range(first, first + seeds), settings, kinds, workers) if only is None else [run_case(only, settings)]
    )
    for result in results:
        totals.add(result)
        if not result.violations or as_json:
            continue
        shrinking_since_s = time.monotonic()
        tries = RUNS_MAX if totals.failed <= SHRUNK_MAX else 0
        shortest = shrink(result, lambda shorter: run_case(shorter, settings), tries)
        print(describe(result, shortest, faults), flush=True)
        shrinking_s += time.monotonic() - shrinking_since_s
    shown = totals.view(time.monotonic() - began_s - shrinking_s, workers)
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        for name, value in shown.items():
            print(f"{name}: {value}")
        if not totals.must_be_complete and totals.missing():
            print("so few seeds need not be complete: what is missing fails a longer run")
    if not totals.passed:
        raise typer.Exit(VIOLATED)
