"""The venue's dead man's switch: armed and renewed for each symbol, trusted only when acknowledged (DESIGN.md section 6)."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from actors.order_manager.desk import WEIGHTS, Desk
from configs.schema import OrderManagerSettings
from protocols.values import InstrumentId

WEIGHT_SHARE = 0.2
"""Part of the weight that renewals may use."""

MARGIN_NS = 2_000_000_000
"""The period is at least a renewal, the window and this."""

RENEWALS_PER_PERIOD = 4
"""Renewals within one period where the weight allows."""

RETRY_NS = 1_000_000_000
"""A renewal that came to nothing is tried again so long after it was sent, or when the next is due if that is sooner."""

_MINUTE_NS = 60_000_000_000


class Arithmetic(NamedTuple):
    """How often a countdown is renewed, how long it runs, and the weight of all renewals in a minute."""

    renewal_ns: int
    period_ns: int
    weight_1m: int


def arithmetic(settings: OrderManagerSettings, symbols: int, weight_1m: int) -> Arithmetic:
    """Renewal and period from the number of symbols and the weight that may be used in a minute.

    The period is at least a renewal, the window of an order and two seconds; renewals use at most a fifth of the weight. Where the
    configured countdown is too short for so many symbols it grows.
    """
    window_ns = settings.window_ms * 1_000_000
    wanted_ns = settings.countdown_ms * 1_000_000
    weight = symbols * WEIGHTS["countdown"]
    by_weight_ns = int(weight * _MINUTE_NS / (WEIGHT_SHARE * max(weight_1m, 1)))
    by_period_ns = min(wanted_ns // RENEWALS_PER_PERIOD, max(wanted_ns - window_ns - MARGIN_NS, 1))
    renewal_ns = max(by_weight_ns, by_period_ns)
    period_ns = max(wanted_ns, renewal_ns + window_ns + MARGIN_NS)
    return Arithmetic(renewal_ns, period_ns, -(-weight * _MINUTE_NS // renewal_ns))


class _Armed(msgspec.Struct):
    asked_ns: int = 0
    request_id: int = 0
    covered_from_ns: int = 0


class Countdown:
    """Renews in time, and knows which symbols are covered."""

    def __init__(
        self, settings: OrderManagerSettings, instrument_ids: list[InstrumentId], desk: Desk, weight_1m: int
    ) -> None:
        self._desk = desk
        self._window_ns = settings.window_ms * 1_000_000
        self._settings = settings
        self._armed = {instrument_id: _Armed() for instrument_id in instrument_ids}
        self.renewal_ns = self.period_ns = 0
        self.set_weight(weight_1m)

    def set_weight(self, weight_1m: int) -> None:
        """Make renewal and period from the number of symbols and the weight that the shard may use in a minute."""
        self.renewal_ns, self.period_ns, _ = arithmetic(self._settings, len(self._armed), weight_1m)

    def renew(self, instrument_id: InstrumentId, now_ns: int) -> None:
        """Ask again when it is due and no renewal is unanswered."""
        armed = self._armed[instrument_id]
        if armed.request_id or (armed.asked_ns and now_ns - armed.asked_ns < self.renewal_ns):
            return
        request_id = self._desk.countdown(instrument_id, self.period_ns // 1_000_000, now_ns)
        if request_id:
            armed.request_id, armed.asked_ns = request_id, now_ns

    def disarm(self, instrument_id: InstrumentId, now_ns: int) -> None:
        """Let the venue forget it; only after the book of orders was seen empty."""
        self._armed[instrument_id] = _Armed()
        self._desk.countdown(instrument_id, 0, now_ns)

    def answered(self, instrument_id: InstrumentId, request_id: int, sent_ns: int, done: bool) -> None:
        """Take the outcome of a renewal: it counts from the time in the request."""
        armed = self._armed[instrument_id]
        if armed.request_id != request_id:
            return
        armed.request_id = 0
        if done:
            armed.covered_from_ns = sent_ns
        else:
            armed.asked_ns = min(armed.asked_ns, sent_ns + RETRY_NS - self.renewal_ns)

    def covers(self, instrument_id: InstrumentId, now_ns: int) -> bool:
        """Whether an order sent now is accepted, at the latest, before the acknowledged countdown ends."""
        covered_from_ns = self._armed[instrument_id].covered_from_ns
        return covered_from_ns > 0 and now_ns - covered_from_ns <= self.period_ns - self._window_ns
