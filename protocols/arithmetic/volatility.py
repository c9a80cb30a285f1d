"""Volatility of a price as an average whose weights halve with time, not with the number of prints."""

from __future__ import annotations

import math

_SHORTEST_STEP_NS = 1_000
_RETURN_MAX = 1.0
"""A log return beyond this (a factor of 2.7) is taken as this much: one absurd price must not blind the estimate for minutes."""


class EwmaVolatility:
    """Exponentially weighted variance of log returns per second of time.

    An observation weighs `1 - 0.5 ** (dt / halflife)`, so a burst of updates counts as much as the time that it covers. The sum
    of weights is divided out: the estimate has no bias towards its empty start.
    """

    __slots__ = ("_decay", "_last_ns", "_last_price", "_variance_sum", "_weight_sum")

    def __init__(self, halflife_ns: int) -> None:
        if halflife_ns <= 0:
            raise ValueError(f"a halflife of {halflife_ns} ns")
        self._decay = -math.log(2.0) / halflife_ns
        self._variance_sum = 0.0
        self._weight_sum = 0.0
        self._last_price = 0.0
        self._last_ns = 0

    def observe(self, price: float, now_ns: int) -> None:
        """Take the price as of `now_ns`. A price that is not positive and finite, or an earlier time, is ignored."""
        if not 0.0 < price < math.inf or now_ns < self._last_ns:
            return
        if self._last_price == 0.0:
            self._last_price, self._last_ns = price, now_ns
            return
        step_ns = now_ns - self._last_ns
        if step_ns < _SHORTEST_STEP_NS:
            return
        keep = math.exp(self._decay * step_ns)
        if price == self._last_price:
            self._variance_sum *= keep
        else:
            change = max(-_RETURN_MAX, min(_RETURN_MAX, math.log(price) - math.log(self._last_price)))
            self._variance_sum = keep * self._variance_sum + (1.0 - keep) * change * change * 1e9 / step_ns
        self._weight_sum = keep * self._weight_sum + (1.0 - keep)
        self._last_price, self._last_ns = price, now_ns

    def bps_per_root_second(self) -> float:
        """Standard deviation of the return over one second, in basis points; 0 before the second observation."""
        if self._weight_sum <= 0.0:
            return 0.0
        return 1e4 * math.sqrt(self._variance_sum / self._weight_sum)
