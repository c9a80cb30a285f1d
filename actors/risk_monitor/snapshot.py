"""What the risk monitor shows: the one view of status, reports and metrics. Money is in quote currency, as text."""

from __future__ import annotations

import msgspec


class SymbolRiskView(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol: where it stands and what it may do."""

    state: str
    level: str
    reason: str
    position_lots: int
    position_known: bool
    mark_price: str
    notional: str
    worst_case_notional: str
    worst_case_complete: bool
    open_orders: int
    open_orders_max: int
    position_lots_max: int
    order_lots_max: int
    position_notional_max: str
    order_notional_max: str


class ShardLease(msgspec.Struct, frozen=True, kw_only=True):
    """One shard's lease: the newest epoch announced, and the share that counts for it. `lease_age_ms` is -1 before the first."""

    epoch: int
    lease_age_ms: int
    leases: int
    refused: int
    halted: str
    share_id: int
    notional_share: str
    notional_counted: str
    worst_case_reported: str
    weight_used_1m: int
    orders_used_10s: int
    orders_used_1m: int


class RiskSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. `equity` and `day_pnl` are empty while unknown."""

    state: str
    level: str
    reason: str
    equity: str
    day_pnl: str
    day: int
    daily_loss_max: str
    notional: str
    account_notional_max: str
    latches: dict[str, str]
    symbols: dict[str, SymbolRiskView]
    shards: dict[int, ShardLease]
    bad_data: int
