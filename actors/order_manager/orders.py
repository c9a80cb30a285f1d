"""One order and its states; they only move forward, and only venue evidence ends an order that was sent."""

from __future__ import annotations

import enum

import msgspec

from protocols.values import Side, TimeInForce
from protocols.venue import OrderStatus


class OrderState(enum.StrEnum):
    """State of one of our orders. CANCELING is shown while a cancel is in flight; beneath it the order keeps its state."""

    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    CANCELING = "CANCELING"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"


RANKS: dict[OrderState, int] = {
    OrderState.PENDING: 0,
    OrderState.UNKNOWN: 1,
    OrderState.NEW: 2,
    OrderState.PARTIALLY_FILLED: 3,
    OrderState.CANCELING: 3,
    OrderState.FILLED: 4,
    OrderState.CANCELED: 4,
    OrderState.EXPIRED: 4,
    OrderState.REJECTED: 4,
    OrderState.DENIED: 4,
}
"""An order never moves to a lower rank, and never away from the highest."""

TERMINAL_RANK = 4

STATE_OF: dict[OrderStatus, OrderState] = {
    OrderStatus.NEW: OrderState.NEW,
    OrderStatus.PARTIALLY_FILLED: OrderState.PARTIALLY_FILLED,
    OrderStatus.FILLED: OrderState.FILLED,
    OrderStatus.CANCELED: OrderState.CANCELED,
    OrderStatus.EXPIRED: OrderState.EXPIRED,
    OrderStatus.REJECTED: OrderState.REJECTED,
}


class Amendment(msgspec.Struct, kw_only=True, eq=False, gc=False):
    """New price and total quantity that the venue was asked for and that may hold already. `request_id` is 0 once unanswered."""

    price_ticks: int
    lots: int
    venue_time_ns: int
    deadline_venue_ns: int
    request_id: int = 0
    sent_ns: int = 0


class Order(msgspec.Struct, kw_only=True, eq=False, gc=False):
    """One order of ours. `booked_lots` are executions that we counted, `reported_lots` what the venue says was executed.

    `amendment` is in flight beside the state: until evidence ends it both prices and the larger quantity count. `terms_venue_ns` is
    the venue's time of the price and quantity that we know; `moved_ns` is when they were last asked for; `is_fixed` says that the
    venue does not let this order be amended.

    `intent_id` names the request that it answers, "" where the ladder asked for it; such a one has an end of its own, `expires_ns`.

    `deadline_venue_ns`: after this instant of the venue's clock an unanswered submit can no longer be accepted. `is_terminal`:
    nothing of it rests any more. `in_doubt`: an unknown submit, or an order that the venue did not show where it should be; its
    fate is being asked.
    """

    client_order_id: str
    epoch: int
    side: Side
    price_ticks: int
    lots: int
    time_in_force: TimeInForce
    reduce_only: bool
    created_ns: int
    deadline_venue_ns: int
    state: OrderState = OrderState.PENDING
    is_terminal: bool = False
    venue_order_id: int = 0
    venue_time_ns: int = 0
    booked_lots: int = 0
    reported_lots: int = 0
    accepted: bool = False
    in_doubt: bool = False
    cancel_wanted: bool = False
    cancel_request_id: int = 0
    cancel_again_ns: int = 0
    amendment: Amendment | None = None
    terms_venue_ns: int = 0
    moved_ns: int = 0
    is_fixed: bool = False
    intent_id: str = ""
    expires_ns: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether it is over and every execution the venue told of has been booked."""
        return self.is_terminal and self.booked_lots >= self.reported_lots

    @property
    def shown_state(self) -> OrderState:
        """State for people: CANCELING while a cancel is in flight."""
        if self.cancel_request_id and not self.is_terminal:
            return OrderState.CANCELING
        return self.state

    @property
    def most_lots(self) -> int:
        """Its total quantity, or the one it may have been amended to if that is larger."""
        return self.lots if self.amendment is None else max(self.lots, self.amendment.lots)

    @property
    def open_lots(self) -> int:
        """What it may still add to the position: the unbooked rest while it lives, unbooked executions after."""
        lots = (self.reported_lots if self.is_terminal else self.most_lots) - self.booked_lots
        return lots if lots > 0 else 0

    @property
    def may_move(self) -> bool:
        """Whether it can be amended now: it rests, and nothing that was asked of it is unanswered."""
        rests = self.state is OrderState.NEW or self.state is OrderState.PARTIALLY_FILLED
        is_free = self.amendment is None and not self.cancel_wanted and not self.in_doubt and not self.is_fixed
        return rests and is_free

    @property
    def aimed_ticks(self) -> int:
        """Its price once everything asked for is done."""
        return self.price_ticks if self.amendment is None else self.amendment.price_ticks

    @property
    def aimed_lots(self) -> int:
        """Its unexecuted quantity once everything asked for is done."""
        return (self.lots if self.amendment is None else self.amendment.lots) - self.booked_lots

    def move(self, state: OrderState) -> bool:
        """Take a state if it lies ahead; whether it did."""
        if self.is_terminal or RANKS[state] <= RANKS[self.state]:
            return False
        self.state = state
        self.is_terminal = RANKS[state] == TERMINAL_RANK
        return True

    def revive(self) -> None:
        """Take back an end that the venue has shown to be wrong; its word then says how far the order has come."""
        self.state = OrderState.PENDING
        self.is_terminal = self.accepted = False
