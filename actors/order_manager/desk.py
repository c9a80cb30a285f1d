"""Requests to the venue: numbered, stamped with the venue's time, paid from the budget, and remembered until answered."""

from __future__ import annotations

import enum

import msgspec

from actors.order_manager.orders import Order
from actors.order_manager.outbox import Outbox
from actors.order_manager.rate_budget import RateBudget, Urgency
from actors.order_manager.venue_time import VenueTime
from configs.schema import OrderManagerSettings
from protocols.values import InstrumentId
from protocols.venue import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    PlaceOrder,
    QueryAmendments,
    QueryFills,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QueryTime,
    SetCountdown,
)

ANSWER_MARGIN_NS = 500_000_000
"""A read is given up so long after its own timeout."""

CANCEL_PATIENCE_NS = 1_000_000_000
"""A cancel without an answer is repeated after this; repeating it is harmless."""

CANCEL_RETRY_NS = 500_000_000
"""An unanswered or refused cancel is repeated after this."""

PLACE_SHARE = 0.8
"""Part of the in-flight table that new orders may fill; the rest is for cancels and queries."""

WEIGHTS = {
    "cancel": 1,
    "cancel_all": 1,
    "countdown": 10,
    "order": 1,
    "amendments": 1,
    "open_orders": 1,
    "fills": 5,
    "positions": 5,
    "time": 1,
}
"""Weight of each request (facts sections 2.1 to 2.4); what the venue tells corrects it."""


class Purpose(enum.Enum):
    """What a request in flight is for."""

    PLACE = "place"
    CANCEL = "cancel"
    CANCEL_FOREIGN = "cancel_foreign"
    CANCEL_ALL = "cancel_all"
    COUNTDOWN = "countdown"
    AMEND = "amend"
    ORDER = "order"
    AMENDMENTS = "amendments"
    OPEN_ORDERS = "open_orders"
    FILLS = "fills"
    POSITIONS = "positions"
    TIME = "time"


# Members of enumerations by a name of their own: looking them up in their class costs more than the comparison.
_PLACE, _CANCEL = Purpose.PLACE, Purpose.CANCEL
_AS_CANCEL = Urgency.CANCEL


class InFlight(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request without an answer yet. `sent_ns` is when it was decided."""

    request_id: int
    purpose: Purpose
    instrument_id: InstrumentId | None
    client_order_id: str
    sent_ns: int
    expires_ns: int
    venue_order_id: int = 0


class Desk:
    """Sends every request of the core. The table in flight is bounded; an answer that never comes is unknown."""

    def __init__(
        self, settings: OrderManagerSettings, timeout_ms: int, outbox: Outbox, budget: RateBudget, clock: VenueTime
    ) -> None:
        self._window_ms = settings.window_ms
        self._cancel_window_ms = settings.cancel_window_ms
        self._in_flight_max = settings.requests_in_flight_max
        self._orders_in_flight_max = settings.requests_in_flight_max * PLACE_SHARE
        self._place_patience_ns = (settings.window_ms + settings.dead_slack_ms) * 1_000_000
        self._read_patience_ns = timeout_ms * 1_000_000 + ANSWER_MARGIN_NS
        self._outbox = outbox
        self._budget = budget
        self._clock = clock
        self._request_id = 0
        self.in_flight: dict[int, InFlight] = {}
        self.last_write_deadline_venue_ns = 0

    @property
    def has_room_for_order(self) -> bool:
        """Whether the table has room for one more new order."""
        return len(self.in_flight) < self._orders_in_flight_max

    def answered(self, request_id: int) -> InFlight | None:
        """Take a request out of the table; None when nobody waits for that answer."""
        return self.in_flight.pop(request_id, None)

    def expired(self, now_ns: int) -> list[InFlight]:
        """Requests whose answer is overdue."""
        return [request for request in self.in_flight.values() if request.expires_ns <= now_ns]

    def place(self, instrument_id: InstrumentId, order: Order, now_ns: int) -> int:
        """Send a new order. The caller has checked budget and gate, and journaled the intent."""
        request_id = self._open(_PLACE, instrument_id, order.client_order_id, now_ns, self._place_patience_ns)
        self._budget.placed()
        if order.deadline_venue_ns > self.last_write_deadline_venue_ns:
            self.last_write_deadline_venue_ns = order.deadline_venue_ns
        self._outbox.call(
            PlaceOrder(
                request_id=request_id,
                instrument_id=instrument_id,
                client_order_id=order.client_order_id,
                side=order.side,
                price_ticks=order.price_ticks,
                quantity_lots=order.lots,
                time_in_force=order.time_in_force,
                reduce_only=order.reduce_only,
                venue_time_ns=order.venue_time_ns,
                window_ms=self._window_ms,
            )
        )
        return request_id

    def amend(self, instrument_id: InstrumentId, order: Order, now_ns: int) -> int:
        """Ask for the terms in `order.amendment`. The caller has checked budget and gate, and journaled the intent."""
        amendment = order.amendment
        assert amendment is not None and not amendment.request_id
        request_id = self._open(Purpose.AMEND, instrument_id, order.client_order_id, now_ns, self._place_patience_ns)
        amendment.request_id = request_id
        self._budget.placed()
        if amendment.deadline_venue_ns > self.last_write_deadline_venue_ns:
            self.last_write_deadline_venue_ns = amendment.deadline_venue_ns
        self._outbox.call(
            AmendOrder(
                request_id=request_id,
                instrument_id=instrument_id,
                client_order_id=order.client_order_id,
                side=order.side,
                price_ticks=amendment.price_ticks,
                quantity_lots=amendment.lots,
                venue_time_ns=amendment.venue_time_ns,
                window_ms=self._window_ms,
            )
        )
        return request_id

    def cancel(self, instrument_id: InstrumentId, order: Order, now_ns: int) -> bool:
        """Ask for the end of one order of ours; false when budget or table refuse now (it stays wanted)."""
        order.cancel_wanted = True
        if order.cancel_request_id or now_ns < order.cancel_again_ns or not self._may(_AS_CANCEL, "cancel", now_ns):
            return False
        order.cancel_again_ns = now_ns + CANCEL_RETRY_NS
        order.cancel_request_id = self._cancel(_CANCEL, instrument_id, order.client_order_id, 0, now_ns)
        return True

    def cancel_foreign(
        self, instrument_id: InstrumentId, client_order_id: str, venue_order_id: int, now_ns: int
    ) -> bool:
        """Ask for the end of an order that is not in our table."""
        if not self._may(_AS_CANCEL, "cancel", now_ns):
            return False
        self._cancel(Purpose.CANCEL_FOREIGN, instrument_id, client_order_id, venue_order_id, now_ns)
        return True

    def cancel_all(self, instrument_id: InstrumentId, now_ns: int) -> bool:
        """Clear a symbol, whoever placed what rests there."""
        if not self._may(_AS_CANCEL, "cancel_all", now_ns):
            return False
        request_id = self._open(Purpose.CANCEL_ALL, instrument_id, "", now_ns, CANCEL_PATIENCE_NS)
        self._budget.spent(WEIGHTS["cancel_all"])
        self._outbox.call(
            CancelAll(
                request_id=request_id,
                instrument_id=instrument_id,
                venue_time_ns=self._clock.at(now_ns),
                window_ms=self._cancel_window_ms,
            )
        )
        return True

    def countdown(self, instrument_id: InstrumentId, countdown_ms: int, now_ns: int) -> int:
        """Arm, renew or (0) disarm the venue's own cancellation; the request's number, 0 when refused now."""
        if not self._may(Urgency.QUERY, "countdown", now_ns):
            return 0
        request_id = self._open(Purpose.COUNTDOWN, instrument_id, "", now_ns, self._read_patience_ns)
        self._budget.spent(WEIGHTS["countdown"])
        self._outbox.call(
            SetCountdown(
                request_id=request_id,
                instrument_id=instrument_id,
                countdown_ms=countdown_ms,
                venue_time_ns=self._clock.at(now_ns),
                window_ms=self._window_ms,
            )
        )
        return request_id

    def query_order(
        self, instrument_id: InstrumentId, client_order_id: str, now_ns: int, venue_order_id: int = 0
    ) -> int:
        """Ask for one order by our id, or (with "") by the venue's; the request's number, 0 when refused now."""
        if not self._may(Urgency.UNKNOWN, "order", now_ns):
            return 0
        request_id = self._open(
            Purpose.ORDER, instrument_id, client_order_id, now_ns, self._read_patience_ns, venue_order_id
        )
        self._budget.spent(WEIGHTS["order"])
        self._outbox.call(
            QueryOrder(
                request_id=request_id,
                instrument_id=instrument_id,
                client_order_id=client_order_id,
                venue_time_ns=self._clock.at(now_ns),
                venue_order_id=venue_order_id,
            )
        )
        return request_id

    def query_amendments(
        self, instrument_id: InstrumentId, client_order_id: str, venue_time_from_ns: int, now_ns: int
    ) -> int:
        """Ask what was amended of one order since an instant of the venue; the request's number, 0 when refused now."""
        if not self._may(Urgency.UNKNOWN, "amendments", now_ns):
            return 0
        request_id = self._open(Purpose.AMENDMENTS, instrument_id, client_order_id, now_ns, self._read_patience_ns)
        self._budget.spent(WEIGHTS["amendments"])
        self._outbox.call(
            QueryAmendments(
                request_id=request_id,
                instrument_id=instrument_id,
                client_order_id=client_order_id,
                venue_time_from_ms=venue_time_from_ns // 1_000_000,
                venue_time_ns=self._clock.at(now_ns),
            )
        )
        return request_id

    def query_open_orders(self, instrument_id: InstrumentId, now_ns: int, urgency: Urgency = Urgency.QUERY) -> int:
        """Ask for everything open on a symbol; the request's number, 0 when refused now."""
        if not self._may(urgency, "open_orders", now_ns):
            return 0
        request_id = self._open(Purpose.OPEN_ORDERS, instrument_id, "", now_ns, self._read_patience_ns)
        self._budget.spent(WEIGHTS["open_orders"])
        self._outbox.call(
            QueryOpenOrders(request_id=request_id, instrument_id=instrument_id, venue_time_ns=self._clock.at(now_ns))
        )
        return request_id

    def query_fills(
        self,
        instrument_id: InstrumentId,
        trade_id_from: int,
        venue_time_from_ms: int,
        now_ns: int,
        urgency: Urgency = Urgency.QUERY,
    ) -> int:
        """Ask for executions from a trade id on (0: from a time on); the request's number, 0 when refused now."""
        if not self._may(urgency, "fills", now_ns):
            return 0
        request_id = self._open(Purpose.FILLS, instrument_id, "", now_ns, self._read_patience_ns)
        self._budget.spent(WEIGHTS["fills"])
        self._outbox.call(
            QueryFills(
                request_id=request_id,
                instrument_id=instrument_id,
                trade_id_from=trade_id_from,
                venue_time_from_ms=venue_time_from_ms,
                venue_time_ns=self._clock.at(now_ns),
            )
        )
        return request_id

    def query_positions(self, now_ns: int, urgency: Urgency = Urgency.QUERY) -> int:
        """Ask for the account's positions; the request's number, 0 when refused now."""
        if not self._may(urgency, "positions", now_ns):
            return 0
        request_id = self._open(Purpose.POSITIONS, None, "", now_ns, self._read_patience_ns)
        self._budget.spent(WEIGHTS["positions"])
        self._outbox.call(QueryPositions(request_id=request_id, venue_time_ns=self._clock.at(now_ns)))
        return request_id

    def query_time(self, now_ns: int) -> int:
        """Ask for the venue's clock; the request's number, 0 when refused now."""
        if not self._may(Urgency.UNKNOWN, "time", now_ns):
            return 0
        request_id = self._open(Purpose.TIME, None, "", now_ns, self._read_patience_ns)
        self._budget.spent(WEIGHTS["time"])
        self._outbox.call(QueryTime(request_id=request_id))
        return request_id

    def _cancel(
        self, purpose: Purpose, instrument_id: InstrumentId, client_order_id: str, venue_order_id: int, now_ns: int
    ) -> int:
        request_id = self._open(purpose, instrument_id, client_order_id, now_ns, CANCEL_PATIENCE_NS)
        self._budget.spent(WEIGHTS["cancel"])
        self._outbox.call(
            CancelOrder(
                request_id=request_id,
                instrument_id=instrument_id,
                client_order_id=client_order_id,
                venue_order_id=venue_order_id,
                venue_time_ns=self._clock.at(now_ns),
                window_ms=self._cancel_window_ms,
            )
        )
        return request_id

    def _may(self, urgency: Urgency, name: str, now_ns: int) -> bool:
        if len(self.in_flight) >= self._in_flight_max:
            return False
        if not self._clock.is_known and name != "time":
            return False
        return self._budget.may_spend(WEIGHTS[name], urgency, now_ns)

    def _open(
        self,
        purpose: Purpose,
        instrument_id: InstrumentId | None,
        client_order_id: str,
        now_ns: int,
        patience_ns: int,
        venue_order_id: int = 0,
    ) -> int:
        self._request_id = request_id = self._request_id + 1
        self.in_flight[request_id] = InFlight(
            request_id=request_id,
            purpose=purpose,
            instrument_id=instrument_id,
            client_order_id=client_order_id,
            sent_ns=now_ns,
            expires_ns=now_ns + patience_ns,
            venue_order_id=venue_order_id,
        )
        return request_id
