"""`make bench`: measure, print the machine, the floor and the ratios, and write bench.json."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from configs.loading import load_settings
from ops.bench.breach import BREACHES, BreachCost, measure_breaches
from ops.bench.feed import measure_feed
from ops.bench.order_path import measure_gate, measure_journal
from ops.bench.reconciliation import OPEN_ORDERS, ReconciliationCost, measure_reconciliation
from ops.bench.risk import RiskCost, measure_risk
from ops.bench.tick_to_order import BLOCK_S, BLOCKS, Block, run_blocks
from ops.bench.venue_rows import measure as measure_venue_rows
from ops.machine import commit, machine

CAPTURE = "data/usdm-btc-eth-20240718"
P50_RATIO_MAX = 2.5
P99_RATIO_MAX = 4.0
RAY_RATIO_MIN = 5.0
FEED_RATE_MIN = 60_000
GATE_P99_US_MAX = 20.0
JOURNAL_P99_US_MAX = 100.0
MEMORY_MB_MAX = 800.0
INDICATORS_P99_US_MAX = 100.0
GROWTH_MAX = 1.5
WITHDRAWN_P99_MS_MAX = 50.0
RECONCILED_MS_MAX = 500.0
Row = tuple[str, str, str, str]
"""What was measured, its bar, the figure and the verdict."""

FLOOR_SPREAD_MAX = 2.0
"""Where the floor's own p99 varies more than this between blocks, the ratio of p99 is printed and judged by nobody."""


def main() -> int:
    """Run everything; 0 when every bar is met, 1 otherwise, 2 without the recorded data."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--block-seconds", type=float, default=BLOCK_S)
    parser.add_argument("--only", choices=("tick-to-order", "costs", "venue"), help="measure one part")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    capture = Path(os.environ.get("RAYMAKER_SHARED", "../shared")) / CAPTURE
    console = Console(width=110)
    if not capture.is_dir():
        console.print(f"the recorded data is absent: {capture} (set RAYMAKER_SHARED to the shared folder)")
        return 2
    capture = capture.resolve()
    demo = load_settings(Path(str(files("configs").joinpath("demo.yaml"))), {})
    say = console.print
    found: dict[str, Any] = {"machine": machine(), "commit": commit()}
    rows: list[Row] = []
    if options.only in (None, "tick-to-order"):
        say(f"tick to order: {options.blocks} blocks of {options.block_seconds:.0f} s of three variants ...")
        blocks = run_blocks(capture, say, options.blocks, options.block_seconds)
        found |= {"blocks": msgspec.to_builtins(blocks), "ratios": _ratios(blocks)}
        rows += _order_rows(found["ratios"])
    if options.only in (None, "costs"):
        say("feed: decode, apply, publish; gate and journal ...")
        feed, gate, journal = measure_feed(capture), measure_gate(demo), measure_journal()
        found |= {
            name: msgspec.to_builtins(cost) for name, cost in (("feed", feed), ("gate", gate), ("journal", journal))
        }
        rows += _cost_rows(feed.frames_per_second, gate.p99_us, journal.p99_us)
        say(f"reconciliation of {OPEN_ORDERS} resting orders ...")
        reconciled = measure_reconciliation(demo)
        found["reconciliation"] = msgspec.to_builtins(reconciled)
        rows.append(_reconciliation_row(reconciled))
        say("risk: indicators, many symbols ...")
        risk = measure_risk(demo)
        say(f"risk: {BREACHES} breaches on a live system ...")
        breach = measure_breaches()
        found |= {"risk": msgspec.to_builtins(risk), "breach": msgspec.to_builtins(breach)}
        rows += _risk_rows(risk, breach)
    if options.only in (None, "venue"):
        of_venue, venue_rows = measure_venue_rows(capture, say)
        found |= of_venue
        rows += venue_rows
    _print(console, rows)
    found["bars"] = [{"what": row[0], "bar": row[1], "measured": row[2], "verdict": row[3]} for row in rows]
    options.out.write_text(json.dumps(found, indent=2), "utf-8")
    say(f"written to {options.out}")
    return 1 if any(row[3] == "missed" for row in rows) else 0


def _ratios(blocks: list[Block]) -> dict[str, Any]:
    """Medians over blocks, against the floor's."""

    def median(variant: str, name: str) -> float:
        figures: list[float] = [getattr(block, name) for block in blocks if block.variant == variant]
        return statistics.median(figures)

    floor_p99 = [block.p99_us for block in blocks if block.variant == "floor"]
    ours = [block for block in blocks if block.variant == "raymaker"]
    return {
        "floor_p50_us": median("floor", "p50_us"),
        "floor_p99_us": median("floor", "p99_us"),
        "floor_p99_spread": max(floor_p99) / min(floor_p99),
        "raymaker_p50_us": median("raymaker", "p50_us"),
        "raymaker_p99_us": median("raymaker", "p99_us"),
        "ray_calls_p50_us": median("ray calls", "p50_us"),
        "p50_ratio": median("raymaker", "p50_us") / median("floor", "p50_us"),
        "p99_ratio": median("raymaker", "p99_us") / median("floor", "p99_us"),
        "ray_ratio": median("ray calls", "p50_us") / median("raymaker", "p50_us"),
        "memory_mb": max(block.memory_mb for block in ours),
        "cpu_share": statistics.median(block.cpu_share for block in ours),
        "gc_pause_us_max": max(block.gc_pause_us_max for block in ours),
    }


def _order_rows(ratios: dict[str, Any]) -> list[Row]:
    steady = ratios["floor_p99_spread"] <= FLOOR_SPREAD_MAX
    p99_bar = f"at most {P99_RATIO_MAX:g} x the floor"
    if not steady:
        p99_bar += f", not judged: the floor's own p99 varied {ratios['floor_p99_spread']:.1f}-fold"
    return [
        ("floor, p50 / p99", "", f"{ratios['floor_p50_us']:.0f} / {ratios['floor_p99_us']:.0f} us", ""),
        ("raymaker, p50 / p99", "", f"{ratios['raymaker_p50_us']:.0f} / {ratios['raymaker_p99_us']:.0f} us", ""),
        (
            "tick to order, p50",
            f"at most {P50_RATIO_MAX:g} x the floor",
            f"{ratios['p50_ratio']:.2f} x",
            _verdict(ratios["p50_ratio"] <= P50_RATIO_MAX),
        ),
        (
            "tick to order, p99",
            p99_bar,
            f"{ratios['p99_ratio']:.2f} x",
            _verdict(ratios["p99_ratio"] <= P99_RATIO_MAX) if steady else "printed",
        ),
        (
            "the same cores over Ray calls, p50",
            f"at least {RAY_RATIO_MIN:g} x raymaker",
            f"{ratios['ray_ratio']:.1f} x ({ratios['ray_calls_p50_us']:.0f} us)",
            _verdict(ratios["ray_ratio"] >= RAY_RATIO_MIN),
        ),
        (
            "memory of our actors (PSS)",
            f"at most {MEMORY_MB_MAX:g} MB",
            f"{ratios['memory_mb']:.0f} MB",
            _verdict(ratios["memory_mb"] <= MEMORY_MB_MAX),
        ),
        ("processor time of our actors", "printed", f"{ratios['cpu_share'] * 100:.0f} % of a core", "printed"),
        (
            "longest collection pause, order manager",
            "printed",
            f"{ratios['gc_pause_us_max'] / 1_000:.2f} ms",
            "printed",
        ),
    ]


def _risk_rows(risk: RiskCost, breach: BreachCost) -> list[Row]:
    return [
        (
            "all indicators after one market message, p99",
            f"at most {INDICATORS_P99_US_MAX:g} us",
            f"{risk.indicators.p99_us:.1f} us (p50 {risk.indicators.p50_us:.1f})",
            _verdict(risk.indicators.p99_us <= INDICATORS_P99_US_MAX),
        ),
        (
            "the same at the end of a long run by its beginning",
            f"at most {GROWTH_MAX:g} x",
            f"{risk.growth:.2f} x",
            _verdict(risk.growth <= GROWTH_MAX),
        ),
        (
            f"{risk.many_symbols} symbols, 20 updates a second each",
            "within one core, printed",
            f"{risk.many_core_share * 100:.0f} % of a core",
            "printed",
        ),
        (
            "breach of a level to quotes withdrawn at the venue, p99",
            f"{WITHDRAWN_P99_MS_MAX:g} ms, printed",
            f"{breach.p99_ms:.1f} ms (p50 {breach.p50_ms:.1f}, {breach.breaches} breaches)",
            "printed",
        ),
        (
            "a foreign fill beyond the position limit to the quotes that would raise it withdrawn, p99",
            f"{WITHDRAWN_P99_MS_MAX:g} ms, printed",
            f"{breach.limit_p99_ms:.1f} ms (p50 {breach.limit_p50_ms:.1f}, {breach.limit_breaches} breaches)",
            "printed",
        ),
    ]


def _reconciliation_row(cost: ReconciliationCost) -> Row:
    return (
        f"comparison of {cost.open_orders} open orders with the venue, longest of {cost.comparisons}",
        f"under {RECONCILED_MS_MAX:g} ms",
        f"{cost.longest_ms:.0f} ms (p50 {cost.p50_ms:.0f})",
        _verdict(cost.longest_ms < RECONCILED_MS_MAX),
    )


def _cost_rows(feed_rate: float, gate_us: float, journal_us: float) -> list[Row]:
    return [
        (
            "frames decoded, applied, published",
            f"at least {FEED_RATE_MIN:,} a second",
            f"{feed_rate:,.0f}",
            _verdict(feed_rate >= FEED_RATE_MIN),
        ),
        (
            "gate check with 20 live orders, p99",
            f"at most {GATE_P99_US_MAX:g} us",
            f"{gate_us:.1f} us",
            _verdict(gate_us <= GATE_P99_US_MAX),
        ),
        (
            "journal append, p99",
            f"at most {JOURNAL_P99_US_MAX:g} us",
            f"{journal_us:.1f} us",
            _verdict(journal_us <= JOURNAL_P99_US_MAX),
        ),
    ]


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


def _print(console: Console, rows: list[Row]) -> None:
    facts = machine()
    console.print(
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gb']} GB, {facts['system']}, "
        f"Python {facts['python']}, commit {commit()}"
    )
    table = Table("what", "bar", "measured", "verdict")
    for row in rows:
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
