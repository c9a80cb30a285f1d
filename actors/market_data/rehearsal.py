"""The way from a market frame to a book over an imagined market: the real core, and frames as the venue would send them."""

from __future__ import annotations

import msgspec

from actors.market_data.core import PUBLIC, MarketDataCore
from configs.schema import Settings
from protocols.binance_usdm.wire_numbers import WireInstrument, WireInstruments
from protocols.effects import Call, Effect
from protocols.messages.control import ActorSpec
from protocols.venue import AnyMarketEvent, BookDiff, BookSnapshot, StreamChanged, Usage

LEVELS = 8
QUANTITIES = 7
"""Quantities of the imagined levels change in so many steps, so that each frame makes another book."""

_NS_PER_MS = 1_000_000


class Rehearsal:
    """market_data of one imagined symbol that is never heard."""

    def __init__(self, spec: ActorSpec, settings: Settings, now_ns: int) -> None:
        """Args: spec: the actor's own; its first instrument is imagined."""
        instrument = spec.instruments[0]
        self._wire: WireInstrument = WireInstruments((instrument,)).by_id[instrument.instrument_id]
        self._core = MarketDataCore(msgspec.structs.replace(spec, instruments=(instrument,), started_ns=0), settings)
        self._best = max(instrument.price_ticks_min, 1) + 10 * LEVELS
        self._update_id = self._book_id = 1
        self._turn = 0
        wire = self._wire
        self._tickers = [_ticker_template(wire, self._best, 10 + step) for step in range(QUANTITIES)]
        self._diffs = [_diff_template(wire, self._best, 20 + step) for step in range(QUANTITIES)]
        self._synchronise(now_ns)

    def next_frame(self, now_ns: int) -> bytes:
        """The frame that comes next: best prices and a depth diff in turn."""
        self._turn += 1
        self._update_id += 1
        return self._ticker(now_ns) if self._turn % 2 else self._diff(now_ns)

    def play(self, event: AnyMarketEvent, now_ns: int) -> list[Effect]:
        """What a real market_data would do about this event."""
        return self._core.handle(event, now_ns)

    def _synchronise(self, now_ns: int) -> None:
        core, instrument_id = self._core, self._wire.instrument_id
        core.handle(StreamChanged(stream=PUBLIC, up=True, changed_ns=now_ns, reason=""), now_ns)
        self._update_id += 1
        held = BookDiff(
            instrument_id=instrument_id,
            first_update_id=self._book_id,
            last_update_id=self._update_id,
            previous_update_id=self._book_id,
            venue_time_ns=now_ns,
            received_ns=now_ns,
            bids=[],
            asks=[],
        )
        asked = [effect.request for effect in core.handle(held, now_ns) if isinstance(effect, Call)]
        for request in asked:
            snapshot = BookSnapshot(
                request_id=request.request_id,  # type: ignore[attr-defined]
                received_ns=now_ns,
                usage=Usage(),
                instrument_id=instrument_id,
                last_update_id=self._book_id,
                venue_time_ns=now_ns,
                bids=tuple((self._best - rank, 5) for rank in range(LEVELS)),
                asks=tuple((self._best + 1 + rank, 5) for rank in range(LEVELS)),
            )
            core.handle(snapshot, now_ns)
        self._book_id = self._update_id

    def _ticker(self, now_ns: int) -> bytes:
        at_ms = now_ns // _NS_PER_MS
        return self._tickers[self._turn % QUANTITIES] % (self._update_id, at_ms, at_ms)

    def _diff(self, now_ns: int) -> bytes:
        before, self._book_id = self._book_id, self._update_id
        at_ms = now_ns // _NS_PER_MS
        return self._diffs[self._turn % QUANTITIES] % (at_ms, at_ms, before + 1, self._update_id, before)


def _ticker_template(wire: WireInstrument, best: int, lots: int) -> bytes:
    return (
        f'{{"stream":"stage@bookTicker","data":{{"e":"bookTicker","u":%d,"s":"{wire.symbol}",'
        f'"b":"{wire.prices.text(best)}","B":"{wire.quantities.text(lots)}",'
        f'"a":"{wire.prices.text(best + 1)}","A":"{wire.quantities.text(lots + 1)}","T":%d,"E":%d}}}}'
    ).encode()


def _diff_template(wire: WireInstrument, best: int, lots: int) -> bytes:
    return (
        f'{{"stream":"stage@depth@0ms","data":{{"e":"depthUpdate","E":%d,"T":%d,"s":"{wire.symbol}","U":%d,"u":%d,"pu":%d,'
        f'"b":[{_rows(wire, best, -1, lots)}],"a":[{_rows(wire, best + 1, 1, lots)}]}}}}'
    ).encode()


def _rows(wire: WireInstrument, best: int, step: int, lots: int) -> str:
    return ",".join(
        f'["{wire.prices.text(best + step * rank)}","{wire.quantities.text(lots + rank)}"]' for rank in range(LEVELS)
    )
