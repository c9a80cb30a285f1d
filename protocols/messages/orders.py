"""What order_manager says: events of orders and of the account, and its use of the request budget.

Every event of a shard carries `event_seq`, a number that grows by one over restarts: readers book each number once, notice a
gap, and ask the shard's journal for what they lack.
"""

from __future__ import annotations

import enum
from decimal import Decimal

from protocols.envelope import Message
from protocols.values import Instrument, InstrumentId, Side


class DenialCode(enum.StrEnum):
    """Why our own gate did not send an order."""

    GATE_SHUT = "GATE_SHUT"
    STOPPED = "STOPPED"
    NO_LEASE = "NO_LEASE"
    HALTED = "HALTED"
    REDUCING = "REDUCING"
    STALE_BOOK = "STALE_BOOK"
    CLOCK = "CLOCK"
    ORDER_SIZE = "ORDER_SIZE"
    NOTIONAL = "NOTIONAL"
    POSITION = "POSITION"
    PRICE_BAND = "PRICE_BAND"
    OPEN_ORDERS = "OPEN_ORDERS"
    BRACKET = "BRACKET"
    MARGIN = "MARGIN"
    SELF_CROSS = "SELF_CROSS"
    RATE = "RATE"
    FILTER = "FILTER"
    LATE = "LATE"
    DRY_RUN = "DRY_RUN"
    REQUEST = "REQUEST"


class OrderEvent(Message, frozen=True, kw_only=True):
    """Base of everything that happens to an order. `client_order_id` is "" for an order that is not ours.

    The `intent_id` of each kind names the request that the order answers (protocols/messages/requests.py); "" where the ladder asked.
    """

    shard: int
    event_seq: int
    instrument_id: InstrumentId
    client_order_id: str
    venue_order_id: int
    venue_time_ns: int


class OrderAccepted(OrderEvent, frozen=True, kw_only=True):
    """The venue took the order. `filled_lots` of it were executed, and told without its name, before it was known as ours."""

    side: Side
    price_ticks: int
    quantity_lots: int
    intent_id: str = ""
    filled_lots: int = 0


class OrderAmended(OrderEvent, frozen=True, kw_only=True):
    """Price and total quantity after an amendment; `filled_lots` of it were executed before."""

    side: Side
    price_ticks: int
    quantity_lots: int
    intent_id: str = ""
    filled_lots: int = 0


class OrderFilled(OrderEvent, frozen=True, kw_only=True):
    """An execution of an order on a traded symbol, ours or anybody's on this account.

    `fee` is positive when paid, in `fee_asset`. `remaining_lots` is what rests after it. (instrument, trade_id, venue_order_id)
    is booked once. `forced`: the venue's own order did it (liquidation, auto-deleveraging, settlement).
    """

    side: Side
    trade_id: int
    price_ticks: int
    quantity_lots: int
    remaining_lots: int
    fee: Decimal
    fee_asset: str
    maker: bool
    ours: bool
    forced: bool = False
    intent_id: str = ""


class OrderCanceled(OrderEvent, frozen=True, kw_only=True):
    """The order is gone; `filled_lots` of it had been executed."""

    side: Side
    filled_lots: int
    intent_id: str = ""


class OrderExpired(OrderEvent, frozen=True, kw_only=True):
    """The venue ended the order by itself."""

    side: Side
    filled_lots: int
    reason: str
    intent_id: str = ""


class OrderRejected(OrderEvent, frozen=True, kw_only=True):
    """The venue refused the order for certain, or (`presumed_dead`) every sign says that it never had it."""

    side: Side
    venue_code: int
    text: str
    presumed_dead: bool = False
    intent_id: str = ""


class OrderDenied(OrderEvent, frozen=True, kw_only=True):
    """Our own gate refused the order; nothing was sent."""

    side: Side
    code: DenialCode
    text: str
    intent_id: str = ""


class OrderUnknown(OrderEvent, frozen=True, kw_only=True):
    """The submit has no answer: the order may live. Its full size counts until evidence ends it."""

    side: Side
    price_ticks: int
    quantity_lots: int
    reason: str
    intent_id: str = ""


TRANSFER_REASONS = frozenset(
    {
        "DEPOSIT",
        "WITHDRAW",
        "WITHDRAW_REJECT",
        "ADMIN_DEPOSIT",
        "ADMIN_WITHDRAW",
        "MARGIN_TRANSFER",
        "ASSET_TRANSFER",
        "AUTO_EXCHANGE",
        "COIN_SWAP_DEPOSIT",
        "COIN_SWAP_WITHDRAW",
    }
)
"""Changes of a balance that are nobody's profit (facts section 6.2)."""


class BalanceChanged(Message, frozen=True, kw_only=True):
    """Wallet balance of one asset as the venue states it; `reason` is the venue's word for the cause."""

    shard: int
    event_seq: int
    asset: str
    wallet_balance: Decimal
    balance_change: Decimal
    reason: str
    venue_time_ns: int


class FundingPaid(Message, frozen=True, kw_only=True):
    """Funding booked by the venue; `amount` is positive when received."""

    shard: int
    event_seq: int
    instrument_id: InstrumentId
    asset: str
    amount: Decimal
    transaction_id: str
    venue_time_ns: int


class VenuePosition(Message, frozen=True, kw_only=True):
    """The position of a symbol as the venue states it (signed lots).

    `agreed_trade_id`: our own count is the same at this place of the stream, and this is the last execution in it; None where the
    two were not compared.
    """

    shard: int
    event_seq: int
    instrument_id: InstrumentId
    position_lots: int
    entry_price: Decimal
    venue_time_ns: int
    agreed_trade_id: int | None = None


class MarginCalled(Message, frozen=True, kw_only=True):
    """The venue warns that the account is close to liquidation."""

    shard: int
    event_seq: int
    text: str
    venue_time_ns: int


class InstrumentTaken(Message, frozen=True, kw_only=True):
    """From here on the events of a symbol count in the ticks and lots of `instrument`; `position_lots` is the position in them.

    Told and journaled at the start of each life of an order manager, so that whoever reads its events later knows their units.
    """

    shard: int
    event_seq: int
    instrument_id: InstrumentId
    instrument: Instrument
    position_lots: int
    venue_time_ns: int


class UserStreamLost(Message, frozen=True, kw_only=True):
    """The key of the private stream died under the shard's socket: a new one is needed now."""

    shard: int
    lost_ns: int


class RateUsage(Message, frozen=True, kw_only=True):
    """The venue's own count of what this shard's address and account used, from its last answers.

    The totals are of this process: calls that were answered or given up, those among them that failed for a reason that was not the
    order's, and the sum of their times from decision to answer.
    """

    shard: int
    weight_used_1m: int
    orders_used_10s: int
    orders_used_1m: int
    observed_ns: int
    answers_total: int = 0
    failures_total: int = 0
    round_trip_us_total: int = 0


AnyOrderEvent = (
    OrderAccepted
    | OrderAmended
    | OrderFilled
    | OrderCanceled
    | OrderExpired
    | OrderRejected
    | OrderDenied
    | OrderUnknown
)
AnyAccountEvent = BalanceChanged | FundingPaid | VenuePosition | MarginCalled | InstrumentTaken
