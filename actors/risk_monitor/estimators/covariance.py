"""Covariance of the symbols' returns, and what follows from it: value at risk and correlated exposure."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class ReturnCovariance:
    """Exponentially weighted covariance of log returns per second.

    Formula: C = sum(w_k r_k r_k') / sum(w_k) / period, w = 0.5 ** (age / halflife), the mean taken as zero; the period that is not over
    yet counts with the returns so far and with the share of it that has passed. Unit: 1 / s. Source: mids of all symbols sampled at
    the same instants, and each book since; a symbol without two samples in a row adds nothing to its row.
    """

    def __init__(self, symbols: int, sample_ms: int, halflife_ms: int) -> None:
        self._keep = 0.5 ** (sample_ms / halflife_ms)
        self._period_s = sample_ms / 1_000
        self._sum: Floats = np.zeros((symbols, symbols))
        self._squares: Floats = np.zeros(symbols)
        self._weight = 0.0
        self._open: Floats = np.zeros(symbols)
        self._open_share = 0.0
        self.samples = 0

    def sample(self, log_returns: Floats) -> None:
        """Take one whole period's return of each symbol; what is not finite counts as no move."""
        returns = np.nan_to_num(log_returns, nan=0.0, posinf=0.0, neginf=0.0)
        self._sum *= self._keep
        self._sum += np.outer(returns, returns)
        self._squares = np.diag(self._sum).copy()
        self._weight = self._keep * self._weight + 1.0
        self._open[:] = 0.0
        self._open_share = 0.0
        self.samples += 1

    def move(self, symbol: int, log_return: float, share: float) -> None:
        """Take the return of one symbol since the last sample, when `share` (0 to 1) of the period has passed."""
        self._open[symbol] = log_return if math.isfinite(log_return) else 0.0
        self._open_share = share

    def per_second(self) -> Floats:
        """Covariance of returns over one second."""
        covariance: Floats = (self._sum + np.outer(self._open, self._open)) / self._divisor()
        return covariance

    def variance(self, exposures: Floats) -> float:
        """Variance of the value of signed `exposures` (quote currency) over one second: w' C w."""
        moved = float(exposures.dot(self._open))
        return (float(exposures.dot(self._sum.dot(exposures))) + moved * moved) / self._divisor()

    def correlated(self, exposures: Floats) -> float:
        """Gross exposure that one single asset would have at the same risk: positions that hedge each other count for less.

        Formula: sqrt(w' R w), R = correlations of returns; a symbol that never moved counts in full. Unit: quote currency, >= 0.
        """
        squares = self._squares + self._open * self._open
        has_moved = squares > 0.0
        alone = exposures[~has_moved]
        unit = np.divide(exposures, np.sqrt(squares), out=np.zeros_like(exposures), where=has_moved)
        moved = float(unit.dot(self._open))
        return _root(float(unit.dot(self._sum.dot(unit))) + moved * moved + float(alone.dot(alone)))

    def _divisor(self) -> float:
        weight = self._weight + self._open_share
        return weight * self._period_s if weight > 0.0 else 1.0


def quantile(confidence: float) -> float:
    """How many standard deviations a normal loss does not exceed with this confidence."""
    return NormalDist().inv_cdf(confidence)


def value_at_risk(variance_per_s: float, horizon_s: float, deviations: float) -> float:
    """Loss that is not exceeded over the horizon, for normal returns without drift.

    Formula: z * sqrt(w' C w * horizon), z = `quantile(confidence)`. Unit: quote currency, >= 0. Source: positions at the mark,
    `ReturnCovariance.variance`.
    """
    return deviations * _root(variance_per_s * horizon_s)


def _root(variance: float) -> float:
    """The square root; rounding below zero is zero, what is no number stays none."""
    return math.sqrt(variance) if variance > 0 else 0.0 if variance <= 0 else math.nan
