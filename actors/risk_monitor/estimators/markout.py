"""Adverse selection: where the market stands a while after our fills."""

from __future__ import annotations

from collections import deque

WAITING_MAX = 1_000
"""Fills whose time has not come; the oldest of more is measured early."""


class Markout:
    """Mean markout of our fills.

    Formula: mean of side * (mid after `horizon_ns` - fill price) / fill price, in basis points, weighted by nothing. Unit: bps, positive =
    the market went our way. Window: the last `fills` fills. Source: our maker fills, the mid of the book.
    """

    def __init__(self, horizon_ns: int, fills: int) -> None:
        self._horizon_ns = horizon_ns
        self._waiting: deque[tuple[int, int, float]] = deque()
        self._known: deque[float] = deque(maxlen=fills)

    def filled(self, sign: int, price: float, now_ns: int) -> None:
        """Take a fill: `sign` +1 for a buy."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append((now_ns + self._horizon_ns, sign, price))

    def observe(self, mid: float, now_ns: int) -> bool:
        """Measure what is due at this mid; whether something was."""
        measured = False
        while self._waiting and self._waiting[0][0] <= now_ns:
            _, sign, price = self._waiting.popleft()
            if len(self._known) == self._known.maxlen:
                self._known.popleft()
            self._known.append(sign * (mid - price) / price * 1e4)
            measured = True
        return measured

    @property
    def count(self) -> int:
        """Fills that were measured and are remembered."""
        return len(self._known)

    def mean_bps(self) -> float:
        """Mean markout; 0 for none."""
        return sum(self._known) / len(self._known) if self._known else 0.0
