"""What a market is like, in numbers that can be compared: the same figures of a recording and of the synthetic market fitted on it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from actors.exchange.tape import Floats, Tape

MARKOUT_S = (1, 5, 30)
GRID_S = 0.01
BLOCK_S = 15.0
"""Blocks of time that are drawn for a standard error: longer than a burst, short enough to have some thirty in eight minutes."""

RESAMPLES = 400
TOUCH_S = 0.1


class Figure(NamedTuple):
    """One statistic: what it is of, its name with its unit, and its value."""

    group: str
    name: str
    value: float


class Markout(NamedTuple):
    """Volume-weighted gain of the tape's makers against the mid `horizon_s` later (bps), with its standard error."""

    horizon_s: int
    bps: float
    error_bps: float


def figures(tape: Tape) -> list[Figure]:
    """Everything that the model is meant to reproduce, but for the markouts."""
    return [
        *_spread(tape),
        *_depth(tape),
        *_volatility(tape),
        *_trades(tape),
        *_signs(tape),
        *_touch(tape),
        Figure("informed", "orders that the price follows, less those it leaves, 1 s (%)", 100 * informed_excess(tape)),
    ]


def markouts(tape: Tape) -> list[Markout]:
    """The makers' markout curve of a tape. The error comes from drawing blocks of 15 s with replacement."""
    found = []
    prints = tape.prints
    for horizon_s in MARKOUT_S:
        known = prints.at_s + horizon_s <= tape.quotes.at_s[-1]
        at_s, price = prints.at_s[known], prints.price_ticks[known]
        later = tape.quotes.mid_at(at_s + horizon_s)
        weight = prints.lots[known] * price
        gained = -prints.signs[known] * (later / price - 1) * 1e4 * weight
        blocks = (at_s / BLOCK_S).astype(int)
        by_block = np.bincount(blocks, gained), np.bincount(blocks, weight)
        found.append(Markout(horizon_s, float(gained.sum() / weight.sum()), _error(*by_block)))
    return found


def pooled_markouts(tapes: list[Tape]) -> list[Markout]:
    """The curve over several tapes together, each of them one block of the error."""
    rows = [markouts(tape) for tape in tapes]
    found = []
    for index, horizon_s in enumerate(MARKOUT_S):
        values = np.array([row[index].bps for row in rows])
        weights = np.array([float((tape.prints.lots * tape.prints.price_ticks).sum()) for tape in tapes])
        mean = float((values * weights).sum() / weights.sum())
        error = float(np.sqrt(((values - mean) ** 2 * weights**2).sum()) / weights.sum())
        found.append(Markout(horizon_s, mean, error))
    return found


def volatility_bps(tape: Tape, horizon_s: float) -> float:
    """Root mean square of the mid's changes over a horizon, by the root of the horizon (bps per root second)."""
    changes = _changes(tape, horizon_s)
    return float(np.sqrt((changes**2).mean() / horizon_s))


def informed_excess(tape: Tape) -> float:
    """By how much more often the mid of a second later has moved with an order than against it."""
    orders = tape.orders
    before = tape.quotes.market_mid_before(orders.at_s)
    after = tape.quotes.market_mid_before(orders.at_s + 1.0)
    followed = np.sign(after - before) * orders.signs
    return float(followed.mean())


def fano(times_s: Floats, seconds: float, window_s: float) -> float:
    """Variance over mean of the counts in windows; 1 for events that do not cluster."""
    counts, _ = np.histogram(times_s, np.arange(0, seconds, window_s))
    return float(counts.var() / counts.mean())


def _error(gained: Any, weight: Any) -> float:
    numbers = np.random.default_rng(1)
    drawn = numbers.integers(0, len(gained), (RESAMPLES, len(gained)))
    return float((gained[drawn].sum(axis=1) / weight[drawn].sum(axis=1)).std())


def _changes(tape: Tape, horizon_s: float) -> Floats:
    mids = tape.quotes.mid_at(np.arange(0, tape.seconds, GRID_S))
    steps = round(horizon_s / GRID_S)
    changes: Floats = (mids[steps:] - mids[:-steps]) * tape.tick / tape.price * 1e4
    return changes


def _spread(tape: Tape) -> list[Figure]:
    quotes = tape.quotes
    lasted = np.diff(quotes.at_s)
    spread = (quotes.ask - quotes.bid)[:-1]
    return [
        Figure("spread", "share of time at one tick (%)", 100 * float(lasted[spread == 1].sum() / lasted.sum())),
        Figure("spread", "average (ticks)", float((lasted * spread).sum() / lasted.sum())),
    ]


def _depth(tape: Tape) -> list[Figure]:
    depth = tape.depth
    per_tick = depth.lots / depth.samples * tape.lot_notional / 1_000
    bands = ((0, 1), (1, 5), (5, 20), (20, 100), (100, 200))
    return [
        Figure(
            "depth",
            "at the touch (thousand)" if last == 1 else f"{first} to {last - 1} ticks behind (thousand)",
            float(per_tick[first:last].sum()),
        )
        for first, last in bands
    ]


def _volatility(tape: Tape) -> list[Figure]:
    rows = [
        Figure("volatility", f"over {horizon_s:g} s (bps per root s)", volatility_bps(tape, horizon_s))
        for horizon_s in (0.1, 1, 5, 30)
    ]
    moved = _changes(tape, 1.0) != 0
    return [*rows, Figure("volatility", "seconds in which the mid moved (%)", 100 * float(moved.mean()))]


def _trades(tape: Tape) -> list[Figure]:
    orders = tape.orders
    sizes = orders.lots * tape.lot_notional
    return [
        Figure("trades", "orders a second", len(orders.at_s) / tape.seconds),
        *(
            Figure(
                "clustering", f"variance by mean of orders in {window_s:g} s", fano(orders.at_s, tape.seconds, window_s)
            )
            for window_s in (0.1, 1, 10)
        ),
        Figure("sizes", "median order (quote)", float(np.median(sizes))),
        Figure("sizes", "90 % of orders are below", float(np.quantile(sizes, 0.9))),
        Figure("sizes", "99 % of orders are below", float(np.quantile(sizes, 0.99))),
        Figure("sizes", "average order", float(sizes.mean())),
        Figure("sizes", "orders that go through more than one level (%)", 100 * float((orders.swept_ticks > 0).mean())),
    ]


def sign_correlations(signs: Floats, lags: int) -> Floats:
    """Autocorrelation of the sides of orders at lags 1 to `lags`."""
    centred = signs - signs.mean()
    variance = (centred**2).mean()
    return np.array([(centred[lag:] * centred[:-lag]).mean() / variance for lag in range(1, lags + 1)])


def _signs(tape: Tape) -> list[Figure]:
    found = sign_correlations(tape.orders.signs, 20)
    return [
        Figure("order flow", f"autocorrelation of sides, lag {lag}", float(found[lag - 1])) for lag in (1, 2, 5, 10, 20)
    ]


def _touch(tape: Tape) -> list[Figure]:
    added, removed = touch_changes(tape)
    return [
        Figure("cancellations", "changes of the best levels a second", (len(added) + len(removed)) / tape.seconds),
        Figure(
            "cancellations",
            "withdrawn from a touch a second by what stands there (%)",
            100 * withdrawn_share(tape),
        ),
    ]


def withdrawn_share(tape: Tape) -> float:
    """What is withdrawn from a best level in a second without a trade, by what stands there on average."""
    _, removed = touch_changes(tape)
    standing = float(tape.depth.lots[0] / tape.depth.samples)
    return max(0.0, float(removed.sum() - tape.prints.lots.sum())) / 2 / tape.seconds / standing


def touch_changes(tape: Tape) -> tuple[Floats, Floats]:
    """Lots that came to, and that left, best levels whose price stayed. What was traded is among those that left."""
    quotes = tape.quotes
    added, removed = [], []
    for price, lots in ((quotes.bid, quotes.bid_lots), (quotes.ask, quotes.ask_lots)):
        change = np.diff(lots)[np.diff(price) == 0]
        added.append(change[change > 0])
        removed.append(-change[change < 0])
    return np.concatenate(added), np.concatenate(removed)
