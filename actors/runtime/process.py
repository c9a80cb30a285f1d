"""Hosts one core in its process: feeds it messages, timers and the stop file, and carries out its effects strictly in order.

An exception of the core, or of carrying out an effect, ends the process: a torn state must not trade, and the supervisor starts a
clean one. What comes from outside and cannot be understood never gets as far as the core.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, get_args, runtime_checkable

import msgspec

from actors.runtime.clock import BootClock
from actors.runtime.exit_codes import ExitCode
from actors.runtime.flight_recording import FlightRecorder
from actors.runtime.journal_error import JournalFailed
from actors.runtime.links.alert_spool import AlertSpool
from actors.runtime.links.frames import FROM_NOW, VERSION, Hello
from actors.runtime.links.proof import ClusterSecret
from actors.runtime.links.reader import LinkReader
from actors.runtime.links.writer import LinkWriter
from actors.runtime.logs import open_log
from actors.runtime.loop_watch import LoopWatch
from actors.runtime.rehearsing import Pace
from actors.runtime.shell import Clock, Shell
from actors.runtime.shut import write_stop_file
from actors.runtime.state_dir import StateDir
from actors.runtime.stop_file import StopFile
from actors.runtime.timers import TimerTable
from configs.cluster_secret import load_cluster_secret
from configs.schema import Settings
from protocols.effects import (
    Append,
    Call,
    Effect,
    LinkChanged,
    Log,
    OutboxFull,
    Publish,
    Send,
    SetTimer,
    ShutNode,
    TimerFired,
)
from protocols.envelope import Envelope, Message
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import ActorSpec, EmergencyStop, EpochAnnounced, Resume, StopFileSeen, Vitals

TICK_S = 0.05
"""Period of looking at the stop file and of measuring the loop."""

REHEARSAL_PERIOD_NS_MIN = 1_000_000
"""The way to an order is rehearsed no more often; the loop's timers know no shorter wait either."""

WAITING_MAX = 65_536
"""Messages that may wait while another one is handled, or before the core has started; more ends the process."""

BAD_DATA_PERIOD_NS = 1_000_000_000
"""At most one BAD_DATA alert of one peer in this time; the others are counted in the next."""

Fatal = Callable[[ExitCode, BaseException], None]


@runtime_checkable
class Resumes(Protocol):
    """A shell whose core keeps what it has heard: it says from where the ordered events of a peer are wanted."""

    def resume_number(self, peer: str) -> int:
        """The last `event_seq` of `peer` that is booked: 0 asks for everything, -1 (what other shells get) for what is new."""
        ...


@runtime_checkable
class Gathers(Protocol):
    """A shell that gathers what one message caused, and lets it go in one write when all effects have been handed over."""

    def carried_out(self) -> None:
        """The last effect of the list was handed over."""
        ...


@runtime_checkable
class Rehearses(Protocol):
    """A shell that can walk its part of the way to an order over imagined data."""

    def rehearse(self, now_ns: int) -> None:
        """Walk it once. Nothing real is read for it or changed by it, and nothing of it leaves the process."""
        ...


class ActorProcess:
    """One core, its shell and its links. Everything happens on one loop."""

    def __init__(
        self,
        spec: ActorSpec,
        shell: Shell,
        settings: Settings,
        *,
        clock: Clock | None = None,
        log: Any = None,
        on_fatal: Fatal | None = None,
        place: str = "",
    ) -> None:
        """Put the parts together; `start` brings them to life.

        Args:
            on_fatal: None means that the process is this actor's own: its log file is opened, the garbage collector tuned, and
                a fatal error ends it. Several actors in one process (tests, benches) pass a function.
            place: of its loop on the processor, in words; shown in status.
        """
        self._spec = spec
        self._shell = shell
        self._settings = settings
        self._state = StateDir(spec.state_dir)
        self._place = place
        self._owns_process = on_fatal is None
        self._on_fatal = on_fatal or end_process
        self.clock: Clock = clock or BootClock()
        self.log: Any = log if log is not None else open_log(self._state.log(spec.name), spec.name, settings.logs)
        self.origin_ns = 0
        self._cause = ""
        self._accepted = frozenset(get_args(shell.mailbox)) or frozenset((shell.mailbox,))
        self._handling = True  # nothing reaches the core before `start` lets it
        self._dead = False
        self._waiting: deque[tuple[Message, int, str]] = deque()
        self._timers = TimerTable()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_ns = 0
        self._tick: asyncio.TimerHandle | None = None
        self._watch = LoopWatch(self.clock, TICK_S)
        self._stop_file = StopFile(self._state.stop_file)
        self._bad: dict[str, tuple[int, int]] = {}
        self._delivered = 0
        self._secret = ClusterSecret(load_cluster_secret(self._state.cluster_secret)) if spec.node else None
        self._writer = LinkWriter(
            spec.name,
            spec.epoch,
            settings.links,
            self.clock,
            self.log,
            AlertSpool(self._state.spool(spec.name), settings.alerting.spool_bytes_max, spec.epoch),
            shell.replay,
            self._outbox_changed,
            self._gap,
            self._secret,
            self._bad_data,
        )
        self._readers = self._make_readers()
        self._recorder = self._make_recorder()
        self._carried_out = shell.carried_out if isinstance(shell, Gathers) else None
        self._rehearse = shell.rehearse if isinstance(shell, Rehearses) else None
        self._pace = Pace(settings.order_path.rehearsal_core_share / settings.shards, REHEARSAL_PERIOD_NS_MIN)
        self._walked_ns = 0
        self._rehearsing: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Start the shell, open the links, then the core.

        Raises:
            Exception: whatever the shell's start raised; nothing is left running that `stop` does not end.
        """
        self.log.info(
            "{} starts, epoch {}, pid {}, scheduled: {}",
            self._spec.name,
            self._spec.epoch,
            os.getpid(),
            self._place or "ordinary",
        )
        await self._shell.start(self)
        for address in (self._spec.address, self._spec.tcp_address):
            if address:
                await self._writer.listen(self._at_home(address))
        for reader in self._readers.values():
            reader.start()
        if self._owns_process:
            self._watch.tune_garbage_collection()
        self._watch.start()
        self._begin()
        self._handling = False
        self._look_around()
        self._drain_waiting()
        if self._rehearse is not None and self._pace.is_wanted:
            self._rehearse_in(REHEARSAL_PERIOD_NS_MIN)

    def deliver(self, message: Message, origin_ns: int = 0) -> None:
        """Hand `message` to the core now; while another is being handled it waits for the end of that one's effects."""
        if type(message) is EpochAnnounced:
            self._announce(message)
        elif type(message) is Resume:
            self._look_at_stop_file()  # a stop that is newer than the last look comes first
        self._delivered += 1
        if self._handling:
            self._accept(message, origin_ns, "")
            return
        self._handle(message, origin_ns, "")
        if self._waiting:
            self._drain_waiting()

    def snapshot(self) -> msgspec.Struct:
        """The core's view of itself."""
        return self._shell.core.snapshot()

    def snapshot_bytes(self) -> bytes:
        """The core's snapshot and the shell's, `{"snapshot": ..., "io": ...}` in MessagePack."""
        core = msgspec.to_builtins(self._shell.core.snapshot(), str_keys=True)
        return msgspec.msgpack.encode({"snapshot": core, "io": self._shell.extra_snapshot()})

    def vitals(self) -> Vitals:
        """What the host knows of the process."""
        now_ns = self.clock.now_ns()
        readers = self._readers
        return Vitals(
            name=self._spec.name,
            pid=os.getpid(),
            epoch=self._spec.epoch,
            state=self._shell.state(),
            loop_lag_ns=self._watch.lag_ns_max,
            messages_in=self._delivered + sum(reader.messages_in for reader in readers.values()),
            messages_out=self._writer.messages_out,
            refused=self._writer.refused + sum(reader.refused for reader in readers.values()),
            link_ages_ns={peer: reader.age_ns(now_ns) for peer, reader in readers.items()},
            queue_depths={**self._writer.depths(), "waiting": len(self._waiting)},
            gc_pause_ns_max=self._watch.gc_pause_ns_max,
            place=self._place,
        )

    async def stop(self) -> None:
        """End timers, links and the shell; the core is told nothing more."""
        self._dead = True
        self._watch.stop()
        for handle in (self._timer, self._tick, self._rehearsing):
            if handle is not None:
                handle.cancel()
        for reader in self._readers.values():
            await reader.close()
        await self._shell.stop()
        await self._writer.close()
        self.log.info("{} stopped", self._spec.name)

    def _make_readers(self) -> dict[str, LinkReader]:
        spec = self._spec
        decoder = msgspec.msgpack.Decoder(Envelope[self._shell.mailbox])  # type: ignore[name-defined]
        wanted = tuple(instrument.instrument_id for instrument in spec.instruments)
        readers: dict[str, LinkReader] = {}
        for peer, address in spec.peers.items():
            number = self._shell.resume_number(peer) if isinstance(self._shell, Resumes) else FROM_NOW
            resume = {"events": number, "ordered": FROM_NOW, "alerts": 0}
            readers[peer] = LinkReader(
                peer,
                self._at_home(address),
                Hello(VERSION, spec.name, spec.role, spec.epoch, resume, wanted),
                decoder,
                self._settings.links,
                self.clock,
                self.log,
                self._received,
                self._link_changed,
                self._bad_data,
                self._secret,
            )
        return readers

    def _at_home(self, address: str) -> str:
        """A socket that is named by its actor alone is in the state directory of this node."""
        kind, _, name = address.partition(":")
        return self._state.socket(name) if kind == "local" else address

    def _make_recorder(self) -> FlightRecorder | None:
        """None unless the configuration names this actor or its role."""
        spec, wanted = self._spec, self._settings.recording
        if spec.name not in wanted.actors and spec.role not in wanted.actors:
            return None
        folder, mailbox = self._state.recordings, self._shell.mailbox
        return FlightRecorder(folder, spec.name, spec.role, spec.epoch, wanted, mailbox, self.log)

    def _received(self, envelope: Envelope[Any]) -> None:
        if self._handling:
            self._accept(envelope.body, envelope.origin_ns, envelope.cause)
            return
        self._handle(envelope.body, envelope.origin_ns, envelope.cause)
        if self._waiting:
            self._drain_waiting()

    def _accept(self, message: Message, origin_ns: int, cause: str) -> None:
        if self._handling:
            self._waiting.append((message, origin_ns, cause))
            if len(self._waiting) > WAITING_MAX:
                self._die(ExitCode.CORE_FAILED, OverflowError(f"more than {WAITING_MAX} messages wait for the core"))
            return
        self._handle(message, origin_ns, cause)
        if self._waiting:
            self._drain_waiting()

    def _drain_waiting(self) -> None:
        while self._waiting and not self._dead:
            self._handle(*self._waiting.popleft())

    def _handle(self, message: Message, origin_ns: int, cause: str) -> None:
        if self._dead:
            return
        self._handling = True
        self.origin_ns = origin_ns
        self._cause = cause
        now_ns = self.clock.now_ns()
        try:
            effects = self._shell.core.handle(message, now_ns)
            self._carry_out(effects)
            if self._recorder is not None:
                self._recorder.handled(self._shell.core, message, now_ns, effects)
        except JournalFailed as error:
            self._die(ExitCode.JOURNAL_FAILED, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the state is torn
            if self._recorder is not None:
                self._recorder.failed(message, now_ns, error)
            self._die(ExitCode.CORE_FAILED, error)
        finally:
            self._handling = False
            self.origin_ns = 0
            if origin_ns:
                self._walked_ns = now_ns

    def _rehearse_in(self, wait_ns: int) -> None:
        self._rehearsing = asyncio.get_running_loop().call_later(wait_ns / 1e9, self._rehearse_now)

    def _rehearse_now(self) -> None:
        """The way is rehearsed unless it was just walked."""
        if self._dead or self._rehearse is None:
            return
        began_ns = self.clock.now_ns()
        if began_ns - self._walked_ns < REHEARSAL_PERIOD_NS_MIN:
            self._rehearse_in(REHEARSAL_PERIOD_NS_MIN)
            return
        try:
            self._rehearse(began_ns)
        except Exception as error:  # noqa: BLE001 - nothing real is touched: trading goes on, colder
            self.log.opt(exception=error).error("rehearsals end, orders will be slower: {}", error)
            return
        self._rehearse_in(self._pace.wait_ns(self.clock.now_ns() - began_ns))

    def _begin(self) -> None:
        core, now_ns = self._shell.core, self.clock.now_ns()
        if self._recorder is not None:
            self._recorder.begin(core)
        effects = core.start(now_ns)
        self._carry_out(effects)
        if self._recorder is not None:
            self._recorder.started(now_ns, effects)

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        lines: list[Log] = []
        for effect in effects:
            match effect:
                case Publish():
                    self._writer.publish(effect.body, self.origin_ns, self._cause)
                case Append():
                    self._shell.append(effect.record)
                case Call():
                    self._shell.call(effect.request)
                case Send():
                    self._writer.publish(effect.body, self.origin_ns, self._cause, effect.to)
                case SetTimer():
                    self._set_timer(effect.name, effect.at_ns)
                case ShutNode():
                    self._shut_node(effect.reason)
                case Log():
                    lines.append(effect)
        if self._carried_out is not None:
            self._carried_out()
        for line in lines:
            self.log.log(line.level.value, line.text)

    def _set_timer(self, name: str, at_ns: int) -> None:
        self._timers.set(name, at_ns)
        next_ns = self._timers.next_ns()
        if next_ns is not None and (self._timer is None or next_ns < self._timer_at_ns):
            self._arm(next_ns)

    def _arm(self, at_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at_ns = at_ns
        delay_s = max(0.001, (at_ns - self.clock.now_ns()) / 1e9)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._timer_due)

    def _timer_due(self) -> None:
        self._timer = None
        for _ in range(len(self._timers)):
            name = self._timers.pop_due(self.clock.now_ns())
            if name is None or self._dead:
                break
            self._accept(TimerFired(name=name), 0, "")
        next_ns = self._timers.next_ns()
        if next_ns is not None and not self._dead and (self._timer is None or next_ns < self._timer_at_ns):
            self._arm(next_ns)

    def _look_around(self) -> None:
        if self._dead:
            return
        self._watch.tick()
        self._look_at_stop_file()
        self._tick = asyncio.get_running_loop().call_later(TICK_S, self._look_around)

    def _look_at_stop_file(self) -> None:
        changed = self._stop_file.look()
        if changed is not None and StopFileSeen in self._accepted:
            self._accept(changed, 0, "")

    def _shut_node(self, reason: str) -> None:
        """Write the stop file: every gate of this node sees it before its next write, and the supervisor latches it for all nodes."""
        try:
            doubt = write_stop_file(self._state.stop_file, f"{self._spec.name}: {reason}")
        except OSError as error:
            self.log.critical("the stop file cannot be written ({}): {}", error.strerror, reason)
            if EmergencyStop in self._accepted and not self._dead:
                self._accept(EmergencyStop(reason=reason), 0, "")
            return
        self.log.critical("emergency stop of this node: {}{}", reason, f" ({doubt})" if doubt else "")
        if not self._dead:
            self._look_at_stop_file()

    def _announce(self, announced: EpochAnnounced) -> None:
        self._writer.announce(announced.name, announced.epoch)
        if announced.name in self._readers:
            self._readers[announced.name].announce(announced.epoch, self._at_home(announced.address))

    def _link_changed(self, peer: str, up: bool, epoch: int) -> None:
        if LinkChanged in self._accepted:
            self._accept(LinkChanged(peer=peer, up=up, epoch=epoch), 0, "")

    def _outbox_changed(self, reader: str, full: bool) -> None:
        if full:
            text = f"{reader} has not acknowledged {self._settings.links.ordered_messages_max} messages"
            self._raise_alert(AlertCode.OUTBOX_FULL, reader, text)
        if OutboxFull in self._accepted:
            self._accept(OutboxFull(reader=reader, full=full), 0, "")

    def _gap(self, reader: str, text: str) -> None:
        self.log.error("link: {}", text)
        self._raise_alert(AlertCode.BAD_DATA, reader, text)

    def _bad_data(self, peer: str, what: str) -> None:
        now_ns = self.clock.now_ns()
        alerted_ns, folded = self._bad.get(peer, (-BAD_DATA_PERIOD_NS, 0))
        if now_ns - alerted_ns < BAD_DATA_PERIOD_NS:
            self._bad[peer] = (alerted_ns, folded + 1)
            return
        self._bad[peer] = (now_ns, 0)
        self.log.warning("link to {}: left out what cannot be understood: {}", peer, what)
        self._raise_alert(AlertCode.BAD_DATA, peer, f"left out what cannot be understood: {what}", repeats=folded + 1)

    def _raise_alert(self, code: AlertCode, subject: str, text: str, repeats: int = 1) -> None:
        severity = Severity.CRITICAL if code is AlertCode.JOURNAL_FAILED else Severity.WARNING
        alert = Alert(
            code=code,
            severity=severity,
            subject=subject,
            text=text,
            raised_ns=self.clock.now_ns(),
            source=self._spec.name,
            repeats=repeats,
        )
        if Alert in self._accepted:
            self._accept(alert, 0, "")
        else:
            self._writer.publish(alert, 0, "")

    def _die(self, code: ExitCode, error: BaseException) -> None:
        """Say why, and end. On a full disk no word of it may find a place; the end does not depend on that."""
        self._dead = True
        with contextlib.suppress(OSError):
            self.log.opt(exception=error).critical("{} ends itself: {}", self._spec.name, error)
        try:
            if code is ExitCode.JOURNAL_FAILED:
                self._raise_alert(AlertCode.JOURNAL_FAILED, self._spec.name, str(error))
                self._shut_node(f"the journal failed: {error}")
        finally:
            self._on_fatal(code, error)


def end_process(code: ExitCode, error: BaseException) -> None:
    """End this process now, with a word on its standard error where that takes it."""
    try:
        with contextlib.suppress(OSError, ValueError):
            print(f"ended by {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)
