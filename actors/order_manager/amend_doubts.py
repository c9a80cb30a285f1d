"""Amendments without an answer: whether they were done is read from the venue's records, never guessed.

Until evidence ends one, both prices and the larger quantity count, and the order is not amended again; it may be cancelled at any
time, and its end ends the doubt too. It was certainly not done when the venue's own clock is past its deadline, and then two looks at
the order half a second apart and its records of amendments show the old terms.
"""

from __future__ import annotations

import enum

import msgspec

from actors.order_manager.desk import Desk
from actors.order_manager.orders import Order
from actors.order_manager.suspects import EARLY_QUERIES_NS, QUERY_GAP_NS, SLOW_PERIOD_NS
from actors.order_manager.venue_time import VenueTime
from protocols.values import InstrumentId

CLOCK_MARGIN_NS = 1_000_000_000
"""Records of amendments are read from so long before the time in the request: the venue's clock is not ours."""


class Look(enum.Enum):
    """What is asked next."""

    RECORDS_EARLY = "records_early"
    CLOCK = "clock"
    ORDER_FIRST = "order_first"
    ORDER_SECOND = "order_second"
    RECORDS = "records"


class AmendDoubt(msgspec.Struct):
    """One amendment of unknown fate."""

    order: Order
    instrument_id: InstrumentId
    next_ns: int
    look: Look = Look.RECORDS_EARLY
    request_id: int = 0
    attempts: int = 0


class AmendDoubts:
    """Asks about each unanswered amendment, one question at a time. Evidence is applied by the caller."""

    def __init__(self, desk: Desk, clock: VenueTime, attempts_max: int) -> None:
        self._desk = desk
        self._clock = clock
        self._attempts_max = attempts_max
        self.by_id: dict[str, AmendDoubt] = {}

    def add(self, instrument_id: InstrumentId, order: Order, now_ns: int) -> None:
        """An amendment has no answer."""
        if order.amendment is not None and order.client_order_id not in self.by_id:
            self.by_id[order.client_order_id] = AmendDoubt(
                order=order, instrument_id=instrument_id, next_ns=now_ns + EARLY_QUERIES_NS[0]
            )

    def step(self, now_ns: int) -> None:
        """Forget what evidence has ended, and ask what is due."""
        for doubt in list(self.by_id.values()):
            amendment = doubt.order.amendment
            if amendment is None or amendment.request_id or doubt.order.is_terminal:
                del self.by_id[doubt.order.client_order_id]
            elif not doubt.request_id and now_ns >= doubt.next_ns:
                self._ask(doubt, amendment.venue_time_ns, now_ns)

    def looked(self, request_id: int, now_ns: int) -> Order | None:
        """An answer came and is applied. The order, when it has now been seen often enough that nothing was amended."""
        doubt = self._answered(request_id)
        if doubt is None or doubt.order.amendment is None:
            return None
        doubt.next_ns = now_ns
        match doubt.look:
            case Look.RECORDS_EARLY:
                doubt.next_ns = self._next_ns(doubt, now_ns)
                if self._clock.at(now_ns) > doubt.order.amendment.deadline_venue_ns:
                    doubt.look, doubt.next_ns = Look.CLOCK, now_ns
            case Look.ORDER_FIRST:
                doubt.look, doubt.next_ns = Look.ORDER_SECOND, now_ns + QUERY_GAP_NS
            case Look.ORDER_SECOND:
                doubt.look = Look.RECORDS
            case Look.RECORDS:
                return doubt.order
            case Look.CLOCK:
                pass
        return None

    def clock_read(self, request_id: int, venue_time_ns: int, now_ns: int) -> None:
        """The venue told its own time."""
        doubt = self._answered(request_id)
        if doubt is None or doubt.order.amendment is None:
            return
        is_past = venue_time_ns > doubt.order.amendment.deadline_venue_ns
        doubt.look, doubt.next_ns = (
            (Look.ORDER_FIRST, now_ns) if is_past else (doubt.look, self._next_ns(doubt, now_ns))
        )

    def failed(self, request_id: int, now_ns: int) -> None:
        """A question had no usable answer: it is asked again."""
        doubt = self._answered(request_id)
        if doubt is not None:
            doubt.next_ns = self._next_ns(doubt, now_ns)

    def _ask(self, doubt: AmendDoubt, since_venue_ns: int, now_ns: int) -> None:
        client_order_id = doubt.order.client_order_id
        match doubt.look:
            case Look.RECORDS_EARLY | Look.RECORDS:
                from_ns = max(since_venue_ns - CLOCK_MARGIN_NS, 0)
                request_id = self._desk.query_amendments(doubt.instrument_id, client_order_id, from_ns, now_ns)
            case Look.CLOCK:
                request_id = self._desk.query_time(now_ns)
            case Look.ORDER_FIRST | Look.ORDER_SECOND:
                request_id = self._desk.query_order(doubt.instrument_id, client_order_id, now_ns)
        if request_id:
            doubt.request_id = request_id
            doubt.attempts += 1

    def _answered(self, request_id: int) -> AmendDoubt | None:
        for doubt in self.by_id.values():
            if doubt.request_id == request_id:
                doubt.request_id = 0
                return doubt
        return None

    def _next_ns(self, doubt: AmendDoubt, now_ns: int) -> int:
        if doubt.attempts >= self._attempts_max:
            return now_ns + SLOW_PERIOD_NS
        return now_ns + EARLY_QUERIES_NS[min(doubt.attempts, len(EARLY_QUERIES_NS) - 1)]
