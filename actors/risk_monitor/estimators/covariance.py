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
    variance = float(exposures @ covariance_per_s @ exposures) * horizon_s
    return math.sqrt(variance) if variance > 0 else 0.0 if variance <= 0 else math.nan


def value_at_risk(exposures: Floats, covariance_per_s: Floats, horizon_s: float, confidence: float) -> float:
    """Loss that is not exceeded with this confidence over the horizon, for normal returns without drift.

    Formula: z(confidence) * sqrt(w' C w * horizon). Unit: quote currency, >= 0. Source: positions at the mark, `ReturnCovariance`.
    """
    return NormalDist().inv_cdf(confidence) * portfolio_deviation(exposures, covariance_per_s, horizon_s)


def correlated_exposure(exposures: Floats, covariance_per_s: Floats) -> float:
    """Gross exposure that one single asset would have at the same risk: positions that hedge each other count for less.

    Formula: sqrt(w' R w), R = correlations of returns; a symbol that never moved counts in full, alone. Unit: quote currency, >= 0.
    """
    deviations = np.sqrt(np.diag(covariance_per_s))
    scale = np.divide(1.0, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    correlation = covariance_per_s * np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    variance = float(exposures @ correlation @ exposures)
    return math.sqrt(variance) if variance > 0 else 0.0 if variance <= 0 else math.nan
