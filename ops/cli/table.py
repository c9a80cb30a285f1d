"""What a running system looks like in a terminal: a live table, or plain lines where nobody watches."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from configs.schema import Settings
from ops.views import SymbolRow, actor_rows, symbol_rows
from protocols.messages.control import SystemStatus

PLAIN_PERIOD_S = 5.0

_STATE_STYLES = {
    "NORMAL": "green",
    "CAUTION": "yellow",
    "RESTRICTED": "yellow",
    "EMERGENCY": "bold red",
    "RUNNING": "green",
    "STARTING": "yellow",
    "RECOVERING": "yellow",
    "DRAINING": "yellow",
    "HALTED": "bold red",
    "DEAD": "bold red",
}


def progress(text: str) -> None:
    """One line about what is being waited for."""
    print(text, file=sys.stderr, flush=True)


class Watch:
    """Shows one status after another: in place on a terminal, else a line per symbol every PLAIN_PERIOD_S."""

    def __init__(self, settings: Settings, began_s: float, duration_s: float | None) -> None:
        self._settings = settings
        self._began_s = began_s
        self._duration_s = duration_s
        self._console = wide_console()
        self._live: Live | None = None
        self._printed_s = 0.0

    def __enter__(self) -> Watch:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def show(self, status: SystemStatus) -> None:
        """Show this status now."""
        if self._live is not None:
            self._live.update(tables(status, self._title()), refresh=True)
        elif time.monotonic() - self._printed_s >= PLAIN_PERIOD_S:
            self._printed_s = time.monotonic()
            for line in plain_lines(status):
                print(line, flush=True)

    def _title(self) -> str:
        elapsed = time.monotonic() - self._began_s
        until = "until Ctrl-C" if self._duration_s is None else f"of {self._duration_s:.0f} s, or Ctrl-C"
        return f"{self._settings.name}: {elapsed:.0f} s {until}"


def tables(status: SystemStatus, title: str) -> Group:
    """The symbols and the actors of one status."""
    parts: list[Table | Text] = [Text(title, style="bold")]
    if status.stopped:
        parts.append(Text(f"EMERGENCY STOP: {status.stop_reason}", style="bold red"))
    for shard, reason in sorted(status.halted_shards.items()):
        parts.append(Text(f"shard {shard} HALTED: {reason}", style="bold red"))
    return Group(*parts, _symbol_table(status), _actor_table(status))


def plain_lines(status: SystemStatus) -> list[str]:
    """One line per symbol, and one per actor that is not running."""
    lines = []
    if status.stopped:
        lines.append(f"EMERGENCY STOP: {status.stop_reason}")
    lines += [f"shard {shard} HALTED: {reason}" for shard, reason in sorted(status.halted_shards.items())]
    for row in symbol_rows(status):
        lines.append(
            f"{row.symbol}  mid {row.mid}  bid {row.our_bid}  ask {row.our_ask}  position {row.position}  "
            f"orders {row.open_orders}  fills {row.fills}  pnl {row.pnl}  {row.level}  quote age {row.quote_age}"
        )
    for actor in actor_rows(status):
        if actor.state != "RUNNING":
            lines.append(
                f"{actor.name} {actor.state} epoch {actor.epoch} restarts {actor.restarts} {actor.text}".rstrip()
            )
    return lines


def plain_table(title: str) -> Table:
    """An empty table that fits a terminal of 80 columns: one blank between columns, no lines."""
    return Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0), pad_edge=False)


def wide_console() -> Console:
    """The terminal; where the output is no terminal, wide enough that nothing is cut."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=200, highlight=False)


def _symbol_table(status: SystemStatus) -> Table:
    table = plain_table("symbols")
    table.add_column("symbol")
    for heading in ("mid", "our bid", "our ask", "position", "orders", "fills", "PnL"):
        table.add_column(heading, justify="right")
    table.add_column("risk")
    table.add_column("age", justify="right")
    for row in symbol_rows(status):
        table.add_row(*_symbol_cells(row))
    return table


def _symbol_cells(row: SymbolRow) -> list[str | Text]:
    return [
        row.symbol,
        row.mid,
        row.our_bid,
        row.our_ask,
        row.position,
        str(row.open_orders),
        str(row.fills),
        row.pnl,
        Text(row.level, style=_STATE_STYLES.get(row.level, "")),
        row.quote_age,
    ]


def _actor_table(status: SystemStatus) -> Table:
    table = plain_table("actors")
    table.add_column("actor")
    table.add_column("state")
    for heading in ("pid", "epoch", "restarts", "memory"):
        table.add_column(heading, justify="right")
    for row in actor_rows(status):
        state = Text(row.state, style=_STATE_STYLES.get(row.state, ""))
        table.add_row(row.name, state, str(row.pid or "-"), str(row.epoch), str(row.restarts), row.memory)
    return table
