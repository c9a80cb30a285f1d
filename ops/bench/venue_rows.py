"""The rows of the simulated venue in the table of `make bench`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ops.bench.venue import Rate, VenueRates, measure_venue
from ops.bench.venue_replay import MemorySlope, ReplayRate, measure_memory, measure_replay

WS_API_RATE_MIN = 2_000
REST_RATE_MIN = 800
FRAMES_RATE_MIN = 30_000
SLOPE_MB_PER_HOUR_MAX = 2.0
"""What counts as no slope: less than an allocator's own wobble over an hour."""

Row = tuple[str, str, str, str]


def measure(capture: Path, say: Callable[[str], object]) -> tuple[dict[str, Any], list[Row]]:
    """Everything about the venue: figures for the file, rows for the table."""
    say("venue: order round trips, frames to a subscriber ...")
    rates = measure_venue(capture)
    say("venue: replay without sockets, an hour of the capture in a loop ...")
    replay, memory = measure_replay(capture), measure_memory(capture)
    figures = {"venue": rates, "venue_replay": replay, "venue_memory": memory}
    return {name: msgspec.to_builtins(each) for name, each in figures.items()}, rows(rates, replay, memory)


def rows(rates: VenueRates, replay: ReplayRate, memory: MemorySlope) -> list[Row]:
    """What was measured, its bar, the figure and the verdict."""
    nautilus = replay.nautilus_ticks_per_second
    beside = (
        f"NautilusTrader {nautilus:,.0f}" if nautilus else "NautilusTrader is not installed (make .clients/.installed)"
    )
    return [
        _rate("venue: order round trips, WebSocket API", rates.ws_api_round_trips, WS_API_RATE_MIN),
        _rate("venue: order round trips, REST", rates.rest_round_trips, REST_RATE_MIN),
        _rate("venue: frames served to one subscriber", rates.frames_to_one_subscriber, FRAMES_RATE_MIN),
        (
            "venue: replay without sockets, ticks a second of one core",
            "printed",
            f"{replay.ticks_per_second:,.0f}; {beside}",
            "printed",
        ),
        (
            f"venue: memory over {memory.hours:g} h of looped data after {memory.filling_hours:.1f} h that fill its histories, "
            f"{memory.orders:,} orders",
            f"slope within {SLOPE_MB_PER_HOUR_MAX:g} MB an hour",
            f"{memory.slope_mb_per_hour:+.2f} MB an hour ({memory.memory_mb[-1]:.0f} MB)",
            "met" if abs(memory.slope_mb_per_hour) <= SLOPE_MB_PER_HOUR_MAX else "missed",
        ),
    ]


def _rate(what: str, rate: Rate, least: float) -> Row:
    return (
        what,
        f"at least {least:,} a second with one core",
        f"{rate.a_second:,.0f} by the clock ({rate.a_core_second:,.0f} a second of its processor time)",
        "met" if rate.a_second >= least else "missed",
    )
