"""Orders in doubt: unknown submits, and orders that the venue did not show where they should be.

An order is presumed dead only by the rule of DESIGN.md section 5: the venue's own clock is past the deadline, then two queries by id half
a second apart say "not found", then open orders and executions lack it, and the private stream was alive past that instant.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

import msgspec

from actors.order_manager.desk import Desk
from actors.order_manager.orders import Order
from actors.order_manager.rate_budget import Urgency
from actors.order_manager.venue_time import VenueTime
from protocols.values import InstrumentId
from protocols.venue import OrderReport

EARLY_QUERIES_NS = (200_000_000, 300_000_000, 500_000_000, 1_000_000_000)
"""Waits between the queries that look for a living order before its deadline."""

QUERY_GAP_NS = 500_000_000
"""Time between the two "not found" that count."""

ACKNOWLEDGED_NS = 60_000_000_000
"""An order that the venue has acknowledged is looked for at least this long before the proof of its death may begin."""

SLOW_PERIOD_NS = 5_000_000_000
"""Time between attempts after `attempts_max` of them."""


class Step(enum.Enum):
    """How far the proof has come."""

    EARLY = "early"
    CLOCK = "clock"
    FIRST = "first"
    SECOND = "second"
    OPEN_ORDERS = "open_orders"
    FILLS = "fills"
    USER_STREAM = "user_stream"


class Suspect(msgspec.Struct):
    """One order in doubt."""

    order: Order
    instrument_id: InstrumentId
    since_ns: int
    next_ns: int
    step: Step = Step.EARLY
    request_id: int = 0
    attempts: int = 0
    certain_from_ns: int = 0


class Suspects:
    """Asks about each order in doubt, one question at a time."""

    def __init__(self, desk: Desk, clock: VenueTime, attempts_max: int) -> None:
        self._desk = desk
        self._clock = clock
        self._attempts_max = attempts_max
        self.by_id: dict[str, Suspect] = {}

    def add(self, instrument_id: InstrumentId, order: Order, now_ns: int, *, at_once: bool = False) -> None:
        """Put an order in doubt; asking again does nothing."""
        if order.client_order_id in self.by_id or order.is_settled:
            return
        order.in_doubt = True
        wait_ns = 0 if at_once else EARLY_QUERIES_NS[0]
        self.by_id[order.client_order_id] = Suspect(
            order=order, instrument_id=instrument_id, since_ns=now_ns, next_ns=now_ns + wait_ns
        )

    def clear(self, client_order_id: str) -> bool:
        """Evidence arrived: the order is no longer in doubt. Whether it was."""
        suspect = self.by_id.pop(client_order_id, None)
        if suspect is None:
            return False
        suspect.order.in_doubt = False
        return True

    def concern(self, instrument_id: InstrumentId) -> bool:
        """Whether any order of a symbol is in doubt."""
        return any(suspect.instrument_id == instrument_id for suspect in self.by_id.values())

    def step(
        self,
        now_ns: int,
        fills_from: Callable[[InstrumentId], tuple[int, int]],
        user_stream_alive_past: Callable[[int], bool],
    ) -> list[Suspect]:
        """Ask what is due; the orders whose death is now proven.

        Args:
            fills_from: trade id and venue time (ms) from which a symbol's executions must be read.
            user_stream_alive_past: whether the private stream has shown life after an instant of ours.
        """
        dead: list[Suspect] = []
        for suspect in list(self.by_id.values()):
            if suspect.order.is_settled:
                self.clear(suspect.order.client_order_id)
            elif suspect.step is Step.USER_STREAM:
                if user_stream_alive_past(suspect.certain_from_ns):
                    self.clear(suspect.order.client_order_id)
                    dead.append(suspect)
            elif not suspect.request_id and now_ns >= suspect.next_ns:
                self._ask(suspect, now_ns, fills_from)
        return dead

    def _ask(self, suspect: Suspect, now_ns: int, fills_from: Callable[[InstrumentId], tuple[int, int]]) -> None:
        if suspect.step is Step.EARLY and suspect.attempts and now_ns >= self._provable_ns(suspect):
            suspect.step = Step.CLOCK
        match suspect.step:
            case Step.EARLY | Step.FIRST | Step.SECOND:
                request_id = self._desk.query_order(suspect.instrument_id, suspect.order.client_order_id, now_ns)
            case Step.CLOCK:
                request_id = self._desk.query_time(now_ns)
            case Step.OPEN_ORDERS:
                request_id = self._desk.query_open_orders(suspect.instrument_id, now_ns, Urgency.UNKNOWN)
            case Step.FILLS:
                trade_id, venue_ms = fills_from(suspect.instrument_id)
                request_id = self._desk.query_fills(suspect.instrument_id, trade_id, venue_ms, now_ns, Urgency.UNKNOWN)
            case Step.USER_STREAM:
                return
        if request_id:
            suspect.request_id = request_id
            suspect.attempts += 1

    def not_found(self, request_id: int, now_ns: int) -> None:
        """A query by id found nothing."""
        suspect = self._answered(request_id)
        if suspect is None:
            return
        if suspect.step is Step.FIRST:
            suspect.step, suspect.next_ns = Step.SECOND, now_ns + QUERY_GAP_NS
        elif suspect.step is Step.SECOND:
            suspect.step, suspect.next_ns = Step.OPEN_ORDERS, now_ns
        else:
            suspect.next_ns = self._next_ns(suspect, now_ns)

    def clock_read(self, request_id: int, venue_time_ns: int, now_ns: int) -> None:
        """The venue told its own time."""
        suspect = self._answered(request_id)
        if suspect is None:
            return
        if venue_time_ns > suspect.order.deadline_venue_ns:
            suspect.step, suspect.next_ns = Step.FIRST, now_ns
            suspect.certain_from_ns = now_ns
        else:
            suspect.next_ns = self._next_ns(suspect, now_ns)

    def open_orders_read(self, request_id: int, orders: tuple[OrderReport, ...], now_ns: int) -> None:
        """A list of open orders arrived for a suspect; one that is in it has been cleared by the caller."""
        suspect = self._answered(request_id)
        if suspect is not None and all(o.client_order_id != suspect.order.client_order_id for o in orders):
            suspect.step, suspect.next_ns = Step.FILLS, now_ns

    def fills_read(self, request_id: int, complete: bool, all_named: bool, now_ns: int) -> None:
        """Executions arrived for a suspect; its own, if any, have been booked by the caller.

        Args:
            complete: the list ended with this page.
            all_named: of each executed order it is known whose it is.
        """
        suspect = self._answered(request_id)
        if suspect is None:
            return
        suspect.next_ns = now_ns
        if complete and all_named:
            suspect.step = Step.USER_STREAM
        elif complete:
            suspect.next_ns = self._next_ns(suspect, now_ns)

    def failed(self, request_id: int, now_ns: int) -> None:
        """A question had no usable answer: ask again later; the proof starts over where it depended on it."""
        suspect = self._answered(request_id)
        if suspect is not None:
            suspect.next_ns = self._next_ns(suspect, now_ns)

    def _answered(self, request_id: int) -> Suspect | None:
        for suspect in self.by_id.values():
            if suspect.request_id == request_id:
                suspect.request_id = 0
                return suspect
        return None

    def _next_ns(self, suspect: Suspect, now_ns: int) -> int:
        if suspect.attempts >= self._attempts_max:
            return now_ns + SLOW_PERIOD_NS
        next_ns = now_ns + EARLY_QUERIES_NS[min(suspect.attempts, len(EARLY_QUERIES_NS) - 1)]
        provable_ns = self._provable_ns(suspect)
        return min(next_ns, provable_ns) if provable_ns > now_ns else next_ns

    def _provable_ns(self, suspect: Suspect) -> int:
        """From when on the death of an order may be proven."""
        past_deadline_ns = suspect.order.deadline_venue_ns - self._clock.offset_ns + 1
        if not suspect.order.accepted:
            return past_deadline_ns
        return max(past_deadline_ns, suspect.since_ns + ACKNOWLEDGED_NS)
