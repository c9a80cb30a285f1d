"""Faults as pure data: what can be made to happen, when, to whom, and for how long."""

from __future__ import annotations

import enum

import msgspec


class FaultKind(enum.StrEnum):
    """What can be made to happen. Those of `VENUES_OWN` are carried out by the simulated venue itself."""

    CRASH = "crash"
    CRASH_AT_MESSAGE = "crash_at_message"
    """An actor dies at one of its next messages, with only a part of that message's effects carried out."""
    CRASH_SEVERAL = "crash_several"
    CRASH_ALL = "crash_all"
    RESTART = "restart"

    CUT_LINK = "cut_link"
    PARTITION = "partition"
    """Some actors are cut off from all others."""
    LINK_DELAYED = "link_delayed"
    LINKS_SHUFFLED = "links_shuffled"
    """Every link delays by its own dice: what was said first by one arrives after what was said later by another."""
    LINK_DROPS = "link_drops"
    """A link breaks again and again: what flew is lost, ordered messages are sent again."""
    LINK_REPEATS = "link_repeats"

    DISK_SLOW = "disk_slow"
    DISK_FAILS = "disk_fails"
    JOURNAL_LOST = "journal_lost"
    """An order manager dies, and what it wrote is gone: its successor begins from the venue and inventory's copy."""
    SUPERVISOR_CRASH = "supervisor_crash"
    """Nobody starts what dies, until the supervisor is back."""
    STRATEGY_MAD = "strategy_mad"
    """A strategy wants random, huge, crossing and far quotes, again and again."""

    LOSE_PUBLIC = "lose_public"
    LOSE_MARKET = "lose_market"
    LOSE_PRIVATE = "lose_private"
    LOSE_ORDERS = "lose_orders"
    SILENT_PUBLIC = "silent_public"
    SILENT_PRIVATE = "silent_private"
    DEPTH_GAP = "depth_gap"

    REQUESTS_LOST = "requests_lost"
    ANSWERS_LOST = "answers_lost"
    REQUESTS_DELAYED = "requests_delayed"
    ANSWERS_DELAYED = "answers_delayed"
    SLOW_READS = "slow_reads"
    THROTTLED = "throttled"
    THROTTLED_BARE = "throttled_bare"
    ORDERS_THROTTLED = "orders_throttled"
    BANNED = "banned"
    FORBIDDEN = "forbidden"
    """HTTP 403 of the firewall before the venue, with or without a time to wait."""
    OVERLOADED = "overloaded"
    UNCLEAR = "unclear"
    """One of the answers that prove nothing, to what was done or to what was not."""
    REFUSED = "refused"
    """One of the venue's error codes, whatever it means."""
    EVENTS_DROPPED = "events_dropped"
    EVENTS_REPEATED = "events_repeated"
    EVENTS_REORDERED = "events_reordered"
    READS_LAG = "reads_lag"
    KEY_EXPIRED = "key_expired"

    LATE_ACCEPT = "late_accept"
    """An unknown outcome at once; the order is accepted later, within its window."""
    READ_LAG = "read_lag"
    """Queries of the account answer from a while ago, whoever asks."""
    MALFORMED_ANSWER = "malformed_answer"
    ACK_AFTER_FILL = "ack_after_fill"
    CANCEL_FILL_RACE = "cancel_fill_race"
    OLD_SNAPSHOT = "old_snapshot"
    EVENTS_DELAYED = "events_delayed"
    EVENTS_SILENT = "events_silent"
    MARKET_SILENT = "market_silent"
    MALFORMED_FRAME = "malformed_frame"

    CLOCK_STEP = "clock_step"
    STOP_AND_RESUME = "stop_and_resume"
    FOREIGN_TRADE = "foreign_trade"
    """Somebody else trades on our account."""
    FOREIGN_ORDER = "foreign_order"

    SYMBOL_HALTED = "symbol_halted"
    """The first symbol does not trade for a while."""
    FILTERS_CHANGED = "filters_changed"
    """The least notional of each symbol doubles, its largest quantity or its price bands shrink, or what was changed goes back; or the
    first symbol's tick is ten times as large for a while."""
    FEES_CHANGED = "fees_changed"
    FUNDING_SPIKE = "funding_spike"
    MARGIN_CALL = "margin_call"
    LIQUIDATED = "liquidated"
    DELEVERAGED = "deleveraged"
    """Part of our position is closed against somebody who is bankrupt (ADL)."""

    FLASH_CRASH = "flash_crash"
    PRICE_GAP = "price_gap"
    ONE_WAY_MARKET = "one_way_market"
    VOLATILITY_JUMP = "volatility_jump"
    LIQUIDITY_GONE = "liquidity_gone"
    LEVELS_SWEPT = "levels_swept"
    """One order goes through all levels of a side at once."""


VENUES_OWN = frozenset(
    {
        FaultKind.LATE_ACCEPT,
        FaultKind.READ_LAG,
        FaultKind.MALFORMED_ANSWER,
        FaultKind.ACK_AFTER_FILL,
        FaultKind.CANCEL_FILL_RACE,
        FaultKind.OLD_SNAPSHOT,
        FaultKind.EVENTS_DELAYED,
        FaultKind.EVENTS_SILENT,
        FaultKind.MARKET_SILENT,
        FaultKind.MALFORMED_FRAME,
    }
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fault. `at_ms` counts from the end of the warm-up; what the other fields mean depends on the kind.

    `actors` are the victims (for a link writer and reader); `share` is how often a wire fault strikes, or how much of a message's effects
    are carried out; `size_ms` a longest delay, a wait, or the step of a clock; `count` a number of messages or frames, or a filter; `code`
    an error of the venue; `done` whether it had done what it gives no clear answer to.
    """

    kind: FaultKind
    at_ms: int
    lasts_ms: int = 0
    actors: tuple[str, ...] = ()
    share: float = 1.0
    size_ms: int = 0
    count: int = 0
    code: int = 0
    done: bool = False

    @property
    def victims_may_be_fewer(self) -> bool:
        """Whether the fault makes sense with some of its actors left out."""
        return self.kind in (FaultKind.CRASH_SEVERAL, FaultKind.CRASH_ALL, FaultKind.PARTITION)

    @property
    def ends_ms(self) -> int:
        """When it is over: when it no longer strikes and what it made others wait for is over too."""
        waits_ms = self.size_ms if self.kind in _WAITS_BY_SIZE and self.size_ms else _WAITS_MS.get(self.kind, 0)
        return self.at_ms + self.lasts_ms + waits_ms


PERSON_MS = 4_000
"""So long after a fault that leaves the system stopped or restricted somebody has looked at it, and resumes."""

FIREWALL_MS = 300_000
"""What is waited for where the firewall names no time."""

LISTING_MS = 12_000
"""A listing that differs is looked at again within this, and found as it was."""

_WAITS_BY_SIZE = frozenset(
    {
        FaultKind.THROTTLED,
        FaultKind.BANNED,
        FaultKind.FORBIDDEN,
        FaultKind.LINK_DELAYED,
        FaultKind.LINKS_SHUFFLED,
        FaultKind.LATE_ACCEPT,
    }
)
LOOKED_AT = frozenset(
    {
        FaultKind.DISK_FAILS,
        FaultKind.SYMBOL_HALTED,
        FaultKind.FEES_CHANGED,
        FaultKind.MARGIN_CALL,
        FaultKind.LIQUIDATED,
        FaultKind.DELEVERAGED,
    }
)
"""After these a person resumes, for the system rightly does not by itself."""

HIDES_EXECUTIONS = frozenset(
    {
        FaultKind.DISK_SLOW,
        FaultKind.EVENTS_DELAYED,
        FaultKind.EVENTS_DROPPED,
        FaultKind.EVENTS_SILENT,
        FaultKind.KEY_EXPIRED,
        FaultKind.MALFORMED_FRAME,
        FaultKind.READS_LAG,
        FaultKind.READ_LAG,
        FaultKind.SILENT_PRIVATE,
    }
)
"""Under these an order manager may not hear of an execution, or not read it, or be told a position of a while ago."""

MARKET_STEP_MS = 3_000
"""The market's own step: what is imposed on it begins and ends with one."""

MARKETS = frozenset(
    {
        FaultKind.SYMBOL_HALTED,
        FaultKind.FLASH_CRASH,
        FaultKind.PRICE_GAP,
        FaultKind.ONE_WAY_MARKET,
        FaultKind.VOLATILITY_JUMP,
        FaultKind.LIQUIDITY_GONE,
        FaultKind.LEVELS_SWEPT,
    }
)
"""Carried out by the market."""

_WAITS_MS = {
    FaultKind.THROTTLED_BARE: 60_000,
    FaultKind.ORDERS_THROTTLED: 10_000,
    FaultKind.FORBIDDEN: FIREWALL_MS,
    FaultKind.FILTERS_CHANGED: LISTING_MS,
    **dict.fromkeys(LOOKED_AT, PERSON_MS),
    **{kind: MARKET_STEP_MS + PERSON_MS * (kind in LOOKED_AT) for kind in MARKETS},
}


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """Who a schedule can strike."""

    actors: tuple[str, ...]
    links: tuple[tuple[str, str], ...]

    def of_role(self, *roles: str) -> tuple[str, ...]:
        """Actors of one of these roles."""
        return tuple(name for name in self.actors if name.partition("-")[0] in roles)
