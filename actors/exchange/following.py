"""Another venue's public streams as frames of ours: what is in sync becomes the market, and what is not becomes silence.

A symbol's book is a snapshot joined to the diffs by the rules of facts section 5.3. It is fresh while both sockets are up, its chain is
unbroken, its diffs arrive in time and a mark price has come; when one of these ends it is stale at once, and prints and best prices that
come meanwhile are dropped.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import assert_never

from actors.exchange.frames import BookFrame, DepthFrame, Frame, MarkFrame, PrintFrame, StaleFrame, TickerFrame
from protocols.arithmetic.sliding_window import SlidingMinimum, SlidingSum
from protocols.binance_usdm.book_sync import BookSync, SyncDecision
from protocols.values import Instrument, InstrumentId
from protocols.venue import AnyMarketEvent, BookDiff, BookSnapshot, BookTicker, PublicTrade, VenueMark

NS_PER_MS = 1_000_000
DIFFS_HELD_MAX = 2_000
"""Diffs of one symbol that wait for its snapshot."""
SNAPSHOT_WAIT_NS_MIN = 1_000 * NS_PER_MS
SNAPSHOT_WAIT_NS_MAX = 60_000 * NS_PER_MS
"""Between two snapshots of one symbol; the wait doubles with each that does not bring the book into sync."""
SNAPSHOTS_PER_MINUTE_MAX = 60
"""Of all symbols: half of the 2,400 weight that one address has."""
MINUTE_NS = 60_000 * NS_PER_MS
LATE_NS_MAX = 2_000 * NS_PER_MS
"""A diff that took so much longer than the quickest of LAG_WINDOW_NS tells of a market that has moved on."""
LAG_WINDOW_NS = 2 * MINUTE_NS
LAGS_KEPT_MAX = 256


class Stream(enum.Enum):
    """The two sockets of the followed venue."""

    PUBLIC = "public"
    """Depth diffs and best prices."""
    MARKET = "market"
    """Trades and mark prices."""


class _Symbol:
    """One followed market."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.sync = BookSync(DIFFS_HELD_MAX)
        self.snapshot: BookSnapshot | None = None
        """Loaded, and waiting for the diff that follows it."""
        self.fresh = False
        self.marked = False
        self.asked = False
        self.attempts = 0
        self.not_before_ns = 0
        self.next_funding_ns = 0
        self.late = False
        self._lag = SlidingMinimum(LAG_WINDOW_NS, LAGS_KEPT_MAX)

    def measure(self, diff: BookDiff) -> None:
        """How old a diff is on arrival; what the two clocks are apart is in the quickest one too."""
        lag_ns = diff.received_ns - diff.venue_time_ns
        self._lag.add(lag_ns, 0, diff.received_ns)
        quickest = self._lag.least(diff.received_ns)
        self.late = quickest is not None and lag_ns - quickest[1] > LATE_NS_MAX

    def reconnected(self) -> None:
        """Lags of another connection, and perhaps of another clock, say nothing of this one."""
        self._lag.clear()
        self.late = False

    def restart(self) -> None:
        """The chain of update ids is over."""
        self.sync.reset()
        self.snapshot = None
        self.fresh = False


class Follower:
    """All followed symbols. Each method that is told something returns the frames that follow from it."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._symbols = {instrument.instrument_id: _Symbol(instrument) for instrument in instruments}
        self._up = dict.fromkeys(Stream, False)
        self._recent = SlidingSum(MINUTE_NS, 2 * SNAPSHOTS_PER_MINUTE_MAX)
        self._shut_until_ns = 0
        self.gaps = self.refused_snapshots = self.dropped = 0

    @property
    def waiting_for(self) -> dict[str, str]:
        """What each symbol that is not fresh still lacks."""
        return {symbol.instrument.symbol: self._lack(symbol) for symbol in self._symbols.values() if not symbol.fresh}

    def stream_changed(self, stream: Stream, now_ns: int, *, up: bool) -> list[Frame]:
        """A socket opened or was lost: either way the chains begin anew, and a mark must come again."""
        self._up[stream] = up
        frames: list[Frame] = []
        for symbol in self._symbols.values():
            if symbol.fresh:
                frames.append(StaleFrame(symbol.instrument.symbol, now_ns, disconnected=True))
            symbol.restart()
            if stream is Stream.MARKET:
                symbol.marked = False
            else:
                symbol.reconnected()
        return frames

    def take(self, event: AnyMarketEvent, now_ns: int) -> list[Frame]:
        """An event of the followed streams."""
        symbol = self._symbols[event.instrument_id]
        name = symbol.instrument.symbol
        match event:
            case BookDiff():
                return self._diff(symbol, event, now_ns)
            case BookTicker():
                if not symbol.fresh or event.update_id <= symbol.sync.last_update_id:
                    self.dropped += not symbol.fresh
                    return []
                best = (event.bid_ticks, event.bid_lots, event.ask_ticks, event.ask_lots)
                return [TickerFrame(name, now_ns, event.venue_time_ns, event.update_id, *best)]
            case PublicTrade():
                if not symbol.fresh or event.quantity_lots <= 0:
                    self.dropped += not symbol.fresh
                    return []
                size = (event.price_ticks, event.quantity_lots, event.buyer_is_maker)
                return [PrintFrame(name, now_ns, event.venue_time_ns, *size)]
            case VenueMark():
                symbol.marked = True
                return [_mark(symbol, event, now_ns)]
            case _:
                assert_never(event)

    def snapshots_due(self, now_ns: int) -> list[InstrumentId]:
        """The books whose snapshot is to be asked for now; each is then answered by `take_snapshot` or `snapshot_failed`.

        Args:
            now_ns: of the clock on which `snapshot_failed` is told times; any steady one.
        """
        due: list[InstrumentId] = []
        if now_ns < self._shut_until_ns:
            return due
        for instrument_id, symbol in self._symbols.items():
            ready = all(self._up.values()) and symbol.marked and symbol.sync.buffered > 0 and not symbol.late
            waits = symbol.asked or symbol.sync.live or symbol.snapshot is not None
            if self._recent.total(now_ns) >= SNAPSHOTS_PER_MINUTE_MAX:
                break
            if ready and not waits and now_ns >= symbol.not_before_ns:
                self._recent.add(1, now_ns)
                symbol.asked = True
                wait_ns = min(SNAPSHOT_WAIT_NS_MIN << min(symbol.attempts, 10), SNAPSHOT_WAIT_NS_MAX)
                symbol.attempts += 1
                symbol.not_before_ns = now_ns + wait_ns
                due.append(instrument_id)
        return due

    def take_snapshot(self, snapshot: BookSnapshot, now_ns: int) -> list[Frame]:
        """Join a snapshot to the diffs held."""
        symbol = self._symbols[snapshot.instrument_id]
        symbol.asked = False
        if not all(self._up.values()) or not symbol.marked or symbol.sync.live or symbol.late:
            return []
        if not snapshot.bids or not snapshot.asks or snapshot.bids[0][0] >= snapshot.asks[0][0]:
            self.refused_snapshots += 1
            return []
        bridged = symbol.sync.bridge(snapshot.last_update_id)
        if bridged.decision is not SyncDecision.APPLY:
            self.gaps += bridged.decision is SyncDecision.GAP
            return []
        symbol.snapshot = snapshot
        return self._open(symbol, bridged.apply, now_ns) if bridged.apply else []

    def snapshot_failed(self, instrument_id: InstrumentId, shut_until_ns: int = 0) -> None:
        """The snapshot asked for does not come; where the venue wants silence, nothing is asked for before that time."""
        self._symbols[instrument_id].asked = False
        self.silence(shut_until_ns)

    def silence(self, until_ns: int) -> None:
        """Ask for no snapshot before that time."""
        self._shut_until_ns = max(self._shut_until_ns, until_ns)

    def damaged(self, stream: Stream, now_ns: int) -> list[Frame]:
        """A frame could not be read: whichever symbol it was about, its book cannot be trusted."""
        if stream is Stream.MARKET:
            return []
        frames: list[Frame] = [
            StaleFrame(symbol.instrument.symbol, now_ns, disconnected=False)
            for symbol in self._symbols.values()
            if symbol.fresh
        ]
        for symbol in self._symbols.values():
            symbol.restart()
        return frames

    def _diff(self, symbol: _Symbol, diff: BookDiff, now_ns: int) -> list[Frame]:
        was_fresh = symbol.fresh
        symbol.measure(diff)
        if symbol.late:
            symbol.restart()
        match symbol.sync.offer(diff):
            case _ if symbol.late:
                return [StaleFrame(symbol.instrument.symbol, now_ns, disconnected=False)] if was_fresh else []
            case SyncDecision.APPLY:
                if symbol.snapshot is not None:
                    return self._open(symbol, (diff,), now_ns)
                return [_depth(symbol, diff, now_ns)]
            case SyncDecision.GAP:
                self.gaps += 1
                symbol.fresh = False
                return [StaleFrame(symbol.instrument.symbol, now_ns, disconnected=False)]
            case SyncDecision.NEED_SNAPSHOT:
                symbol.snapshot = None
            case SyncDecision.BUFFER | SyncDecision.DISCARD:
                pass
        return []

    def _open(self, symbol: _Symbol, diffs: Iterable[BookDiff], now_ns: int) -> list[Frame]:
        snapshot, symbol.snapshot = symbol.snapshot, None
        assert snapshot is not None
        symbol.fresh = True
        symbol.attempts = 0
        name = symbol.instrument.symbol
        book = BookFrame(name, now_ns, snapshot.venue_time_ns, list(snapshot.bids), list(snapshot.asks))
        return [book, *(_depth(symbol, diff, now_ns) for diff in diffs)]

    def _lack(self, symbol: _Symbol) -> str:
        for stream, up in self._up.items():
            if not up:
                return f"its {stream.value} streams are not connected"
        if not symbol.marked:
            return "no mark price has come"
        if symbol.late:
            return "its depth diffs arrive late"
        return "a snapshot that joins its depth diffs" if symbol.sync.buffered else "no depth diff has come"


def _depth(symbol: _Symbol, diff: BookDiff, now_ns: int) -> DepthFrame:
    name = symbol.instrument.symbol
    return DepthFrame(name, now_ns, diff.venue_time_ns, diff.last_update_id, diff.bids, diff.asks)


def _mark(symbol: _Symbol, mark: VenueMark, now_ns: int) -> MarkFrame:
    """Rate and time of a later funding are held back until the one before is due on our clock, or it would not be paid."""
    name = symbol.instrument.symbol
    next_ns = mark.next_funding_venue_ms * NS_PER_MS
    if next_ns > symbol.next_funding_ns > now_ns:
        return MarkFrame(name, now_ns, mark.mark_price, mark.index_price, None, None)
    symbol.next_funding_ns = next_ns
    return MarkFrame(name, now_ns, mark.mark_price, mark.index_price, mark.funding_rate, next_ns or None)
