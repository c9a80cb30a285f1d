"""Realised volatility of a price over a short and a long window, and their ratio."""

from __future__ import annotations

import math
from collections import deque

YEAR_S = 365 * 86_400
"""Seconds of a year without holidays: perpetuals trade always."""


class _Window:
    """Sum of squared returns of the newest samples. Whole numbers of 10^-18, so that what goes out is exactly what came in."""

    __slots__ = ("_samples", "_squares", "total")

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._squares: deque[int] = deque()
        self.total = 0

    def add(self, square: int) -> None:
        self._squares.append(square)
        self.total += square
        if len(self._squares) > self._samples:
            self.total -= self._squares.popleft()

    def variance(self, open_square: float, open_share: float) -> float:
        """Mean square of a return, the period that is not over yet included; 0 for none."""
        count = len(self._squares) + open_share
        return (self.total * 1e-18 + open_square) / max(count, 1.0)

    @property
    def count(self) -> int:
        return len(self._squares)


class RealisedVolatility:
    """Annualised volatility from returns of one sampling period.

    Formula: sqrt(mean(r^2) * year / period), r = ln(mid / mid one period before), the mean taken as zero; the period that is not over yet
    counts with its return so far and the share of it that has passed, so that each book moves the value. Unit: share of the price a year.
    Window: the last `short_ms` and `long_ms`. Source: mid of the book. Whole periods end every `sample_ms`: the bounce between bid and ask
    and the number of updates do not count (realised variance from every tick grows with the noise, not with the volatility).
    """

    def __init__(self, sample_ms: int, short_ms: int, long_ms: int) -> None:
        self._per_year = YEAR_S * 1_000 / sample_ms
        self._short = _Window(max(short_ms // sample_ms, 2))
        self._long = _Window(max(long_ms // sample_ms, 2))
        self._short_samples = max(short_ms // sample_ms, 2)
        self._open_square = self._open_share = 0.0
        self._short_variance = self._long_variance = 0.0

    def sample(self, log_return: float) -> None:
        """Take the return of one whole period; one that is not finite is left out."""
        self._open_square = self._open_share = 0.0
        if math.isfinite(log_return):
            square = round(log_return * log_return * 1e18)
            self._short.add(square)
            self._long.add(square)
        self._measure()

    def move(self, log_return: float, share: float) -> None:
        """Take the return since the last sample, when `share` (0 to 1) of the period has passed."""
        self._open_square, self._open_share = log_return * log_return, share
        self._measure()

    @property
    def is_warm(self) -> bool:
        """Whether the short window is full."""
        return self._short.count >= self._short_samples

    def short(self) -> float:
        """Annualised volatility of the short window."""
        return math.sqrt(self._short_variance * self._per_year)

    def long(self) -> float:
        """Annualised volatility of the long window."""
        return math.sqrt(self._long_variance * self._per_year)

    def usual_return(self) -> float:
        """Standard deviation of the return of one whole sampling period, over the long window."""
        return math.sqrt(self._long.variance(0.0, 0.0))

    def ratio(self) -> float:
        """Short by long; 1 while nothing moved."""
        long = self._long_variance
        return math.sqrt(self._short_variance / long) if long > 0 else 1.0

    def _measure(self) -> None:
        self._short_variance = self._short.variance(self._open_square, self._open_share)
        self._long_variance = self._long.variance(self._open_square, self._open_share)


def annualised(bps_per_root_second: float) -> float:
    """EWMA volatility (protocols/arithmetic/volatility.py, from every mid) as a share of the price a year."""
    return bps_per_root_second * 1e-4 * math.sqrt(YEAR_S)
