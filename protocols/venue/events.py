"""What a venue tells on its own: the market's streams, the private stream, and the state of both."""

from __future__ import annotations

import enum
from decimal import Decimal

from protocols.envelope import Message
from protocols.values import InstrumentId, Level
from protocols.venue.outcomes import FillReport, OrderReport


class BookDiff(Message, frozen=True, kw_only=True):
    """Absolute quantities at changed prices; 0 lots removes a level. The chain rule is the venue's (book sync)."""

    instrument_id: InstrumentId
    first_update_id: int
    last_update_id: int
    previous_update_id: int
    venue_time_ns: int
    received_ns: int
    bids: list[Level]
    asks: list[Level]


class BookTicker(Message, frozen=True, kw_only=True):
    """Best bid and ask, faster than the diffs and numbered by the same counter."""

    instrument_id: InstrumentId
    update_id: int
    venue_time_ns: int
    received_ns: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int


class PublicTrade(Message, frozen=True, kw_only=True):
    """A public print. `buyer_is_maker`: the seller aggressed."""

    instrument_id: InstrumentId
    trade_id: int
    price_ticks: int
    quantity_lots: int
    buyer_is_maker: bool
    venue_time_ns: int
    received_ns: int


class VenueMark(Message, frozen=True, kw_only=True):
    """Mark price, index and funding as the venue streams them."""

    instrument_id: InstrumentId
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal
    next_funding_venue_ms: int
    venue_time_ns: int
    received_ns: int


class StreamChanged(Message, frozen=True, kw_only=True):
    """A socket to the venue (`public`, `market`, `private`, `orders`) opened or was lost."""

    stream: str
    up: bool
    changed_ns: int
    reason: str = ""


class StreamHeard(Message, frozen=True, kw_only=True):
    """Proof of life of a socket: any frame or pong, passed on a few times a second at most."""

    stream: str
    heard_ns: int


class EventMissing(Message, frozen=True, kw_only=True):
    """The venue acknowledged something of this order, and the private stream did not tell of it: it is opened anew."""

    instrument_id: InstrumentId
    client_order_id: str
    noticed_ns: int


class BadFrame(Message, frozen=True, kw_only=True):
    """A frame that could not be understood; `field` names the place where decoding stopped."""

    stream: str
    reason: str
    field: str
    received_ns: int


class ExecutionKind(enum.StrEnum):
    """What happened to an order."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    AMENDED = "AMENDED"
    LIQUIDATION = "LIQUIDATION"


class OrderUpdate(Message, frozen=True, kw_only=True):
    """One event of an order on the private stream; `fill` is set when something was executed."""

    kind: ExecutionKind
    order: OrderReport
    fill: FillReport | None
    reason: str
    received_ns: int


class BalanceUpdate(Message, frozen=True, kw_only=True):
    """Absolute wallet balance after a change; `balance_change` excludes PnL and commission."""

    asset: str
    wallet_balance: Decimal
    balance_change: Decimal
    reason: str
    symbol: str
    venue_time_ns: int
    received_ns: int


class PositionUpdate(Message, frozen=True, kw_only=True):
    """Absolute position after a change."""

    instrument_id: InstrumentId
    position_lots: int
    entry_price: Decimal
    reason: str
    venue_time_ns: int
    received_ns: int


class MarginCallUpdate(Message, frozen=True, kw_only=True):
    """The venue's warning of a coming liquidation."""

    text: str
    venue_time_ns: int
    received_ns: int


class UserStreamExpired(Message, frozen=True, kw_only=True):
    """The private stream's key has died: nothing more will come on it."""

    received_ns: int


class AccountConfigUpdate(Message, frozen=True, kw_only=True):
    """Leverage or asset mode changed under us; `text` says what."""

    text: str
    venue_time_ns: int
    received_ns: int


AnyMarketEvent = BookDiff | BookTicker | PublicTrade | VenueMark
AnyStreamEvent = StreamChanged | StreamHeard | BadFrame
AnyUserEvent = OrderUpdate | BalanceUpdate | PositionUpdate | MarginCallUpdate | UserStreamExpired | AccountConfigUpdate
