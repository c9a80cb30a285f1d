"""Coming to life, stopping at once, draining: the three ways in which every order of ours has to be off the venue for certain."""

from __future__ import annotations

import enum
from typing import NamedTuple

from actors.order_manager.audits import audit_every_ns, fills_every_ns
from actors.order_manager.clearance import Clearance
from actors.order_manager.desk import Purpose
from actors.order_manager.orders import OrderState
from actors.order_manager.quoting import Quoter
from actors.order_manager.rate_budget import Urgency
from actors.order_manager.shard import Shard
from actors.order_manager.symbol import Symbol
from actors.order_manager.synchronisation import Agreement, Cause, Stage
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.journal import PositionAdopted, Reconciled
from protocols.messages.market import FeedState
from protocols.messages.orders import UserStreamLost, VenuePosition
from protocols.values import InstrumentId
from protocols.venue import OrderReport

COMPLAIN_NS = 30_000_000_000
"""A recovery that takes so long raises an alert."""

POSITION_DOUBT_NS = 500_000_000
"""A position of the private stream that our executions do not explain within this starts a comparison."""

UNEXPLAINED_NS = 2_000_000_000
"""Events that our tables do not explain start comparisons of a symbol at most this often."""

FOREIGN_RETRY_NS = 5_000_000_000
"""A symbol on which somebody else's orders rest is looked at again after this."""

LAST_COMPARISON_NS_MAX = 3_000_000_000
"""A drain that has taken every order off the venue waits for its last comparison no longer: the next start makes it again."""

KEY_DOUBT_NS = 3_000_000_000
"""A private stream that stays down for so long may be held down by a dead key: its owner is asked for one, again and again."""

MUTE_TOLD_NS = 1_000_000_000
"""What is missing of a mute stream is noticed at once, and told of as one."""


class ReconciledNote(NamedTuple):
    """The newest comparison of one symbol, and what the newest one on demand (`token`) found."""

    token: int
    token_took_ns: int
    token_differences: tuple[str, ...]
    cause: str
    ended_ns: int


class Phase(enum.StrEnum):
    """Where the order manager is in its life."""

    RECOVERING = "RECOVERING"
    RUNNING = "RUNNING"
    DRAINING = "DRAINING"
    DISARMING = "DISARMING"
    STOPPED = "STOPPED"


class Lifecycle:
    """Recovery at start, the emergency stop, draining, and the continuous audit."""

    def __init__(self, shard: Shard, quoter: Quoter) -> None:
        self._shard = shard
        self._quoter = quoter
        own = shard.own
        fence_ms = shard.settings.risk.lease_ms + own.window_ms + own.clock_error_ms_max + own.dead_slack_ms
        self._fence_ns = fence_ms * 1_000_000
        self._began_ns = 0
        self._complained_ns = 0
        self._audited_ns = 0
        self._key_doubted_ns = 0
        self._mute_ns = -MUTE_TOLD_NS
        self._unexplained_ns: dict[InstrumentId, int] = {}
        self._look_again_ns: dict[InstrumentId, int] = {}
        self._demands: dict[InstrumentId, int] = {}
        self._last_words: set[InstrumentId] = set()
        """Symbols that a drain has cleared and whose last comparison has not ended yet."""
        self._cleared_ns = 0
        self.reconciled: dict[InstrumentId, ReconciledNote] = {}
        """The newest comparison of each symbol."""
        self._older: Clearance | None = None
        self._stop: Clearance | None = None
        self._drain: Clearance | None = None
        self.stop_file_seen = False
        self.phase = Phase.RUNNING if shard.dry_run else Phase.RECOVERING

    @property
    def is_clear(self) -> bool:
        """Whether, after an emergency stop or in a drain, the venue was seen empty for certain."""
        wanted = self._drain or self._stop
        return wanted is not None and wanted.is_done

    def start(self, now_ns: int) -> None:
        """Begin: the fence counts from the announcement of this epoch, where it is known."""
        announced_ns = self._shard.spec.started_ns
        self._began_ns = announced_ns if 0 < announced_ns <= now_ns else now_ns
        self._complained_ns = now_ns

    def stop(self, reason: str, now_ns: int) -> None:
        """Shut the gate at once and clear every symbol; latched until `resume`."""
        shard = self._shard
        is_news = not shard.gate.stopped
        shard.gate.stopped = reason
        if not is_news:
            return
        shard.outbox.alert(AlertCode.EMERGENCY_STOP, Severity.CRITICAL, shard.spec.name, reason, now_ns)
        if shard.dry_run:
            return
        self._stop = Clearance(list(shard.symbols), shard.desk, shard.must_go_on_stop)
        for symbol in shard.symbols.values():
            shard.desk.cancel_all(symbol.instrument_id, now_ns)
            self._quoter.pull(symbol, now_ns)

    def resume(self, reason: str, now_ns: int) -> None:
        """Lift stop and halts; every symbol agrees with the venue before it quotes."""
        shard = self._shard
        if self.stop_file_seen:
            shard.outbox.alert(
                AlertCode.EMERGENCY_STOP,
                Severity.CRITICAL,
                shard.spec.name,
                "not resumed: the stop file is there",
                now_ns,
            )
            return
        shard.gate.stopped = ""
        self._stop = None
        for symbol in shard.symbols.values():
            symbol.halted, symbol.shut_until_ns = "", 0
            symbol.faults_in_a_row = 0
            if symbol.recovered:
                symbol.synchronised = False
                shard.syncs[symbol.instrument_id].begin(Cause.RECONNECT, now_ns)
        shard.outbox.alert(AlertCode.RESUMED, Severity.INFO, shard.spec.name, reason, now_ns)

    def drain(self, now_ns: int) -> None:
        """Withdraw everything, confirm that it is gone, and agree with the venue on what it has left behind."""
        shard = self._shard
        if self.phase in (Phase.DRAINING, Phase.DISARMING, Phase.STOPPED):
            return
        shard.gate.draining = True
        if shard.dry_run:
            self.phase = Phase.STOPPED
            return
        self.phase = Phase.DRAINING
        self._drain = Clearance(list(shard.symbols), shard.desk, shard.must_go)
        for symbol in shard.symbols.values():
            self._quoter.pull(symbol, now_ns)

    def stream_changed(self, up: bool, reason: str, now_ns: int) -> None:
        """The private stream came or went: symbols quote again when orders, executions and position agree."""
        shard = self._shard
        if shard.gate.user_stream_up and not up:
            shard.outbox.alert(AlertCode.USER_STREAM_LOST, Severity.WARNING, shard.spec.name, reason, now_ns)
        shard.gate.user_stream_up = up
        if up:
            shard.gate.user_stream_heard_ns = now_ns
        for instrument_id, symbol in shard.symbols.items():
            symbol.synchronised = False
            if up and symbol.recovered:
                shard.syncs[instrument_id].begin(Cause.RECONNECT, now_ns)

    def open_orders_seen(
        self, instrument_id: InstrumentId, request_id: int, orders: tuple[OrderReport, ...], now_ns: int
    ) -> None:
        """Pass a list of open orders to whoever clears symbols."""
        if self._older is not None:
            certain_ns = self._older_certain_ns()
            self._older.seen(instrument_id, request_id, orders, certain_ns, now_ns)
        for clearance in (self._stop, self._drain):
            if clearance is not None:
                clearance.seen(instrument_id, request_id, orders, self._certain_ns(), now_ns)

    def look_failed(self, instrument_id: InstrumentId, request_id: int) -> None:
        """A question for open orders had no answer."""
        for clearance in (self._older, self._stop, self._drain):
            if clearance is not None:
                clearance.failed(instrument_id, request_id)

    def step(self, now_ns: int) -> None:
        """Do what is due."""
        self._doubt_key(now_ns)
        if self._shard.dry_run or not self._shard.clock.is_known:
            self._complain(now_ns)
            return
        if self.phase is Phase.RECOVERING:
            self._recover(now_ns)
        if self._stop is not None:
            self._stop.step(now_ns)
        if self._drain is not None:
            self._step_drain(now_ns)
        self._synchronise(now_ns)

    def _doubt_key(self, now_ns: int) -> None:
        """The word that a key has died comes on the stream itself: one that is down then never hears it."""
        shard = self._shard
        if shard.dry_run or shard.gate.user_stream_up or not self._key_doubted_ns:
            self._key_doubted_ns = now_ns
        elif now_ns - self._key_doubted_ns >= KEY_DOUBT_NS:
            self._key_doubted_ns = now_ns
            shard.outbox.publish(UserStreamLost(shard=shard.spec.shard, lost_ns=now_ns))

    def stream_is_mute(self, now_ns: int) -> None:
        """The private stream did not tell what the venue has acknowledged. A dead key makes such a stream as often as one connects with
        it, so its owner is asked for one; while the old one is good, the venue gives that one."""
        if now_ns - self._mute_ns >= MUTE_TOLD_NS:
            self._mute_ns = now_ns
            self._shard.outbox.publish(UserStreamLost(shard=self._shard.spec.shard, lost_ns=now_ns))

    def _recover(self, now_ns: int) -> None:
        shard = self._shard
        if self._older is None:
            self._older = Clearance(list(shard.symbols), shard.desk, shard.is_older)
        self._older.step(now_ns)
        if shard.gate.user_stream_up:
            for instrument_id, symbol in shard.symbols.items():
                sync = shard.syncs[instrument_id]
                is_due = now_ns >= self._look_again_ns.get(instrument_id, 0)
                if not symbol.recovered and self._older.is_clear(instrument_id) and sync.stage is Stage.IDLE and is_due:
                    sync.begin(Cause.RECOVERY, now_ns)
        if all(symbol.recovered for symbol in shard.symbols.values()):
            self.phase = Phase.RUNNING
        else:
            self._complain(now_ns)

    def _complain(self, now_ns: int) -> None:
        if self.phase is not Phase.RECOVERING or now_ns - self._complained_ns < COMPLAIN_NS:
            return
        self._complained_ns = now_ns
        shard = self._shard
        waiting = [symbol.name for symbol in shard.symbols.values() if not symbol.recovered]
        cause = (
            "the venue's clock is not known"
            if not shard.clock.is_known
            else "the private stream is down"
            if not shard.gate.user_stream_up
            else "orders of somebody else rest: cancel them, or name the symbol in order_manager.foreign_orders_accepted"
            if any(symbol.foreign_open for symbol in shard.symbols.values())
            else "orders, executions and positions do not agree with the venue yet"
        )
        shard.outbox.alert(
            AlertCode.RECOVERY_FAILED,
            Severity.CRITICAL,
            shard.spec.name,
            f"not recovered after {(now_ns - self._began_ns) // 1_000_000_000} s: {cause} ({', '.join(waiting)})",
            now_ns,
        )

    def _older_certain_ns(self) -> int:
        shard = self._shard
        return max(self._began_ns + self._fence_ns, shard.older_deadline_venue_ns - shard.clock.offset_ns)

    def _certain_ns(self) -> int:
        """The instant past which no send of ours can still be accepted; 0 when each has been answered for."""
        shard = self._shard
        deadlines = [
            order.deadline_venue_ns - shard.clock.offset_ns
            for symbol in shard.symbols.values()
            for order in symbol.table.live.values()
            if order.state in (OrderState.PENDING, OrderState.UNKNOWN)
        ]
        if not all(symbol.recovered for symbol in shard.symbols.values()):
            deadlines.append(self._older_certain_ns())
        return max(deadlines, default=0)

    def _step_drain(self, now_ns: int) -> None:
        assert self._drain is not None
        shard = self._shard
        if self.phase is Phase.DRAINING:
            self._drain.step(now_ns)
            if self._drain.is_done and not self._has_resting():
                if not shard.lease.is_over(now_ns):
                    for instrument_id in shard.symbols:
                        shard.countdown.disarm(instrument_id, now_ns)
                self.phase = Phase.DISARMING
                self._last_words, self._cleared_ns = set(shard.symbols), now_ns
                for sync in shard.syncs.values():
                    sync.begin(Cause.DRAIN, now_ns)
        elif self.phase is Phase.DISARMING and not self._is_disarming() and self._has_agreed(now_ns):
            self.phase = Phase.STOPPED

    def _has_agreed(self, now_ns: int) -> bool:
        """Whether the last comparison of every symbol has ended, or is waited for no longer."""
        if self._last_words and now_ns - self._cleared_ns < LAST_COMPARISON_NS_MAX:
            return False
        for instrument_id in self._last_words:
            text = "stopped before executions and position agreed with the venue: the next start books what is missing"
            name = self._shard.symbols[instrument_id].name
            self._shard.outbox.alert(AlertCode.POSITION_MISMATCH, Severity.WARNING, name, text, now_ns)
        self._last_words = set()
        return True

    def _is_disarming(self) -> bool:
        return any(request.purpose is Purpose.COUNTDOWN for request in self._shard.desk.in_flight.values())

    def _has_resting(self) -> bool:
        return any(
            order.state in (OrderState.NEW, OrderState.PARTIALLY_FILLED)
            for symbol in self._shard.symbols.values()
            for order in symbol.table.live.values()
        )

    def reconcile(self, token: int) -> None:
        """Somebody wants every symbol compared with the venue now."""
        self._demands = dict.fromkeys(self._shard.symbols, token)

    def orders_socket_changed(self, up: bool, now_ns: int) -> None:
        """The socket of orders came back: what was on its way may have been done."""
        if up:
            for sync in self._shard.syncs.values():
                sync.begin(Cause.AUDIT, now_ns)

    def feed_changed(self, symbol: Symbol, state: FeedState, now_ns: int) -> None:
        """A symbol whose feed was lost quotes again when the book stands and everything else agrees with the venue."""
        if state is FeedState.CONNECTING:
            symbol.feed_was_lost = True
        elif state is FeedState.LIVE and symbol.feed_was_lost:
            symbol.feed_was_lost = False
            if symbol.recovered and not self._shard.dry_run:
                symbol.synchronised = False
                self._shard.syncs[symbol.instrument_id].begin(Cause.RECONNECT, now_ns)

    def _begin_wanted(self, symbol: Symbol, now_ns: int) -> None:
        """Comparisons that somebody asked for, or that an event demands."""
        sync = self._shard.syncs[symbol.instrument_id]
        if not symbol.recovered or sync.stage is not Stage.IDLE:
            return
        if symbol.instrument_id in self._demands:
            sync.begin(Cause.DEMAND, now_ns)
        elif symbol.unexplained and now_ns - self._unexplained_ns.get(symbol.instrument_id, 0) >= UNEXPLAINED_NS:
            symbol.unexplained = False
            self._unexplained_ns[symbol.instrument_id] = now_ns
            sync.begin(Cause.AUDIT, now_ns)

    def synchronise(self, now_ns: int) -> None:
        """Move every comparison with the venue on."""
        if self._shard.dry_run or not self._shard.clock.is_known:
            return
        self._synchronise(now_ns)

    def _synchronise(self, now_ns: int) -> None:
        shard = self._shard
        self._audit(now_ns)
        venue_now_ns = shard.clock.at(now_ns)
        waiting = []
        for instrument_id, sync in shard.syncs.items():
            symbol = shard.symbols[instrument_id]
            self._look_at_position(symbol, now_ns)
            self._begin_wanted(symbol, now_ns)
            if symbol.recovered and not symbol.synchronised and sync.stage is Stage.IDLE and shard.gate.user_stream_up:
                sync.begin(Cause.RECONNECT, now_ns)
            sync.step(now_ns, venue_now_ns)
            if sync.is_in_doubt:
                shard.symbols[instrument_id].synchronised = False
            agreement = sync.finish(now_ns)
            if agreement is not None:
                self._last_words.discard(instrument_id)
                self._agreed(symbol, agreement.cause, agreement.differences, agreement.adopted, now_ns)
                self._note(symbol, agreement, now_ns)
                shard.outbox.append(
                    Reconciled(
                        cause=f"{agreement.cause.value} {symbol.name}",
                        differences=agreement.differences,
                        took_ns=agreement.took_ns,
                        venue_time_ns=venue_now_ns,
                    )
                )
            elif sync.wants_positions:
                waiting.append(sync)
        if waiting and not any(sync.will_want_positions(now_ns) for sync in shard.syncs.values()):
            is_audit = all(sync.cause is Cause.AUDIT for sync in waiting)
            request_id = shard.desk.query_positions(now_ns, Urgency.AUDIT if is_audit else Urgency.QUERY)
            for sync in waiting:
                sync.positions_asked(request_id, now_ns)

    def _look_at_position(self, symbol: Symbol, now_ns: int) -> None:
        """A position told by the venue that differs from ours for too long is looked into."""
        told_lots = symbol.told_lots
        if told_lots is None or told_lots == symbol.table.position_lots:
            symbol.told_lots = None
        elif symbol.recovered and now_ns - symbol.told_ns >= POSITION_DOUBT_NS:
            symbol.told_lots = None
            self._shard.syncs[symbol.instrument_id].begin(Cause.AUDIT, now_ns)

    def _agreed(self, symbol: Symbol, cause: Cause, differences: tuple[str, ...], adopted: bool, now_ns: int) -> None:
        shard = self._shard
        report = shard.syncs[symbol.instrument_id].venue_report
        assert report is None or report.instrument_id == symbol.instrument_id
        entry_price = report.entry_price if report is not None else symbol.instrument.price(0)
        venue_ns = shard.clock.at(now_ns)
        if adopted or cause is Cause.RECOVERY:
            symbol.adopted_venue_ns = venue_ns
            shard.outbox.append(
                PositionAdopted(
                    instrument_id=symbol.instrument_id,
                    position_lots=symbol.table.position_lots,
                    entry_price=entry_price,
                    trade_id_last=symbol.table.trade_id_last,
                    venue_time_ns=venue_ns,
                )
            )
        place = symbol.table.position_lots, symbol.table.trade_id_last
        if adopted or cause is Cause.RECOVERY or place != symbol.agreed:
            symbol.agreed = place
            shard.outbox.event(
                VenuePosition,
                instrument_id=symbol.instrument_id,
                position_lots=symbol.table.position_lots,
                entry_price=entry_price,
                venue_time_ns=venue_ns,
                agreed_trade_id=symbol.table.trade_id_last,
            )
        if differences:
            shard.outbox.alert(
                AlertCode.POSITION_MISMATCH, Severity.WARNING, symbol.name, "; ".join(differences[:5]), now_ns
            )
        if cause is Cause.RECOVERY:
            symbol.recovered = not symbol.foreign_open or shard.accepts_foreign(symbol)
            if not symbol.recovered:
                self._look_again_ns[symbol.instrument_id] = now_ns + FOREIGN_RETRY_NS
        if shard.gate.user_stream_up:
            symbol.synchronised = symbol.recovered and (symbol.synchronised or cause is not Cause.AUDIT)

    def _note(self, symbol: Symbol, agreement: Agreement, now_ns: int) -> None:
        """Keep the result for people; a comparison on demand carries the name of the demand."""
        token = self._demands.pop(symbol.instrument_id, 0) if agreement.cause is Cause.DEMAND else 0
        before = self.reconciled.get(symbol.instrument_id)
        self.reconciled[symbol.instrument_id] = ReconciledNote(
            token=token or (before.token if before is not None else 0),
            token_took_ns=agreement.took_ns if token or before is None else before.token_took_ns,
            token_differences=agreement.differences if token or before is None else before.token_differences,
            cause=agreement.cause.value,
            ended_ns=now_ns,
        )

    def _audit(self, now_ns: int) -> None:
        """Begin the periodic comparison of every symbol, where it is due."""
        shard = self._shard
        paid_by = shard.own.audit_period_ms, len(shard.symbols), shard.budget.weight_1m_max
        if self.phase is not Phase.RUNNING or now_ns - self._audited_ns < audit_every_ns(*paid_by):
            return
        self._audited_ns = now_ns
        for sync in shard.syncs.values():
            sync.fills_every_ns = fills_every_ns(*paid_by)
            sync.begin(Cause.AUDIT, now_ns)
