"""Covariance of the symbols' returns, and what follows from it: value at risk and correlated exposure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SQUARE_MIN = 1e-20
"""Squared returns that sum to no more are no move: a deviation of 1e-10 is far below a tick of any symbol."""


class ReturnCovariance:
    """Exponentially weighted covariance of log returns per second, and what it makes of the exposures that are held.

    Formula: C = sum(w_k r_k r_k') / sum(w_k) / period, w = 0.5 ** (age / halflife), the mean taken as zero; the period that is not over
    yet counts with the returns so far and with the share of it that has passed. Unit: 1 / s. Source: mids of all symbols sampled at
    the same instants, and each book since; a symbol without two samples in a row adds nothing to its row. A book moves one return: what
    follows from it is brought up to date in a few steps, and computed anew with every sample and every new exposure.
    """

    def __init__(self, symbols: int, sample_ms: int, halflife_ms: int) -> None:
        self._keep = 0.5 ** (sample_ms / halflife_ms)
        self._period_s = sample_ms / 1_000
        self._sum: Floats = np.zeros((symbols, symbols))
        self._squares = [0.0] * symbols
        self._weight = 0.0
        self._open = [0.0] * symbols
        self._open_share = 0.0
        self._exposures = [0.0] * symbols
        self._unit = [0.0] * symbols
        self._products: Floats = np.zeros(symbols)
        self._whole = self._unit_whole = self._moved = self._unit_moved = self._alone = 0.0
        self.samples = 0

    def sample(self, log_returns: Floats) -> None:
        """Take one whole period's return of each symbol; what is not finite counts as no move."""
        returns = np.nan_to_num(log_returns, nan=0.0, posinf=0.0, neginf=0.0)
        self._sum *= self._keep
        self._sum += np.outer(returns, returns)
        self._squares = np.diag(self._sum).tolist()
        self._weight = self._keep * self._weight + 1.0
        self._open = [0.0] * len(self._open)
        self._open_share = 0.0
        self.samples += 1
        self._compute()

    def hold(self, exposures: Sequence[float]) -> None:
        """Take the signed exposures (quote currency) from now on."""
        is_flat = not any(exposures) and not any(self._exposures)
        self._exposures = list(exposures)
        if not is_flat:
            self._compute()

    def move(self, symbol: int, log_return: float, share: float) -> None:
        """Take the return of one symbol since the last sample, when `share` (0 to 1) of the period has passed."""
        self._open_share = share
        before, now = self._open[symbol], log_return if math.isfinite(log_return) else 0.0
        self._open[symbol] = now
        exposure = self._exposures[symbol]
        if exposure == 0.0 or now == before:
            return
        square, unit_before = self._squares[symbol], self._unit[symbol]
        self._alone += exposure * exposure * (_is_alone(square, now) - _is_alone(square, before))
        unit = self._unit[symbol] = _unit(exposure, square, now)
        step = unit - unit_before
        self._moved += exposure * (now - before)
        self._unit_moved += unit * now - unit_before * before
        self._unit_whole += 2.0 * step * float(self._products[symbol]) + step * step * square
        self._products += self._sum[symbol] * step

    def per_second(self) -> Floats:
        """Covariance of returns over one second."""
        covariance: Floats = (self._sum + np.outer(self._open, self._open)) / self._divisor()
        return covariance

    def variance(self) -> float:
        """Variance of the value of the exposures w (quote currency) over one second: w' C w."""
        return (self._whole + self._moved * self._moved) / self._divisor()

    def correlated(self) -> float:
        """Gross exposure that one single asset would have at the same risk: positions that hedge each other count for less.

        Formula: sqrt(w' R w), R = correlations of returns; a symbol that never moved counts in full. Unit: quote currency, >= 0.
        """
        return _root(self._unit_whole + self._unit_moved * self._unit_moved + self._alone)

    def _compute(self) -> None:
        """Everything anew: w' S w and w' r, the same of w by its symbols' deviations, and what never moved."""
        if not any(self._exposures):
            self._unit = [0.0] * len(self._exposures)
            self._products = np.zeros(len(self._exposures))
            self._whole = self._unit_whole = self._moved = self._unit_moved = self._alone = 0.0
            return
        each = list(zip(self._exposures, self._squares, self._open, strict=True))
        self._unit = [_unit(exposure, square, now) for exposure, square, now in each]
        self._alone = sum([exposure * exposure * _is_alone(square, now) for exposure, square, now in each])
        signed, unit, moved = np.array(self._exposures), np.array(self._unit), np.array(self._open)
        self._products = self._sum.dot(unit)
        self._whole = float(signed.dot(self._sum.dot(signed)))
        self._unit_whole = float(unit.dot(self._products))
        self._moved, self._unit_moved = float(signed.dot(moved)), float(unit.dot(moved))

    def _divisor(self) -> float:
        weight = self._weight + self._open_share
        return weight * self._period_s if weight > 0.0 else 1.0


def _unit(exposure: float, square: float, now: float) -> float:
    """An exposure by the deviation of its symbol (without its weight, which is common to all); 0 where it never moved."""
    total = square + now * now
    return exposure / math.sqrt(total) if total > SQUARE_MIN else 0.0


def _is_alone(square: float, now: float) -> bool:
    return square + now * now <= SQUARE_MIN


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
