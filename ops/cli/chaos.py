"""`raymaker chaos`: break a live system in the ways of the fault matrix, and let the venue's ledger say what happened."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.outcome import bad_usage, unconfirmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.chaos.verdicts import Judged


FOR_S_MAX = 86_400


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
    page_file: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write the results as a page with a timeline per run.")
    ] = None,
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the results as a table for a README.")
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="10m", help="Instead of rows: faults of chance on one system for so long (s, m, h)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="With --for: which faults come.")] = 1,
    alone: Annotated[
        bool, typer.Option("--alone", help="Each row on a system of its own, not several one after another on one.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the files of every row, not of failed ones only.")] = False,
) -> None:
    """Inject faults into live systems.

    Rows are played on whole systems on the simulated venue, on some several one after another; bounds and invariants are checked. Fails
    on an invariant, and on a bound only beyond three times its value.
    """
    for option, file in (("--json", json_file), ("--page", page_file), ("--markdown", markdown_file)):
        if file is not None and not file.absolute().parent.is_dir():
            raise bad_usage(f"the folder of {option} {file} does not exist.")
    keys = _keys(rows)
    # Whoever ends the suite, what its row has started is cleared away as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if duration is not None:
        if rows is not None:
            raise bad_usage("--for draws its own rows: leave out --rows.")
        _run_for(_seconds(duration), seed, keep, (json_file, page_file, markdown_file))
        return

    from ops.chaos.rows import order_of
    from ops.chaos.suite import UnknownRow, chosen, run_rows
    from ops.chaos.verdicts import Outcome, checked_in_all, passed
    from ops.cli.table import progress

    try:
        wanted = chosen(keys)
    except UnknownRow as error:
        raise bad_usage(f"{error}.") from None
    judged: list[Judged] = []
    began_s = time.monotonic()
    for each in run_rows(wanted, keep, progress, alone):
        if each.outcome is not Outcome.NOT_RUN:
            progress(f"row {each.key}: {each.outcome.value}{_told(each.reasons)}")
        judged.append(each)
        judged.sort(key=lambda row: order_of(row.key))
        _write((json_file, page_file, markdown_file), judged, time.monotonic() - began_s)
    _print(judged)
    if not passed(judged):
        failed = [each.key for each in judged if each.outcome is Outcome.FAILED]
        never = [name for name, count in checked_in_all(judged).items() if not count]
        told = [f"rows failed: {', '.join(failed)}"] if failed else []
        told += [f"never checked: {', '.join(never)}"] if never else []
        raise unconfirmed(f"{'; '.join(told) or 'no row could be run'}.")


def _write(files: Sequence[Path | None], judged: Sequence[Judged], took_s: float) -> None:
    """Args: files: for JSON, for the page, for Markdown; None for what is not wanted."""
    from ops.chaos.suite import write_markdown, write_page, write_results

    json_file, page_file, markdown_file = files
    if json_file is not None:
        write_results(json_file, judged, took_s)
    if page_file is not None:
        write_page(page_file, judged)
    if markdown_file is not None:
        write_markdown(markdown_file, judged, took_s)


def _run_for(seconds: float, seed: int, keep: bool, files: Sequence[Path | None]) -> None:
    from ops.chaos.suite import run_for
    from ops.chaos.verdicts import Outcome
    from ops.cli.table import progress

    judged, struck = run_for(seconds, seed, keep, progress)
    print(f"{len(struck)} strokes of seed {seed}: {judged.outcome.value}{_told(judged.reasons)}")
    for note in judged.run.notes:
        print(note)
    print("checked: " + ", ".join(f"{check.name} {check.checked}" for check in judged.run.verdicts))
    _write(files, [judged], seconds)
    if judged.outcome is Outcome.FAILED or not struck:
        raise unconfirmed(f"seed {seed} failed; raymaker chaos --for {seconds:g}s --seed {seed} draws the same faults.")


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6})(s|m|h)", text)
    seconds = int(found[1]) * {"s": 1, "m": 60, "h": 3_600}[found[2]] if found else 0
    if not 0 < seconds <= FOR_S_MAX:
        raise bad_usage(f"--for {text} is not a time like 90s, 10m or 1h, of at most a day.")
    return float(seconds)


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
            f"{sum(check.checked for check in run.verdicts)}",
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
