"""What strategy shows of itself: the one view that status, reports and metrics read."""

from __future__ import annotations

import msgspec

from actors.strategy.grinding import GrindingView
from protocols.values import Level


class SymbolSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol. `reason` says why nothing is quoted, `suppressed` how many levels exposure left. Ages are -1 before the first."""

    quoting: bool
    reason: str
    feed: str
    book_update_id: int
    book_age_ns: int
    quote_age_ns: int
    mid_ticks: float
    fair_ticks: float
    volatility_bps: float
    half_spread_bps: float
    skew_bps: float
    position_lots: int
    position_known: bool
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    suppressed: str
    own_orders: int
    books: int
    targets: int
    refused: int
    grinding: GrindingView


class StrategySnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The shard's strategy as a whole. `stopped` says why it does not quote at all, when it does not."""

    symbols: dict[str, SymbolSnapshot]
    stopped: str
    links: dict[str, bool]
    last_event_seq: int
    duplicate_events: int
    unknown_instruments: int
    drained: bool
    now_ns: int
