"""How the venue answers: round trip of our orders, and the share of calls that fail."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from protocols.messages.orders import RateUsage

WINDOW_NS = 60_000_000_000
ENTRIES_MAX = 512


class _Totals(NamedTuple):
    at_ns: int
    answers: int
    failures: int
    round_trip_us: int


class VenueHealth:
    """One shard's calls within the last minute.

    round trip: mean time from the decision to the venue's answer, in milliseconds. error rate: calls refused for reasons of the venue's
    own, throttled, or without an answer / all calls. Source: running totals of the order manager, so that a report that is skipped loses
    nothing.
    """

    def __init__(self) -> None:
        self._totals: deque[_Totals] = deque(maxlen=ENTRIES_MAX)

    def take(self, usage: RateUsage, now_ns: int) -> None:
        """Take the newest totals; smaller ones than before are those of a new process."""
        newest = _Totals(now_ns, usage.answers_total, usage.failures_total, usage.round_trip_us_total)
        if self._totals and newest.answers < self._totals[-1].answers:
            self._totals.clear()
        self._totals.append(newest)
        while len(self._totals) > 2 and self._totals[1].at_ns <= now_ns - WINDOW_NS:
            self._totals.popleft()

    def calls(self) -> int:
        """Calls within the window."""
        return self._totals[-1].answers - self._totals[0].answers if self._totals else 0

    def round_trip_ms(self) -> float:
        """Mean round trip; 0 without calls."""
        calls = self.calls()
        if calls == 0:
            return 0.0
        return (self._totals[-1].round_trip_us - self._totals[0].round_trip_us) / calls / 1_000

    def error_rate(self) -> float:
        """Share of calls that failed."""
        calls = self.calls()
        return (self._totals[-1].failures - self._totals[0].failures) / calls if calls else 0.0
