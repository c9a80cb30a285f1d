"""Agreeing with the venue on one symbol: open orders, then executions, then the position (facts section 6.4).

The same steps serve recovery, a private stream that came back, and the continuous audit. Order of truth: the venue, then us.
"""

from __future__ import annotations

import enum

import msgspec

from actors.order_manager.desk import Desk
from actors.order_manager.order_table import OrderTable
from actors.order_manager.orders import OrderState
from actors.order_manager.rate_budget import Urgency
from actors.order_manager.suspects import Suspects
from protocols.values import InstrumentId
from protocols.venue import OrderReport, PositionReport

RETRY_NS = 500_000_000
"""Wait before a question is asked again, and between two comparisons of positions."""

OVERLAP_NS = 10_000_000_000
"""Executions younger than this are asked for again: the venue's lists may lag its engine."""

DIFFERENCE_STANDS_NS = OVERLAP_NS
"""A difference of positions is resolved towards the venue when it has stood so long: until then it may be a list that lags."""

DOUBT_NS = 2_000_000_000
"""Positions that differ for so long, by whatever amount, stop the symbol until they agree."""

DOUBT_RETRY_NS = 2_000_000_000
"""Wait between two comparisons from then on."""

GATHER_NS = 100_000_000
"""One question for the account's positions serves every symbol that comes to want them within this."""

FIRST_LOOK_NS = 600_000_000_000
"""Without a journal, executions of so long before now are read to know the last trade id."""


class Cause(enum.StrEnum):
    """Why a comparison runs."""

    RECOVERY = "recovery"
    RECONNECT = "reconnect"
    AUDIT = "audit"
    DEMAND = "demand"
    DOUBT = "doubt"
    DRAIN = "drain"


class Stage(enum.StrEnum):
    """Where a comparison is."""

    IDLE = "idle"
    OPEN_ORDERS = "open_orders"
    SUSPECTS = "suspects"
    FILLS = "fills"
    POSITION = "position"
    CONFIRM = "confirm"
    AGREED = "agreed"


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison ended. `adopted`: the venue's position was taken over ours."""

    cause: Cause
    differences: tuple[str, ...]
    adopted: bool
    took_ns: int


class Synchronisation:
    """One symbol's comparison. The caller applies what answers contain to the table before it hands them over."""

    def __init__(self, instrument_id: InstrumentId, table: OrderTable, desk: Desk, suspects: Suspects) -> None:
        self.instrument_id = instrument_id
        self._table = table
        self._desk = desk
        self._suspects = suspects
        self.stage = Stage.IDLE
        self.cause = Cause.RECOVERY
        self.has_opening = False
        self.fills_every_ns = 0
        """Audits compare open orders and positions; executions are read where these differ, and in any case this often."""
        self.venue_report: PositionReport | None = None
        self._began_ns = 0
        self._next_ns = 0
        self._request_id = 0
        self._asked_ns = 0
        self._fills_at_ask = 0
        self._difference: int | None = None
        self._same_since_ns = 0
        self._differs_since_ns = 0
        self._fills_wanted = False
        self._fills_read = False
        self._fills_read_ns = 0
        self._adopted = False
        self.differences: list[str] = []

    @property
    def is_running(self) -> bool:
        """Whether a comparison is under way."""
        return self.stage not in (Stage.IDLE, Stage.AGREED)

    @property
    def wants_positions(self) -> bool:
        """Whether this symbol waits for the account's positions and none were asked for it."""
        return self.stage is Stage.POSITION and not self._request_id

    def will_want_positions(self, now_ns: int) -> bool:
        """Whether an answer is expected at any moment after which this symbol wants the account's positions too."""
        is_asking = bool(self._request_id) and self.stage in (Stage.OPEN_ORDERS, Stage.FILLS)
        return is_asking and now_ns - self._asked_ns < GATHER_NS

    def begin(self, cause: Cause, now_ns: int) -> None:
        """Start over; an audit does not disturb a comparison under way."""
        if cause in (Cause.AUDIT, Cause.DEMAND) and self.is_running:
            return
        self.cause = cause
        self.stage = Stage.OPEN_ORDERS
        self.differences = []
        self._adopted = self._fills_read = False
        self._began_ns = self._next_ns = now_ns
        self._request_id = 0
        self._difference = None

    @property
    def is_in_doubt(self) -> bool:
        """Whether an audit has found a position that differs for so long that nothing may be quoted on it."""
        return self.cause is Cause.DOUBT and self.is_running

    def want_fills(self) -> None:
        """An execution is missing: read the venue's list as soon as possible."""
        self._fills_wanted = True

    def fills_from(self, venue_now_ns: int) -> tuple[int, int]:
        """Trade id and venue time (ms) from which executions must be read."""
        if self._table.booked_upto:
            return self._table.booked_upto + 1, 0
        return 0, max(venue_now_ns - FIRST_LOOK_NS, 0) // 1_000_000

    def step(self, now_ns: int, venue_now_ns: int) -> None:
        """Ask for what is due, positions excepted."""
        if self._fills_wanted and self.stage is Stage.IDLE:
            self.begin(Cause.AUDIT, now_ns)
            self.stage = Stage.FILLS
        elif self._fills_wanted and self.stage is Stage.POSITION and not self._request_id:
            self.stage = Stage.FILLS
        if self._request_id or now_ns < self._next_ns:
            return
        urgency = Urgency.AUDIT if self.cause is Cause.AUDIT else Urgency.QUERY
        if self.stage is Stage.OPEN_ORDERS:
            self._asked(self._desk.query_open_orders(self.instrument_id, now_ns, urgency), now_ns)
        elif self.stage is Stage.SUSPECTS:
            if not self._suspects.concern(self.instrument_id):
                self.stage = Stage.FILLS
        elif self.stage in (Stage.FILLS, Stage.CONFIRM):
            trade_id, venue_ms = self.fills_from(venue_now_ns)
            urgency = Urgency.QUERY if self._fills_wanted else urgency
            self._asked(self._desk.query_fills(self.instrument_id, trade_id, venue_ms, now_ns, urgency), now_ns)

    def positions_asked(self, request_id: int, now_ns: int) -> None:
        """The account's positions were asked for on behalf of every symbol that waits for them."""
        self._asked(request_id, now_ns)

    def open_orders_read(self, request_id: int, orders: tuple[OrderReport, ...], now_ns: int) -> None:
        """Take the list of open orders: ours that are missing from it are put in doubt."""
        if request_id != self._request_id or self.stage is not Stage.OPEN_ORDERS:
            return
        self._request_id = 0
        open_ids = {order.client_order_id for order in orders}
        for order in self._table.live.values():
            is_absent = order.client_order_id not in open_ids and order.created_ns < self._asked_ns
            if is_absent and not order.is_terminal and order.state is not OrderState.PENDING:
                if order.state is not OrderState.UNKNOWN:
                    self.differences.append(f"{order.client_order_id} is not among the venue's open orders")
                self._suspects.add(self.instrument_id, order, now_ns, at_once=True)
        if self.cause not in (Cause.AUDIT, Cause.DEMAND, Cause.DRAIN):
            self.stage = Stage.SUSPECTS
        elif self.cause is Cause.AUDIT and now_ns - self._fills_read_ns < self.fills_every_ns:
            self.stage = Stage.POSITION
        else:
            self.stage = Stage.FILLS

    def fills_read(
        self, request_id: int, trade_ids: tuple[tuple[int, int], ...], news: int, complete: bool, now_ns: int
    ) -> bool:
        """Take the end of a page of executions that the caller has booked; whether it belonged here.

        Args:
            trade_ids: (trade id, venue time in ns) of the page, oldest first.
            news: how many of the page were not known.
        """
        if request_id != self._request_id or self.stage not in (Stage.FILLS, Stage.CONFIRM):
            return False
        self._request_id = 0
        if not complete:
            self._table.checkpoint(trade_ids[-1][0] - 1)
            return True
        self._fills_wanted = False
        self._fills_read, self._fills_read_ns = True, now_ns
        if self.stage is Stage.FILLS:
            self.stage = Stage.POSITION
        else:
            self.stage = Stage.POSITION if news else Stage.AGREED
        return True

    def position_read(self, request_id: int, venue_lots: int, now_ns: int) -> int | None:
        """Compare with the venue's position. A number of lots: adopt that position, for the venue is right."""
        if request_id != self._request_id or self.stage is not Stage.POSITION:
            return None
        self._request_id = 0
        if not self.has_opening:
            self.has_opening = self._adopted = True
            self.stage = Stage.CONFIRM
            return venue_lots
        difference = venue_lots - self._table.position_lots
        if difference == 0:
            self.stage = Stage.AGREED
            return None
        if not self._fills_read:
            self.stage, self._next_ns = Stage.FILLS, now_ns
            return None
        stood_still = self._table.fills_total == self._fills_at_ask
        if self._difference is None:
            self._differs_since_ns = now_ns
        if difference != self._difference or not stood_still:
            self._difference, self._same_since_ns = difference, now_ns
        if now_ns - self._same_since_ns >= DIFFERENCE_STANDS_NS:
            self.differences.append(f"position {self._table.position_lots} lots here, {venue_lots} at the venue")
            self.stage = Stage.AGREED
            self._adopted = True
            return venue_lots
        in_doubt = now_ns - self._differs_since_ns >= DOUBT_NS
        if in_doubt and self.cause is Cause.AUDIT:
            self.cause = Cause.DOUBT
        self.stage, self._next_ns = Stage.FILLS, now_ns + (DOUBT_RETRY_NS if in_doubt else RETRY_NS)
        return None

    def failed(self, request_id: int, now_ns: int) -> None:
        """A question had no usable answer: it is asked again."""
        if request_id == self._request_id:
            self._request_id = 0
            self._next_ns = now_ns + RETRY_NS

    def finish(self, now_ns: int) -> Agreement | None:
        """The result, once, when the comparison has ended."""
        if self.stage is not Stage.AGREED:
            return None
        self.stage = Stage.IDLE
        return Agreement(
            cause=self.cause,
            differences=tuple(self.differences),
            adopted=self._adopted,
            took_ns=now_ns - self._began_ns,
        )

    def _asked(self, request_id: int, now_ns: int) -> None:
        if request_id:
            self._request_id = request_id
            self._asked_ns = now_ns
            self._fills_at_ask = self._table.fills_total
