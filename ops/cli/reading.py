"""`raymaker status`, `orders`, `positions`, `fills` and `alerts`: one view of a running system, for people or as JSON."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.options import DEFAULT_STATE, JsonOption, StateOption
from ops.cli.outcome import unconfirmed

if TYPE_CHECKING:
    from protocols.messages.control import SystemStatus

WATCH_PERIOD_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (status, orders, positions, fills, alerts):
        app.command()(command)


def status(
    state: StateOption = DEFAULT_STATE,
    watch: Annotated[bool, typer.Option("--watch", help="Once a second until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Everything at one glance: symbols and actors. With --json the whole status, one document per line under --watch."""
    if watch:
        _watch(state, as_json)
        return
    _show(_status(state), as_json)


def orders(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Every order that is live, or whose fate is not known."""
    from ops.views import ORDER_COLUMNS, order_rows

    _rows("orders", ORDER_COLUMNS, order_rows(_status(state)), as_json)


def positions(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Positions and PnL by symbol."""
    from ops.views import POSITION_COLUMNS, position_rows

    _rows("positions", POSITION_COLUMNS, position_rows(_status(state)), as_json)


def fills(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """The latest executions, newest last."""
    from ops.views import FILL_COLUMNS, fill_rows

    _rows("fills", FILL_COLUMNS, fill_rows(_status(state)), as_json)


def alerts(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """The latest alerts, newest last."""
    from ops.views import ALERT_COLUMNS, alert_rows

    _rows("alerts", ALERT_COLUMNS, alert_rows(_status(state)), as_json)


def _status(state: Path) -> SystemStatus:
    from ops.cli.asking import ask
    from protocols.messages.control import GetStatus, SystemStatus

    answer = ask(state, GetStatus())
    if not isinstance(answer, SystemStatus):
        raise unconfirmed(f"the supervisor has no status: {answer.text}.")
    return answer


def _show(found: SystemStatus, as_json: bool) -> None:
    if as_json:
        import msgspec

        print(msgspec.json.encode(found).decode(), flush=True)
        return
    from ops.cli.table import tables, wide_console

    wide_console().print(tables(found, f"metrics: {found.metrics_url or 'none'}"))


def _watch(state: Path, as_json: bool) -> None:
    from ops.cli.asking import Asking
    from protocols.messages.control import GetStatus, SystemStatus

    with Asking(state) as asking:
        try:
            while True:
                answer = asking.ask(GetStatus())
                if isinstance(answer, SystemStatus):
                    _show(answer, as_json)
                time.sleep(WATCH_PERIOD_S)
        except KeyboardInterrupt:
            return


def _rows(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        import msgspec

        print(msgspec.json.encode(rows).decode())
        return
    from ops.cli.table import plain_table, wide_console

    table = plain_table(title)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    wide_console().print(table)
