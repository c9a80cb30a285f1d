"""What a market source says: frames in ticks and lots, timed on the venue's clock.

`at_ns` is when the venue sees the frame (ns since 1970). `market_ns` is the source's transaction time, on the source's own scale: it orders
prints against book states and is never shown. `update_id` orders diffs against best prices.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple, TypeAlias

from actors.exchange.book import Level
from actors.exchange.brackets import Brackets
from actors.exchange.contracts import Contract


class BookFrame(NamedTuple):
    """The whole book of a symbol, replacing what was known.

    Without `knows_queues` its sizes say nothing of what stands in front of an order: only a market that goes through a price fills there.
    """

    symbol: str
    at_ns: int
    market_ns: int
    bids: list[Level]
    asks: list[Level]
    knows_queues: bool = True


class DepthFrame(NamedTuple):
    """Absolute quantities of the levels that changed."""

    symbol: str
    at_ns: int
    market_ns: int
    update_id: int
    bids: list[Level]
    asks: list[Level]


class TickerFrame(NamedTuple):
    """The best prices."""

    symbol: str
    at_ns: int
    market_ns: int
    update_id: int
    bid: int
    bid_lots: int
    ask: int
    ask_lots: int


class PrintFrame(NamedTuple):
    """A public trade."""

    symbol: str
    at_ns: int
    market_ns: int
    price_ticks: int
    lots: int
    buyer_is_maker: bool


class MarkFrame(NamedTuple):
    """Mark price, index, and the funding to come; None keeps what is known, a mark of None is derived from the mid."""

    symbol: str
    at_ns: int
    mark_price: Decimal | None
    index_price: Decimal | None
    funding_rate: Decimal | None
    next_funding_ns: int | None


class SeamFrame(NamedTuple):
    """The source jumps back to its start: orders and positions of all symbols are closed out. `loop` counts from 1."""

    at_ns: int
    loop: int


class ContractFrame(NamedTuple):
    """The contract of a symbol changes: its status, and the multiple of the tick that prices of orders must have."""

    symbol: str
    at_ns: int
    status: str
    tick_multiple: int


class TermsFrame(NamedTuple):
    """The bounds of a contract change, or its leverage brackets; units and decimals stay. None keeps what is known."""

    symbol: str
    at_ns: int
    contract: Contract | None
    brackets: Brackets | None


class StaleFrame(NamedTuple):
    """What was known of a symbol may no longer be true, until its next BookFrame. `disconnected`: the source itself is away."""

    symbol: str
    at_ns: int
    disconnected: bool


Frame: TypeAlias = (
    BookFrame | DepthFrame | TickerFrame | PrintFrame | MarkFrame | ContractFrame | TermsFrame | SeamFrame | StaleFrame
)
