"""Estimators against an independent computation by scipy and pandas, on recorded minutes of BTCUSDT and ETHUSDT."""

from __future__ import annotations

import gzip
import math
import re
from decimal import Decimal
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats
from shared_data import shared_path

from actors.risk_monitor.estimators.covariance import ReturnCovariance, quantile, value_at_risk
from actors.risk_monitor.estimators.drawdown import Drawdown
from actors.risk_monitor.estimators.exposure import gross_exposure, net_exposure
from actors.risk_monitor.estimators.liquidity import Usual
from actors.risk_monitor.estimators.profit import HOUR_NS, STEP_NS, HourlyPnl
from actors.risk_monitor.estimators.realised_volatility import YEAR_S, RealisedVolatility
from protocols.arithmetic.volatility import EwmaVolatility

TICKER = re.compile(rb'^(\d+) .*"bookTicker".*?"b":"([\d.]+)".*?"a":"([\d.]+)"')


@cache
def mids(symbol: str) -> pd.Series:
    """Mid of each best bid and ask, by local receive time."""
    path = shared_path(f"data/usdm-btc-eth-20240718/usdm_{symbol}_20240718.gz")
    rows: dict[int, float] = {}
    with gzip.open(path) as file:
        for line in file:
            found = TICKER.match(line)
            if found is not None:
                rows[int(found[1])] = (float(found[2]) + float(found[3])) / 2
    series = pd.Series(rows).sort_index()
    return series.set_axis(pd.to_datetime(series.index))


@cache
def seconds(symbol: str) -> pd.Series:
    """The mid at the end of each second."""
    return mids(symbol).resample("1s").last().ffill()


def returns() -> pd.DataFrame:
    both = pd.DataFrame({symbol: np.log(seconds(symbol)) for symbol in ("btcusdt", "ethusdt")}).dropna()
    return both.diff().dropna()


def test_realised_volatility_of_both_windows_is_that_of_pandas() -> None:
    moves = returns()["btcusdt"]
    ours = RealisedVolatility(1_000, 30_000, 120_000)
    for move in moves:
        ours.sample(move)
    for window, value in ((30, ours.short()), (120, ours.long())):
        expected = math.sqrt(float((moves**2).rolling(window).mean().iloc[-1]) * YEAR_S)
        assert value == pytest.approx(expected, rel=1e-6)
    ratio = math.sqrt(float((moves**2).tail(30).mean() / (moves**2).tail(120).mean()))
    assert ours.ratio() == pytest.approx(ratio, rel=1e-6)


def test_ewma_volatility_by_seconds_is_the_weighted_mean_of_pandas() -> None:
    prices = seconds("btcusdt").dropna()
    ours = EwmaVolatility(20_000_000_000)
    for at, price in prices.items():
        ours.observe(price, int(at.value))
    squares = np.log(prices).diff().dropna() ** 2
    expected = math.sqrt(float(squares.ewm(halflife=20, adjust=True).mean().iloc[-1]))
    assert ours.bps_per_root_second() == pytest.approx(1e4 * expected, rel=1e-9)


def test_the_period_that_is_not_over_counts_with_its_return_so_far_and_its_share() -> None:
    moves = returns()["btcusdt"].tail(40)
    ours = RealisedVolatility(1_000, 30_000, 120_000)
    for move in moves.iloc[:-1]:
        ours.sample(move)
    ours.move(float(moves.iloc[-1]), 0.25)
    expected = math.sqrt(float((moves.tail(31) ** 2).sum()) / 30.25 * YEAR_S)
    assert ours.short() == pytest.approx(expected, rel=1e-6)


def sampled(moves: pd.DataFrame, halflife_ms: int) -> ReturnCovariance:
    ours = ReturnCovariance(2, 1_000, halflife_ms)
    for row in moves.to_numpy():
        ours.sample(row)
    return ours


def equal_weights(moves: pd.DataFrame) -> ReturnCovariance:
    return sampled(moves, 10**16)


def held(covariance: ReturnCovariance, exposures: np.ndarray) -> ReturnCovariance:
    covariance.hold(list(exposures))
    return covariance


MOVES = st.lists(
    st.tuples(st.integers(0, 2), st.floats(-0.01, 0.01) | st.just(0.0), st.floats(0, 1)), min_size=1, max_size=30
)


@given(
    samples=st.lists(st.lists(st.floats(-0.01, 0.01) | st.just(0.0), min_size=3, max_size=3), max_size=5),
    exposures=st.lists(st.floats(-1e5, 1e5) | st.just(0.0), min_size=3, max_size=3),
    moves=MOVES,
)
@example(samples=[], exposures=[0.0, 1.0, 0.0], moves=[(1, 3.9276200763249934e-160, 0.0)])
def test_step_by_step_is_the_same_as_anew(
    samples: list[list[float]], exposures: list[float], moves: list[tuple[int, float, float]]
) -> None:
    stepped, anew = ReturnCovariance(3, 1_000, 60_000), ReturnCovariance(3, 1_000, 60_000)
    for one in (stepped, anew):
        for sample in samples:
            one.sample(np.array(sample))
    stepped.hold(exposures)
    for symbol, move, share in moves:
        stepped.move(symbol, move, share)
        anew.move(symbol, move, share)
    anew.hold(exposures)
    scale = sum(map(abs, exposures)) + 1e-9
    assert stepped.variance() == pytest.approx(anew.variance(), rel=1e-6, abs=1e-12 * scale)
    assert stepped.correlated() == pytest.approx(anew.correlated(), rel=1e-5, abs=1e-5 * scale)


def test_the_open_period_moves_the_covariance_like_a_sample_of_its_share() -> None:
    moves = returns().tail(200)
    ours, last = equal_weights(moves.iloc[:-1]), moves.iloc[-1]
    exposures = np.array([12_000.0, -7_000.0])
    ours.hold(exposures)
    for symbol, move in enumerate(last):
        ours.move(symbol, float(move), 0.5)
    expected = (moves.T @ moves / (len(moves) - 0.5)).to_numpy()
    assert ours.per_second() == pytest.approx(expected, rel=1e-9)
    assert ours.variance() == pytest.approx(float(exposures @ expected @ exposures), rel=1e-9)
    deviations = np.sqrt(np.diag(expected))
    rho = expected[0, 1] / deviations.prod()
    correlated = math.sqrt(12_000.0**2 + 7_000.0**2 - 2 * rho * 12_000.0 * 7_000.0)
    assert ours.correlated() == pytest.approx(correlated, rel=1e-9)


def test_covariance_is_that_of_weighted_moments() -> None:
    moves = returns()
    ours = sampled(moves, 60_000)
    weights = 0.5 ** (np.arange(len(moves))[::-1] / 60)
    expected = np.cov(
        np.vstack([moves.to_numpy(), -moves.to_numpy()]).T, aweights=np.concatenate([weights, weights]), ddof=0
    )
    assert ours.per_second() == pytest.approx(expected, rel=1e-9)


def test_value_at_risk_is_the_quantile_of_the_normal_law_of_scipy() -> None:
    moves = returns()
    covariance = (moves.T @ moves / len(moves)).to_numpy()
    exposures = np.array([12_000.0, -7_000.0])
    variance = held(equal_weights(moves), exposures).variance()
    deviation = math.sqrt(float(exposures @ covariance @ exposures) * 600)
    for confidence in (0.9, 0.95, 0.99):
        expected = stats.norm(scale=deviation).ppf(confidence)
        assert value_at_risk(variance, 600, quantile(confidence)) == pytest.approx(expected, rel=1e-6)


def test_value_at_risk_is_exceeded_about_as_often_as_it_says() -> None:
    moves = returns()
    exposures = np.array([10_000.0, 10_000.0])
    limit = value_at_risk(held(equal_weights(moves), exposures).variance(), 1.0, quantile(0.95))
    exceeded = float(((moves.to_numpy() @ exposures) < -limit).mean())
    assert 0.005 < exceeded < 0.10, "recorded returns have fat tails and many zeros, but it is the right order"


def test_correlated_exposure_uses_the_correlation_of_scipy() -> None:
    moves = returns() - returns().mean()
    ours = equal_weights(moves)
    rho = stats.pearsonr(moves["btcusdt"], moves["ethusdt"]).statistic
    for one, other in ((5_000.0, 3_000.0), (5_000.0, -3_000.0)):
        expected = math.sqrt(one**2 + other**2 + 2 * rho * one * other)
        assert held(ours, np.array([one, other])).correlated() == pytest.approx(expected, rel=1e-3)
    assert gross_exposure([5_000.0, -3_000.0]) == 8_000 and net_exposure([5_000.0, -3_000.0]) == 2_000


def test_drawdown_is_that_of_a_running_maximum() -> None:
    equity = seconds("btcusdt").dropna()
    ours = Drawdown()
    seen = []
    for value in equity:
        amount = Decimal(str(round(value, 2)))
        ours.value(amount)
        drawdown = ours.amount(amount)
        assert drawdown is not None
        seen.append(float(drawdown))
    rounded = equity.round(2)
    assert seen == pytest.approx(list((rounded.cummax() - rounded).to_numpy()), abs=1e-6)


def test_the_usual_is_a_time_weighted_exponential_mean() -> None:
    ticks = mids("ethusdt").iloc[:5_000]
    ours = Usual(10_000_000_000)
    for at, value in ticks.items():
        ours.observe(value, int(at.value))
    times = ticks.index.astype("int64").to_numpy()
    held_until = times[1:].astype(float)
    held_from = times[:-1].astype(float)
    end = float(times[-1])
    weights = 0.5 ** ((end - held_until) / 1e10) - 0.5 ** ((end - held_from) / 1e10)
    expected = float(np.average(ticks.to_numpy()[:-1], weights=weights))
    assert ours.mean() == pytest.approx(expected, rel=1e-9)


def test_hourly_pnl_is_the_change_since_an_hour_ago() -> None:
    path = pd.Series(np.cumsum(stats.norm(scale=3).rvs(size=900, random_state=7)))
    ours = HourlyPnl()
    for number, value in enumerate(path):
        ours.value(float(value), 1 + number * STEP_NS)
    steps = HOUR_NS // STEP_NS
    assert ours.change() == pytest.approx(float(path.iloc[-1] - path.iloc[-1 - steps]))
