"""The synthetic market pays nobody without insight: over many seeds random and symmetric makers do not profit, fees apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

import pytest
from venue_makers import (
    SECOND_NS,
    Desk,
    Mids,
    Rule,
    at_random,
    both_sides_behind,
    both_touches,
    fills_of,
    generous,
    interval_99,
    markout_bps,
    prints_as_trades,
    profit,
    trade_by,
)
from venue_rig import START_NS, contract

from actors.exchange.frames import Frame
from actors.exchange.sources import read_model
from actors.exchange.synthetic_market import SyntheticMarket


class Runs(NamedTuple):
    """How long and how often a market runs. One drawn from a model moves seldom, and then far: it needs longer runs."""

    seconds: int
    seeds: range
    many_seeds: range
    fills_least: int


RUNS = {
    "plain": Runs(12, range(1, 13), range(1, 61), 400),
    "shipped": Runs(120, range(1, 9), range(1, 9), 100),
}
LOTS = {"BTCUSDC": 10, "ETHUSDC": 100}
pytestmark = pytest.mark.timeout(600)
symbols = pytest.mark.parametrize("symbol", LOTS)
models = pytest.mark.parametrize("model", ["plain", "shipped"])


@lru_cache(maxsize=100)
def market(symbol: str, seed: int, model: str) -> list[Frame]:
    found = {} if model == "plain" else {symbol: read_model(model, contract(symbol).base_asset)}
    frames: Iterator[Frame] = SyntheticMarket([contract(symbol)], seed, models=found).frames(START_NS)
    return list(takewhile(lambda frame: frame.at_ns < START_NS + RUNS[model].seconds * SECOND_NS, frames))


def runs(symbol: str, model: str, rule: Callable[[int], Rule], seeds: range) -> Iterator[tuple[Desk, Mids]]:
    """The rule on every seed, 2 ms from the venue, at zero fee."""
    tick = float(contract(symbol).tick_size)
    for seed in seeds:
        frames = market(symbol, seed, model)
        desk = trade_by(rule(seed), frames, contract(symbol), generous(order_latency_ms=2), lots=LOTS[symbol])
        yield desk, Mids(frames, symbol, tick)


def intervals(
    symbol: str, model: str, rule: Callable[[int], Rule], seeds: range
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """99 % confidence intervals of profit a run (quote currency) and of the 1 s markout (bps)."""
    profits, markouts, fills = [], [], 0
    for desk, mids in runs(symbol, model, rule, seeds):
        profits.append(profit(desk, mids.mids[-1]))
        markouts.append(markout_bps(fills_of(desk), mids))
        fills += len(fills_of(desk))
    assert fills > RUNS[model].fills_least
    return interval_99(profits), interval_99(markouts)


@symbols
@models
@pytest.mark.parametrize("behind", [0, 1])
def test_a_symmetric_maker_does_not_profit_and_is_adversely_selected(symbol: str, behind: int, model: str) -> None:
    rule = both_touches if behind == 0 else both_sides_behind(behind)
    (_, profit_least, _), (_, _, markout_most) = intervals(symbol, model, lambda seed: rule, RUNS[model].seeds)
    assert profit_least <= 0
    assert markout_most < 0


@symbols
@models
def test_a_random_maker_does_not_profit(symbol: str, model: str) -> None:
    (_, profit_least, _), (_, markout_least, _) = intervals(symbol, model, at_random, RUNS[model].many_seeds)
    assert profit_least <= 0
    assert markout_least <= 0


@symbols
@models
def test_whoever_makes_the_tapes_trades_loses_a_little_to_the_informed(symbol: str, model: str) -> None:
    tick, lot = float(contract(symbol).tick_size), float(contract(symbol).lot_size)
    markouts = []
    for seed in RUNS[model].many_seeds:
        frames = market(symbol, seed, model)
        tape = prints_as_trades(frames, symbol, tick, lot)
        assert len(tape) > 100
        if model == "shipped":
            # Each print alike: a few large ones decide the average by volume, and two minutes have too few of them.
            tape = [trade._replace(quantity=1 / trade.price) for trade in tape]
        markouts.append(markout_bps(tape, Mids(frames, symbol, tick)))
    _, _, most = interval_99(markouts)
    assert most < 0
