"""One symbol's feed: its book, whether it may be quoted on, and when a new snapshot is due.

States: CONNECTING (no socket), SYNCHRONISING (waiting for a snapshot or for the diff that follows it), LIVE, STALE (alive once,
now silent, stalled or late; it recovers by itself when the chain goes on), INVALID (crossed, empty, contradicted or jumped: only a
fresh snapshot makes it LIVE again). A top leaves only in LIVE.
"""

from __future__ import annotations

from actors.market_data.book import Book
from actors.market_data.merged_top import MergedTop
from configs.schema import MarketDataSettings
from protocols.arithmetic.sliding_window import SlidingMinimum
from protocols.binance_usdm.book_sync import BookSync, SyncDecision
from protocols.messages.alerts import AlertCode
from protocols.messages.market import BookTop, FeedState
from protocols.values import Instrument, Level
from protocols.venue import BookDiff, BookSnapshot, BookTicker

_MS = 1_000_000
_LAG_WINDOW_NS = 60_000 * _MS
_LAG_ENTRIES_MAX = 256
_FAULTS_MAX = 16
"""Faults held until the core has turned them into alerts; it does so after every message."""


class SymbolFeed:
    """State machine of one symbol. Methods that take market data return the new top, or None when nothing may be published."""

    def __init__(self, instrument: Instrument, settings: MarketDataSettings, now_ns: int) -> None:
        self.instrument = instrument
        self.state = FeedState.CONNECTING
        self.since_ns = now_ns
        self.reason = "not connected yet"
        self.status_due = True
        """The state changed and nobody was told yet."""
        self.faults: list[tuple[AlertCode, str]] = []
        """What happened and was not yet told as an alert."""
        self.snapshot_wanted = False
        self.snapshot_not_before_ns = 0
        self.top: BookTop | None = None
        self.diffs = self.tickers = self.gaps = self.resyncs = self.invalid = self.refused = self.ignored = 0
        self._instrument_id = instrument.instrument_id
        self._stale_after_ns = settings.stale_after_ms * _MS
        self._resync_interval_ns = settings.resync_interval_ms * _MS
        self._jump_share_max = settings.price_jump_bps_max / 1e4
        self._sync = BookSync(settings.buffered_diffs_max)
        self._book = Book(settings.book_levels_max)
        self._merged = MergedTop(self._book, settings.levels)
        self._ticker: BookTicker | None = None
        self._ticker_update_id = 0
        self._ahead_since_ns = 0
        self._lag = SlidingMinimum(_LAG_WINDOW_NS, _LAG_ENTRIES_MAX)
        self._late_ns = 0
        self._reference = 0
        self._bids: tuple[Level, ...] = ()
        self._asks: tuple[Level, ...] = ()

    @property
    def update_id(self) -> int:
        """Id of the newest top; what came later left the top as it was. 0 while nothing may be published."""
        return self.top.update_id if self.top is not None else 0

    @property
    def buffered(self) -> int:
        """Diffs waiting for a snapshot."""
        return self._sync.buffered

    @property
    def levels_trimmed(self) -> int:
        """Levels given up because a side outgrew `book_levels_max`."""
        return self._book.levels_trimmed

    def connected(self, now_ns: int) -> None:
        """The public socket opened: whatever was known belongs to an older chain."""
        self._restart(FeedState.SYNCHRONISING, "waiting for the first diff", now_ns)
        self._lag.clear()
        self._late_ns = 0
        self.snapshot_wanted = False

    def disconnected(self, reason: str, now_ns: int) -> None:
        """The public socket was lost."""
        self._restart(FeedState.CONNECTING, reason, now_ns)
        self.snapshot_wanted = False

    def take_ticker(self, ticker: BookTicker, now_ns: int) -> BookTop | None:
        """Take a best bid and ask."""
        self.tickers += 1
        update_id = ticker.update_id
        if update_id <= self._ticker_update_id:
            self.ignored += 1
            return None
        if not 0 < ticker.bid_ticks < ticker.ask_ticks or ticker.bid_lots <= 0 or ticker.ask_lots <= 0:
            self._refuse(f"bookTicker {update_id} is crossed or empty: {_touch(ticker)}")
            return None
        self._ticker, self._ticker_update_id = ticker, update_id
        if not self._sync.live:
            return None
        book_id = self._sync.last_update_id
        if update_id <= book_id:
            if update_id == book_id and self._merged.differs(ticker):
                self._contradicted(ticker, now_ns)
            return None
        if self._ahead_since_ns == 0:
            self._ahead_since_ns = ticker.received_ns
        if self.state is not FeedState.LIVE and not self._recover(now_ns):
            return None
        bids, asks = self._merged.of_ticker(ticker)
        return self._publish(bids, asks, update_id, ticker.venue_time_ns, ticker.received_ns, now_ns)

    def take_diff(self, diff: BookDiff, now_ns: int) -> BookTop | None:
        """Take a depth diff: apply it, hold it for a snapshot, or see that the chain is broken."""
        self.diffs += 1
        match self._sync.offer(diff):
            case SyncDecision.APPLY:
                self._book.apply(diff.bids, diff.asks)
                return self._after_book(diff, now_ns)
            case SyncDecision.GAP:
                self.gaps += 1
                self._fault(AlertCode.FEED_GAP, f"diff {diff.last_update_id} does not follow the one before")
                self._forget_book()
                self._enter(FeedState.SYNCHRONISING, "gap in the depth stream", now_ns)
                self.snapshot_wanted = True
            case SyncDecision.NEED_SNAPSHOT:
                self.snapshot_wanted = True
            case SyncDecision.BUFFER | SyncDecision.DISCARD:
                pass
        return None

    def take_snapshot(self, snapshot: BookSnapshot, now_ns: int) -> BookTop | None:
        """Join a snapshot to the diffs held."""
        if self._sync.live or self.state in (FeedState.CONNECTING, FeedState.LIVE, FeedState.STALE):
            self.ignored += 1
            return None
        bridged = self._sync.bridge(snapshot.last_update_id)
        if bridged.decision is not SyncDecision.APPLY:
            self.gaps += bridged.decision is SyncDecision.GAP
            self.snapshot_wanted = True
            return None
        self._book.load(snapshot.bids, snapshot.asks)
        self._merged.book_changed()
        fault = self._book.fault()
        if fault:
            self._invalidate(f"snapshot {snapshot.last_update_id}: {fault}", now_ns)
            return None
        self._reference = snapshot.bids[0][0] + snapshot.asks[0][0]
        self.resyncs += 1
        if not bridged.apply:
            self._enter(FeedState.SYNCHRONISING, "waiting for the diff after the snapshot", now_ns)
            return None
        for diff in bridged.apply:
            self._book.apply(diff.bids, diff.asks)
        return self._after_book(bridged.apply[-1], now_ns)

    def snapshot_requested(self, now_ns: int) -> None:
        """A snapshot is on its way; the next one is not asked for before the resync interval is over."""
        self.snapshot_wanted = False
        self.snapshot_not_before_ns = now_ns + self._resync_interval_ns

    def snapshot_failed(self) -> None:
        """The snapshot asked for will not come."""
        self.snapshot_wanted = not self._sync.live and self.state is not FeedState.CONNECTING

    @property
    def is_late(self) -> bool:
        """Whether diffs seem to arrive too late; a clock that stepped looks the same."""
        return self._late_ns > self._stale_after_ns

    def clock_stepped(self) -> None:
        """The venue's clock and ours moved apart: lateness is measured anew."""
        self._lag.clear()
        self._late_ns = 0

    def watch(self, heard_ns: int, now_ns: int) -> None:
        """Judge silence. `heard_ns` is the last proof that the public socket is alive."""
        if self.state is FeedState.LIVE:
            reason = self._staleness(heard_ns, now_ns)
            if reason:
                self._go_stale(reason, now_ns)
        elif self.state is FeedState.STALE and not self._staleness(heard_ns, now_ns):
            self._enter(FeedState.LIVE, "", now_ns)

    def _after_book(self, diff: BookDiff, now_ns: int) -> BookTop | None:
        self._merged.book_changed()
        fault = self._book.fault()
        if fault:
            self._invalidate(f"after diff {diff.last_update_id}: {fault}", now_ns)
            return None
        ticker = self._newer_ticker(diff)
        if ticker is not None and ticker.update_id == diff.last_update_id:
            if self._merged.differs(ticker):
                self._contradicted(ticker, now_ns)
                return None
            ticker = None
        self._ahead_since_ns = 0 if ticker is None else diff.received_ns
        self._measure_lateness(diff)
        if self.is_late:
            self._go_stale(self._staleness(now_ns, now_ns), now_ns)
            return None
        if self.state is not FeedState.LIVE and not self._recover(now_ns):
            return None
        if ticker is None:
            bids, asks = self._merged.of_book()
            return self._publish(bids, asks, diff.last_update_id, diff.venue_time_ns, diff.received_ns, now_ns)
        bids, asks = self._merged.of_ticker(ticker)
        return self._publish(bids, asks, ticker.update_id, ticker.venue_time_ns, diff.received_ns, now_ns)

    def _newer_ticker(self, diff: BookDiff) -> BookTicker | None:
        """The ticker that the book has not passed; one that the book should have reached long ago is refused."""
        ticker = self._ticker
        if ticker is None or ticker.update_id < diff.last_update_id:
            return None
        ahead_ns = diff.received_ns - ticker.received_ns
        if ticker.update_id > diff.last_update_id and ahead_ns > self._stale_after_ns:
            self._refuse(f"bookTicker {ticker.update_id} is still ahead of the book after {ahead_ns // _MS} ms")
            self._ticker, self._ticker_update_id = None, 0
            return None
        return ticker

    def _publish(
        self,
        bids: tuple[Level, ...],
        asks: tuple[Level, ...],
        update_id: int,
        venue_time_ns: int,
        received_ns: int,
        now_ns: int,
    ) -> BookTop | None:
        if bids == self._bids and asks == self._asks:
            return None
        doubled_mid = bids[0][0] + asks[0][0]
        reference = self._reference
        if reference and abs(doubled_mid - reference) > reference * self._jump_share_max:
            self._invalidate(f"price jumped from {reference / 2:g} to {doubled_mid / 2:g} ticks at {update_id}", now_ns)
            return None
        self._reference = doubled_mid
        self._bids, self._asks = bids, asks
        self.top = BookTop(
            instrument_id=self._instrument_id,
            instrument_version=self.instrument.version,
            update_id=update_id,
            venue_time_ns=venue_time_ns,
            received_ns=received_ns,
            bids=bids,
            asks=asks,
        )
        return self.top

    def _recover(self, now_ns: int) -> bool:
        """Go LIVE where nothing speaks against it; the chain is known to be whole."""
        if self._staleness(now_ns, now_ns):
            return False
        self._enter(FeedState.LIVE, "", now_ns)
        return True

    def _staleness(self, heard_ns: int, now_ns: int) -> str:
        silent_ns = now_ns - heard_ns
        if silent_ns > self._stale_after_ns:
            return f"nothing heard for {silent_ns // _MS} ms"
        if self._ahead_since_ns and now_ns - self._ahead_since_ns > self._stale_after_ns:
            return f"no diff for {(now_ns - self._ahead_since_ns) // _MS} ms while bookTicker moves"
        if self._late_ns > self._stale_after_ns:
            return f"diffs arrive {self._late_ns // _MS} ms later than the fastest of the last minute"
        return ""

    def _measure_lateness(self, diff: BookDiff) -> None:
        """How much later than the fastest of the last minute: a difference of two, so neither clock needs to be right."""
        lag_ns = diff.received_ns - diff.venue_time_ns
        self._lag.add(lag_ns, 0, diff.received_ns)
        least = self._lag.least(diff.received_ns)
        self._late_ns = lag_ns - least[1] if least is not None else 0

    def _go_stale(self, reason: str, now_ns: int) -> None:
        if self.state is not FeedState.STALE:
            self._fault(AlertCode.FEED_STALE, reason)
        self._enter(FeedState.STALE, reason, now_ns)

    def _contradicted(self, ticker: BookTicker, now_ns: int) -> None:
        self._invalidate(f"book and bookTicker differ at {ticker.update_id}: {_touch(ticker)}", now_ns)

    def _invalidate(self, reason: str, now_ns: int) -> None:
        self.invalid += 1
        self._fault(AlertCode.BAD_DATA, reason)
        self._restart(FeedState.INVALID, reason, now_ns)
        self.snapshot_wanted = True

    def _restart(self, state: FeedState, reason: str, now_ns: int) -> None:
        self._sync.reset()
        self._forget_book()
        self._ticker, self._ticker_update_id = None, 0
        self._enter(state, reason, now_ns)

    def _forget_book(self) -> None:
        self._book.clear()
        self._merged.book_changed()
        self._bids = self._asks = ()
        self.top = None
        self._ahead_since_ns = 0
        self._reference = 0

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        self._fault(AlertCode.BAD_DATA, reason)

    def _fault(self, code: AlertCode, text: str) -> None:
        if len(self.faults) < _FAULTS_MAX:
            self.faults.append((code, text))

    def _enter(self, state: FeedState, reason: str, now_ns: int) -> None:
        if state is not self.state:
            self.since_ns = now_ns
            self.status_due = True
        self.state = state
        self.reason = reason


def _touch(ticker: BookTicker) -> str:
    return f"{ticker.bid_lots} @ {ticker.bid_ticks} / {ticker.ask_lots} @ {ticker.ask_ticks}"
