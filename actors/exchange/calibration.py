"""Fits a model of a market on a tape: most of it read off directly, the rest scaled until the synthetic market shows the tape's figures.

What is read off: arrivals (the likelihood of a Hawkes process), sides of orders and of moves (Yule-Walker), sizes and moves (quantiles),
depth by distance, changes of the touch. A move of the price is a run of changes of the mid with less than 100 ms between them; the orders
of its side in it, or just before it, are informed. What is scaled: the length of moves, so that the volatility of one to thirty seconds is
the tape's; how much of a move is ahead of the orders that bring it, so that the makers' markouts are; how unequal the market's paces are,
so that orders cluster as the tape's; size and changes of the touch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import msgspec
import numpy as np

from actors.exchange import excitation
from actors.exchange.calibrated import CalibratedSymbol
from actors.exchange.contracts import Contract
from actors.exchange.excitation import Happening
from actors.exchange.frames import Frame
from actors.exchange.market_model import (
    PROBABILITIES,
    DepthBand,
    Informed,
    MarketModel,
    Pace,
    Table,
    Touch,
)
from actors.exchange.market_statistics import (
    Markout,
    fano,
    markouts,
    pooled_markouts,
    sign_correlations,
    touch_changes,
    volatility_bps,
    withdrawn_share,
)
from actors.exchange.tape import Floats, Orders, Tape, read_tape

DECAYS_S = (0.05, 0.5, 5.0)
SIGN_LAGS, MOVE_LAGS = 20, 5
ENDING_SHARE = 0.1
"""On each of three recordings the largest tenth of runs, half of the volume of all, was followed by runs of the other side."""

STRETCH_S, SPREAD = 20.0, 0.5
"""Of the market's paces: how long one lasts on average, and with how unequal ones the fit begins."""

CLUSTER_S = 10
MOVE_GAP_S = 0.1
AHEAD_S, AFTER_S = 0.02, 0.005
"""How long before and after a move its orders may have come: the market's clock counts milliseconds, and orders run ahead of quotes."""

BAND_TICKS = (1, 2, 3, 5, 10, 20, 50, 100)
LEVELS = 200
FRESH_S = (0.03, 0.08)
"""After a move: when its new touch is looked at."""

ROUNDS, SEEDS_A_ROUND = 12, 8
"""Each round draws seeds that no round before it saw: what one set of runs shows by chance, the others do not."""

RUN_S = 480
START_NS = 1_700_000_000_000_000_000
AHEAD_LEAST, SPREAD_MOST = 0.02, 1.2
SCALE_LEAST, SCALE_MOST = 0.5, 2.0

Indices = np.ndarray[Any, np.dtype[np.int64]]
Say = Callable[[str], None]


class _Moves(NamedTuple):
    """Runs of changes of the mid: when they began and ended, and where they led (ticks, signed)."""

    start_s: Floats
    end_s: Floats
    ticks: Floats


class _Runs(NamedTuple):
    """Informed runs of orders: time of the first, what belongs to each, and which orders belong to none."""

    at_s: Floats
    signs: Floats
    orders: Floats
    gaps_s: Floats
    notional: Floats
    ticks: Floats
    way: Floats
    """How far from its first price it traded, on average over its volume (ticks)."""
    plain: np.ndarray[tuple[int], np.dtype[np.bool_]]


def calibrate(tape: Tape, contract: Contract, fitted_on: str, say: Say) -> MarketModel:
    """The model of a tape.

    Raises:
        ValueError: too little happens on the tape to fit a model.
    """
    model = first_fit(tape, contract, fitted_on)
    recorded = markouts(tape)
    touch_lots, withdrawn = float(tape.depth.lots[0] / tape.depth.samples), withdrawn_share(tape)
    for number in range(1, ROUNDS + 1):
        seeds = range(1 + (number - 1) * SEEDS_A_ROUND, 1 + number * SEEDS_A_ROUND)
        tapes = synthetic_tapes(model, contract, seeds, RUN_S)
        found = pooled_markouts(tapes)
        standing = float(np.mean([each.depth.lots[0] / each.depth.samples for each in tapes]))
        volatility = float(np.mean([_mean_volatility_bps(each) for each in tapes]))
        length = _limited(_mean_volatility_bps(tape) / volatility, number)
        unequal = _limited(_clustering(tape) / float(np.mean([_clustering(each) for each in tapes])), number)
        ahead = _limited(_markout_ratio(recorded, found) / length, number)
        touch = _limited(touch_lots / standing, number)
        changes = _limited(withdrawn / float(np.mean([withdrawn_share(each) for each in tapes])), number)
        curve = ", ".join(f"{each.bps:.3f} bps after {each.horizon_s} s" for each in found)
        say(
            f"round {number}: {curve}, volatility {volatility:.3f} bps; moves x {length:.3f}, ahead of orders x {ahead:.3f}, "
            f"depth at the touch x {touch:.3f}, what comes and goes there x {changes:.3f}, unequal paces x {unequal:.3f}"
        )
        model = _adjusted(model, length, ahead, touch, changes, unequal)
    return rounded(model)


def first_fit(tape: Tape, contract: Contract, fitted_on: str) -> MarketModel:
    """What can be read off the tape."""
    moves = _moves(tape)
    runs, quiet = _runs(tape, moves)
    if len(runs.at_s) < 30:
        raise ValueError(f"{tape.symbol}: the price moves {len(runs.at_s)} times with orders; at least 30 are needed")
    plain_at_s = tape.orders.at_s[runs.plain]
    plain_signs = tape.orders.signs[runs.plain]
    happenings = sorted(
        [Happening(float(at_s), True) for at_s in runs.at_s]
        + [Happening(float(at_s), False) for at_s in (*plain_at_s, *quiet[0])]
    )
    sides = np.concatenate([plain_signs, runs.signs])[
        np.argsort(np.concatenate([plain_at_s, runs.at_s]), kind="stable")
    ]
    uninformed = len(plain_at_s) + len(quiet[0])
    return MarketModel(
        base_asset=contract.base_asset,
        fitted_on=fitted_on,
        price=float(f"{tape.price:.6g}"),
        tick_size=str(contract.tick_size),
        arrivals=excitation.fit(happenings, tape.seconds, DECAYS_S),
        pace=Pace(stretch_s=STRETCH_S, spread=SPREAD),
        revised_share=len(quiet[0]) / uninformed,
        sign_memory=_sign_memory(sides, SIGN_LAGS),
        order_notional=_table(tape.orders.lots[runs.plain] * tape.lot_notional),
        informed=Informed(
            orders=_table(runs.orders),
            gap_ms=1e3 * float(runs.gaps_s.mean()),
            sweeping_share=_sweeping_share(tape.orders, runs),
            memory=_run_memory(runs),
            ending_share=ENDING_SHARE,
            notional=_table(runs.notional),
            ticks=_table(runs.ticks),
            ahead=min(1.0, max(0.1, 1 - float((runs.way * runs.notional).sum() / (runs.ticks * runs.notional).sum()))),
            size_follows_move=max(0.0, _rank_correlation(runs.notional, runs.ticks)),
        ),
        revised_ticks=_table(quiet[1]) if len(quiet[1]) else (1.0,) * len(PROBABILITIES),
        settle_ms=_settle_ms(tape, moves),
        touch=_touch(tape, moves),
        depth=_depth(tape),
        levels=LEVELS,
    )


def synthetic_tapes(model: MarketModel, contract: Contract, seeds: Sequence[int], seconds: float) -> list[Tape]:
    """What the synthetic market shows under a model, seed by seed."""
    return [read_tape(synthetic_frames(model, contract, seed, seconds), contract) for seed in seeds]


def synthetic_frames(model: MarketModel, contract: Contract, seed: int, seconds: float) -> Iterator[Frame]:
    """A stretch of the synthetic market of one contract."""
    symbol = CalibratedSymbol(contract, seed, model)
    end_ns = START_NS + int(seconds * 1e9)

    def endless() -> Iterator[Frame]:
        start_ns = START_NS
        yield symbol.open(start_ns)
        while True:
            yield from symbol.step(start_ns)
            start_ns += symbol.step_ns

    return takewhile(lambda frame: frame.at_ns < end_ns, endless())


def rounded(model: MarketModel) -> MarketModel:
    """The model with figures that a person can read: four digits of each."""

    def short(value: object) -> object:
        match value:
            case bool() | str() | int():
                return value
            case float():
                return float(f"{value:.4g}")
            case dict():
                return {key: short(each) for key, each in value.items()}
            case list() | tuple():
                return [short(each) for each in value]
            case _:
                raise TypeError(type(value).__name__)

    return msgspec.convert(short(msgspec.to_builtins(model)), MarketModel)


def _moves(tape: Tape) -> _Moves:
    quotes = tape.quotes
    changes = np.diff((quotes.bid + quotes.ask) / 2)
    changed = np.nonzero(changes)[0]
    at_s, ticks = quotes.market_s[1:][changed], changes[changed]
    begins = np.concatenate([[0], np.nonzero(np.diff(at_s) > MOVE_GAP_S)[0] + 1])
    ends = np.concatenate([begins[1:], [len(at_s)]]) - 1
    sums = np.add.reduceat(ticks, begins)
    real = sums != 0
    return _Moves(at_s[begins][real], at_s[ends][real], sums[real])


def _runs(tape: Tape, moves: _Moves) -> tuple[_Runs, tuple[Floats, Floats]]:
    """The informed runs, and times and lengths of the moves without an order."""
    orders = tape.orders
    plain = np.ones(len(orders.at_s), bool)
    rows: list[tuple[float, ...]] = []
    gaps: list[float] = []
    quiet: list[tuple[float, float]] = []
    for start_s, end_s, move in zip(*moves, strict=True):
        first = np.searchsorted(orders.at_s, start_s - AHEAD_S)
        last = np.searchsorted(orders.at_s, end_s + AFTER_S, side="right")
        mine = np.arange(first, last)
        mine = mine[(orders.signs[first:last] == np.sign(move)) & plain[first:last]]
        if not len(mine):
            quiet.append((start_s, abs(move)))
            continue
        plain[mine] = False
        gaps.extend(np.diff(orders.at_s[mine]))
        taken = float(orders.lots[mine].sum()) * tape.lot_notional
        rows.append((orders.at_s[mine[0]], float(np.sign(move)), len(mine), taken, abs(move), _way(orders, mine)))
    at_s, signs, count, notional, ticks, way = list(np.array(rows).T) if rows else [np.zeros(0)] * 6
    runs = _Runs(at_s, signs, count, np.array(gaps or [0.0]), notional, ticks, way, plain)
    alone = np.array(quiet).T if quiet else np.zeros((2, 0))
    return runs, (alone[0], alone[1])


def _way(orders: Orders, mine: Indices) -> float:
    first, lots = orders.first_ticks[mine[0]], orders.lots[mine]
    return abs(float((orders.average_ticks[mine] * lots).sum() / lots.sum()) - float(first))


def _sweeping_share(orders: Orders, runs: _Runs) -> float:
    """Of the orders of a run before its last one: how many go through more than one level."""
    sweeps, before = float((orders.swept_ticks[~runs.plain] > 0).sum()), float((runs.orders - 1).sum())
    return min(1.0, max(0.0, sweeps - len(runs.orders)) / before) if before else 0.0


def _run_memory(runs: _Runs) -> tuple[float, ...]:
    """How runs repeat the sides of earlier ones while none of those that end a move is between them."""
    ending = (runs.notional >= np.quantile(runs.notional, 1 - ENDING_SHARE)).astype(float)
    ended = np.concatenate([[0.0], np.cumsum(ending)])
    found = []
    for lag in range(1, MOVE_LAGS + 1):
        together = ended[lag:-1] == ended[: -1 - lag]
        products = (runs.signs[lag:] * runs.signs[:-lag])[together]
        found.append(float(products.mean()) if len(products) else 0.0)
    return _yule_walker(np.array(found))


def _sign_memory(signs: Floats, lags: int) -> tuple[float, ...]:
    return _yule_walker(sign_correlations(signs, lags))


def _yule_walker(correlations: Floats) -> tuple[float, ...]:
    """Weights by lag of sides that repeat earlier ones, none below zero."""
    lags = len(correlations)
    found = np.concatenate([[1.0], correlations])
    matrix = np.array([[found[abs(row - column)] for column in range(lags)] for row in range(lags)])
    weights = np.maximum(0.0, np.linalg.solve(matrix, found[1:]))
    return tuple(float(weight) for weight in weights / max(1.0, weights.sum() / 0.98))


def _table(values: Floats) -> Table:
    smallest = values[values > 0].min()
    return tuple(float(max(smallest, value)) for value in np.quantile(values, PROBABILITIES))


def _rank_correlation(first: Floats, second: Floats) -> float:
    ranks = [np.argsort(np.argsort(values, kind="stable"), kind="stable") for values in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _settle_ms(tape: Tape, moves: _Moves) -> float:
    """Time with more than a tick between the touches, for each move."""
    quotes = tape.quotes
    wide = (quotes.ask - quotes.bid)[:-1] > 1
    return 1e3 * float(np.diff(quotes.at_s)[wide].sum()) / len(moves.ticks)


def _touch(tape: Tape, moves: _Moves) -> Touch:
    quotes = tape.quotes
    added, removed = touch_changes(tape)
    fresh: list[float] = []
    for end_s in moves.end_s:
        first, last = np.searchsorted(quotes.market_s, [end_s + FRESH_S[0], end_s + FRESH_S[1]])
        if first < last:
            fresh += [float(quotes.bid_lots[first]), float(quotes.ask_lots[first])]
    standing = float(tape.depth.lots[0] / tape.depth.samples)
    return Touch(
        notional=standing * tape.lot_notional,
        fresh_notional=(float(np.mean(fresh)) if fresh else standing) * tape.lot_notional,
        changes_per_s=(len(added) + len(removed)) / tape.seconds,
        added_notional=_table(added * tape.lot_notional),
        removed_notional=_table(removed * tape.lot_notional),
    )


def _depth(tape: Tape) -> tuple[DepthBand, ...]:
    depth = tape.depth
    bands = []
    for first, end in zip(BAND_TICKS, (*BAND_TICKS[1:], LEVELS), strict=True):
        lots, occupied = depth.lots[first:end].mean() / depth.samples, depth.occupied[first:end].mean() / depth.samples
        bands.append(
            DepthBand(
                first_tick=first,
                notional=max(1.0, float(lots) * tape.lot_notional),
                occupied=max(0.01, min(1.0, float(occupied))),
                changes_per_s=float(depth.changes[first:end].mean()) / tape.seconds,
            )
        )
    return tuple(bands)


def _markout_ratio(recorded: list[Markout], found: list[Markout]) -> float:
    """By how much longer moves would bring the curve nearest to the tape's, each horizon weighed by the tape's error."""
    above = sum(tape.bps * ours.bps / tape.error_bps**2 for tape, ours in zip(recorded, found, strict=True))
    below = sum((ours.bps / tape.error_bps) ** 2 for tape, ours in zip(recorded, found, strict=True))
    return float(above / below) if below else 1.0


def _adjusted(
    model: MarketModel, length: float, ahead: float, touch: float, changes: float, unequal: float
) -> MarketModel:
    replace, informed = msgspec.structs.replace, model.informed
    return replace(
        model,
        pace=replace(model.pace, spread=min(SPREAD_MOST, model.pace.spread * unequal)),
        informed=replace(
            informed,
            ticks=tuple(max(1.0, value * length) for value in informed.ticks),
            ahead=min(1.0, max(AHEAD_LEAST, informed.ahead * ahead)),
        ),
        touch=replace(
            model.touch,
            notional=model.touch.notional * touch,
            added_notional=tuple(value * changes for value in model.touch.added_notional),
            removed_notional=tuple(value * changes for value in model.touch.removed_notional),
        ),
    )


def _mean_volatility_bps(tape: Tape) -> float:
    """Of a second, of five and of thirty."""
    return float(np.prod([volatility_bps(tape, horizon_s) for horizon_s in (1, 5, 30)]) ** (1 / 3))


def _clustering(tape: Tape) -> float:
    return fano(tape.orders.at_s, tape.seconds, CLUSTER_S)


def _limited(scale: float, number: int) -> float:
    """Part of a correction: all of it in the first two rounds, then so much that what each round but the first asked for counts alike."""
    return float(min(max(scale, SCALE_LEAST), SCALE_MOST) ** (1 / max(1, number - 1)))
