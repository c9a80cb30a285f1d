"""Leases: how risk is checked in microseconds and still obeyed by all (DESIGN.md section 4)."""

from __future__ import annotations

import enum
from decimal import Decimal

from protocols.envelope import Message
from protocols.values import Instrument, InstrumentId


class TradingState(enum.StrEnum):
    """What may be sent: everything, only what reduces, only cancels."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


HELD_BY_A_PERSON = "held by a person: "
"""How the reason of a level begins that a person holds, and no resume lifts."""


class RiskLevel(enum.StrEnum):
    """How dangerous the present is. Each level allows less than the one before.

    NORMAL everything; CAUTION smaller and wider quotes; RESTRICTED only what reduces; HALTED only cancels; EMERGENCY stop, flatten
    where configured, latched until a person resumes.
    """

    NORMAL = "NORMAL"
    CAUTION = "CAUTION"
    RESTRICTED = "RESTRICTED"
    HALTED = "HALTED"
    EMERGENCY = "EMERGENCY"

    @property
    def rank(self) -> int:
        """0 for NORMAL, growing with the danger."""
        return _RANK_OF[self]

    @property
    def state(self) -> TradingState:
        """What may be sent at this level."""
        return _STATE_OF[self]

    @property
    def below(self) -> RiskLevel:
        """The next level down; NORMAL stays."""
        return _LEVELS[max(_RANK_OF[self] - 1, 0)]


_LEVELS = tuple(RiskLevel)
_RANK_OF = {level: rank for rank, level in enumerate(_LEVELS)}
_STATE_OF = {
    RiskLevel.NORMAL: TradingState.ACTIVE,
    RiskLevel.CAUTION: TradingState.ACTIVE,
    RiskLevel.RESTRICTED: TradingState.REDUCING,
    RiskLevel.HALTED: TradingState.HALTED,
    RiskLevel.EMERGENCY: TradingState.HALTED,
}

FACTOR_ONE_BPS = 10_000
"""A factor of one: sizes and spreads as they are."""


class SymbolLimits(Message, frozen=True, kw_only=True):
    """Limits of one symbol inside a lease. Lots and orders are absolute; the position limit holds for either side.

    `level` is the worse of the symbol's and the account's, and `order_lots_max` is already what it allows. `size_factor_bps` and
    `spread_factor_bps` are what it asks of quotes (10,000 = unchanged). Notionals are of the worst case, in quote currency, and None where
    nothing bounds them: `order_notional_max` of one order, `bracket_notional_max` what the venue allows at the symbol's leverage,
    `margin_notional_max` what this symbol's part of the margin carries. The behaviour guard asks for a least life of quotes, a wider
    tolerance of the ladder, and at most so many levels a side (0: as strategy wants).
    """

    instrument_id: InstrumentId
    state: TradingState
    position_lots_max: int
    order_lots_max: int
    open_orders_max: int
    notional_max: Decimal
    level: RiskLevel = RiskLevel.NORMAL
    size_factor_bps: int = FACTOR_ONE_BPS
    spread_factor_bps: int = FACTOR_ONE_BPS
    order_notional_max: Decimal | None = None
    bracket_notional_max: Decimal | None = None
    margin_notional_max: Decimal | None = None
    quote_life_ms_min: int = 0
    tolerance_factor_bps: int = FACTOR_ONE_BPS
    levels_max: int = 0


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
    level: RiskLevel = RiskLevel.NORMAL


class QuotingTerms(Message, frozen=True, kw_only=True):
    """What strategy is to make of the level of a symbol: how large and how wide it may quote. Repeated every second.

    `notional_max` is the hard limit of the position in quote currency; 0: not known yet. An order manager tightens by it at once, before
    its next lease says the same; it never loosens by it.
    """

    instrument_id: InstrumentId
    level: RiskLevel
    size_factor_bps: int
    spread_factor_bps: int
    notional_max: Decimal = Decimal(0)


class InstrumentChanged(Message, frozen=True, kw_only=True):
    """The venue changed filters of a symbol while we run; its tick and lot are what they were. Repeated every second from then on.

    Whoever makes or prices orders takes the new bounds and the new version at once; what was made under an older version is refused.
    """

    instrument_id: InstrumentId
    instrument: Instrument


class LevelChanged(Message, frozen=True, kw_only=True):
    """A level rose or fell: a record of the risk monitor's journal, on file before anything follows from it.

    `subject` is an instrument id, or `account`. `indicator`, `value` and `threshold` name the cause where a number was it.
    """

    subject: str
    before: RiskLevel
    after: RiskLevel
    indicator: str
    value: str
    threshold: str
    reason: str
    changed_ns: int
    venue_time_ns: int
