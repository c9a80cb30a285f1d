"""The venue's clock as this actor knows it: an offset from the market data actor, or from our own question at start."""

from __future__ import annotations

from protocols.messages.market import VenueClock
from protocols.venue import TimeAnswered

DRIFT_NS = 20_000_000
"""Two honest clocks part by this much between two samples at most; more is a step of one of them."""


class VenueTime:
    """`venue time = now_ns + offset_ns`, known to within `error_ns` since `sampled_ns`."""

    def __init__(self, error_ns_max: int, age_ns_max: int) -> None:
        self.offset_ns = 0
        self.error_ns = 0
        self.sampled_ns = 0
        self.is_known = False
        self._error_ns_max = error_ns_max
        self._age_ns_max = age_ns_max

    def at(self, now_ns: int) -> int:
        """The venue's time at one instant of ours."""
        return now_ns + self.offset_ns

    def is_trusted(self, now_ns: int) -> bool:
        """Whether orders that add risk may carry it."""
        return self.is_known and self.error_ns <= self._error_ns_max and now_ns - self.sampled_ns <= self._age_ns_max

    def take(self, clock: VenueClock) -> None:
        """Take the newest word of the market data actor."""
        if not self.is_known or clock.sampled_ns >= self.sampled_ns:
            self.offset_ns, self.error_ns, self.sampled_ns = clock.offset_ns, clock.error_ns, clock.sampled_ns
            self.is_known = True

    def take_answer(self, answer: TimeAnswered, now_ns: int) -> None:
        """Take our own sample where there is none, a worse one, one too old, or one that it contradicts."""
        round_trip_ns = max(answer.received_ns - answer.sent_ns, 0)
        error_ns = round_trip_ns // 2
        offset_ns = answer.venue_time_ns - (answer.sent_ns + error_ns)
        contradicts = abs(offset_ns - self.offset_ns) > error_ns + self.error_ns + DRIFT_NS
        if self.is_trusted(now_ns) and error_ns > self.error_ns and not contradicts:
            return
        self.offset_ns = offset_ns
        self.error_ns = error_ns
        self.sampled_ns = answer.received_ns
        self.is_known = True
