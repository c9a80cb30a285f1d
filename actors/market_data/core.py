"""The decisions of market_data: which frames become a book, which book may leave, and what the venue's clock shows.

One core serves the symbols of one shard. Frames, answers and timers come in as messages; tops, marks, trade totals, feed states,
the venue's clock and alerts go out.
"""

from __future__ import annotations

from typing import assert_never

from actors.market_data.alert_throttle import AlertThrottle
from actors.market_data.side_streams import MarkTracker, TradeTotals
from actors.market_data.snapshot import MarketDataSnapshot, symbol_snapshot
from actors.market_data.snapshot_desk import SnapshotDesk
from actors.market_data.symbol_feed import SymbolFeed
from actors.market_data.venue_time import VenueTime
from configs.schema import Settings
from protocols.effects import Call, Effect, LinkChanged, Log, LogLevel, OutboxFull, Publish, SetTimer, TimerFired
from protocols.mailboxes import MarketDataMailbox
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import (
    ActorSpec,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    Resume,
    ShardHalted,
    StopFileSeen,
)
from protocols.messages.market import BookTop, FeedState, FeedStatus
from protocols.messages.risk import InstrumentChanged
from protocols.values import InstrumentId
from protocols.venue import (
    AccountAnswered,
    AccountConfigAnswered,
    AdlAnswered,
    AllOpenOrdersAnswered,
    AmendmentsAnswered,
    AnyOutcome,
    AssetRatesAnswered,
    BadFrame,
    BalancesAnswered,
    BookDiff,
    BookSnapshot,
    BookTicker,
    BracketsAnswered,
    Done,
    FeeBurnAnswered,
    FeeRatesAnswered,
    FillsAnswered,
    IncomeAnswered,
    KeyPermissionsAnswered,
    ListingAnswered,
    NotSent,
    OpenOrdersAnswered,
    OrderAnswered,
    Outcome,
    OutcomeUnknown,
    PositionsAnswered,
    PublicTrade,
    QueryTime,
    Refused,
    StreamChanged,
    StreamHeard,
    SymbolConfigsAnswered,
    Throttled,
    TimeAnswered,
    TradingStatusAnswered,
    UserStreamOpened,
    VenueMark,
)

PUBLIC = "public"
"""The socket of depth and bookTicker."""
MARKET = "market"
"""The socket of trades and mark prices."""

CLOCK_BURST = 5
"""Answers wanted soon after the start, so that the least round trip is a fair one."""
REFRESH_NS = 1_000_000_000
"""What has not changed is said again this often: a reader that came late knows it within that time."""

_MS = 1_000_000
_CLOCK_BURST_NS = 200 * _MS
_CLOCK_RETRY_NS = 1_000 * _MS
_FAILURE_LOG_NS = 10_000 * _MS
_STATUS_TIMER = "status"
_CLOCK_TIMER = "clock"
_BAD_STREAMS_MAX = 16
_CRITICAL = frozenset({AlertCode.FEED_LOST})


class MarketDataCore:
    """Books, marks, flows and the venue's clock of one shard's symbols."""

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        self.drained = False
        self._settings = settings.market_data
        self._feeds: dict[InstrumentId, SymbolFeed] = {
            instrument.instrument_id: SymbolFeed(instrument, settings.market_data, spec.started_ns)
            for instrument in spec.instruments
        }
        self._trades = {instrument_id: TradeTotals(instrument_id) for instrument_id in self._feeds}
        self._marks = {instrument_id: MarkTracker(instrument_id) for instrument_id in self._feeds}
        self._venue_time = VenueTime(settings.market_data.clock_samples_max)
        self._desk = SnapshotDesk()
        self._alerts = AlertThrottle(spec.name)
        self._streams = {PUBLIC: False, MARKET: False}
        self._bad_frames: dict[str, int] = {}
        self._heard_ns = 0
        self._refreshed_ns = 0
        self._request_id = 0
        self._times_asked = 0
        self._time_asked_ns = 0
        self._requests_failed = 0
        self._failure_logged_ns = -_FAILURE_LOG_NS
        self._frames = 0
        self._unknown_instruments = 0
        self._now_ns = spec.started_ns

    def start(self, now_ns: int) -> list[Effect]:
        """First timers and the first question for the venue's time."""
        self._now_ns = now_ns
        return [*self._statuses(now_ns, every=True), self._status_timer(now_ns), *self._ask_time(now_ns)]

    def handle(self, message: MarketDataMailbox, now_ns: int) -> list[Effect]:
        """Take one message. Book frames come first and take the shortest way."""
        match message:
            case BookTicker():
                self._frames += 1
                self._heard_ns = message.received_ns
                feed = self._feeds.get(message.instrument_id)
                if feed is None:
                    return self._unknown_instrument()
                return self._after_frame(feed, feed.take_ticker(message, now_ns), now_ns)
            case BookDiff():
                self._frames += 1
                self._heard_ns = message.received_ns
                feed = self._feeds.get(message.instrument_id)
                if feed is None:
                    return self._unknown_instrument()
                return self._after_frame(feed, feed.take_diff(message, now_ns), now_ns)
            case PublicTrade():
                self._frames += 1
                trades = self._trades.get(message.instrument_id)
                return self._unknown_instrument() if trades is None else self._take_trade(trades, message, now_ns)
            case VenueMark():
                self._frames += 1
                marks = self._marks.get(message.instrument_id)
                return self._unknown_instrument() if marks is None else self._take_mark(marks, message, now_ns)
            case InstrumentChanged():
                feed = self._feeds.get(message.instrument_id)
                news = message.instrument
                if feed is not None and news.version > feed.instrument.version and news.counts_as(feed.instrument):
                    feed.instrument = news
                return []
            case TimerFired():
                return self._timer(message.name, now_ns)
            case StreamHeard():
                if message.stream == PUBLIC:
                    self._heard_ns = max(self._heard_ns, message.heard_ns)
                return []
            case StreamChanged():
                return self._stream_changed(message, now_ns)
            case BadFrame():
                return self._bad_frame(message, now_ns)
            case Outcome():
                return self._outcome(message, now_ns)
            case Drain():
                self.drained = True
                return []
            case EmergencyStop() | Resume() | EpochAnnounced() | ShardHalted() | StopFileSeen():
                return []
            case LinkChanged() | OutboxFull():
                return []
            case _:
                assert_never(message)

    def snapshot(self) -> MarketDataSnapshot:
        """Everything that status, reports and metrics show; ages as of the last message."""
        clock = self._venue_time.clock
        return MarketDataSnapshot(
            symbols={
                feed.instrument.symbol: symbol_snapshot(feed, self._trades[key], self._marks[key], self._now_ns)
                for key, feed in self._feeds.items()
            },
            streams=dict(self._streams),
            bad_frames=dict(self._bad_frames),
            frames=self._frames,
            unknown_instruments=self._unknown_instruments,
            snapshots_in_flight=self._desk.in_flight,
            snapshots_failed=self._desk.failed,
            requests_failed=self._requests_failed,
            clock_offset_ns=clock.offset_ns if clock else 0,
            clock_error_ns=clock.error_ns if clock else -1,
            clock_age_ns=self._now_ns - clock.sampled_ns if clock else -1,
            clock_samples=self._venue_time.samples,
            clock_jumps=self._venue_time.jumps,
            drained=self.drained,
            now_ns=self._now_ns,
        )

    def _after_frame(self, feed: SymbolFeed, top: BookTop | None, now_ns: int) -> list[Effect]:
        if not (feed.status_due or feed.snapshot_wanted or feed.faults):
            return [] if top is None else [Publish(top)]
        effects: list[Effect] = []
        if feed.faults:
            effects += self._tell_faults(feed, now_ns)
        if feed.status_due:
            effects.append(Publish(self._status(feed)))
        if top is not None:
            effects.append(Publish(top))
        if feed.snapshot_wanted:
            effects += self._ask_snapshot(feed, now_ns)
        return effects

    def _take_trade(self, trades: TradeTotals, trade: PublicTrade, now_ns: int) -> list[Effect]:
        fault = trades.take(trade)
        if not fault:
            return []
        return self._alert(AlertCode.BAD_DATA, Severity.WARNING, trades.symbol, fault, now_ns)

    def _take_mark(self, marks: MarkTracker, mark: VenueMark, now_ns: int) -> list[Effect]:
        fault = marks.take(mark)
        if fault:
            return self._alert(AlertCode.BAD_DATA, Severity.WARNING, marks.symbol, fault, now_ns)
        return [] if marks.price is None else [Publish(marks.price)]

    def _timer(self, name: str, now_ns: int) -> list[Effect]:
        self._now_ns = now_ns
        if name == _CLOCK_TIMER:
            return self._ask_time(now_ns)
        if name != _STATUS_TIMER:
            return []
        effects: list[Effect] = []
        lost = self._desk.expire(now_ns)
        for instrument_id in lost:
            self._feeds[instrument_id].snapshot_failed()
        refresh = now_ns - self._refreshed_ns >= REFRESH_NS
        if refresh:
            self._refreshed_ns = now_ns
            effects += self._said_again(now_ns)
        for feed in self._feeds.values():
            feed.watch(self._heard_ns, now_ns)
            if feed.faults:
                effects += self._tell_faults(feed, now_ns)
            if feed.snapshot_wanted:
                effects += self._ask_snapshot(feed, now_ns)
        if any(feed.is_late for feed in self._feeds.values()) and now_ns - self._time_asked_ns >= _CLOCK_RETRY_NS:
            effects += self._ask_time(now_ns)
        effects += self._statuses(now_ns, every=True)
        effects += [Publish(flow) for trades in self._trades.values() if (flow := trades.changed()) is not None]
        effects.append(self._status_timer(now_ns))
        return effects

    def _said_again(self, now_ns: int) -> list[Effect]:
        effects: list[Effect] = []
        before_ns = now_ns - REFRESH_NS
        if self._venue_time.clock is not None:
            effects.append(Publish(self._venue_time.clock))
        for instrument_id, feed in self._feeds.items():
            top = feed.top
            if feed.state is FeedState.LIVE and top is not None and top.received_ns <= before_ns:
                effects.append(Publish(top))
            price = self._marks[instrument_id].price
            if price is not None and price.received_ns <= before_ns:
                effects.append(Publish(price))
        return effects

    def _stream_changed(self, change: StreamChanged, now_ns: int) -> list[Effect]:
        if change.stream not in self._streams:
            return []
        was_up = self._streams[change.stream]
        self._streams[change.stream] = change.up
        effects: list[Effect] = []
        if not change.up and was_up:
            text = f"the {change.stream} stream was lost: {change.reason}"
            effects += self._alert(AlertCode.FEED_LOST, Severity.WARNING, change.stream, text, now_ns)
        if change.stream == MARKET:
            for trades in self._trades.values():
                trades.reconnected()
            return effects
        if change.up:
            self._heard_ns = max(self._heard_ns, change.changed_ns)
        for feed in self._feeds.values():
            self._desk.forget(feed.instrument.instrument_id)
            if change.up:
                feed.connected(now_ns)
            else:
                feed.disconnected(f"public stream lost: {change.reason}", now_ns)
        return effects + self._statuses(now_ns, every=False)

    def _bad_frame(self, frame: BadFrame, now_ns: int) -> list[Effect]:
        if frame.stream in self._bad_frames or len(self._bad_frames) < _BAD_STREAMS_MAX:
            self._bad_frames[frame.stream] = self._bad_frames.get(frame.stream, 0) + 1
        text = f"a frame of the {frame.stream} stream was refused at {frame.field or 'its start'}: {frame.reason}"
        return self._alert(AlertCode.BAD_DATA, Severity.WARNING, frame.stream, text, now_ns)

    def _outcome(self, outcome: AnyOutcome, now_ns: int) -> list[Effect]:
        match outcome:
            case BookSnapshot():
                if self._desk.answered(outcome.request_id) != outcome.instrument_id:
                    return []
                feed = self._feeds[outcome.instrument_id]
                return self._after_frame(feed, feed.take_snapshot(outcome, now_ns), now_ns)
            case TimeAnswered():
                return self._take_time(outcome, now_ns)
            case Throttled():
                self._desk.throttled(outcome.retry_at_ns)
                text = f"the venue limits our requests until {outcome.retry_at_ns}: {outcome.text}"
                return [
                    *self._request_failed(outcome.request_id, text, now_ns),
                    *self._alert(AlertCode.RATE_LIMITED, Severity.WARNING, "requests", text, now_ns),
                ]
            case Refused():
                reason = f"was refused: {outcome.venue_code} {outcome.text}"
                return self._request_failed(outcome.request_id, reason, now_ns)
            case OutcomeUnknown() | NotSent():
                return self._request_failed(outcome.request_id, f"was not answered: {outcome.reason}", now_ns)
            case (
                OrderAnswered()
                | Done()
                | OpenOrdersAnswered()
                | AmendmentsAnswered()
                | FillsAnswered()
                | PositionsAnswered()
                | BalancesAnswered()
                | IncomeAnswered()
                | AccountAnswered()
                | AllOpenOrdersAnswered()
                | SymbolConfigsAnswered()
                | AdlAnswered()
                | TradingStatusAnswered()
                | AssetRatesAnswered()
                | AccountConfigAnswered()
                | KeyPermissionsAnswered()
                | FeeBurnAnswered()
                | FeeRatesAnswered()
                | BracketsAnswered()
                | ListingAnswered()
                | UserStreamOpened()
            ):
                return []
            case _:
                assert_never(outcome)

    def _take_time(self, answer: TimeAnswered, now_ns: int) -> list[Effect]:
        jumped = self._venue_time.take(answer)
        effects: list[Effect] = []
        if jumped:
            for feed in self._feeds.values():
                feed.clock_stepped()
            text = "the venue's clock and ours moved apart by more than both samples allow"
            effects += self._alert(AlertCode.CLOCK_UNTRUSTED, Severity.WARNING, "venue clock", text, now_ns)
        if self._venue_time.clock is not None:
            effects.append(Publish(self._venue_time.clock))
        return effects

    def _request_failed(self, request_id: int, reason: str, now_ns: int) -> list[Effect]:
        """A snapshot is asked for again and the time at its next turn; the log says so once in a while."""
        self._requests_failed += 1
        instrument_id = self._desk.answered(request_id)
        if instrument_id is not None:
            self._desk.failed += 1
            self._feeds[instrument_id].snapshot_failed()
        if now_ns < self._failure_logged_ns + _FAILURE_LOG_NS:
            return []
        self._failure_logged_ns = now_ns
        text = f"request {request_id} {reason} ({self._requests_failed} failed since the start)"
        return [Log(LogLevel.WARNING, text)]

    def _ask_snapshot(self, feed: SymbolFeed, now_ns: int) -> list[Effect]:
        instrument_id = feed.instrument.instrument_id
        if now_ns < feed.snapshot_not_before_ns or not self._desk.may_ask(instrument_id, now_ns):
            return []
        feed.snapshot_requested(now_ns)
        self._request_id += 1
        return [Call(self._desk.ask(self._request_id, instrument_id, now_ns))]

    def _ask_time(self, now_ns: int) -> list[Effect]:
        period_ns = self._settings.clock_sample_period_ms * _MS
        self._times_asked += 1
        self._time_asked_ns = now_ns
        if self._times_asked < CLOCK_BURST:
            period_ns = min(_CLOCK_BURST_NS, period_ns)
        elif self._venue_time.samples < CLOCK_BURST:
            period_ns = min(_CLOCK_RETRY_NS, period_ns)
        timer = SetTimer(_CLOCK_TIMER, now_ns + period_ns)
        if not self._desk.open_at(now_ns):
            return [timer]
        self._request_id += 1
        return [Call(QueryTime(request_id=self._request_id)), timer]

    def _tell_faults(self, feed: SymbolFeed, now_ns: int) -> list[Effect]:
        effects: list[Effect] = []
        for code, text in feed.faults:
            effects += self._alert(code, Severity.WARNING, feed.instrument.symbol, text, now_ns)
        feed.faults.clear()
        return effects

    def _alert(self, code: AlertCode, severity: Severity, subject: str, text: str, now_ns: int) -> list[Effect]:
        alert = self._alerts.alert(code, severity, subject, text, now_ns)
        return [] if alert is None else [Publish(alert), Log(LogLevel.WARNING, f"{code} {subject}: {text}")]

    def _unknown_instrument(self) -> list[Effect]:
        self._unknown_instruments += 1
        return []

    def _statuses(self, now_ns: int, every: bool) -> list[Effect]:
        return [Publish(self._status(feed)) for feed in self._feeds.values() if every or feed.status_due]

    def _status(self, feed: SymbolFeed) -> FeedStatus:
        feed.status_due = False
        return FeedStatus(
            instrument_id=feed.instrument.instrument_id,
            state=feed.state,
            update_id=feed.update_id,
            confirmed_ns=self._heard_ns,
            since_ns=feed.since_ns,
            reason=feed.reason,
        )

    def _status_timer(self, now_ns: int) -> SetTimer:
        return SetTimer(_STATUS_TIMER, now_ns + self._settings.status_period_ms * _MS)
