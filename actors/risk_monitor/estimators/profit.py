"""How much was won or lost within the last hour."""

from __future__ import annotations

from collections import deque

STEP_NS = 10_000_000_000
"""Equity is remembered this often."""

HOUR_NS = 3_600_000_000_000


class HourlyPnl:
    """Change of equity within the last hour.

    Formula: equity now - equity an hour ago (or at the first value known). Unit: quote currency; transfers are taken out. Window: 1 h in
    steps of 10 s. Source: equity, or the net PnL of a symbol, as inventory says it.
    """

    def __init__(self) -> None:
        self._past: deque[tuple[int, float]] = deque(maxlen=HOUR_NS // STEP_NS + 1)
        self._now = 0.0

    def value(self, amount: float, now_ns: int) -> None:
        """Take the amount as of now; times must not fall."""
        self._now = amount
        if not self._past or now_ns - self._past[-1][0] >= STEP_NS:
            self._past.append((now_ns, amount))
        while len(self._past) > 1 and now_ns - self._past[0][0] > HOUR_NS:
            self._past.popleft()

    def transfer(self, amount: float) -> None:
        """A deposit or withdrawal moves everything that was remembered."""
        self._past = deque(((at_ns, past + amount) for at_ns, past in self._past), maxlen=self._past.maxlen)

    def change(self) -> float:
        """What the last hour brought."""
        return self._now - self._past[0][1] if self._past else 0.0
