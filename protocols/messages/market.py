"""What market_data says: books, trade flow, mark prices, the state of the feed, the venue's clock."""

from __future__ import annotations

import enum
from decimal import Decimal

from protocols.envelope import Message
from protocols.values import InstrumentId, Level


class FeedState(enum.StrEnum):
    """State of one symbol's feed. Only LIVE may be quoted on."""

    CONNECTING = "CONNECTING"
    SYNCHRONISING = "SYNCHRONISING"
    LIVE = "LIVE"
    STALE = "STALE"
    INVALID = "INVALID"


class BookTop(Message, frozen=True, kw_only=True):
    """The best levels of a synchronised book, best first. Never crossed, never empty on either side.

    `update_id` is the venue's; `venue_time_ns` the venue's transaction time; `received_ns` the receipt of the frame.
    """

    instrument_id: InstrumentId
    instrument_version: int
    update_id: int
    venue_time_ns: int
    received_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class TradeFlow(Message, frozen=True, kw_only=True):
    """Public trades so far in this incarnation of the feed: totals, so that a skipped message loses nothing."""

    instrument_id: InstrumentId
    received_ns: int
    price_ticks_last: int
    bought_lots_total: int
    sold_lots_total: int
    trades_total: int


class MarkPrice(Message, frozen=True, kw_only=True):
    """Mark price and funding. `funding_rate` is the estimate for the next funding (positive: longs pay)."""

    instrument_id: InstrumentId
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal
    next_funding_venue_ms: int
    venue_time_ns: int
    received_ns: int


class FeedStatus(Message, frozen=True, kw_only=True):
    """State of a symbol's feed, repeated several times a second.

    `confirmed_ns` is the last time anything proved that the socket behind the book is alive.
    """

    instrument_id: InstrumentId
    state: FeedState
    update_id: int
    confirmed_ns: int
    since_ns: int
    reason: str = ""


class VenueClock(Message, frozen=True, kw_only=True):
    """The venue's time is `now_ns + offset_ns`, known to within `error_ns`; measured at `sampled_ns`."""

    offset_ns: int
    error_ns: int
    sampled_ns: int
