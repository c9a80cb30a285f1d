"""Market sources of the venue: a recorded capture from files, the synthetic market, or another venue. Reads; decides nothing."""

from __future__ import annotations

import csv
import gzip
import heapq
import io
import itertools
import statistics
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from importlib import resources
from pathlib import Path
from typing import IO, Protocol, cast

from actors.exchange import csv_dumps
from actors.exchange.capture_head import SCAN_LINES, Head, LineClock
from actors.exchange.captures import (
    DamagedLineError,
    Recorded,
    RecordedBook,
    RecordedDepth,
    RecordedPrint,
    RecordedTicker,
    Skipped,
    read_body,
    receive_time,
)
from actors.exchange.contracts import QUOTE_ASSETS, Contract, inferred_contract, known_contract
from actors.exchange.errors import SourceError
from actors.exchange.feed import VenueFeed
from actors.exchange.frames import Frame, SeamFrame
from actors.exchange.market_model import MarketModel, ModelError
from actors.exchange.market_model import decode as decode_model
from actors.exchange.replay import CaptureFacts, Replay
from actors.exchange.scenarios import SCENARIOS
from actors.exchange.synthetic import START_PRICES
from actors.exchange.synthetic_market import SyntheticMarket
from configs.schema import ExchangeSettings

LINE_BYTES_MAX = 16_777_216
FILES_MAX = 10_000
NOTES_MAX = 50
SEAM_GAP_NS = 200_000_000
OFFSET_SAMPLES = 101
UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, csv.Error, UnicodeDecodeError)
"""What reading a damaged or truncated file raises; a bad gzip header is an OSError."""


@dataclass(slots=True)
class SourceReport:
    """What a source could not use, counted by reason, with the first places named."""

    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def skipped(self, reason: str, place: str) -> None:
        """Count a line; the first of each reason is noted with its place."""
        self.counts[reason] += 1
        if self.counts[reason] == 1 and len(self.notes) < NOTES_MAX:
            self.notes.append(f"{place}: {reason}")

    def damaged(self, reason: str, place: str) -> None:
        """Count a damaged line; the first ones are noted with their place."""
        self.counts["damaged lines"] += 1
        if len(self.notes) < NOTES_MAX:
            self.notes.append(f"{place}: damaged line skipped: {reason}")

    def cut_short(self, reason: str, file: str) -> None:
        """Count a file whose end cannot be read; it is noted however many damaged lines there are."""
        self.counts["files cut short"] += 1
        if self.counts["files cut short"] <= NOTES_MAX:
            self.notes.append(f"{file}: the rest of the file is lost: {reason}")

    def incomplete(self, reason: str, place: str) -> None:
        """Count a gap in the recording; the line after it is used."""
        self.counts["gaps"] += 1
        if len(self.notes) < NOTES_MAX:
            self.notes.append(f"{place}: {reason}")


class MarketSource(Protocol):
    """Frames of a market, in order of time."""

    contracts: list[Contract]
    report: SourceReport
    name: str

    def opening(self, now_ns: int) -> list[Frame]:
        """The first books, so that a snapshot can be served before anything moves."""
        ...

    def frames(self, start_ns: int) -> Iterator[Frame]:
        """Everything after the opening, the first of it at `start_ns`."""
        ...


def open_source(settings: ExchangeSettings) -> MarketSource:
    """The source that the settings name.

    Raises:
        SourceError: the capture is absent, unreadable, or holds no USD-M market of the wanted symbols; the followed venue cannot
            be reached, or does not trade one of them.
    """
    if settings.follow is not None:
        return FollowedSource(settings)
    if settings.source is None:
        return SyntheticSource(settings)
    return CaptureSource(Path(settings.source), settings)


def list_symbols(path: Path) -> tuple[str, ...]:
    """The USD-M symbols that a capture holds.

    Raises:
        SourceError: it is absent, unreadable, or holds none.
    """
    contracts = CaptureSource(path, ExchangeSettings(source=str(path))).contracts
    return tuple(sorted(contract.symbol for contract in contracts))


class SyntheticSource:
    """The seeded synthetic market."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self.contracts = []
        for symbol in settings.symbols:
            contract = known_contract(symbol, settings.open_orders_max)
            if contract is None:
                known = ", ".join(START_PRICES)
                raise SourceError(
                    f"{symbol}: the synthetic market knows {known}; name one of them, or a capture as source"
                )
            self.contracts.append(contract)
        self.report = SourceReport()
        self.name = f"synthetic, {settings.scenario}, {Path(settings.model).name} model, seed {settings.seed}"
        models = _models(settings.model, self.contracts)
        self._market = SyntheticMarket(
            self.contracts, settings.seed, scenario=SCENARIOS[settings.scenario], models=models
        )
        self._frames: Iterator[Frame] | None = None

    def opening(self, now_ns: int) -> list[Frame]:
        """The first books."""
        self._frames = self._market.frames(now_ns)
        return [next(self._frames) for _ in self.contracts]

    def frames(self, start_ns: int) -> Iterator[Frame]:
        """The flow; it began with the opening."""
        if self._frames is None:
            self.opening(start_ns)
        assert self._frames is not None
        return self._frames


PLAIN, SHIPPED = "plain", "shipped"
MODEL_BYTES_MAX = 1_048_576


def read_model(name: str, base_asset: str) -> MarketModel:
    """The model of an asset: a file, or `shipped`.

    Raises:
        SourceError: there is none, or it cannot be read.
    """
    file = Path(str(resources.files("configs").joinpath("markets", f"{base_asset.lower()}.yaml")))
    if name != SHIPPED:
        file = Path(name)
    elif not file.is_file():
        raise SourceError(f"no model of {base_asset} is shipped; fit one by `raymaker exchange calibrate`")
    try:
        with file.open("rb") as text:
            model = decode_model(text.read(MODEL_BYTES_MAX), str(file))
    except OSError as error:
        raise SourceError(f"the model {file} cannot be read: {error.strerror}") from None
    except ModelError as error:
        raise SourceError(str(error)) from None
    return model


def _models(name: str, contracts: list[Contract]) -> dict[str, MarketModel]:
    """Models by symbol. A file is for the contracts of its asset; the others have the shipped ones."""
    if name == PLAIN:
        return {}
    given = None if name == SHIPPED else read_model(name, "")
    models = {}
    for contract in contracts:
        mine = given is not None and given.base_asset == contract.base_asset
        model = given if mine and given is not None else read_model(SHIPPED, contract.base_asset)
        if Decimal(model.tick_size) != contract.tick_size:
            raise SourceError(
                f"{contract.symbol} has ticks of {contract.tick_size}; the model of {model.base_asset} counts in ticks of {model.tick_size}"
            )
        models[contract.symbol] = model
    return models


class FollowedSource:
    """Another venue, live: nothing can be known before its feed was started, and its frames are handed over as they come."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self.report = SourceReport()
        self.feed = VenueFeed(settings)
        self.contracts = self.feed.contracts
        self.name = self.feed.name

    def opening(self, now_ns: int) -> list[Frame]:
        """Nothing: the feed's start brings the books."""
        return []

    def frames(self, start_ns: int) -> Iterator[Frame]:
        """Nothing: the feed hands over."""
        return iter(())


class CaptureSource:
    """A recorded capture: one file, or all files of a folder that look like one."""

    def __init__(self, path: Path, settings: ExchangeSettings) -> None:
        self.report = SourceReport()
        self.name = path.name
        self._files = _useful(_capture_files(path, self.report), self.report)
        self._loop = settings.loop
        self._counting = True
        facts = self._first_look(settings)
        self.contracts = list(facts.contracts.values())
        self._facts = facts
        self._replay = Replay(facts, settings.speed)
        self._pass: Iterator[tuple[int, Frame]] = iter(())
        self._waiting: tuple[int, Frame] | None = None

    def opening(self, now_ns: int) -> list[Frame]:
        """The books as they stand at the capture's start."""
        opening = self._replay.begin(now_ns)
        self._pass = self._one_pass()
        for receive_ns, frame in self._pass:
            if receive_ns > self._facts.start_ns:
                self._waiting = (receive_ns, frame)
                break
            opening.append(frame)
        return opening

    def frames(self, start_ns: int) -> Iterator[Frame]:
        """The capture from its start, and again from its start when it may loop."""
        yield from self._replay.postpone(start_ns)
        if self._waiting is not None:
            yield self._retimed(*self._waiting)
        last_ns = start_ns
        for _, frame in self._pass:
            yield frame
            last_ns = max(last_ns, frame.at_ns)
        loop = 0
        while self._loop:
            loop += 1
            self._counting = False
            last_ns += SEAM_GAP_NS
            yield SeamFrame(last_ns, loop)
            yield from self._replay.begin(last_ns)
            for _, frame in self._one_pass():
                yield frame
                last_ns = max(last_ns, frame.at_ns)

    def _retimed(self, receive_ns: int, frame: Frame) -> Frame:
        return frame._replace(at_ns=self._replay.at_ns(receive_ns))

    def _one_pass(self) -> Iterator[tuple[int, Frame]]:
        for receive_ns, record, place in self._records():
            try:
                for frame in self._replay.translate(receive_ns, record):
                    yield receive_ns, frame
                if (gap := self._replay.take_gap()) and self._counting:
                    self.report.incomplete(gap, place)
            except DamagedLineError as error:
                self._damaged(str(error), place)

    def _records(self) -> Iterator[tuple[int, Recorded, str]]:
        merged = heapq.merge(*(self._lines(file) for file in self._files), key=lambda line: line[0])
        for receive_ns, body, url, place, symbol in merged:
            try:
                record = read_body(body, url)
            except DamagedLineError as error:
                self._damaged(str(error), place)
                continue
            if isinstance(record, Skipped):
                if self._counting:
                    self.report.skipped(f"{record.reason}: not a USD-M market stream, skipped", place)
                continue
            if isinstance(record, RecordedBook) and not record.symbol:
                record = record._replace(symbol=symbol[0])
            elif not symbol[0]:
                symbol[0] = record.symbol
            yield receive_ns, record, place

    def _lines(self, file: Path) -> Iterator[tuple[int, bytes, str, str, list[str]]]:
        """Lines of one file with their times. `symbol` is shared so that a nameless snapshot belongs to the file's own symbol."""
        if is_csv(file):
            yield from self._rows(file)
            return
        symbol = [_symbol_of(file)]
        clock = LineClock()
        try:
            with _open(file) as lines:
                for number, line in enumerate(iter(partial(lines.readline, LINE_BYTES_MAX + 1), b""), start=1):
                    place = f"{file.name}:{number}"
                    if not line.strip() or line.startswith((b"wss://", b"configuration:")):
                        continue
                    if len(line) > LINE_BYTES_MAX:
                        self._damaged(f"longer than {LINE_BYTES_MAX} bytes", place)
                        continue
                    timed = receive_time(line.rstrip())
                    if timed is None:
                        self._damaged("it does not begin with a receive time", place)
                        continue
                    if not clock.believes(timed[0]):
                        self._damaged("its receive time does not follow the lines before it", place)
                        continue
                    yield timed[0], timed[1], timed[2], place, symbol
        except UNREADABLE as error:
            if self._counting:
                self.report.cut_short(str(error), file.name)

    def _rows(self, file: Path) -> Iterator[tuple[int, bytes, str, str, list[str]]]:
        """The same of a CSV dump. A damaged row ends the file, for what follows it cannot be trusted."""
        symbol, clock, number = [""], LineClock(), 0
        opens_book = not any("incremental_book_L2" in each.name for each in self._files)
        try:
            with open_csv(file) as (dump, rows):
                assert not isinstance(dump, str)
                for number, (received_ns, body) in enumerate(
                    csv_dumps.lines(dump, rows, opens_book=opens_book), start=1
                ):
                    place = f"{file.name}: frame {number}"
                    if clock.believes(received_ns):
                        yield received_ns, body, "", place, symbol
                    else:
                        self._damaged("its receive time does not follow the rows before it", place)
        except DamagedLineError as error:
            self._damaged(str(error), f"{file.name}: after frame {number}")
        except UNREADABLE as error:
            if self._counting:
                self.report.cut_short(str(error), file.name)

    def _damaged(self, reason: str, place: str) -> None:
        if self._counting:
            self.report.damaged(reason, place)

    def _first_look(self, settings: ExchangeSettings) -> CaptureFacts:
        """Symbols, units and the start, from the head of each file."""
        heads: dict[str, Head] = {}
        offsets: list[int] = []
        for count, (receive_ns, record, _) in enumerate(self._records()):
            assert not isinstance(record, Skipped)
            head = heads.setdefault(record.symbol, Head())
            head.look(receive_ns, record)
            if len(offsets) < OFFSET_SAMPLES and isinstance(record, RecordedDepth | RecordedTicker | RecordedPrint):
                offsets.append(record.event_ms * 1_000_000 - receive_ns)
            if count >= SCAN_LINES:
                break
        self.report = SourceReport(
            notes=[note for note in self.report.notes if "not a capture" in note or "left out" in note]
        )
        contracts = {}
        for symbol, head in heads.items():
            contract = self._contract(symbol, head, settings.open_orders_max)
            if contract is not None:
                contracts[symbol] = contract
        wanted = set(settings.symbols)
        chosen = {symbol: contract for symbol, contract in contracts.items() if symbol in wanted} or contracts
        if not chosen:
            raise SourceError(f"{self.name}: no USD-M market stream in it; give a capture of Binance USD-M streams")
        if bookless := sorted(symbol for symbol in chosen if not heads[symbol].is_market):
            raise SourceError(f"{self.name}: {bookless[0]} {heads[bookless[0]].lack}")
        starts = [heads[symbol].start_ns for symbol in chosen]
        return CaptureFacts(
            contracts=chosen,
            start_ns=max(starts),
            clock_offset_ns=statistics.median_low(offsets) if offsets else 0,
            with_snapshot=frozenset(symbol for symbol in chosen if heads[symbol].snapshot_ns is not None),
            with_trades=frozenset(symbol for symbol in chosen if heads[symbol].has_trades),
            constructed=frozenset(symbol for symbol in chosen if not heads[symbol].has_book),
        )

    def _contract(self, symbol: str, head: Head, open_orders_max: int) -> Contract | None:
        known = known_contract(symbol, open_orders_max)
        if known is not None:
            return known
        if not symbol.endswith(QUOTE_ASSETS):
            self.report.skipped(f"{symbol} is not margined in {' or '.join(QUOTE_ASSETS)}, skipped", self.name)
            return None
        try:
            return inferred_contract(symbol, head.prices, head.quantities, open_orders_max)
        except (ValueError, ArithmeticError) as error:
            self.report.skipped(f"{symbol}: its units cannot be inferred ({error}), skipped", self.name)
            return None


def _capture_files(path: Path, report: SourceReport) -> list[Path]:
    """The files of a capture; those that do not look like one are noted."""
    if not path.exists():
        raise SourceError(f"{path}: there is no such file or folder")
    candidates = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    if len(candidates) > FILES_MAX:
        raise SourceError(f"{path}: more than {FILES_MAX} files")
    captures = []
    for file in candidates:
        if is_csv(file):
            reason = _why_no_dump(file)
            if reason is None:
                captures.append(file)
            elif len(candidates) == 1:
                raise SourceError(f"{file.name}: no recorded market stream recognised: {reason}")
            elif len(report.notes) < NOTES_MAX:
                report.notes.append(f"{file.name}: not a capture, ignored: {reason}")
        elif _looks_like_capture(file):
            captures.append(file)
        elif len(report.notes) < NOTES_MAX:
            report.notes.append(f"{file.name}: not a capture, ignored")
    if not captures:
        raise SourceError(
            f"{path}: no recorded market stream recognised; expected a CSV dump of Binance or Tardis, "
            "or lines of '<receive time> <combined-stream frame>'"
        )
    return captures


def _useful(files: list[Path], report: SourceReport) -> list[Path]:
    """Without the dumps that say less than what lies beside them."""
    dumps: dict[str, csv_dumps.Dump] = {}
    for file in files:
        if is_csv(file):
            with open_csv(file) as (dump, _):
                if isinstance(dump, csv_dumps.Dump):
                    dumps[file.name] = dump
    reasons = csv_dumps.superfluous(dumps, other_books=len(dumps) < len(files))
    report.notes.extend(f"{name}: left out: {reason}" for name, reason in reasons.items())
    return [file for file in files if file.name not in reasons]


def is_csv(file: Path) -> bool:
    """Whether a file is a CSV dump by its name, packed or not."""
    return file.name.endswith((".csv", ".csv.gz", ".zip"))


@contextmanager
def open_csv(file: Path) -> Iterator[tuple[csv_dumps.Dump | str, Iterator[csv_dumps.Row]]]:
    """What a CSV file is, and its rows without the header."""
    with ExitStack() as stack:
        if file.name.endswith(".zip"):
            archive = stack.enter_context(zipfile.ZipFile(file))
            raw: IO[bytes] = stack.enter_context(archive.open(archive.namelist()[0]))
        else:
            raw = stack.enter_context(_open(file))
        rows = csv.reader(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
        first = next(rows, [])
        dump = csv_dumps.recognise(file.name, first)
        without_header = isinstance(dump, csv_dumps.Dump) and not dump.has_header
        yield dump, itertools.chain([first], rows) if without_header else rows


def _why_no_dump(file: Path) -> str | None:
    """Why a CSV file cannot be played; None when it can."""
    try:
        with open_csv(file) as (dump, _):
            return dump if isinstance(dump, str) else None
    except (*UNREADABLE, IndexError) as error:
        return f"it cannot be read: {error}"


def _looks_like_capture(file: Path) -> bool:
    try:
        with _open(file) as lines:
            for _ in range(5):
                line = lines.readline(LINE_BYTES_MAX)
                timed = receive_time(line.rstrip())
                if timed is not None and timed[1].lstrip()[:1] == b"{":
                    return True
    except UNREADABLE:
        return False
    return False


def _open(file: Path) -> IO[bytes]:
    with file.open("rb") as head:
        packed = head.read(2) == b"\x1f\x8b"
    if packed:
        return cast(IO[bytes], gzip.open(file, "rb"))
    return file.open("rb", buffering=1 << 20)


def _symbol_of(file: Path) -> str:
    """The symbol that a file's first readable frame names; its nameless snapshot is of this symbol."""
    try:
        with _open(file) as lines:
            for _ in range(100):
                timed = receive_time(lines.readline(LINE_BYTES_MAX).rstrip())
                if timed is None:
                    continue
                try:
                    record = read_body(timed[1], timed[2])
                except DamagedLineError:
                    continue
                if not isinstance(record, Skipped) and record.symbol:
                    return record.symbol
    except UNREADABLE:
        return ""
    return ""
