"""Leases: how risk is checked in microseconds and still obeyed by all (DESIGN.md section 4)."""

from __future__ import annotations

import enum
from decimal import Decimal

from protocols.envelope import Message
from protocols.values import InstrumentId


class TradingState(enum.StrEnum):
    """What may be sent: everything, only what reduces, only cancels."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class SymbolLimits(Message, frozen=True, kw_only=True):
    """Limits of one symbol inside a lease. Lots and orders are absolute; the position limit holds for either side."""

    instrument_id: InstrumentId
    state: TradingState
    position_lots_max: int
    order_lots_max: int
    open_orders_max: int
    notional_max: Decimal


class LeaseRequest(Message, frozen=True, kw_only=True):
    """Asked by order_manager four times a second. `requested_ns` is the asker's clock; the lease counts from it.

    `worst_case_notional` is what the shard's positions and orders could become; `fits` that it is within the share it holds,
    so that a lowered share is known to be obeyed.
    """

    shard: int
    epoch: int
    nonce: int
    requested_ns: int
    worst_case_notional: Decimal
    share_id: int
    fits: bool


class Lease(Message, frozen=True, kw_only=True):
    """Permission to trade until `requested_ns + lease_ms`, for the newest epoch of the shard only.

    `notional_share` is this shard's part of the account-wide limit on worst-case notional (quote currency), numbered by
    `share_id`; the rate shares are its part of the venue's request budget.
    """

    shard: int
    epoch: int
    nonce: int
    requested_ns: int
    lease_ms: int
    state: TradingState
    reason: str
    limits: tuple[SymbolLimits, ...]
    share_id: int
    notional_share: Decimal
    orders_10s_share: int
    orders_1m_share: int
    weight_1m_share: int
