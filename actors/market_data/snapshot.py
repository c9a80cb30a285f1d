"""What market_data shows of itself: the one view that status, reports and metrics read."""

from __future__ import annotations

import msgspec

from protocols.values import Level


class SymbolSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol. Ages are -1 where there is nothing yet; totals count from the start of this incarnation."""

    state: str
    reason: str
    since_ns: int
    update_id: int
    bid: Level | None
    ask: Level | None
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    mid: str
    book_age_ns: int
    mark_price: str
    mark_age_ns: int
    funding_rate: str
    diffs: int
    tickers: int
    trades: int
    gaps: int
    resyncs: int
    invalid: int
    refused: int
    ignored: int
    buffered: int
    levels_trimmed: int


class MarketDataSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The feed as a whole. `streams` tells which sockets are open; `bad_frames` counts by socket."""

    symbols: dict[str, SymbolSnapshot]
    streams: dict[str, bool]
    bad_frames: dict[str, int]
    frames: int
    unknown_instruments: int
    snapshots_in_flight: int
    snapshots_failed: int
    requests_failed: int
    clock_offset_ns: int
    clock_error_ns: int
    clock_age_ns: int
    clock_samples: int
    clock_jumps: int
    drained: bool
    now_ns: int
