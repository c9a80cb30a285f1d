"""Recorded markets: the rebuilt book is the venue's, and damage leads to a resync, never to a wrong book."""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from market_samples import MS, S, instrument, published, settings, spec
from shared_data import shared_path

from actors.market_data.core import MarketDataCore
from configs.schema import MarketDataSettings
from ops.bench.feed import CapturedFrame, capture_core, capture_instruments, read_capture
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.responses import decode_rest
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.effects import Call, Effect, TimerFired
from protocols.envelope import Message
from protocols.messages.market import BookTop, MarkPrice
from protocols.values import Instrument, InstrumentId, Level, make_instrument_id
from protocols.venue import (
    BadFrame,
    BookDiff,
    BookSnapshot,
    BookTicker,
    QueryBook,
    StreamChanged,
    Usage,
    VenueMark,
)

SECONDS = 60


@lru_cache(maxsize=2)
def frames_of(folder: Path) -> list[CapturedFrame]:
    frames = read_capture(folder)
    return [frame for frame in frames if frame.received_ns < frames[0].received_ns + SECONDS * S]


class Replay:
    """A capture through decoder and core; kinds of event may be left out."""

    def __init__(self, frames: list[CapturedFrame], *left_out: type[Message]) -> None:
        self.instruments = capture_instruments()
        self.wires = WireInstruments(self.instruments)
        self.decoder = MarketStreamDecoder(self.wires)
        self.core = capture_core(self.instruments, frames[0].received_ns)
        self.asked: dict[InstrumentId, QueryBook] = {}
        self.held: dict[InstrumentId, bytes] = {}
        self.frames = frames
        self.left_out = left_out
        self.events: list[Message] = []

    def run(self) -> Iterator[Message]:
        """Everything published, in order."""
        start_ns = self.frames[0].received_ns
        yield from self._tell(StreamChanged(stream="public", up=True, changed_ns=start_ns), start_ns)
        for frame in self.frames:
            if frame.is_snapshot:
                self.held[self.wires.by_symbol[frame.symbol].instrument_id] = frame.frame
            else:
                event = self.decoder.decode(frame.frame, frame.received_ns)
                if event is not None:
                    self.events.append(event)
                    if not isinstance(event, self.left_out):
                        yield from self._tell(event, frame.received_ns)
            for instrument_id in self.held.keys() & self.asked.keys():
                request, body = self.asked.pop(instrument_id), self.held.pop(instrument_id)
                answer = decode_rest(request, 200, {}, body, frame.received_ns, self.wires)
                yield from self._tell(answer, frame.received_ns)

    def _tell(self, message: Message, now_ns: int) -> list[Message]:
        effects = self.core.handle(message, now_ns)  # type: ignore[arg-type]
        for effect in effects:
            if isinstance(effect, Call) and isinstance(effect.request, QueryBook):
                self.asked[effect.request.instrument_id] = effect.request
        return published(effects)


def touches(replay: Replay) -> dict[str, tuple[list[int], list[tuple[Level, Level]]]]:
    """The recorded tickers by symbol, as sorted update ids with their touch."""
    found: dict[str, dict[int, tuple[Level, Level]]] = {}
    for event in replay.events:
        if isinstance(event, BookTicker):
            touch = ((event.bid_ticks, event.bid_lots), (event.ask_ticks, event.ask_lots))
            found.setdefault(event.instrument_id, {})[event.update_id] = touch
    return {key: (sorted(by_id), [by_id[one] for one in sorted(by_id)]) for key, by_id in found.items()}


@pytest.mark.parametrize("folder", ["usdm-btc-eth-20240718", "usdm-btc-20230404"])
def test_a_book_of_depth_alone_has_the_touch_that_the_recorded_tickers_say(folder: str) -> None:
    replay = Replay(frames_of(shared_path(f"data/{folder}")), BookTicker)
    tops = [body for body in replay.run() if isinstance(body, BookTop)]
    said, compared = touches(replay), 0
    for one in tops:
        ids, touch = said[one.instrument_id]
        index = bisect_right(ids, one.update_id) - 1
        if index >= 0 and one.update_id == ids[index]:
            assert (one.bids[0], one.asks[0]) == touch[index]
            compared += 1
        elif index >= 0:
            assert (one.bids[0][0], one.asks[0][0]) == (touch[index][0][0], touch[index][1][0])
            compared += 1
    assert compared > 500
    assert all(symbol.gaps == 0 == symbol.invalid for symbol in replay.core.snapshot().symbols.values())


@pytest.mark.parametrize("folder", ["usdm-btc-eth-20240718", "usdm-btc-20230404"])
def test_with_tickers_the_touch_is_always_the_newest_ones(folder: str) -> None:
    replay = Replay(frames_of(shared_path(f"data/{folder}")))
    tops = [body for body in replay.run() if isinstance(body, BookTop)]
    said = touches(replay)
    by_id = {key: dict(zip(*pair, strict=True)) for key, pair in said.items()}
    exact = [one for one in tops if one.update_id in by_id[one.instrument_id]]
    assert all((one.bids[0], one.asks[0]) == by_id[one.instrument_id][one.update_id] for one in exact)
    assert len(exact) > 3_000
    states = {symbol.state for symbol in replay.core.snapshot().symbols.values() if symbol.diffs}
    assert states == {"LIVE"}


def test_every_recorded_mark_price_is_passed_on() -> None:
    replay = Replay(frames_of(shared_path("data/usdm-btc-20230404")))
    marks = [body for body in replay.run() if isinstance(body, MarkPrice)]
    recorded = [event for event in replay.events if isinstance(event, VenueMark)]
    assert [(mark.mark_price, mark.funding_rate, mark.venue_time_ns) for mark in marks] == [
        (mark.mark_price, mark.funding_rate, mark.venue_time_ns) for mark in recorded
    ]
    assert len(marks) > 50


TRX = make_instrument_id("binance_usdm", "main", "TRXUSDT")
COIN_TRX = make_instrument_id("binance_usdm", "main", "TRXUSD_PERP")


def trx_instrument(instrument_id: InstrumentId) -> Instrument:
    return instrument(instrument_id, tick_size=Decimal("0.00001"), lot_size=Decimal("1"))


def depth_frames(kind: str, market: str) -> list[tuple[bytes, int]]:
    """The frames that rows of equal ids, times and symbol came from, with their receipt."""
    name = f"data/lasota-trx-20250304/test_{kind}_binance_difference_depth_stream_{market}_04-03-2025.csv.gz"
    grouped: list[tuple[tuple[str, ...], list[list[str]]]] = []
    with gzip.open(shared_path(name), "rt", newline="") as file:
        for row in list(csv.reader(file))[1:]:
            key = (row[0], *row[3:9])
            if not grouped or grouped[-1][0] != key:
                grouped.append((key, []))
            grouped[-1][1].append(row)
    frames = []
    for key, rows in grouped:
        body = {
            "e": "depthUpdate",
            "E": int(key[1]),
            "T": int(key[2]),
            "s": key[3],
            "U": int(key[4]),
            "u": int(key[5]),
            "pu": int(key[6]),
            "b": [[row[10], row[11]] for row in rows if row[9] == "0"],
            "a": [[row[10], row[11]] for row in rows if row[9] == "1"],
        }
        frames.append((msgspec.json.encode(body), int(key[0]) * MS))
    return frames


class Truth:
    """The book of the undamaged diffs after each of them; the base below is so wide that no diff crosses it."""

    BASE: tuple[tuple[Level, ...], tuple[Level, ...]] = (((1_000, 1),), ((90_000, 1),))

    def __init__(self, diffs: list[BookDiff]) -> None:
        self.by_id: dict[int, tuple[tuple[Level, ...], tuple[Level, ...]]] = {}
        bids, asks = dict(self.BASE[0]), dict(self.BASE[1])
        for diff in diffs:
            for side, changes in ((bids, diff.bids), (asks, diff.asks)):
                for ticks, lots in changes:
                    side[ticks] = lots
                    if not lots:
                        del side[ticks]
            self.by_id[diff.last_update_id] = (
                tuple(sorted(bids.items(), reverse=True)),
                tuple(sorted(asks.items())),
            )


class Damaged:
    """Runs diffs through a core whose snapshot requests are answered from the truth."""

    def __init__(self, truth: Truth, instrument_id: InstrumentId) -> None:
        self.truth = truth
        self.tops: list[BookTop] = []
        self._instrument_id = instrument_id
        limits = MarketDataSettings(resync_interval_ms=1, price_jump_bps_max=1_000, stale_after_ms=86_400_000)
        self.core = MarketDataCore(spec("market_data", trx_instrument(instrument_id)), settings(limits))
        self._asked: list[QueryBook] = []
        self._tell(StreamChanged(stream="public", up=True, changed_ns=0), 1)

    def take(self, message: BookDiff | BadFrame, reached_id: int) -> None:
        """Hand over a message; a snapshot asked for is answered as of `reached_id`."""
        now_ns = message.received_ns
        self._tell(message, now_ns)
        self._tell(TimerFired(name="status"), now_ns)
        if self._asked:
            request, bids_asks = self._asked.pop(), self.truth.by_id[reached_id]
            answer = BookSnapshot(
                request_id=request.request_id,
                received_ns=now_ns,
                usage=Usage(),
                instrument_id=self._instrument_id,
                last_update_id=reached_id,
                venue_time_ns=now_ns,
                bids=bids_asks[0],
                asks=bids_asks[1],
            )
            self._tell(answer, now_ns)

    def _tell(self, message: Message, now_ns: int) -> None:
        effects: list[Effect] = self.core.handle(message, now_ns)  # type: ignore[arg-type]
        self._asked += [e.request for e in effects if isinstance(e, Call) and isinstance(e.request, QueryBook)]
        self.tops += [body for body in published(effects, BookTop) if isinstance(body, BookTop)]


def decoded(frames: list[tuple[bytes, int]], instrument_id: InstrumentId) -> list[BookDiff | BadFrame]:
    decoder = MarketStreamDecoder(WireInstruments([trx_instrument(instrument_id)]))
    found: list[BookDiff | BadFrame] = []
    for frame, received_ns in frames:
        try:
            event = decoder.decode(frame, received_ns)
        except DamagedPayload as damage:
            event = None
            found.append(BadFrame(stream="public", reason=damage.reason, field=damage.field, received_ns=received_ns))
        if isinstance(event, BookDiff):
            found.append(event)
    return found


def sound(frames: list[tuple[bytes, int]], instrument_id: InstrumentId) -> list[BookDiff]:
    return [event for event in decoded(frames, instrument_id) if isinstance(event, BookDiff)]


@pytest.mark.parametrize(("market", "instrument_id"), [("usd_m_futures_trxusdt", TRX)])
def test_undamaged_rows_give_exactly_the_true_book(market: str, instrument_id: InstrumentId) -> None:
    diffs = sound(depth_frames("positive", market), instrument_id)
    run = Damaged(Truth(diffs), instrument_id)
    for diff in diffs:
        run.take(diff, diff.last_update_id)
    assert len(run.tops) > 300
    assert all((one.bids, one.asks) == cut(run.truth, one) for one in run.tops)
    assert run.core.snapshot().symbols["TRXUSDT"].gaps == 0


def cut(truth: Truth, one: BookTop) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    bids, asks = truth.by_id[one.update_id]
    return bids[:5], asks[:5]


def test_rows_damaged_on_purpose_are_refused_or_lead_to_a_resync() -> None:
    """Wrong symbol, price 0, a side that is none, an id that runs backwards: after the last of them the touch is the true one.

    One row gives a level a wrong price that nothing contradicts; it lies far behind the touch.
    """
    market = "coin_m_futures_trxusd_perp"
    diffs = sound(depth_frames("positive", market), COIN_TRX)
    damaged = decoded(depth_frames("negative", market), COIN_TRX)
    run = Damaged(Truth(diffs), COIN_TRX)
    reached_id = diffs[0].last_update_id
    for event in damaged:
        if isinstance(event, BookDiff) and event.last_update_id in run.truth.by_id:
            reached_id = max(reached_id, event.last_update_id)
        run.take(event, reached_id)
    last_damage = next(index for index, one in enumerate(diffs) if one.last_update_id == 1239008908937)
    later = [one for one in run.tops if one.update_id > diffs[last_damage].last_update_id]
    assert len(later) > 300
    true_touches = [(bids[0], asks[0]) for bids, asks in (cut(run.truth, one) for one in later)]
    assert [(one.bids[0], one.asks[0]) for one in later] == true_touches
    counters = run.core.snapshot().symbols["TRXUSD_PERP"]
    assert counters.resyncs >= 2
    assert run.core.snapshot().bad_frames["public"] >= 1


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 595), st.sampled_from(["drop", "repeat", "swap", "old", "hold"])), max_size=12)
)
def test_whatever_is_lost_repeated_or_swapped_no_wrong_book_leaves(faults: list[tuple[int, str]]) -> None:
    diffs = sound(depth_frames_once(), TRX)
    order = list(diffs)
    for place, kind in sorted(faults, reverse=True):
        match kind:
            case "drop":
                del order[place : place + 1]
            case "repeat":
                order.insert(place, order[min(place, len(order) - 1)])
            case "swap":
                order[place : place + 2] = reversed(order[place : place + 2])
            case "old":
                order.insert(place, order[place // 2])
            case "hold":
                order[place : place + 5] = order[place : place + 5][::-1]
    run = Damaged(Truth(diffs), TRX)
    reached_id, now_ns = 0, 0
    for diff in order:
        reached_id = max(reached_id, diff.last_update_id)
        now_ns = max(now_ns, diff.received_ns)
        run.take(msgspec.structs.replace(diff, received_ns=now_ns), reached_id)
    assert all((one.bids, one.asks) == cut(run.truth, one) for one in run.tops)
    assert run.tops[-1].update_id >= diffs[-10].last_update_id


@lru_cache(maxsize=1)
def depth_frames_once() -> list[tuple[bytes, int]]:
    return depth_frames("positive", "usd_m_futures_trxusdt")
