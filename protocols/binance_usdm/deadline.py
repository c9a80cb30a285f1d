"""When a request can no longer be accepted (facts section 1.4)."""

from __future__ import annotations

DEADLINE_SLACK_NS = 1_500_000_000
"""Added to every deadline: the venue checks the window at its gateway and again in its engine, whose clocks are not one."""

TIMESTAMP_AHEAD_MS = 1_000
"""A timestamp this far ahead of the venue's clock, or further, is refused."""

WINDOW_MS_MAX = 60_000
"""The longest recvWindow that the venue takes."""


def dead_after_venue_ns(venue_time_ns: int, window_ms: int, clock_error_ns: int) -> int:
    """The instant of the venue's clock after which an unanswered request can no longer be accepted.

    Args:
        venue_time_ns: the request's timestamp.
        window_ms: its recvWindow.
        clock_error_ns: how far our reading of the venue's clock may be off.
    """
    return venue_time_ns + window_ms * 1_000_000 + clock_error_ns + DEADLINE_SLACK_NS


def timestamp_accepted(server_ms: int, timestamp_ms: int, window_ms: int) -> bool:
    """Whether the venue, whose clock reads `server_ms`, accepts a request with this timestamp and recvWindow."""
    return timestamp_ms < server_ms + TIMESTAMP_AHEAD_MS and server_ms - timestamp_ms <= window_ms
