"""A bounded histogram of latencies, kept without allocation."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

BOUNDS_US = (
    50,
    100,
    150,
    200,
    250,
    300,
    400,
    500,
    750,
    1_000,
    1_500,
    2_000,
    3_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    1_000_000,
)
"""Upper bounds of the buckets in microseconds; longer ones are in `count` only."""


class Histogram:
    """Counts by bucket, with sum and count."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_US) + 1)
        self.total_us = 0
        self.count = 0

    def observe(self, latency_us: int) -> None:
        """Count one latency."""
        self._counts[bisect_left(BOUNDS_US, latency_us)] += 1
        self.total_us += latency_us
        self.count += 1

    def view(self) -> dict[str, Any]:
        """`buckets` as [upper bound, how many were not above it], then `sum` and `count`."""
        buckets = []
        running = 0
        for bound, count in zip(BOUNDS_US, self._counts, strict=False):
            running += count
            buckets.append([bound, running])
        return {"buckets": buckets, "sum": self.total_us, "count": self.count}
