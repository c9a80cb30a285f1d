"""The report of a run, for people and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write the report as JSON."""
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def print_report(report: dict[str, Any]) -> None:
    """Print what a person wants to know of it."""
    console = Console()
    console.print(_symbol_table(report["symbols"]))
    latency = report["latency_us"]["tick_to_order"]
    console.print(
        f"tick to order: p50 {_us(latency['p50'])}, p95 {_us(latency['p95'])}, p99 {_us(latency['p99'])} "
        f"over {latency['count']} orders"
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
    table = Table(title="report", title_justify="left")
    table.add_column("symbol")
    for heading in (
        *("quotes", "accepted", "canceled", "rejected", "fills", "maker", "volume", "position"),
        *("gross", "fees", "funding", "net", "both sides", "markout 1s/5s/30s bps"),
    ):
        table.add_column(heading, justify="right")
    for symbol, run in symbols.items():
        orders, pnl = run["orders"], run["pnl"]
        table.add_row(
            symbol,
            *(str(number) for number in (run["quotes"], orders["accepted"], orders["canceled"], orders["rejected"])),
            *(str(run["fills"]), _share(run["maker_share"]), _money(run["volume"]), run["position"]),
            *(_money(pnl[part]) for part in ("gross", "fees", "funding", "net")),
            *(_share(run["quoted_both_share"]), "/".join(_bps(value) for value in run["markout_bps"].values())),
        )
    return table


def _money(text: str) -> str:
    return f"{float(text):.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _bps(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _us(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} us"
