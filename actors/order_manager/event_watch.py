"""The watch on the private stream: what the venue acknowledges by its answer has to be told there too, or that stream is mute.

The answer to a place, an amend or a cancel shows the order as it now is. An event confirms it when it shows the same terms, or later
ones, or the order's end; whichever of the two comes first.
"""

from __future__ import annotations

import msgspec

from protocols.venue import (
    AmendOrder,
    AnyOutcome,
    CancelOrder,
    EventMissing,
    OrderAnswered,
    OrderReport,
    PlaceOrder,
    VenueRequest,
)

EVENT_NS_MAX = 3_000_000_000
"""An acknowledgement of which the private stream says nothing for so long proves that stream mute (facts section 1.3)."""

ORDERS_MAX = 2_000
"""Orders remembered as told, and orders with an acknowledgement that is not told yet."""

MISSING_TOLD_MAX = 20
"""So many orders at most are named at a time: when the stream is open again everything is compared in any case."""

_WATCHED = (PlaceOrder, AmendOrder, CancelOrder)


class _Acknowledgement(msgspec.Struct, frozen=True, gc=False):
    order: OrderReport
    received_ns: int


class EventWatch:
    """Pairs acknowledgements with events of one private stream."""

    def __init__(self) -> None:
        self._opened_ns: int | None = None
        self._told: dict[str, OrderReport] = {}
        self._untold: dict[str, list[_Acknowledgement]] = {}

    def opened(self, now_ns: int) -> None:
        """The stream is open: events of what is sent from now on come by it."""
        self._opened_ns = now_ns
        self._untold.clear()

    def closed(self) -> None:
        """The stream is gone; what it owed is asked for when it is back."""
        self._opened_ns = None
        self._untold.clear()

    def acknowledged(self, request: VenueRequest, outcome: AnyOutcome, sent_ns: int) -> None:
        """An answer came to a request that was decided at `sent_ns`: before the stream opened it owes no event."""
        if not isinstance(outcome, OrderAnswered) or not isinstance(request, _WATCHED):
            return
        if self._opened_ns is None or sent_ns < self._opened_ns:
            return
        order = outcome.order
        told = self._told.get(order.client_order_id)
        if told is not None and _confirms(told, order):
            return
        waiting = self._untold.get(order.client_order_id)
        if waiting is not None:
            waiting.append(_Acknowledgement(order, outcome.received_ns))
        elif len(self._untold) < ORDERS_MAX:
            self._untold[order.client_order_id] = [_Acknowledgement(order, outcome.received_ns)]

    def told(self, order: OrderReport) -> None:
        """An event of an order came."""
        client_order_id = order.client_order_id
        before = self._told.get(client_order_id)
        if before is None or not _is_older(order, before):
            self._told[client_order_id] = order
            if len(self._told) > ORDERS_MAX:
                del self._told[next(iter(self._told))]
        waiting = self._untold.get(client_order_id)
        if waiting is not None:
            waiting[:] = [one for one in waiting if not _confirms(order, one.order)]
            if not waiting:
                del self._untold[client_order_id]

    def missing(self, now_ns: int) -> tuple[EventMissing, ...]:
        """The orders of which the stream owes an event for too long; none of them while it does what it should."""
        late = (waiting[0].order for waiting in self._untold.values() if now_ns - waiting[0].received_ns > EVENT_NS_MAX)
        return tuple(
            EventMissing(instrument_id=order.instrument_id, client_order_id=order.client_order_id, noticed_ns=now_ns)
            for order, _ in zip(late, range(MISSING_TOLD_MAX), strict=False)
        )


def _confirms(event: OrderReport, acknowledged: OrderReport) -> bool:
    """Whether an event shows what was acknowledged, or what came after it."""
    if event.status.is_terminal or acknowledged.status.is_terminal:
        return event.status.is_terminal
    has_terms = (event.price_ticks, event.quantity_lots) == (acknowledged.price_ticks, acknowledged.quantity_lots)
    return has_terms or event.venue_time_ns > acknowledged.venue_time_ns


def _is_older(event: OrderReport, than: OrderReport) -> bool:
    return not event.status.is_terminal and (than.status.is_terminal or event.venue_time_ns < than.venue_time_ns)
