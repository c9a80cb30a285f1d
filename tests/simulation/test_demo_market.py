"""What the demo shows on its synthetic market: enough fills to look at, on a one-tick spread, and no money for nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from actors.exchange.ledger import TopSampled
from configs.loading import load_settings
from ops.report import build_report
from ops.simulation.house import House

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
SEEDS = (1, 2)
SECONDS = 40
TICKS = {"BTCUSDC": 0.1, "ETHUSDC": 0.01}
symbols = pytest.mark.parametrize("symbol", TICKS)


@cache
def runs() -> list[tuple[dict[str, Any], list[TopSampled]]]:
    seen = []
    for seed in SEEDS:
        house = House(load_settings(DEMO, {}), seed)
        house.start()
        house.run_s(SECONDS)
        history = house.history()
        seen.append((build_report(history), [r for r in history.ledger if isinstance(r, TopSampled)]))
    return seen


@symbols
def test_several_fills_a_minute_on_a_one_tick_spread(symbol: str) -> None:
    for report, tops in runs():
        assert report["symbols"][symbol]["fills"] >= 5 * SECONDS / 60
        spreads = {round(float(top.ask - top.bid), 6) for top in tops if top.symbol == symbol and top.bid and top.ask}
        assert spreads == {TICKS[symbol]}


@symbols
def test_the_demos_quotes_earn_less_than_half_a_tick_a_fill(symbol: str) -> None:
    """A second after its fills the demo has earned less than the half spread: the informed take part of it."""
    markouts = [report["symbols"][symbol]["markout_bps"]["1s"] for report, _ in runs()]
    price = {"BTCUSDC": 64_000, "ETHUSDC": 3_400}[symbol]
    assert sum(markouts) / len(markouts) < TICKS[symbol] / 2 / price * 1e4
