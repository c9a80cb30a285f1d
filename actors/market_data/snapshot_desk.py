"""Which book snapshots are on their way, and how many may be asked for: each costs the shard 20 of its request weight."""

from __future__ import annotations

from protocols.arithmetic.sliding_window import SlidingSum
from protocols.values import InstrumentId
from protocols.venue import QueryBook

IN_FLIGHT_MAX = 4
PER_MINUTE_MAX = 40
"""800 of the venue's 2,400 weight a minute: a storm of gaps must not eat the budget that cancels live on."""
ANSWER_WAIT_NS = 15_000_000_000
"""A request without any outcome for so long is forgotten (every request has an outcome sooner; this bounds a lost one)."""

_MINUTE_NS = 60_000_000_000


class SnapshotDesk:
    """Book requests in flight: at most one a symbol, `IN_FLIGHT_MAX` at once and `PER_MINUTE_MAX` a minute."""

    def __init__(self) -> None:
        self.failed = 0
        self._asked: dict[int, tuple[InstrumentId, int]] = {}
        self._busy: dict[InstrumentId, int] = {}
        self._recent = SlidingSum(_MINUTE_NS, PER_MINUTE_MAX * 2)
        self._shut_until_ns = 0

    @property
    def in_flight(self) -> int:
        """Requests without an outcome so far."""
        return len(self._asked)

    def open_at(self, now_ns: int) -> bool:
        """Whether the venue lets us ask anything."""
        return now_ns >= self._shut_until_ns

    def may_ask(self, instrument_id: InstrumentId, now_ns: int) -> bool:
        """Whether a snapshot of this symbol may be asked for now."""
        return (
            self.open_at(now_ns)
            and instrument_id not in self._busy
            and len(self._asked) < IN_FLIGHT_MAX
            and self._recent.total(now_ns) < PER_MINUTE_MAX
        )

    def ask(self, request_id: int, instrument_id: InstrumentId, now_ns: int) -> QueryBook:
        """The request to send."""
        self._asked[request_id] = (instrument_id, now_ns)
        self._busy[instrument_id] = request_id
        self._recent.add(1, now_ns)
        return QueryBook(request_id=request_id, instrument_id=instrument_id)

    def answered(self, request_id: int) -> InstrumentId | None:
        """The symbol that this request was for; None when it was not (or no longer) expected."""
        instrument_id, _ = self._asked.pop(request_id, (None, 0))
        if instrument_id is None or self._busy.get(instrument_id) != request_id:
            return None
        del self._busy[instrument_id]
        return instrument_id

    def forget(self, instrument_id: InstrumentId) -> None:
        """The chain starts anew: an answer still on its way belongs to the old one and will not be expected."""
        request_id = self._busy.pop(instrument_id, None)
        if request_id is not None:
            self._asked.pop(request_id, None)

    def throttled(self, retry_at_ns: int) -> None:
        """The venue refuses everything until then."""
        self._shut_until_ns = max(self._shut_until_ns, retry_at_ns)

    def expire(self, now_ns: int) -> list[InstrumentId]:
        """Symbols whose request got no outcome within `ANSWER_WAIT_NS`."""
        late = [request_id for request_id, (_, at_ns) in self._asked.items() if now_ns - at_ns > ANSWER_WAIT_NS]
        self.failed += len(late)
        return [symbol for request_id in late if (symbol := self.answered(request_id)) is not None]
