"""How far a price has strayed in a window: the standard deviation of samples of it, as a share of their mean."""

from __future__ import annotations

import math
from collections import deque

COVERED_SHARE_MIN = 0.9
"""Part of the window's samples that must be there: with more holes nothing is known."""


class PriceDeviation:
    """Samples of one price, at most one each `sample_ns`, over the last `window_ns`. Sums are integers: nothing drifts."""

    def __init__(self, window_ns: int, sample_ns: int) -> None:
        if not 0 < sample_ns <= window_ns // 2:
            raise ValueError(f"a window of {window_ns} ns has no two samples of {sample_ns} ns")
        self._window_ns = window_ns
        self._sample_ns = sample_ns
        self._samples_max = window_ns // sample_ns
        self._samples: deque[tuple[int, int]] = deque()
        self._sum = self._sum_of_squares = 0

    def observe(self, price: int, now_ns: int) -> None:
        """Take the present price in any unit that does not change; between two samples nothing happens."""
        if self._samples and now_ns - self._samples[-1][0] < self._sample_ns:
            return
        self._samples.append((now_ns, price))
        self._sum += price
        self._sum_of_squares += price * price
        self._expire(now_ns)

    def share(self, now_ns: int) -> float | None:
        """Population standard deviation by mean, for instance 0.0038; None while the window is not covered."""
        self._expire(now_ns)
        count = len(self._samples)
        if (
            count < COVERED_SHARE_MIN * self._samples_max
            or now_ns - self._samples[0][0] < COVERED_SHARE_MIN * self._window_ns
        ):
            return None
        return math.sqrt(count * self._sum_of_squares - self._sum * self._sum) / self._sum

    def _expire(self, now_ns: int) -> None:
        samples = self._samples
        while samples and (samples[0][0] <= now_ns - self._window_ns or len(samples) > self._samples_max):
            _, price = samples.popleft()
            self._sum -= price
            self._sum_of_squares -= price * price
