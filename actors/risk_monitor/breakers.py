"""Circuit breakers: closed while all is well, open when something fails too often, half open for a limited number of trial orders."""

from __future__ import annotations

import enum
from collections import deque


class BreakerState(enum.StrEnum):
    """CLOSED lets everything pass, OPEN nothing, HALF_OPEN a few trial orders."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Breaker:
    """One breaker.

    It opens when `failures_max` failures come within `window_ns`. After `timeout_ns` it is half open: one more failure opens it again, and
    `trials` successes close it, or `timeout_ns` without a failure where nothing succeeds by itself.
    """

    def __init__(self, failures_max: int, window_ns: int, timeout_ns: int, trials: int) -> None:
        self._failures_max = failures_max
        self._window_ns = window_ns
        self._timeout_ns = timeout_ns
        self._trials = trials
        self._failures: deque[int] = deque(maxlen=failures_max)
        self._successes = 0
        self._changed_ns = 0
        self.state = BreakerState.CLOSED
        self.reason = ""
        """Why it opened last."""
        self.value = self.threshold = ""
        """The number that opened it, and what it was beyond."""

    def failed(self, reason: str, now_ns: int, count: int = 1) -> None:
        """Something failed, so many times."""
        for _ in range(min(count, self._failures_max)):
            self._failures.append(now_ns)
        is_too_often = len(self._failures) == self._failures_max and now_ns - self._failures[0] <= self._window_ns
        if self.state is BreakerState.HALF_OPEN or (self.state is BreakerState.CLOSED and is_too_often):
            self.state, self._changed_ns, self.reason = BreakerState.OPEN, now_ns, reason
            self._failures.clear()
        elif self.state is BreakerState.OPEN:
            # What still fails keeps it open.
            self._changed_ns = now_ns

    def recent(self, now_ns: int) -> int:
        """Failures within the window, as far as they are remembered."""
        return sum(now_ns - at_ns <= self._window_ns for at_ns in self._failures)

    def succeeded(self, now_ns: int, count: int = 1) -> None:
        """Something went well, so many times."""
        if self.state is BreakerState.HALF_OPEN:
            self._successes += count
            if self._successes >= self._trials:
                self._close()

    def tick(self, now_ns: int) -> BreakerState:
        """Let time pass; the state now."""
        if self.state is not BreakerState.CLOSED and now_ns - self._changed_ns >= self._timeout_ns:
            if self.state is BreakerState.OPEN:
                self.state, self._changed_ns, self._successes = BreakerState.HALF_OPEN, now_ns, 0
            else:
                self._close()
        return self.state

    def _close(self) -> None:
        self.state = BreakerState.CLOSED
        self._failures.clear()
