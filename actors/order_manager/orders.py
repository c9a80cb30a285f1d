"""One order and its states; they only move forward, and only venue evidence ends an order that was sent."""

from __future__ import annotations

import enum

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


class Order:
    """One order of ours. `booked_lots` are executions that we counted, `reported_lots` what the venue says was executed.

    `deadline_venue_ns`: after this instant of the venue's clock an unanswered submit can no longer be accepted.
    """

    __slots__ = (
        "accepted",
        "booked_lots",
        "cancel_again_ns",
        "cancel_request_id",
        "cancel_wanted",
        "client_order_id",
        "created_ns",
        "deadline_venue_ns",
        "epoch",
        "in_doubt",
        "is_terminal",
        "lots",
        "price_ticks",
        "reduce_only",
        "reported_lots",
        "side",
        "state",
        "time_in_force",
        "venue_order_id",
        "venue_time_ns",
    )

    def __init__(
        self,
        *,
        client_order_id: str,
        epoch: int,
        side: Side,
        price_ticks: int,
        lots: int,
        time_in_force: TimeInForce,
        reduce_only: bool,
        created_ns: int,
        deadline_venue_ns: int,
    ) -> None:
        self.client_order_id = client_order_id
        self.epoch = epoch
        self.side = side
        self.price_ticks = price_ticks
        self.lots = lots
        self.time_in_force = time_in_force
        self.reduce_only = reduce_only
        self.created_ns = created_ns
        self.deadline_venue_ns = deadline_venue_ns
        self.state = OrderState.PENDING
        self.is_terminal = False
        """Whether nothing of it rests any more."""
        self.venue_order_id = 0
        self.venue_time_ns = 0
        self.booked_lots = 0
        self.reported_lots = 0
        self.accepted = False
        self.in_doubt = False
        """An unknown submit, or an order that the venue did not show where it should be: its fate is being asked."""
        self.cancel_wanted = False
        self.cancel_request_id = 0
        self.cancel_again_ns = 0

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
    def open_lots(self) -> int:
        """What it may still add to the position: the unbooked rest while it lives, unbooked executions after."""
        lots = (self.reported_lots if self.is_terminal else self.lots) - self.booked_lots
        return lots if lots > 0 else 0

    def move(self, state: OrderState) -> bool:
        """Take a state if it lies ahead; whether it did."""
        if self.is_terminal or RANKS[state] <= RANKS[self.state]:
            return False
        self.state = state
        self.is_terminal = RANKS[state] == TERMINAL_RANK
        return True

    def revive(self, state: OrderState) -> None:
        """Take back an end that the venue has shown to be wrong."""
        self.state = state
        self.is_terminal = RANKS[state] == TERMINAL_RANK
        self.accepted = False
