"""The send gate: why a symbol may not quote now, and the checks of a single order before it leaves."""

from __future__ import annotations

import enum
from decimal import Decimal

from actors.order_manager.lease import LeaseClient
from actors.order_manager.rate_budget import RateBudget
from actors.order_manager.symbol import Symbol, scaled_notional
from actors.order_manager.venue_time import VenueTime
from configs.schema import OrderManagerSettings
from protocols.messages.market import FeedState
from protocols.messages.orders import DenialCode
from protocols.messages.risk import SymbolLimits, TradingState
from protocols.values import Side

LOOP_LAG_NS_MAX = 500_000_000
"""A heartbeat later than this means that this process stood still: quotes go until it beats in time again."""

PULL_MS_MAX = 30_000
"""Quotes are held back by one word of the supervisor for no longer than this."""


class GateReason(enum.StrEnum):
    """Why a symbol does not quote."""

    STOPPED = "STOPPED"
    SUPERSEDED = "SUPERSEDED"
    DRAINING = "DRAINING"
    RECOVERING = "RECOVERING"
    SYNCHRONISING = "SYNCHRONISING"
    SYMBOL_HALTED = "SYMBOL_HALTED"
    LEASE = "LEASE"
    LEASE_HALTED = "LEASE_HALTED"
    BOOK = "BOOK"
    TARGET = "TARGET"
    USER_STREAM = "USER_STREAM"
    CLOCK = "CLOCK"
    LOOP = "LOOP"
    PULLED = "PULLED"
    LINK = "LINK"
    OUTBOX = "OUTBOX"
    JOURNAL = "JOURNAL"
    COUNTDOWN = "COUNTDOWN"
    RETRY_AFTER = "RETRY_AFTER"


ONLY_THE_LADDER = (GateReason.TARGET,)
"""Reasons that concern quotes alone: a request stands for itself, whatever strategy says."""


# Members of enumerations by a name of their own: looking them up in their class costs more than the comparison.
_BUY = Side.BUY
_REDUCING, _HALTED = TradingState.REDUCING, TradingState.HALTED
_LIVE = FeedState.LIVE


class Gate:
    """Shared conditions of the shard, and the decision for each symbol."""

    def __init__(
        self,
        settings: OrderManagerSettings,
        lease: LeaseClient,
        budget: RateBudget,
        clock: VenueTime,
        *,
        dry_run: bool,
    ) -> None:
        self._lease = lease
        self._budget = budget
        self._clock = clock
        self._dry_run = dry_run
        self.change(settings)
        self._user_stream_age_ns_max = settings.user_stream_age_ms_max * 1_000_000
        self.stopped = ""
        self.superseded = ""
        self.draining = False
        self.loop_is_late = False
        self.pulled_until_ns = 0
        self.journal_stalled = False
        self.links_down: set[str] = set()
        self.outboxes_full: set[str] = set()
        self.user_stream_up = False
        self.user_stream_heard_ns = 0

    def change(self, settings: OrderManagerSettings) -> None:
        """Take the ages at which a book and targets are too old."""
        self._book_age_ns_max = settings.book_age_ms_max * 1_000_000
        self._target_age_ns_max = settings.target_age_ms_max * 1_000_000

    @property
    def book_age_ns_max(self) -> int:
        """The oldest book that may price an order."""
        return self._book_age_ns_max

    def pull(self, hold_ms: int, now_ns: int) -> None:
        """Nothing is quoted for a while; it ends by itself, and a shorter while does not shorten a longer one."""
        hold_ns = min(max(hold_ms, 0), PULL_MS_MAX) * 1_000_000
        self.pulled_until_ns = max(self.pulled_until_ns, now_ns + hold_ns)

    def user_stream_is_alive(self, now_ns: int) -> bool:
        """Whether the private stream is open and was heard recently."""
        return self.user_stream_up and now_ns - self.user_stream_heard_ns <= self._user_stream_age_ns_max

    def reasons(self, symbol: Symbol, covered: bool, now_ns: int) -> tuple[GateReason, ...]:
        """Every reason why `symbol` may not quote now; empty means open.

        Args:
            covered: the venue's countdown covers an order sent now.
        """
        found: list[GateReason] = []
        if self.stopped:
            found.append(GateReason.STOPPED)
        if self.superseded:
            found.append(GateReason.SUPERSEDED)
        if self.draining:
            found.append(GateReason.DRAINING)
        if symbol.halted or now_ns < symbol.shut_until_ns:
            found.append(GateReason.SYMBOL_HALTED)
        if self._lease.is_over(now_ns):
            found.append(GateReason.LEASE)
        elif self._lease.state(symbol.instrument_id) is _HALTED:
            found.append(GateReason.LEASE_HALTED)
        self._market_reasons(symbol, found, now_ns)
        if self.loop_is_late:
            found.append(GateReason.LOOP)
        if now_ns < self.pulled_until_ns:
            found.append(GateReason.PULLED)
        if self.links_down:
            found.append(GateReason.LINK)
        if self.outboxes_full:
            found.append(GateReason.OUTBOX)
        if self.journal_stalled:
            found.append(GateReason.JOURNAL)
        if not self._clock.is_trusted(now_ns):
            found.append(GateReason.CLOCK)
        if not self._dry_run:
            if not symbol.recovered:
                found.append(GateReason.RECOVERING)
            elif not symbol.synchronised:
                found.append(GateReason.SYNCHRONISING)
            if not self.user_stream_is_alive(now_ns):
                found.append(GateReason.USER_STREAM)
            if not covered:
                found.append(GateReason.COUNTDOWN)
            if self._budget.is_blocked(now_ns):
                found.append(GateReason.RETRY_AFTER)
        return tuple(found)

    def keeps_quotes(self, reasons: tuple[GateReason, ...], now_ns: int) -> bool:
        """Whether what rests may stay although nothing may be sent: a lease just over, or a Retry-After window."""
        for reason in reasons:
            if reason is GateReason.LEASE:
                if self._lease.is_long_over(now_ns):
                    return False
            elif reason is not GateReason.RETRY_AFTER:
                return False
        return True

    def _market_reasons(self, symbol: Symbol, found: list[GateReason], now_ns: int) -> None:
        status, top = symbol.status, symbol.top
        if (
            status is None
            or top is None
            or status.state is not _LIVE
            or now_ns - status.confirmed_ns > self._book_age_ns_max
        ):
            found.append(GateReason.BOOK)
        targets = symbol.targets
        if (
            targets is None
            or now_ns - symbol.targets_ns > self._target_age_ns_max
            or targets.instrument_version != symbol.instrument.version
        ):
            found.append(GateReason.TARGET)


class Limits:
    """Limits in force for one symbol, as integers; made anew when the lease changes them."""

    __slots__ = (
        "bracket_notional_max",
        "levels_max",
        "life_ns_min",
        "margin_notional_max",
        "notional_max",
        "open_orders_max",
        "order_lots_max",
        "order_notional_max",
        "position_lots_max",
        "state",
        "told",
        "tolerance_factor_bps",
        "worst_notional_max",
    )

    def __init__(self, limits: SymbolLimits, state: TradingState) -> None:
        self.told = limits
        self.state = state
        self.position_lots_max = limits.position_lots_max
        self.order_lots_max = limits.order_lots_max
        self.open_orders_max = limits.open_orders_max
        self.notional_max = scaled_notional(limits.notional_max)
        self.order_notional_max = _scaled_or(limits.order_notional_max, self.notional_max)
        self.bracket_notional_max = _scaled_or(limits.bracket_notional_max, self.notional_max)
        self.margin_notional_max = _scaled_or(limits.margin_notional_max, self.notional_max)
        self.worst_notional_max = min(self.notional_max, self.bracket_notional_max, self.margin_notional_max)
        self.life_ns_min = limits.quote_life_ms_min * 1_000_000
        self.tolerance_factor_bps = limits.tolerance_factor_bps
        self.levels_max = limits.levels_max

    def code_of(self, worst_notional: int) -> DenialCode:
        """Which bound a worst case that is above `worst_notional_max` or the shard's share is beyond."""
        if worst_notional > self.bracket_notional_max:
            return DenialCode.BRACKET
        return DenialCode.MARGIN if worst_notional > self.margin_notional_max else DenialCode.NOTIONAL


def _scaled_or(amount: Decimal | None, default: int) -> int:
    return default if amount is None else scaled_notional(amount)


def check_order(
    symbol: Symbol,
    limits: Limits,
    side: Side,
    price_ticks: int,
    lots: int,
    reduce_only: bool,
    notional_room: int,
    added_lots: int | None = None,
) -> DenialCode | None:
    """The first reason not to send this order, or None.

    `added_lots` is set for new terms of a resting order: what they add to the quantity that counts already.
    Worst case long = position + remaining buys, short = position - remaining sells; PENDING, CANCELING and UNKNOWN orders count
    in full. `notional_room` is what the shard's share of the account's notional leaves for this symbol's worst case (scaled).
    """
    instrument, table = symbol.instrument, symbol.table
    exposure = table.exposure
    if not instrument.quantity_lots_min <= lots <= instrument.quantity_lots_max:
        return DenialCode.FILTER
    if not instrument.price_ticks_min <= price_ticks <= instrument.price_ticks_max:
        return DenialCode.FILTER
    notional = price_ticks * lots * symbol.notional_unit
    if notional < symbol.notional_min and not reduce_only:
        return DenialCode.FILTER
    if lots > limits.order_lots_max:
        return DenialCode.ORDER_SIZE
    if notional > limits.order_notional_max:
        return DenialCode.NOTIONAL
    if not symbol.band_low_ticks <= price_ticks <= symbol.band_high_ticks:
        return DenialCode.PRICE_BAND
    if side is _BUY:
        opposite = exposure.sell_ticks_low
        if price_ticks > symbol.buy_ticks_max:
            return DenialCode.PRICE_BAND
        if opposite is not None and price_ticks >= opposite:
            return DenialCode.SELF_CROSS
        signed_position, open_lots = table.position_lots, exposure.buy_lots
    else:
        opposite = exposure.buy_ticks_high
        if price_ticks < symbol.sell_ticks_min:
            return DenialCode.PRICE_BAND
        if opposite is not None and price_ticks <= opposite:
            return DenialCode.SELF_CROSS
        signed_position, open_lots = -table.position_lots, exposure.sell_lots
    if limits.state is _HALTED:
        return DenialCode.HALTED
    more_lots = lots if added_lots is None else added_lots
    if limits.state is _REDUCING and (not reduce_only or open_lots + more_lots > -signed_position):
        return DenialCode.REDUCING
    worst_lots = signed_position + open_lots + more_lots
    if worst_lots > limits.position_lots_max:
        return DenialCode.POSITION
    worst_notional = worst_lots * max(price_ticks, symbol.reference_ticks) * symbol.notional_unit
    if worst_notional > 0 and (worst_notional > limits.worst_notional_max or worst_notional > notional_room):
        return limits.code_of(worst_notional)
    if added_lots is None and len(table.live) >= min(limits.open_orders_max, instrument.open_orders_max):
        return DenialCode.OPEN_ORDERS
    return None
