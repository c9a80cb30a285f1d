"""The way from a book to a ladder over an imagined market: the real core, with a market, a position and links of our own making."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from actors.strategy.core import StrategyCore
from configs.schema import Settings
from protocols.effects import Effect, LinkChanged
from protocols.messages.control import ActorSpec
from protocols.messages.inventory import PositionChanged
from protocols.messages.market import BookTop, FeedState, FeedStatus
from protocols.values import Instrument, Level

LEVELS = 5
PRICE_STEPS = 5
"""The imagined touch moves to and fro over so many prices, so that each book asks for another ladder."""

_LONG_AGO_NS = 3_600_000_000_000
"""The imagined market has lived for so long: whatever the strategy waits for at first is over."""


class Rehearsal:
    """A strategy of one imagined symbol that is never heard."""

    def __init__(self, spec: ActorSpec, settings: Settings, now_ns: int) -> None:
        """Args: spec: the actor's own; its first instrument is imagined."""
        instrument = spec.instruments[0]
        self._instrument = instrument
        self._core = StrategyCore(msgspec.structs.replace(spec, instruments=(instrument,), started_ns=0), settings)
        self._ticks = middle_ticks(instrument)
        self._turn = 0
        for peer in ("market_data", "order_manager", "inventory"):
            self._core.handle(LinkChanged(peer=f"{peer}-{spec.shard}", up=True, epoch=1), 0)
        self._core.handle(
            PositionChanged(
                instrument_id=instrument.instrument_id,
                position_lots=0,
                average_price=Decimal(0),
                shard=spec.shard,
                event_seq=0,
            ),
            0,
        )
        self.play(self.next_book(now_ns - _LONG_AGO_NS), now_ns - _LONG_AGO_NS)

    def next_book(self, now_ns: int) -> BookTop:
        """The book that comes next."""
        self._turn += 1
        self._feed_lives(now_ns)
        best = self._ticks + self._turn % PRICE_STEPS
        return BookTop(
            instrument_id=self._instrument.instrument_id,
            instrument_version=self._instrument.version,
            update_id=self._turn,
            venue_time_ns=now_ns,
            received_ns=now_ns,
            bids=_levels(best, -1),
            asks=_levels(best + 1, 1),
        )

    def play(self, book: BookTop, now_ns: int) -> list[Effect]:
        """What a real strategy would do about this book."""
        return self._core.handle(book, now_ns)

    def _feed_lives(self, now_ns: int) -> None:
        self._core.handle(
            FeedStatus(
                instrument_id=self._instrument.instrument_id,
                state=FeedState.LIVE,
                update_id=0,
                confirmed_ns=now_ns,
                since_ns=0,
            ),
            now_ns,
        )


def middle_ticks(instrument: Instrument) -> int:
    """A price at which the least quantity is worth enough, with room on either side."""
    lots_min = max(instrument.quantity_lots_min, 1)
    unit = instrument.tick_size * instrument.lot_size
    ticks = int(instrument.notional_min / unit) // lots_min + 10_000
    return min(max(ticks, instrument.price_ticks_min + 100), max(instrument.price_ticks_max // 2, 1))


def _levels(best_ticks: int, step: int) -> tuple[Level, ...]:
    return tuple((best_ticks + step * rank, 10 + rank) for rank in range(LEVELS))
