"""Offset between our clock and the venue's, from answers to QueryTime.

An answer says that the venue's clock showed `venue_time_ns` somewhere between our sending and our receipt; taking the middle errs
by half the round trip at most. The answer with the least round trip of the last minutes is believed.
"""

from __future__ import annotations

from protocols.arithmetic.sliding_window import SlidingMinimum
from protocols.messages.market import VenueClock
from protocols.venue import TimeAnswered

WINDOW_NS = 240 * 1_000_000_000
"""Answers older than this are not believed: below the five minutes after which the order gate shuts."""


class VenueTime:
    """Estimate of the venue's clock; `clock` is None before the first answer."""

    def __init__(self, samples_max: int) -> None:
        self.clock: VenueClock | None = None
        self.samples = 0
        self.refused = 0
        """Answers that cannot be: received before they were sent."""
        self.jumps = 0
        """Times the venue's clock and ours moved apart by more than both errors allow."""
        self._samples = SlidingMinimum(WINDOW_NS, samples_max)

    def take(self, answer: TimeAnswered) -> bool:
        """Learn from an answer. True when it contradicts the estimate so far, which is then given up."""
        round_trip_ns = answer.received_ns - answer.sent_ns
        if round_trip_ns < 0:
            self.refused += 1
            return False
        self.samples += 1
        offset_ns = answer.venue_time_ns - (answer.sent_ns + answer.received_ns) // 2
        error_ns = (round_trip_ns + 1) // 2
        clock = self.clock
        jumped = clock is not None and abs(offset_ns - clock.offset_ns) > error_ns + clock.error_ns + _DRIFT_NS
        if jumped:
            self.jumps += 1
            self._samples.clear()
        self._samples.add(error_ns, offset_ns, answer.received_ns)
        least = self._samples.least(answer.received_ns)
        assert least is not None, "a sample was just added"
        sampled_ns, error_ns, offset_ns = least
        self.clock = VenueClock(offset_ns=offset_ns, error_ns=error_ns, sampled_ns=sampled_ns)
        return jumped


_DRIFT_NS = 20_000_000
"""Two honest clocks part by this much within the window at most (80 parts per million), the venue's millisecond steps included."""
