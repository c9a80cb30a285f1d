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

    def variance(self) -> float:
        """Mean square of a return; 0 for none."""
        return self.total * 1e-18 / len(self._squares) if self._squares else 0.0

    @property
    def count(self) -> int:
        return len(self._squares)


class RealisedVolatility:
    """Annualised volatility from returns of one sampling period.

    Formula: sqrt(mean(r^2) * year / period), r = ln(mid / mid one period before), the mean taken as zero. Unit: share of the price a year.
    Window: the last `short_ms` and `long_ms`. Source: mid of the book, sampled every `sample_ms`, so that the bounce between bid and ask
    and the number of updates do not count.
    """

    def __init__(self, sample_ms: int, short_ms: int, long_ms: int) -> None:
        self._per_year = YEAR_S * 1_000 / sample_ms
        self._short = _Window(max(short_ms // sample_ms, 2))
        self._long = _Window(max(long_ms // sample_ms, 2))
        self._short_samples = max(short_ms // sample_ms, 2)

    def sample(self, log_return: float) -> None:
        """Take the return of one period; one that is not finite is left out."""
        if not math.isfinite(log_return):
            return
        square = round(log_return * log_return * 1e18)
        self._short.add(square)
        self._long.add(square)

    @property
    def is_warm(self) -> bool:
        """Whether the short window is full."""
        return self._short.count >= self._short_samples

    def short(self) -> float:
        """Annualised volatility of the short window."""
        return math.sqrt(self._short.variance() * self._per_year)

    def long(self) -> float:
        """Annualised volatility of the long window."""
        return math.sqrt(self._long.variance() * self._per_year)

    def usual_return(self) -> float:
        """Standard deviation of the return of one sampling period, over the long window."""
        return math.sqrt(self._long.variance())

    def ratio(self) -> float:
        """Short by long; 1 while nothing moved."""
        long = self._long.variance()
        return math.sqrt(self._short.variance() / long) if long > 0 else 1.0


def annualised(bps_per_root_second: float) -> float:
    """EWMA volatility (protocols/arithmetic/volatility.py, from every mid) as a share of the price a year."""
    return bps_per_root_second * 1e-4 * math.sqrt(YEAR_S)
