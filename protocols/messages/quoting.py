"""What strategy says: the ladder that it wants now."""

from __future__ import annotations

from protocols.envelope import Message
from protocols.values import InstrumentId, Level


class QuoteTargets(Message, frozen=True, kw_only=True):
    """The ladder wanted now, best level first; an empty side means no quote there.

    `book_update_id` and `book_received_ns` name the book that priced it. `reason` says why a side is empty.
    """

    instrument_id: InstrumentId
    instrument_version: int
    book_update_id: int
    book_received_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    half_spread_ticks: int = 0
    skew_ticks: int = 0
    reason: str = ""
