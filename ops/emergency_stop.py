"""The arm of the emergency stop that needs neither Ray nor any actor: the venue by REST with the keys.

Its answer is CLEAR: open orders empty, asked twice, the second time past the deadline of the last write that any process of ours
can have made. SHUT, the answer before it, is the stop file's (actors/runtime/shut.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from configs.keys import ApiKeys, load_keys
from configs.schema import OrderManagerSettings, VenueSettings
from ops.direct_venue import DirectVenue, VenueFailure
from protocols.client_order_id import parse_client_order_id

LOOKS_MAX = 10
ASK_PAUSE_S = 0.3
WAIT_S_MAX = 60.0
"""Longest wait, before one look, for the end of a window in which the venue wants to be left alone."""


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """What clearing found. `clear` is true when no symbol had an open order in the last two questions.

    `strangers` are orders of ours that were placed after the stop began: somebody still trades.
    """

    clear: bool
    looks: int
    remaining: dict[str, int]
    failures: tuple[str, ...]
    strangers: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One sentence about it."""
        if self.clear:
            return f"the venue twice showed no open order of {', '.join(self.remaining)}"
        left = [f"{symbol} {count}" for symbol, count in self.remaining.items() if count]
        told = ([f"open orders: {', '.join(left)}"] if left else []) + list(self.failures)
        if self.strangers:
            told.append(
                f"{', '.join(self.strangers)} came after the stop: an order manager trades on another machine; "
                "stop it there, or revoke its key at the venue"
            )
        return f"after {self.looks} looks the venue does not confirm that nothing is open: {'; '.join(told)}"


def stop_keys(venue: VenueSettings) -> ApiKeys:
    """The stop's own key where the configuration names one, else the trading key.

    Raises:
        ApiKeyError: it cannot be had.
    """
    return load_keys(venue.stop_keys or venue.keys)


def cancel_everything(
    venue: DirectVenue,
    symbols: tuple[str, ...],
    manager: OrderManagerSettings,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    shut_ns: int | None = None,
) -> Cleared:
    """Cancel every open order of `symbols` until the venue twice says that none is left.

    A symbol that cannot be asked never counts as clear. `say` is told each step. Every gate was shut at `shut_ns` of the clock (None:
    as this begins); what was written just before can be accepted for its window and the error of the clock, and where an answer was
    missing also for the slack.
    """
    began_ns = clock_ns() if shut_ns is None else shut_ns
    began_ms = _now_ms(venue)
    certain_ms = manager.window_ms + manager.clock_error_ms_max
    was_empty = False
    for number in range(1, LOOKS_MAX + 1):
        left_alone_s = min(venue.wait_s, WAIT_S_MAX)
        if left_alone_s:
            sleep(left_alone_s)
        failures: list[str] = []
        if not was_empty:
            failures = _cancel(venue, symbols, manager.cancel_window_ms)
            say(f"look {number}: cancel-all sent for {', '.join(symbols)}")
        asked_ms = (clock_ns() - began_ns) / 1e6
        found, unasked = _open(venue, symbols)
        failures += unasked
        is_empty = not failures and not any(found.values())
        if is_empty and was_empty and asked_ms >= certain_ms:
            return Cleared(clear=True, looks=number, remaining=dict.fromkeys(symbols, 0), failures=())
        if failures:
            certain_ms = manager.window_ms + manager.dead_slack_ms
        passed_ms = (clock_ns() - began_ns) / 1e6
        sleep(max(ASK_PAUSE_S, (certain_ms - passed_ms) / 1_000) if is_empty else ASK_PAUSE_S)
        was_empty = is_empty
    return Cleared(
        clear=False,
        looks=LOOKS_MAX,
        remaining={symbol: len(rows) for symbol, rows in found.items()},
        failures=tuple(failures),
        strangers=_strangers(found, began_ms, manager.window_ms + manager.clock_error_ms_max),
    )


def _now_ms(venue: DirectVenue) -> int | None:
    try:
        return venue.now_ms()
    except VenueFailure:
        return None  # whoever asks next tells why


def _strangers(rows: dict[str, list[dict[str, Any]]], began_ms: int | None, grace_ms: int) -> tuple[str, ...]:
    """Ids of orders of any installation of ours that cannot have been written before the stop."""
    return tuple(
        str(row.get("clientOrderId"))
        for orders in rows.values()
        for row in orders
        if parse_client_order_id(str(row.get("clientOrderId", ""))) is not None
        and began_ms is not None
        and isinstance(row.get("time"), int)
        and row["time"] > began_ms + grace_ms
    )


def _cancel(venue: DirectVenue, symbols: tuple[str, ...], window_ms: int) -> list[str]:
    failures: list[str] = []
    for symbol in symbols:
        try:
            venue.cancel_all(symbol, window_ms)
        except VenueFailure as failure:
            failures.append(f"{symbol}: {failure}")
    return failures


def _open(venue: DirectVenue, symbols: tuple[str, ...]) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    found: dict[str, list[dict[str, Any]]] = {}
    failures: list[str] = []
    for symbol in symbols:
        try:
            found[symbol] = venue.open_orders(symbol)
        except VenueFailure as failure:
            failures.append(f"{symbol}: {failure}")
    return found, failures
