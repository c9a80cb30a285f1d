"""`raymaker chaos`: break a live system in the ways of the fault matrix, and let the venue's ledger say what happened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.outcome import bad_usage, unconfirmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.chaos.verdicts import Judged


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(chaos)


def chaos(
    rows: Annotated[
        str | None,
        typer.Option("--rows", metavar="1,30b,..", help="Rows of the fault matrix; all that are known without it."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON, with machine and commit.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the files of every row, not of failed ones only.")] = False,
) -> None:
    """Inject faults into live systems.

    Each row starts a whole system on the simulated venue, breaks it once, and checks bounds and invariants. Fails on an invariant, and on
    a bound only beyond three times its value.
    """
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise bad_usage(f"the folder of --json {json_file} does not exist.")
    keys = _keys(rows)

    from ops.chaos.suite import UnknownRow, chosen, run_rows, write_results
    from ops.chaos.verdicts import Outcome, checked_in_all, passed
    from ops.cli.table import progress

    try:
        wanted = chosen(keys)
    except UnknownRow as error:
        raise bad_usage(f"{error}.") from None
    judged: list[Judged] = []
    for each in run_rows(wanted, keep, progress):
        if each.outcome is not Outcome.NOT_RUN:
            progress(f"row {each.key}: {each.outcome.value}{_told(each.reasons)}")
        judged.append(each)
    _print(judged)
    if json_file is not None:
        write_results(json_file, judged)
    if not passed(judged):
        failed = [each.key for each in judged if each.outcome is Outcome.FAILED]
        never = [name for name, count in checked_in_all(judged).items() if not count]
        told = [f"rows failed: {', '.join(failed)}"] if failed else []
        told += [f"never checked: {', '.join(never)}"] if never else []
        raise unconfirmed(f"{'; '.join(told) or 'no row could be run'}.")


def _keys(text: str | None) -> list[str] | None:
    if text is None:
        return None
    keys = [part.strip() for part in text.split(",") if part.strip()]
    if not keys or not all(re.fullmatch(r"\d{1,3}[a-z]?", key) for key in keys):
        raise bad_usage(f"--rows {text} is not a list of rows like 1,2,30b.")
    return keys


def _told(reasons: Sequence[str]) -> str:
    return f" ({'; '.join(reasons)})" if reasons else ""


def _print(judged: Sequence[Judged]) -> None:
    from rich.table import Table

    from ops.chaos.verdicts import Outcome, checked_in_all
    from ops.cli.table import plain_table, wide_console
    from ops.machine import commit, machine

    table: Table = plain_table("faults on a live system: seconds after the fault, bounds in parentheses")
    table.add_column("row", justify="right")
    for heading in ("fault", "detected", "safe", "quoting again", "checks", "verdict"):
        table.add_column(heading)
    for each in judged:
        if each.outcome is Outcome.NOT_RUN:
            continue
        run, bounds = each.run, each.bounds
        table.add_row(
            each.key,
            each.fault,
            _figure(run.detected_s, bounds.detected_s),
            _figure(run.safe_s, bounds.safe_s),
            _figure(run.quoting_s, bounds.quoting_s),
            f"{sum(check.checked for check in run.checks)}",
            each.outcome.value,
        )
    console = wide_console()
    facts = machine()
    console.print(
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gb']} GB, Python {facts['python']}, commit {commit()}"
    )
    console.print(table)
    for each in judged:
        for text in (*each.reasons, *each.run.notes):
            console.print(f"  row {each.key}: {text}", markup=False)
    counts = ", ".join(f"{name} {count}" for name, count in checked_in_all(judged).items() if name.startswith("I"))
    console.print(f"checked: {counts}")


def _figure(seen_s: float | None, bound_s: float | None) -> str:
    if seen_s is None:
        return "not seen" if bound_s is not None else "-"
    return f"{seen_s:.2f}" + (f" ({bound_s:g})" if bound_s is not None else "")
