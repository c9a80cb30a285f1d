"""A strategy that goes mad: random, huge, crossing and far quotes whenever it is told anything."""

from __future__ import annotations

import random

import msgspec

from protocols.effects import Core, Effect, Publish
from protocols.envelope import Message
from protocols.messages.market import BookTop
from protocols.messages.quoting import QuoteTargets

LADDERS_MAX = 3
"""So many ladders it wants at a message, one after the other."""

LEVELS_MAX = 12


class MadStrategy:
    """Stands in for a strategy, which goes on below it: what that wants is replaced by nonsense, under the name of the newest book."""

    def __init__(self, sane: Core, versions: dict[str, int], seed: str) -> None:
        self.sane = sane
        self._versions = versions
        self._chance = random.Random(seed)
        self._tops: dict[str, BookTop] = {}

    def start(self, now_ns: int) -> list[Effect]:
        """It was started before it went mad."""
        return []

    def handle(self, message: Message, now_ns: int) -> list[Effect]:
        """Let the sane one take the message, and say something else."""
        effects = [
            effect
            for effect in self.sane.handle(message, now_ns)
            if not (isinstance(effect, Publish) and isinstance(effect.body, QuoteTargets))
        ]
        if isinstance(message, BookTop) and message.bids and message.asks:
            self._tops[message.instrument_id] = message
        wanted = [top for top in self._tops.values() for _ in range(self._chance.randint(0, LADDERS_MAX))]
        return [*effects, *(Publish(self._targets(top)) for top in wanted)]

    def snapshot(self) -> msgspec.Struct:
        """That of the sane one."""
        return self.sane.snapshot()

    def _targets(self, top: BookTop) -> QuoteTargets:
        mid = (top.bids[0][0] + top.asks[0][0]) // 2
        return QuoteTargets(
            instrument_id=top.instrument_id,
            instrument_version=self._versions[top.instrument_id],
            book_update_id=top.update_id,
            book_received_ns=top.received_ns,
            bids=self._side(mid, -1),
            asks=self._side(mid, 1),
        )

    def _side(self, mid: int, sign: int) -> tuple[tuple[int, int], ...]:
        chance = self._chance
        reach = chance.choice((3, 50, mid // 1_000, mid // 10))
        prices = {mid + sign * chance.randint(-reach // 3, reach) for _ in range(chance.randint(0, LEVELS_MAX))}
        sizes = chance.choice((20, 1_000, 10**6, 10**9))
        return tuple((max(ticks, 1), chance.randint(1, sizes)) for ticks in sorted(prices, key=lambda t: sign * t))
