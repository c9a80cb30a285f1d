"""What market_data shows of itself: the one view that status, reports and metrics read."""

from __future__ import annotations

import msgspec

from actors.market_data.side_streams import MarkTracker, TradeTotals
from actors.market_data.symbol_feed import SymbolFeed
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


def symbol_snapshot(feed: SymbolFeed, trades: TradeTotals, marks: MarkTracker, now_ns: int) -> SymbolSnapshot:
    """One symbol as it is; ages as of `now_ns`."""
    top, mark = feed.top, marks.price
    return SymbolSnapshot(
        state=feed.state.value,
        reason=feed.reason,
        since_ns=feed.since_ns,
        update_id=feed.update_id,
        bid=top.bids[0] if top else None,
        ask=top.asks[0] if top else None,
        bids=top.bids if top else (),
        asks=top.asks if top else (),
        mid=str(feed.instrument.price(top.bids[0][0] + top.asks[0][0]) / 2) if top else "",
        book_age_ns=now_ns - top.received_ns if top else -1,
        mark_price=str(mark.mark_price) if mark else "",
        mark_age_ns=now_ns - mark.received_ns if mark else -1,
        funding_rate=str(mark.funding_rate) if mark else "",
        diffs=feed.diffs,
        tickers=feed.tickers,
        trades=trades.trades_total,
        gaps=feed.gaps,
        resyncs=feed.resyncs,
        invalid=feed.invalid,
        refused=feed.refused + marks.refused + trades.refused,
        ignored=feed.ignored + trades.ignored,
        buffered=feed.buffered,
        levels_trimmed=feed.levels_trimmed,
    )
