"""`raymaker risk`: every level, limit and indicator of a running system."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.options import DEFAULT_STATE, JsonOption, StateOption
from ops.cli.outcome import unconfirmed

if TYPE_CHECKING:
    from rich.console import Group

WATCH_PERIOD_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(risk)


def risk(
    state: StateOption = DEFAULT_STATE,
    watch: Annotated[bool, typer.Option("--watch", help="Once a second until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Levels with their reasons, limits in all units, and each indicator with its thresholds.

    With --json the whole view, one document per line under --watch.
    """
    from ops.cli.asking import Asking
    from ops.risk_view import risk_document
    from protocols.messages.control import GetStatus, SystemStatus

    with Asking(state) as asking:
        try:
            while True:
                answer = asking.ask(GetStatus())
                if not isinstance(answer, SystemStatus):
                    raise unconfirmed(f"the supervisor has no status: {answer.text}.")
                _show(risk_document(answer), as_json, watch)
                if not watch:
                    return
                time.sleep(WATCH_PERIOD_S)
        except KeyboardInterrupt:
            return


def _show(document: dict[str, Any], as_json: bool, in_place: bool) -> None:
    if as_json:
        import msgspec

        print(msgspec.json.encode(document).decode(), flush=True)
        return
    from ops.cli.table import wide_console

    console = wide_console()
    if in_place and console.is_terminal:
        console.clear()
    console.print(risk_tables(document))


def risk_tables(document: dict[str, Any]) -> Group:
    """The tables of one view of the risk monitor."""
    from rich.console import Group

    from ops.cli.table import plain_table
    from ops.risk_view import IndicatorRow, LevelRow, LimitRow, RemarkRow, risk_rows

    rows = risk_rows(document)
    tables = []
    for title, columns, found in (
        ("levels", LevelRow._fields, rows.levels),
        ("remarks", RemarkRow._fields, rows.remarks),
        ("limits", LimitRow._fields, rows.limits),
        ("indicators", IndicatorRow._fields, rows.indicators),
    ):
        if title == "remarks" and not found:
            continue
        table = plain_table(title)
        for column in columns:
            table.add_column(column)
        for row in found:
            table.add_row(*row)
        tables.append(table)
    return Group(*tables)
