"""How many venue frames one process decodes, applies to the book and publishes in a second, on a recorded capture.

The way of a frame is the live one without sockets: decoder, core, and an envelope encoded for every message published. Snapshots
come from the capture.
"""

from __future__ import annotations

import gc
import gzip
import statistics
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec

from actors.market_data.core import MARKET, PUBLIC, MarketDataCore
from configs.schema import MarketDataSettings, Settings, VenueSettings
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.responses import decode_rest
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.effects import Call, Effect, Publish, TimerFired
from protocols.envelope import Envelope, encoder
from protocols.messages.control import ActorSpec
from protocols.values import Instrument, InstrumentId, make_instrument_id
from protocols.venue import AnyMarketEvent, BookSnapshot, QueryBook, StreamChanged

PASSES = 3
STATUS_PERIOD_NS = 100_000_000
UNITS = {"BTCUSDT": (Decimal("0.10"), Decimal("0.001")), "ETHUSDT": (Decimal("0.01"), Decimal("0.001"))}


class FeedRate(msgspec.Struct, frozen=True, kw_only=True):
    """Frames a second (median and best of `PASSES`), and what the frames of one pass became."""

    frames: int
    frames_per_second: float
    frames_per_second_best: float
    published: dict[str, int]
    bytes_published: int
    gaps: int
    refused: int


class CapturedFrame(msgspec.Struct, frozen=True):
    """One line of a capture: receipt, symbol, the frame, and whether it is the body of a REST snapshot."""

    received_ns: int
    symbol: str
    frame: bytes
    is_snapshot: bool


def measure_feed(capture_path: Path) -> FeedRate:
    """Run the whole capture (a folder of `usdm_SYMBOL_DATE.gz` files) `PASSES` times as fast as possible.

    Raises:
        FileNotFoundError: there is no such file in the folder.
    """
    frames = read_capture(capture_path)
    rates: list[float] = []
    outcome = _Pass(frames)
    for _ in range(PASSES):
        outcome = _Pass(frames)
        gc.collect()
        started = time.perf_counter()
        outcome.run()
        rates.append(len(frames) / (time.perf_counter() - started))
    symbols = outcome.core.snapshot().symbols.values()
    return FeedRate(
        frames=len(frames),
        frames_per_second=statistics.median(rates),
        frames_per_second_best=max(rates),
        published=dict(outcome.published),
        bytes_published=outcome.bytes_published,
        gaps=sum(symbol.gaps for symbol in symbols),
        refused=sum(symbol.refused + symbol.invalid for symbol in symbols),
    )


def read_capture(folder: Path, lines_max: int | None = None) -> list[CapturedFrame]:
    """Frames of every file in order of receipt; `lines_max` bounds the lines read of each file.

    Raises:
        FileNotFoundError: there is no capture in the folder.
    """
    paths = sorted(folder.glob("usdm_*.gz"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no usdm_SYMBOL_DATE.gz capture in it")
    frames: list[CapturedFrame] = []
    for path in paths:
        symbol = path.name.split("_")[1].upper()
        with gzip.open(path, "rb") as lines:
            for index, line in enumerate(lines):
                if index == lines_max:
                    break
                stamp, _, frame = line.rstrip().partition(b" ")
                received_ns = int(stamp) * (1 if len(stamp) > 16 else 1_000)
                frames.append(CapturedFrame(received_ns, symbol, frame, b'"stream"' not in frame[:12]))
    return sorted(frames, key=lambda line: line.received_ns)


def capture_instruments() -> tuple[Instrument, ...]:
    """The contracts of the recorded captures."""
    return tuple(
        Instrument(
            instrument_id=make_instrument_id("binance_usdm", "main", symbol),
            version=1,
            base_asset=symbol[:3],
            quote_asset="USDT",
            margin_asset="USDT",
            tick_size=tick,
            lot_size=lot,
            price_ticks_min=1,
            price_ticks_max=10**9,
            quantity_lots_min=1,
            quantity_lots_max=10**9,
            notional_min=Decimal(5),
            price_multiplier_up=Decimal("1.05"),
            price_multiplier_down=Decimal("0.95"),
            open_orders_max=200,
        )
        for symbol, (tick, lot) in UNITS.items()
    )


def capture_core(instruments: tuple[Instrument, ...], started_ns: int) -> MarketDataCore:
    """A core for these instruments, as an actor would build it."""
    settings = Settings(
        symbols=tuple(instrument.symbol for instrument in instruments),
        venue=VenueSettings(
            rest_url="http://127.0.0.1", stream_url="ws://127.0.0.1", ws_api_url="ws://127.0.0.1", margin_asset="USDT"
        ),
        market_data=MarketDataSettings(),
    )
    spec = ActorSpec(
        name="market_data-0",
        role="market_data",
        shard=0,
        epoch=1,
        install="1",
        account="main",
        address="",
        peers={},
        instruments=instruments,
        symbol_codes={},
        shards=(),
        state_dir="",
        config_json="",
        started_ns=started_ns,
    )
    return MarketDataCore(spec, settings)


class _Pass:
    """One run over the capture with a fresh core."""

    def __init__(self, frames: list[CapturedFrame]) -> None:
        self.published: Counter[str] = Counter()
        self.bytes_published = 0
        self._sequence = 0
        self._asked: dict[InstrumentId, QueryBook] = {}
        self._snapshots: dict[InstrumentId, CapturedFrame] = {}
        self._frames = frames
        self._instruments = capture_instruments()
        self._wires = WireInstruments(self._instruments)
        self._decoder = MarketStreamDecoder(self._wires)
        started_ns = frames[0].received_ns
        self.core = capture_core(self._instruments, started_ns)
        self._carry_out(self.core.start(started_ns), started_ns)
        for stream in (PUBLIC, MARKET):
            self._handle(StreamChanged(stream=stream, up=True, changed_ns=started_ns), started_ns)

    def run(self) -> None:
        """Feed every frame, with the status timer at its pace."""
        next_status_ns = self._frames[0].received_ns
        decode = self._decoder.decode
        for captured in self._frames:
            now_ns = captured.received_ns
            if now_ns >= next_status_ns:
                next_status_ns = now_ns + STATUS_PERIOD_NS
                self._handle(TimerFired(name="status"), now_ns)
            if captured.is_snapshot:
                self._snapshots[self._wires.by_symbol[captured.symbol].instrument_id] = captured
            else:
                event = decode(captured.frame, now_ns)
                if event is not None:
                    self._handle(event, now_ns)
            if self._snapshots and self._asked:
                self._answer(now_ns)

    def _answer(self, now_ns: int) -> None:
        """Give the recorded snapshot to the symbol that asked for it; some captures hold it before the first diff."""
        for instrument_id in self._snapshots.keys() & self._asked.keys():
            request, captured = self._asked.pop(instrument_id), self._snapshots.pop(instrument_id)
            outcome = decode_rest(request, 200, {}, captured.frame, captured.received_ns, self._wires)
            assert isinstance(outcome, BookSnapshot), outcome
            self._handle(outcome, now_ns)

    def _handle(self, message: AnyMarketEvent | BookSnapshot | StreamChanged | TimerFired, now_ns: int) -> None:
        effects = self.core.handle(message, now_ns)
        if effects:
            self._carry_out(effects, now_ns)

    def _carry_out(self, effects: list[Effect], now_ns: int) -> None:
        for effect in effects:
            if type(effect) is Publish:
                self._sequence += 1
                envelope = Envelope("market_data-0", 1, self._sequence, now_ns, now_ns, "", effect.body)
                self.bytes_published += len(encoder.encode(envelope))
                self.published[type(effect.body).__name__] += 1
            elif type(effect) is Call and isinstance(effect.request, QueryBook):
                self._asked[effect.request.instrument_id] = effect.request
