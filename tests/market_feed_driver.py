"""Drives a market_data core through a test: connects, answers its snapshot requests, moves its clock."""

from __future__ import annotations

from typing import Any

from market_samples import MS, START_NS, diff, settings, snapshot, spec

from actors.market_data.core import MarketDataCore
from configs.schema import MarketDataSettings
from protocols.effects import Call, Effect, TimerFired
from protocols.venue import QueryBook, StreamChanged

BIDS = ((1000, 5), (999, 6), (998, 7))
ASKS = ((1001, 3), (1002, 4), (1003, 8))


class Feed:
    """A core with its clock; remembers the snapshot requests."""

    def __init__(self, **changes: Any) -> None:
        self.core = MarketDataCore(spec(), settings(MarketDataSettings(**{"levels": 2, **changes})))
        self.now_ns = START_NS
        self.asked: list[QueryBook] = []
        self._note(self.core.start(START_NS))

    def tell(self, message: Any) -> list[Effect]:
        return self._note(self.core.handle(message, self.now_ns))

    def tick(self, ms: int) -> list[Effect]:
        self.now_ns += ms * MS
        return self.tell(TimerFired(name="status"))

    def connect(self) -> list[Effect]:
        return self.tell(StreamChanged(stream="public", up=True, changed_ns=self.now_ns))

    def live(self) -> list[Effect]:
        """Connect and synchronise at update id 102."""
        self.connect()
        self.tell(diff(95, 102, 90, at_ns=self.now_ns))
        return self.tell(snapshot(self.asked[-1].request_id, 100, BIDS, ASKS, self.now_ns))

    def state(self) -> str:
        return self.core.snapshot().symbols["BTCUSDC"].state

    def _note(self, effects: list[Effect]) -> list[Effect]:
        calls = [effect.request for effect in effects if isinstance(effect, Call)]
        self.asked += [request for request in calls if isinstance(request, QueryBook)]
        return effects
