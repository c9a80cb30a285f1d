"""Records of an order manager's journal besides the order and account events themselves.

Each record carries what a reader needs without the process that wrote it: exact decimals and the instrument's version.
"""

from __future__ import annotations

from decimal import Decimal

from protocols.envelope import Message
from protocols.values import InstrumentId, Side, TimeInForce


class EpochBegan(Message, frozen=True, kw_only=True):
    """First record of an incarnation."""

    epoch: int
    began_ns: int
    venue_time_ns: int


class OrderIntended(Message, frozen=True, kw_only=True):
    """An intent, written before any byte of it leaves. The facts that justified it stand beside it for the invariants.

    `worst_case_lots` is what the position could become on that side with this order; `limit_lots` the limit in force.
    `deadline_venue_ns` is the instant after which the venue can no longer accept it. `intent_id` names the request that asked for it, ""
    where the ladder did: then the book is that of the ladder, else the newest that the order manager had.
    """

    instrument_id: InstrumentId
    instrument_version: int
    client_order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    price_ticks: int
    quantity_lots: int
    time_in_force: TimeInForce
    reduce_only: bool
    venue_time_ns: int
    deadline_venue_ns: int
    decided_ns: int
    book_update_id: int
    book_age_ns: int
    book_age_ns_max: int
    best_bid_ticks: int
    best_ask_ticks: int
    worst_case_lots: int
    limit_lots: int
    lease_nonce: int
    intent_id: str = ""


class AmendIntended(Message, frozen=True, kw_only=True):
    """New price and total quantity of a resting order, written before any byte of it leaves, with the facts that justified it.

    `worst_case_lots` counts the larger of the two quantities; `deadline_venue_ns` is the instant after which the venue can no longer
    accept it.
    """

    instrument_id: InstrumentId
    instrument_version: int
    client_order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    price_ticks: int
    quantity_lots: int
    venue_time_ns: int
    deadline_venue_ns: int
    decided_ns: int
    book_update_id: int
    book_age_ns: int
    book_age_ns_max: int
    best_bid_ticks: int
    best_ask_ticks: int
    worst_case_lots: int
    limit_lots: int
    lease_nonce: int


class OrderWritten(Message, frozen=True, kw_only=True):
    """An order's or amendment's bytes were given to the socket at `written_ns`; `origin_ns` is the receipt of the frame behind (or 0)."""

    client_order_id: str
    origin_ns: int
    written_ns: int


class OrderNotSent(Message, frozen=True, kw_only=True):
    """The intent never left: our own last check or a closed socket stopped it. `amendment`: that of a resting order."""

    client_order_id: str
    reason: str
    amendment: bool = False


class FilledAmidAmendment(Message, frozen=True, kw_only=True):
    """An order was filled, by the venue's word and in full, while an amendment to more was unanswered, which can have no effect now."""

    client_order_id: str


class PositionAdopted(Message, frozen=True, kw_only=True):
    """Position taken from the venue at recovery; the opening record of what follows."""

    instrument_id: InstrumentId
    position_lots: int
    entry_price: Decimal
    trade_id_last: int
    venue_time_ns: int


class GateChanged(Message, frozen=True, kw_only=True):
    """A symbol's gate opened or shut, and why."""

    instrument_id: InstrumentId
    open: bool
    reason: str
    changed_ns: int


class LimitsChanged(Message, frozen=True, kw_only=True):
    """The limits of the lease in force changed."""

    instrument_id: InstrumentId
    position_lots_max: int
    state: str
    changed_ns: int


class Reconciled(Message, frozen=True, kw_only=True):
    """A comparison with the venue ended; `differences` tells each, resolved towards the venue."""

    cause: str
    differences: tuple[str, ...]
    took_ns: int
    venue_time_ns: int
