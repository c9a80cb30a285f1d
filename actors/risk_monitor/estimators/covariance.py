"""Covariance of the symbols' returns, and what follows from it: value at risk and correlated exposure."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class ReturnCovariance:
    """Exponentially weighted covariance of log returns per second.

    Formula: C = sum(w_k r_k r_k') / sum(w_k) / period, w = 0.5 ** (age / halflife), the mean taken as zero. Unit: 1 / s.
    Source: mids of all symbols sampled at the same instants; a symbol without two samples in a row adds nothing to its row.
    """

    def __init__(self, symbols: int, sample_ms: int, halflife_ms: int) -> None:
        self._keep = 0.5 ** (sample_ms / halflife_ms)
        self._period_s = sample_ms / 1_000
        self._sum: Floats = np.zeros((symbols, symbols))
        self._weight = 0.0
        self.samples = 0

    def sample(self, log_returns: Floats) -> None:
        """Take one period's return of each symbol; what is not finite counts as no move."""
        returns = np.nan_to_num(log_returns, nan=0.0, posinf=0.0, neginf=0.0)
        self._sum *= self._keep
        self._sum += np.outer(returns, returns)
        self._weight = self._keep * self._weight + 1.0
        self.samples += 1

    def per_second(self) -> Floats:
        """Covariance of returns over one second."""
        if self._weight == 0.0:
            return self._sum
        covariance: Floats = self._sum / (self._weight * self._period_s)
        return covariance


def portfolio_deviation(exposures: Floats, covariance_per_s: Floats, horizon_s: float) -> float:
    """Standard deviation of the value of signed `exposures` (quote currency) over `horizon_s` seconds."""
    variance = float(exposures.dot(covariance_per_s.dot(exposures))) * horizon_s
    return math.sqrt(variance) if variance > 0 else 0.0 if variance <= 0 else math.nan


def quantile(confidence: float) -> float:
    """How many standard deviations a normal loss does not exceed with this confidence."""
    return NormalDist().inv_cdf(confidence)


def value_at_risk(exposures: Floats, covariance_per_s: Floats, horizon_s: float, deviations: float) -> float:
    """Loss that is not exceeded over the horizon, for normal returns without drift.

    Formula: z * sqrt(w' C w * horizon), z = `quantile(confidence)`. Unit: quote currency, >= 0. Source: positions at the mark,
    `ReturnCovariance`.
    """
    return deviations * portfolio_deviation(exposures, covariance_per_s, horizon_s)


def correlation_of(covariance_per_s: Floats) -> Floats:
    """Correlations of returns; a symbol that never moved is alone."""
    deviations = np.sqrt(np.diag(covariance_per_s))
    scale = np.divide(1.0, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    correlation: Floats = covariance_per_s * np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def correlated_exposure(exposures: Floats, correlation: Floats) -> float:
    """Gross exposure that one single asset would have at the same risk: positions that hedge each other count for less.

    Formula: sqrt(w' R w), R = correlations of returns; a symbol that never moved counts in full. Unit: quote currency, >= 0.
    """
    return portfolio_deviation(exposures, correlation, 1.0)
