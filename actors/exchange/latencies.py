"""How long messages take to the venue and back: distributions around a median that rise with the rate of messages."""

from __future__ import annotations

from math import exp

from actors.exchange.seeded import SeededNumbers
from configs.schema import ExchangeSettings

NS_PER_MS = 1_000_000
RATE_NS = 100_000_000
"""Messages are counted over about this long."""
SLOWEST_FACTOR = 50.0
"""No message takes longer than so many medians, load apart."""


class Latency:
    """One direction. Log-normal around its median with `sigma`, plus a uniform jitter, plus `load_ns` for each message of late."""

    def __init__(self, numbers: SeededNumbers, median_ns: int, sigma: float, jitter_ns: int, load_ns: int) -> None:
        self._numbers = numbers
        self._median_ns = median_ns
        self._sigma = sigma
        self._jitter_ns = jitter_ns
        self._load_ns = load_ns
        self._is_fixed = not (sigma or jitter_ns or load_ns)
        self._busy = 0.0
        self._seen_ns = 0

    def draw_ns(self, now_ns: int) -> int:
        """The time that a message sent now takes."""
        taken_ns = self._median_ns
        if self._is_fixed:
            return taken_ns
        if self._sigma:
            taken_ns = int(taken_ns * min(SLOWEST_FACTOR, exp(self._sigma * self._numbers.normal())))
        if self._jitter_ns:
            taken_ns += int(self._numbers.uniform() * self._jitter_ns)
        if self._load_ns:
            self._busy = self._busy * exp(-max(0, now_ns - self._seen_ns) / RATE_NS) + 1.0
            self._seen_ns = max(self._seen_ns, now_ns)
            taken_ns += int(self._busy * self._load_ns)
        return taken_ns


def latencies(settings: ExchangeSettings) -> tuple[Latency, Latency]:
    """The way in, which orders, amends and cancels share, and the way out."""
    numbers = SeededNumbers(settings.seed)
    sigma = settings.latency_sigma
    jitter_ns, load_ns = int(settings.latency_jitter_ms * NS_PER_MS), int(settings.latency_load_us * 1_000)
    way_in = Latency(numbers, int(settings.order_latency_ms * NS_PER_MS), sigma, jitter_ns, load_ns)
    way_out = Latency(numbers, int(settings.feed_latency_ms * NS_PER_MS), sigma, jitter_ns, load_ns)
    return way_in, way_out


def described(settings: ExchangeSettings) -> str:
    """The settings in a sentence, for the ledger and the report."""
    spread = f", log-normal with sigma {settings.latency_sigma:g}" if settings.latency_sigma else ""
    jitter = f", jitter up to {settings.latency_jitter_ms:g} ms" if settings.latency_jitter_ms else ""
    load = (
        f", {settings.latency_load_us:g} us more for each message of the last 100 ms"
        if settings.latency_load_us
        else ""
    )
    return f"to the venue {settings.order_latency_ms:g} ms, back {settings.feed_latency_ms:g} ms{spread}{jitter}{load}"
