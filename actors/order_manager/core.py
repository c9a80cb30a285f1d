"""The order manager's core: takes one message, lets its parts decide, and returns what is to be done, in order.

It speaks protocols/venue only. One reading of the clock serves gate, lease and the order's timestamp.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from actors.order_manager.checkpoint import load, save
from actors.order_manager.emergencies import Emergencies
from actors.order_manager.evidence import Evidence
from actors.order_manager.gate import LOOP_LAG_NS_MAX
from actors.order_manager.lifecycle import Lifecycle, Phase
from actors.order_manager.outcomes import Outcomes
from actors.order_manager.quoting import Quoter
from actors.order_manager.requests import Requests
from actors.order_manager.restore import Restorer
from actors.order_manager.second_copy import records_of
from actors.order_manager.shard import Shard
from actors.order_manager.snapshot import OrderManagerView, view
from actors.order_manager.symbol import Symbol
from actors.order_manager.synchronisation import Cause
from actors.order_manager.user_events import UserEvents
from configs.schema import Settings
from protocols.arithmetic.sequences import era_begins_after
from protocols.effects import Effect, JournalStalled, LinkChanged, LogLevel, OutboxFull, TimerFired
from protocols.envelope import Message
from protocols.mailboxes import OrderManagerMailbox
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import (
    ActorSpec,
    ActorState,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    PullQuotes,
    Reconcile,
    Resume,
    SettingsChanged,
    ShardHalted,
    StopFileSeen,
)
from protocols.messages.inventory import UserStreamKey
from protocols.messages.journal import EpochBegan
from protocols.messages.market import BookTop, FeedStatus, MarkPrice, VenueClock
from protocols.messages.orders import InstrumentTaken
from protocols.messages.quoting import QuoteTargets
from protocols.messages.requests import OrderRequest, WithdrawRequest
from protocols.messages.risk import InstrumentChanged, Lease, QuotingTerms
from protocols.venue import (
    AccountConfigUpdate,
    BadFrame,
    BalanceUpdate,
    CancelOrder,
    EventMissing,
    FillsAnswered,
    MarginCallUpdate,
    OpenOrdersAnswered,
    OrderUpdate,
    Outcome,
    OutcomeUnknown,
    PositionsAnswered,
    PositionUpdate,
    StreamChanged,
    StreamHeard,
    Usage,
    UserStreamExpired,
)

CLOCK_ASK_NS = 1_000_000_000
"""Without a trusted clock the venue is asked for its time this often."""

FAREWELL_REQUEST_ID = 2**62
"""Number of requests whose answers nobody waits for."""

HEARTBEAT = "heartbeat"

PRIVATE_STREAM = "private"
ORDER_STREAM = "orders"

_STATES: dict[Phase, ActorState] = {
    Phase.RECOVERING: ActorState.RECOVERING,
    Phase.RUNNING: ActorState.RUNNING,
    Phase.DRAINING: ActorState.DRAINING,
    Phase.DISARMING: ActorState.DRAINING,
    Phase.STOPPED: ActorState.STOPPED,
}


class OrderManagerCore:
    """Decides over every order of one shard."""

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        self._shard = Shard(spec, settings)
        self._evidence = Evidence(self._shard)
        self._quoter = Quoter(self._shard)
        self._requests = Requests(self._shard)
        self._lifecycle = Lifecycle(self._shard, self._quoter)
        self._outcomes = Outcomes(
            self._shard, self._evidence, self._lifecycle.open_orders_seen, self._lifecycle.look_failed
        )
        self._user_events = UserEvents(self._shard, self._evidence)
        self._restorer = Restorer(self._shard)
        self._emergencies = Emergencies(self._shard)
        self._now_ns = 0
        self._beat_due_ns = 0
        self._beat_ns = self._shard.own.beat_ms * 1_000_000
        """Period of the timer behind every age, renewal and retry."""
        self._clock_asked_ns = 0
        self._journal_lost = ""
        self.listen_key = ""
        """Newest key of the private stream, for the gateway. A secret."""

    @property
    def state(self) -> ActorState:
        """Where the order manager is in its life."""
        return _STATES[self._lifecycle.phase]

    @property
    def shard(self) -> Shard:
        """The parts, for a rehearsal to furnish."""
        return self._shard

    @property
    def venue_offset_ns(self) -> int:
        """The venue's time minus ours, as last known."""
        return self._shard.clock.offset_ns

    @property
    def event_seq(self) -> int:
        """Number of the last event."""
        return self._shard.outbox.event_seq

    def restore(self, record: Message) -> None:
        """Take one record of the journal, oldest first, before `start`."""
        self._restorer.take(record)

    def restore_copy(self, copy: Iterable[Message]) -> int:
        """Begin without a journal, from inventory's copy of this shard's events, before `start`; how many it gave.

        Events are numbered anew, for the last of the lost journal may never have reached the copy.
        """
        given = 0
        for given, record in enumerate(records_of(copy), 1):  # noqa: B007
            self._restorer.take(record)
        if given:
            self.number_anew(f"no journal: beginning from the venue and {given} records of inventory's copy")
        return given

    def _change(self, message: SettingsChanged, now_ns: int) -> None:
        """Settings changed while we run; limits come with the leases."""
        settings = Settings.model_validate_json(message.settings_json)
        self._shard.change(settings)
        self._quoter.change(settings.order_manager)
        self._shard.outbox.log(LogLevel.WARNING, f"settings changed: {'; '.join(message.changes)}")

    def number_anew(self, reason: str) -> None:
        """The newest events of an earlier life may be lost: numbers that readers know already must not come again."""
        self._journal_lost = reason
        self._shard.outbox.event_seq = 0

    def load(self, checkpoint: bytes) -> None:
        """Take a checkpoint of the journal, before any record."""
        load(self._shard, checkpoint)

    def checkpoint(self) -> bytes:
        """What `load` takes: the state after everything journaled so far."""
        return save(self._shard)

    def start(self, now_ns: int) -> list[Effect]:
        """Come to life with the gate shut, and begin recovery."""
        shard = self._shard
        self._now_ns = now_ns
        self._restorer.finish()
        if not shard.outbox.event_seq:
            shard.outbox.event_seq = era_begins_after(shard.spec.epoch)
        shard.outbox.append(EpochBegan(epoch=shard.spec.epoch, began_ns=now_ns, venue_time_ns=shard.clock.at(now_ns)))
        for symbol in shard.symbols.values():
            self._name_units(symbol, now_ns)
            if symbol.halted:
                shard.halt(symbol, AlertCode.ACCOUNT_DIFFERS, symbol.halted, now_ns)
        if self._journal_lost:
            shard.intents.lost_before_ns = now_ns
            name = shard.spec.name
            shard.outbox.alert(AlertCode.JOURNAL_LOST, Severity.WARNING, name, self._journal_lost, now_ns)
        self._lifecycle.start(now_ns)
        self._beat_due_ns = now_ns
        self._beat(now_ns)
        return shard.outbox.take()

    def handle(self, message: OrderManagerMailbox, now_ns: int) -> list[Effect]:
        """Take one message."""
        self._now_ns = now_ns
        shard = self._shard
        if shard.budget.is_waiting and not shard.budget.is_blocked(now_ns):
            shard.budget.is_waiting = False
            for waiting in shard.symbols.values():
                self._quoter.cancel_first(waiting, now_ns)
        match message:
            case QuoteTargets():
                symbol = shard.symbols.get(message.instrument_id)
                if symbol is not None:
                    symbol.targets, symbol.targets_ns = message, now_ns
                    self._quoter.work(symbol, now_ns)
            case OrderRequest():
                self._requests.take(message, now_ns)
            case WithdrawRequest():
                self._requests.withdraw(message, now_ns)
            case BookTop():
                symbol = shard.symbols.get(message.instrument_id)
                has_both = bool(message.bids and message.asks)
                if symbol is not None and has_both and message.instrument_version == symbol.instrument.version:
                    symbol.take_top(message)
            case FeedStatus():
                symbol = shard.symbols.get(message.instrument_id)
                if symbol is not None:
                    self._lifecycle.feed_changed(symbol, message.state, now_ns)
                    symbol.status = message
                    self._quoter.work(symbol, now_ns)
            case MarkPrice():
                symbol = shard.symbols.get(message.instrument_id)
                if symbol is not None:
                    symbol.take_mark(message)
            case VenueClock():
                shard.clock.take(message)
            case Lease():
                if shard.take_lease(message, now_ns):
                    self._work(list(shard.symbols.values()))
            case QuotingTerms():
                symbol = shard.symbols.get(message.instrument_id)
                if symbol is not None and shard.tighten(message, now_ns):
                    self._quoter.work(symbol, now_ns)
            case InstrumentChanged():
                self._take_instrument(message, now_ns)
            case (
                OrderUpdate()
                | BalanceUpdate()
                | PositionUpdate()
                | MarginCallUpdate()
                | UserStreamExpired()
                | AccountConfigUpdate()
            ):
                shard.gate.user_stream_heard_ns = max(shard.gate.user_stream_heard_ns, message.received_ns)
                changed = self._user_events.take(message, now_ns)
                if changed is not None:
                    self._work([changed])
            case StreamChanged() | StreamHeard() | BadFrame():
                self._stream(message, now_ns)
            case EventMissing():
                self._event_missing(message, now_ns)
            case UserStreamKey():
                self.listen_key = message.listen_key
            case TimerFired():
                if message.name == HEARTBEAT:
                    self._beat(now_ns)
            case LinkChanged():
                self._link(message)
            case OutboxFull():
                self._outbox_full(message, now_ns)
            case JournalStalled():
                self._journal_stalled(message, now_ns)
            case SettingsChanged():
                self._change(message, now_ns)
            case PullQuotes():
                shard.gate.pull(message.hold_ms, now_ns)
                shard.outbox.log(LogLevel.WARNING, f"quotes are pulled for {message.hold_ms} ms: {message.reason}")
                self._work(list(shard.symbols.values()))
            case Drain() | EmergencyStop() | Resume() | EpochAnnounced() | ShardHalted() | StopFileSeen():
                self._control(message, now_ns)
            case Reconcile():
                self._lifecycle.reconcile(message.token)
                self._lifecycle.synchronise(now_ns)
            case OpenOrdersAnswered() | FillsAnswered() | PositionsAnswered():
                self._work(self._outcomes.take(message, now_ns))
                self._lifecycle.synchronise(now_ns)
            case _ if isinstance(message, Outcome):
                self._work(self._outcomes.take(message, now_ns))
            case _:
                assert_never(message)
        return shard.outbox.take()

    def snapshot(self) -> OrderManagerView:
        """The one view of this order manager."""
        refusals = {kind.value: count for kind, count in self._outcomes.refusals.items() if count}
        return view(self._shard, self._lifecycle, self._requests, refusals, self._now_ns)

    def farewell(self, now_ns: int) -> list[CancelOrder]:
        """A cancel for each order that may rest, for a process that cannot go on."""
        shard = self._shard
        return [
            CancelOrder(
                request_id=FAREWELL_REQUEST_ID,
                instrument_id=symbol.instrument_id,
                client_order_id=order.client_order_id,
                venue_order_id=0,
                venue_time_ns=shard.clock.at(now_ns),
                window_ms=shard.own.cancel_window_ms,
            )
            for symbol in shard.symbols.values()
            for order in symbol.table.live.values()
            if not order.is_terminal
        ]

    def _work(self, symbols: list[Symbol]) -> None:
        for symbol in symbols:
            if symbol.makes_way:
                self._requests.go_on(symbol, self._now_ns)
            self._quoter.work(symbol, self._now_ns)

    def _event_missing(self, message: EventMissing, now_ns: int) -> None:
        self._lifecycle.stream_is_mute(now_ns)
        if message.instrument_id in self._shard.symbols:
            self._shard.desk.query_order(message.instrument_id, message.client_order_id, now_ns)

    def _stream(self, message: StreamChanged | StreamHeard | BadFrame, now_ns: int) -> None:
        shard = self._shard
        if isinstance(message, BadFrame):
            shard.outbox.alert(
                AlertCode.BAD_DATA,
                Severity.WARNING,
                f"{shard.spec.name} {message.stream}",
                f"{message.reason} (at {message.field or 'the frame'})",
                now_ns,
            )
            if message.stream == PRIVATE_STREAM:
                for sync in shard.syncs.values():
                    sync.begin(Cause.AUDIT, now_ns)
        elif message.stream == PRIVATE_STREAM:
            if isinstance(message, StreamHeard):
                shard.gate.user_stream_heard_ns = max(shard.gate.user_stream_heard_ns, message.heard_ns)
            else:
                self._lifecycle.stream_changed(message.up, message.reason, now_ns)
                self._work(list(shard.symbols.values()))
        elif message.stream == ORDER_STREAM and isinstance(message, StreamChanged):
            self._lifecycle.orders_socket_changed(message.up, now_ns)

    def _link(self, message: LinkChanged) -> None:
        if message.peer.startswith(("strategy", "market_data")):
            links_down = self._shard.gate.links_down
            links_down.discard(message.peer) if message.up else links_down.add(message.peer)
            self._work(list(self._shard.symbols.values()))

    def _take_instrument(self, message: InstrumentChanged, now_ns: int) -> None:
        """New filters of the same tick and lot: every quote was made by the old ones and goes, the next ladder is made by the new."""
        symbol, news = self._shard.symbols.get(message.instrument_id), message.instrument
        if symbol is None or news.version <= symbol.instrument.version or not news.counts_as(symbol.instrument):
            return
        self._shard.instruments[symbol.instrument_id] = message.instrument
        symbol.take_instrument(message.instrument)
        symbol.shut_until_ns = symbol.faults_in_a_row = 0
        self._name_units(symbol, now_ns)
        self._shard.outbox.log(LogLevel.WARNING, f"{symbol.name}: filters of version {message.instrument.version} hold")
        self._work([symbol])

    def _name_units(self, symbol: Symbol, now_ns: int) -> None:
        """Say what the events of a symbol count in from here on."""
        self._shard.outbox.event(
            InstrumentTaken,
            instrument_id=symbol.instrument_id,
            instrument=symbol.instrument,
            position_lots=symbol.table.position_lots,
            venue_time_ns=self._shard.clock.at(now_ns),
        )

    def _journal_stalled(self, message: JournalStalled, now_ns: int) -> None:
        """A disk that neither works nor fails: nothing new is promised while it lasts. One that fails ends the process instead."""
        shard, age_ms = self._shard, message.age_ns // 1_000_000
        shard.gate.journal_stalled = message.stalled
        if message.stalled:
            text = f"a sync of the journal has been under way for {age_ms} ms: quotes are withdrawn until it ends"
            shard.outbox.alert(AlertCode.JOURNAL_STALLED, Severity.CRITICAL, shard.spec.name, text, now_ns)
        else:
            shard.outbox.log(LogLevel.WARNING, f"the sync of the journal ended after {age_ms} ms")
        self._work(list(shard.symbols.values()))

    def _outbox_full(self, message: OutboxFull, now_ns: int) -> None:
        shard = self._shard
        if message.full:
            shard.gate.outboxes_full.add(message.reader)
            shard.outbox.alert(
                AlertCode.OUTBOX_FULL, Severity.CRITICAL, shard.spec.name, f"{message.reader} does not read", now_ns
            )
        else:
            shard.gate.outboxes_full.discard(message.reader)
        self._work(list(shard.symbols.values()))

    def _control(
        self, message: Drain | EmergencyStop | Resume | EpochAnnounced | ShardHalted | StopFileSeen, now_ns: int
    ) -> None:
        shard = self._shard
        match message:
            case Drain():
                self._lifecycle.drain(now_ns)
            case EmergencyStop():
                self._lifecycle.stop(message.reason, now_ns)
            case Resume():
                self._lifecycle.resume(message.reason, now_ns)
            case EpochAnnounced():
                if message.name == shard.spec.name and message.epoch > shard.spec.epoch:
                    shard.supersede(f"epoch {message.epoch} of {message.name} was announced", now_ns)
            case ShardHalted():
                if message.shard == shard.spec.shard:
                    self._lifecycle.stop(f"shard {message.shard} halted: {message.reason}", now_ns)
            case StopFileSeen():
                self._lifecycle.stop_file_seen = message.present
                if message.present:
                    self._lifecycle.stop(f"stop file: {message.text or 'present'}", now_ns)
            case _:
                assert_never(message)
        self._work(list(shard.symbols.values()))

    def _beat(self, now_ns: int) -> None:
        shard = self._shard
        shard.gate.loop_is_late = now_ns - self._beat_due_ns > LOOP_LAG_NS_MAX
        self._beat_due_ns = now_ns + self._beat_ns
        shard.outbox.timer(HEARTBEAT, self._beat_due_ns)
        venue_now_ns = shard.clock.at(now_ns)
        shard.budget.roll(venue_now_ns)
        recovered = shard.dry_run or all(symbol.recovered for symbol in shard.symbols.values())
        request = shard.lease.request(shard.worst_notional, recovered, now_ns)
        if request is not None:
            shard.outbox.publish(request)
        for late in shard.desk.expired(now_ns):
            self._outcomes.take(
                OutcomeUnknown(
                    request_id=late.request_id, received_ns=now_ns, usage=Usage(), reason="no answer in time"
                ),
                now_ns,
            )
        self._requests.step(now_ns)
        for symbol in shard.symbols.values():
            self._quoter.cancel_first(symbol, now_ns)
        if not shard.dry_run and not shard.clock.is_trusted(now_ns) and self._clock_is_due(now_ns):
            self._clock_asked_ns = now_ns
            shard.desk.query_time(now_ns)
        self._settle_suspects(now_ns, venue_now_ns)
        self._emergencies.step(now_ns)
        self._lifecycle.step(now_ns)
        for symbol in shard.symbols.values():
            symbol.table.forget_tombstones(now_ns)
            self._renew_countdown(symbol, now_ns)
            self._quoter.work(symbol, now_ns)

    def _clock_is_due(self, now_ns: int) -> bool:
        return not self._clock_asked_ns or now_ns - self._clock_asked_ns >= CLOCK_ASK_NS

    def _settle_suspects(self, now_ns: int, venue_now_ns: int) -> None:
        shard = self._shard
        if shard.dry_run or not shard.clock.is_known:
            return
        shard.amend_doubts.step(now_ns)
        heard_ns = shard.gate.user_stream_heard_ns if shard.gate.user_stream_up else 0
        dead = shard.suspects.step(
            now_ns,
            lambda instrument_id: shard.syncs[instrument_id].fills_from(venue_now_ns),
            lambda instant_ns: heard_ns > instant_ns,
        )
        for suspect in dead:
            shard.symbols[suspect.instrument_id].table.bury(suspect.order, venue_now_ns, now_ns)

    def _renew_countdown(self, symbol: Symbol, now_ns: int) -> None:
        shard = self._shard
        is_ours = not shard.gate.superseded and not shard.gate.stopped and not shard.lease.is_long_over(now_ns)
        is_needed = symbol.recovered and self._lifecycle.phase in (Phase.RECOVERING, Phase.RUNNING, Phase.DRAINING)
        if is_ours and is_needed and not shard.dry_run:
            shard.countdown.renew(symbol.instrument_id, now_ns)
