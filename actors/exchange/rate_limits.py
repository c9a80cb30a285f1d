"""Request weight per address and orders per account, in windows aligned to the venue's clock (facts section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actors.exchange.errors import VenueRefusal, banned_text
from configs.schema import ExchangeSettings

MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000
BAN_AFTER_REFUSALS = 100
BAN_MS = 120_000
BAN_MS_MAX = 3 * 86_400_000
FUNDING_POOL_MS = 300_000
FUNDING_POOL_MAX = 500
HANDSHAKE_WEIGHT = 5
ADDRESSES_MAX = 10_000


@dataclass(slots=True)
class Window:
    """A counter that starts anew with every window of the clock."""

    length_ms: int
    window: int = -1
    used: int = 0

    def count(self, now_ms: int) -> int:
        """What is used in the present window."""
        if now_ms // self.length_ms != self.window:
            self.window, self.used = now_ms // self.length_ms, 0
        return self.used

    def retry_after_s(self, now_ms: int) -> int:
        """Whole seconds until the next window."""
        return max(1, -(-(self.length_ms - now_ms % self.length_ms) // 1_000))


@dataclass(slots=True)
class _Address:
    weight: Window
    funding_calls: Window
    refusals: int = 0
    bans: int = 0
    banned_until_ms: int = 0


class RateLimits:
    """The counters of all addresses and accounts."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self._weight_max = settings.weight_per_minute
        self._orders_10s_max = settings.orders_per_10s
        self._orders_minute_max = settings.orders_per_minute
        self._addresses: dict[str, _Address] = {}
        self._orders: dict[str, tuple[Window, Window]] = {}

    def charge_weight(self, address: str, weight: int, now_ms: int) -> int:
        """Count a request's weight; returns the weight used in this minute.

        Raises:
            VenueRefusal: -1003 with HTTP 429 beyond the limit, with 418 while the address is banned for not stopping.
                Each ban is twice as long as the one before.
        """
        state = self._address(address)
        if now_ms < state.banned_until_ms:
            raise _banned(address, state, now_ms)
        used = state.weight.count(now_ms)
        if used == 0:
            state.refusals = 0
        if used + weight > self._weight_max:
            state.refusals += 1
            if state.refusals > BAN_AFTER_REFUSALS:
                state.banned_until_ms = now_ms + min(BAN_MS << state.bans, BAN_MS_MAX)
                state.bans = min(state.bans + 1, 16)
                state.refusals = 0
                raise _banned(address, state, now_ms)
            raise VenueRefusal(
                -1003,
                f"Too many requests; current limit of IP({address}) is {self._weight_max} requests per minute. "
                "Please use the websocket for live updates to avoid polling the API.",
                429,
                state.weight.retry_after_s(now_ms),
            )
        state.weight.used += weight
        return state.weight.used

    def charge_funding_call(self, address: str, now_ms: int) -> None:
        """Count a call of fundingRate or fundingInfo, which share a pool of their own.

        Raises:
            VenueRefusal: -1003 with HTTP 429.
        """
        calls = self._address(address).funding_calls
        if calls.count(now_ms) >= FUNDING_POOL_MAX:
            text = f"Too many requests; current limit is {FUNDING_POOL_MAX} requests per 5 minutes."
            raise VenueRefusal(-1003, text, 429, calls.retry_after_s(now_ms))
        calls.used += 1

    def used_weight(self, address: str, now_ms: int) -> int:
        """Weight used by an address in this minute."""
        return self._address(address).weight.count(now_ms)

    def charge_orders(self, account: str, count_10s: int, count_minute: int, now_ms: int) -> tuple[int, int]:
        """Count orders of an account; returns what is used in 10 s and in the minute.

        Raises:
            VenueRefusal: -1015 with HTTP 429.
        """
        short, long = self._order_windows(account)
        for window, count, limit, name in (
            (short, count_10s, self._orders_10s_max, "TEN_SECONDS"),
            (long, count_minute, self._orders_minute_max, "MINUTE"),
        ):
            if window.count(now_ms) + count > limit:
                raise VenueRefusal(
                    -1015,
                    f"Too many new orders; current limit is {limit} orders per {name}.",
                    429,
                    window.retry_after_s(now_ms),
                )
        short.used += count_10s
        long.used += count_minute
        return short.used, long.used

    def used_orders(self, account: str, now_ms: int) -> tuple[int, int]:
        """Orders counted in the present 10 s and minute."""
        short, long = self._order_windows(account)
        return short.count(now_ms), long.count(now_ms)

    def described(self) -> list[dict[str, Any]]:
        """`rateLimits` of exchangeInfo."""
        return [
            _limit("REQUEST_WEIGHT", "MINUTE", 1, self._weight_max),
            _limit("ORDERS", "MINUTE", 1, self._orders_minute_max),
            _limit("ORDERS", "SECOND", 10, self._orders_10s_max),
        ]

    def usage(self, address: str, account: str | None, now_ms: int) -> list[dict[str, Any]]:
        """`rateLimits` of a WebSocket API answer."""
        rows = []
        if account is not None:
            short, long = self.used_orders(account, now_ms)
            rows.append(_limit("ORDERS", "SECOND", 10, self._orders_10s_max) | {"count": short})
            rows.append(_limit("ORDERS", "MINUTE", 1, self._orders_minute_max) | {"count": long})
        weight = self.used_weight(address, now_ms)
        rows.append(_limit("REQUEST_WEIGHT", "MINUTE", 1, self._weight_max) | {"count": weight})
        return rows

    def _address(self, address: str) -> _Address:
        state = self._addresses.get(address)
        if state is None:
            if len(self._addresses) >= ADDRESSES_MAX:
                self._addresses.pop(next(iter(self._addresses)))
            state = self._addresses[address] = _Address(Window(MINUTE_MS), Window(FUNDING_POOL_MS))
        return state

    def _order_windows(self, account: str) -> tuple[Window, Window]:
        found = self._orders.get(account)
        if found is None:
            found = self._orders[account] = (Window(TEN_SECONDS_MS), Window(MINUTE_MS))
        return found


def _banned(address: str, state: _Address, now_ms: int) -> VenueRefusal:
    seconds = -(-(state.banned_until_ms - now_ms) // 1_000)
    return VenueRefusal(-1003, banned_text(address, state.banned_until_ms), 418, seconds)


def _limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
