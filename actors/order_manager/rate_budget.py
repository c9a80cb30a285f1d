"""The shard's use of the venue's limits: clock-aligned windows, fed by our own counting and by what the venue says.

Order of service: cancels, closes, questions about orders of unknown fate, inner levels, outer levels. A fifth of the weight and 15 % of
the orders (the settings' shares) are for the first three alone; the venue's Retry-After stops everything (facts section 4).
"""

from __future__ import annotations

import enum

from protocols.values import RateLimits
from protocols.venue import Throttled, Usage

OUTER_SHARE = 0.8
"""Part of what new orders may use that outer levels may use; the rest is for the innermost."""

HEAD_START = 0.35
"""Part of a window's orders that may be used at its very beginning; the rest is released evenly with time."""

UNKNOWN_SHARE = 0.95
"""Part of the weight that questions about orders of unknown fate may use; the last of it is for cancels."""

AUDIT_SHARE = 0.7
"""Part of what reads may use that periodic comparisons may use."""

_SECOND_NS = 1_000_000_000


class Urgency(enum.Enum):
    """What a request is for; earlier ones are served while later ones wait."""

    CANCEL = "cancel"
    UNKNOWN = "unknown"
    QUERY = "query"
    AUDIT = "audit"


class _Window:
    """A counter that starts anew at each multiple of its length on the venue's clock."""

    __slots__ = ("_length_ns", "_start", "own", "released", "told")

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._start = -1
        self.released = 1.0
        self.own = 0
        self.told = 0

    def roll(self, venue_ns: int) -> None:
        start, elapsed_ns = divmod(venue_ns, self._length_ns)
        self.released = min(1.0, HEAD_START + elapsed_ns / self._length_ns)
        if start != self._start:
            self._start, self.own, self.told = start, 0, 0

    def contains(self, venue_ns: int) -> bool:
        """Whether an instant lies in the present window."""
        return venue_ns // self._length_ns == self._start


class RateBudget:
    """What may still be sent. Orders count per account, weight per address; the shard has a share of each."""

    def __init__(self, limits: RateLimits, shards: int, orders_share: float, weight_share: float) -> None:
        self._limits = limits
        self._shards = max(shards, 1)
        self._orders_share = orders_share
        self._weight_shares = {
            Urgency.CANCEL: 1.0,
            Urgency.UNKNOWN: UNKNOWN_SHARE,
            Urgency.QUERY: weight_share,
            Urgency.AUDIT: weight_share * AUDIT_SHARE,
        }
        self._orders_10s = _Window(10 * _SECOND_NS)
        self._orders_1m = _Window(60 * _SECOND_NS)
        self._weight_1m = _Window(60 * _SECOND_NS)
        self.orders_10s_max = self.orders_1m_max = self.weight_1m_max = 0
        self.set_shares(0, 0, 0)
        self.blocked_until_ns = 0
        self.orders_blocked_until_ns = 0
        self.banned = False
        self.is_waiting = False
        """A window in which nothing may be sent was told, and its end has not been noticed yet."""
        self.throttled_total = 0

    def set_shares(self, orders_10s: int, orders_1m: int, weight_1m: int) -> None:
        """Take the lease's shares; 0 stands for an equal part of the account's limit."""
        limits = self._limits
        self.orders_10s_max = orders_10s or limits.orders_10s // self._shards
        self.orders_1m_max = orders_1m or limits.orders_1m // self._shards
        self.weight_1m_max = weight_1m or limits.weight_1m // self._shards

    def roll(self, venue_ns: int) -> None:
        """Move the windows on."""
        self._orders_10s.roll(venue_ns)
        self._orders_1m.roll(venue_ns)
        self._weight_1m.roll(venue_ns)

    def is_blocked(self, now_ns: int) -> bool:
        """Whether a Retry-After window forbids every request."""
        return now_ns < self.blocked_until_ns

    def may_close(self, now_ns: int) -> bool:
        """Whether one more order that only closes fits: it may use everything, at any time of the window."""
        if now_ns < self.blocked_until_ns or now_ns < self.orders_blocked_until_ns:
            return False
        return _fits(self._orders_10s, self.orders_10s_max, self._limits.orders_10s, 1.0, 1.0) and _fits(
            self._orders_1m, self.orders_1m_max, self._limits.orders_1m, 1.0, 1.0
        )

    def may_place(self, now_ns: int, rank: int = 0) -> bool:
        """Whether one more order fits; outer levels (`rank` above 0) leave a reserve for the inner ones.

        Orders are released over the window, so that no minute ends with nothing left to quote with.
        """
        if now_ns < self.blocked_until_ns or now_ns < self.orders_blocked_until_ns:
            return False
        share = self._orders_share * (OUTER_SHARE if rank else 1.0)
        short, long = self._orders_10s, self._orders_1m
        return _fits(short, self.orders_10s_max, self._limits.orders_10s, share, short.released) and _fits(
            long, self.orders_1m_max, self._limits.orders_1m, share, long.released
        )

    def may_spend(self, weight: int, urgency: Urgency, now_ns: int) -> bool:
        """Whether a request of this weight fits what its urgency may use."""
        if now_ns < self.blocked_until_ns:
            return False
        share = self._weight_shares[urgency]
        window = self._weight_1m
        own_fits = window.own + weight <= self.weight_1m_max * share
        told_fits = window.told + weight <= self._limits.weight_1m * share
        return own_fits and told_fits

    def placed(self) -> None:
        """Count one order."""
        self._orders_10s.own += 1
        self._orders_1m.own += 1

    def spent(self, weight: int) -> None:
        """Count weight."""
        self._weight_1m.own += weight

    def told(self, usage: Usage, sent_venue_ns: int, venue_ns: int) -> bool:
        """Take the venue's own counts; whether it told any.

        An answer to what was sent in an older window may count that one: it says nothing of the present.
        """
        self.roll(venue_ns)
        heard = False
        for window, count in (
            (self._weight_1m, usage.weight_1m),
            (self._orders_10s, usage.orders_10s),
            (self._orders_1m, usage.orders_1m),
        ):
            if count >= 0 and window.contains(sent_venue_ns):
                window.told = max(window.told, count)
                heard = True
        return heard

    def throttled(self, outcome: Throttled) -> None:
        """Send nothing, or no orders, before the venue's word."""
        self.throttled_total += 1
        self.banned = outcome.banned
        if outcome.orders_only:
            self.orders_blocked_until_ns = max(self.orders_blocked_until_ns, outcome.retry_at_ns)
        else:
            self.blocked_until_ns = max(self.blocked_until_ns, outcome.retry_at_ns)
            self.is_waiting = True

    @property
    def weight_used_1m(self) -> int:
        """Weight used in this minute, by the greater of the two counts."""
        return max(self._weight_1m.own, self._weight_1m.told)

    @property
    def orders_used_10s(self) -> int:
        """Orders in these ten seconds, by the greater of the two counts."""
        return max(self._orders_10s.own, self._orders_10s.told)

    @property
    def orders_used_1m(self) -> int:
        """Orders in this minute, by the greater of the two counts."""
        return max(self._orders_1m.own, self._orders_1m.told)


def _fits(window: _Window, own_max: int, account_max: int, share: float, released: float) -> bool:
    share *= released
    return window.own + 1 <= own_max * share and window.told + 1 <= account_max * share
