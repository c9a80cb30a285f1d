"""`raymaker simulate`: the whole system in one process, under seeded faults, judged by the invariants."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.cli.options import JsonOption

VIOLATED = 1
"""Exit code when a seed broke a rule."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    seeds: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many seeds.")] = 10,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 1,
    faults: Annotated[str, typer.Option(help="Kinds of faults, separated by commas, or all.")] = "all",
    as_json: JsonOption = False,
) -> None:
    """Run seeds of the deterministic world: real cores, the venue's core, a schedule of faults each.

    Exit code 1 when a seed broke an invariant; its schedule and the command that repeats it are printed.
    """
    import json
    import time
    from importlib.resources import files
    from pathlib import Path

    from ops.cli.outcome import bad_usage
    from ops.cli.settings import settings_from
    from ops.simulation.seed_report import SeedTotals, UnknownFaultError, describe, kinds_of
    from ops.simulation.seeds import run_seed

    try:
        kinds = kinds_of(faults)
    except UnknownFaultError as error:
        raise bad_usage(str(error)) from error
    settings = settings_from(Path(str(files("configs").joinpath("demo.yaml"))))
    totals = SeedTotals()
    began_s = time.monotonic()
    for seed in range(first, first + seeds):
        result = run_seed(seed, settings, kinds=kinds)
        totals.add(result)
        if result.violations and not as_json:
            print(describe(result, faults), flush=True)
    shown = totals.view(time.monotonic() - began_s)
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        for name, value in shown.items():
            print(f"{name}: {value}")
    if totals.failed:
        raise typer.Exit(VIOLATED)
