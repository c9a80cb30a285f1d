"""The report of a run, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.table import Table

from ops.cli.table import plain_table, wide_console


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write the report as JSON."""
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def print_report(report: dict[str, Any]) -> None:
    """Print what a person wants to know of it."""
    console = wide_console()
    console.print(_symbol_table(report["symbols"]))
    latency = report["latency_us"]["tick_to_order"]
    console.print(
        f"tick to order: p50 {_us(latency['p50'])}, p95 {_us(latency['p95'])}, p99 {_us(latency['p99'])} "
        f"over {latency['count']} orders"
    )
    if venue := report["venue"]:
        console.print(
            f"venue: source {venue['source']}, {venue['queue_model']} queue, latency {venue['latency']}", markup=False
        )
    console.print(f"live orders at the end, by the venue's ledger: {report['live_orders_at_end']}")
    verdicts = sorted(report["invariants"].items(), key=lambda item: int(item[0].removeprefix("I")))
    console.print(
        "invariants: "
        + ", ".join(f"{name} {'held' if v['held'] else 'BROKEN'} ({v['checked']} checks)" for name, v in verdicts)
    )
    for name, verdict in verdicts:
        for violation in verdict["violations"]:
            console.print(f"  {name}: {violation}", markup=False)


def _symbol_table(symbols: dict[str, Any]) -> Table:
    table = plain_table("report")
    table.add_column("")
    for symbol in symbols:
        table.add_column(symbol, justify="right")
    for heading, cell in _ROWS:
        table.add_row(heading, *(cell(run) for run in symbols.values()))
    return table


def _money(text: str) -> str:
    return f"{float(text):.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _bps(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _by_model(run: dict[str, Any], name: str, text: Callable[[Any], str]) -> str:
    return " / ".join(text(figures[name]) for figures in run["queue_models"].values())


def _us(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} us"


_ROWS: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("quotes", lambda run: str(run["quotes"])),
    ("orders accepted", lambda run: str(run["orders"]["accepted"])),
    ("orders canceled", lambda run: str(run["orders"]["canceled"])),
    ("orders rejected", lambda run: str(run["orders"]["rejected"])),
    ("fills", lambda run: str(run["fills"])),
    ("maker share", lambda run: _share(run["maker_share"])),
    ("volume", lambda run: _money(run["volume"])),
    ("position", lambda run: str(run["position"])),
    ("PnL gross", lambda run: _money(run["pnl"]["gross"])),
    ("fees", lambda run: _money(run["pnl"]["fees"])),
    ("funding", lambda run: _money(run["pnl"]["funding"])),
    ("PnL net", lambda run: _money(run["pnl"]["net"])),
    ("PnL net with plain fees", lambda run: _money(run["pnl"]["net_plain"])),
    ("fills, pessimistic / probabilistic queue", lambda run: _by_model(run, "fills", str)),
    ("net, pessimistic / probabilistic queue", lambda run: _by_model(run, "net", _money)),
    ("both sides quoted", lambda run: _share(run["quoted_both_share"])),
    ("markout bps 1 s, 5 s, 30 s", lambda run: ", ".join(_bps(value) for value in run["markout_bps"].values())),
)
