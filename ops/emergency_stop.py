"""The arm of the emergency stop that needs neither Ray nor any actor: the venue by REST with the keys.

Its answer is CLEAR: open orders empty, asked twice, the second time past the deadline of the last write that any process of ours
can have made. SHUT, the answer before it, is the stop file's (ops/stop_file.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from configs.schema import OrderManagerSettings
from ops.direct_venue import DirectVenue, VenueFailure

ROUNDS_MAX = 5
ASK_PAUSE_S = 0.5


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """What clearing found. `clear` is true when no symbol had an open order in the last two questions."""

    clear: bool
    rounds: int
    remaining: dict[str, int]
    failures: tuple[str, ...]

    @property
    def text(self) -> str:
        """One sentence about it."""
        if self.clear:
            return f"the venue twice showed no open order of {', '.join(self.remaining)}"
        left = [f"{symbol} {count}" for symbol, count in self.remaining.items() if count]
        told = ([f"open orders: {', '.join(left)}"] if left else []) + list(self.failures)
        return f"after {self.rounds} rounds the venue does not confirm that nothing is open: {'; '.join(told)}"


def cancel_everything(
    venue: DirectVenue,
    symbols: tuple[str, ...],
    manager: OrderManagerSettings,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Cleared:
    """Cancel every open order of `symbols` until the venue twice says that none is left.

    A symbol that cannot be asked never counts as clear. `say` is told each step.
    """
    remaining: dict[str, int] = {}
    failures: list[str] = []
    for number in range(1, ROUNDS_MAX + 1):
        failures = _cancel(venue, symbols, manager.cancel_window_ms)
        say(f"round {number}: cancel-all sent for {', '.join(symbols)}")
        first, asked = _count(venue, symbols)
        failures += asked
        sleep(max(ASK_PAUSE_S, (manager.window_ms + manager.dead_slack_ms) / 1_000) if number == 1 else ASK_PAUSE_S)
        remaining, asked = _count(venue, symbols)
        failures += asked
        if not failures and not any(first.values()) and not any(remaining.values()):
            return Cleared(clear=True, rounds=number, remaining=remaining, failures=())
    return Cleared(clear=False, rounds=ROUNDS_MAX, remaining=remaining, failures=tuple(failures))


def _cancel(venue: DirectVenue, symbols: tuple[str, ...], window_ms: int) -> list[str]:
    failures: list[str] = []
    for symbol in symbols:
        try:
            venue.cancel_all(symbol, window_ms)
        except VenueFailure as failure:
            failures.append(f"{symbol}: {failure}")
    return failures


def _count(venue: DirectVenue, symbols: tuple[str, ...]) -> tuple[dict[str, int], list[str]]:
    counts: dict[str, int] = {}
    failures: list[str] = []
    for symbol in symbols:
        try:
            counts[symbol] = len(venue.open_orders(symbol))
        except VenueFailure as failure:
            failures.append(f"{symbol}: {failure}")
    return counts, failures
