"""Sums and minima over the last so many nanoseconds, in bounded memory."""

from __future__ import annotations

from collections import deque


class SlidingSum:
    """Sum of amounts added within the last `window_ns`; exact up to `entries_max` entries.

    Beyond `entries_max` the two oldest entries are joined at the later one's time, so the sum is never too low.
    """

    __slots__ = ("_entries", "_entries_max", "_total", "_window_ns")

    def __init__(self, window_ns: int, entries_max: int = 1_024) -> None:
        if window_ns <= 0 or entries_max < 2:
            raise ValueError(f"a window of {window_ns} ns with {entries_max} entries cannot slide")
        self._window_ns = window_ns
        self._entries_max = entries_max
        self._entries: deque[tuple[int, int]] = deque()
        self._total = 0

    def add(self, amount: int, now_ns: int) -> None:
        """Count `amount` at `now_ns`; times must not fall."""
        self._entries.append((now_ns, amount))
        self._total += amount
        if len(self._entries) > self._entries_max:
            _, oldest = self._entries.popleft()
            at_ns, second = self._entries.popleft()
            self._entries.appendleft((at_ns, oldest + second))

    def total(self, now_ns: int) -> int:
        """What was added later than `now_ns - window_ns`."""
        self._expire(now_ns)
        return self._total

    def room_at_ns(self, limit: int, now_ns: int) -> int:
        """The earliest time at which the total is below `limit`; `now_ns` when it is already."""
        self._expire(now_ns)
        excess = self._total - limit
        if excess < 0:
            return now_ns
        for at_ns, amount in self._entries:
            excess -= amount
            if excess < 0:
                return at_ns + self._window_ns
        return now_ns + self._window_ns

    def _expire(self, now_ns: int) -> None:
        oldest_ns, entries = now_ns - self._window_ns, self._entries
        while entries and entries[0][0] <= oldest_ns:
            self._total -= entries.popleft()[1]


class SlidingMinimum:
    """The least of the values added within the last `window_ns`, at most `entries_max` of them kept.

    Only values that can still become the least are held: each is larger than all that came before it and remain.
    """

    __slots__ = ("_entries", "_window_ns")

    def __init__(self, window_ns: int, entries_max: int = 1_024) -> None:
        if window_ns <= 0 or entries_max < 1:
            raise ValueError(f"a window of {window_ns} ns with {entries_max} entries cannot slide")
        self._window_ns = window_ns
        self._entries: deque[tuple[int, int, int]] = deque(maxlen=entries_max)

    def add(self, value: int, payload: int, now_ns: int) -> None:
        """Remember `value` (and what belongs to it) as of `now_ns`; times must not fall."""
        while self._entries and self._entries[-1][1] >= value:
            self._entries.pop()
        self._entries.append((now_ns, value, payload))

    def least(self, now_ns: int) -> tuple[int, int, int] | None:
        """(time, value, payload) of the least value inside the window, or None when it is empty."""
        oldest_ns = now_ns - self._window_ns
        while self._entries and self._entries[0][0] <= oldest_ns:
            self._entries.popleft()
        return self._entries[0] if self._entries else None

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
