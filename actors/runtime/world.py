"""The deterministic world: the same cores in one thread, under a virtual clock and a seeded scheduler.

One seed gives one history. Links keep their promises (world_links.py); everything else the scheduler decides: how long a message takes,
which latest message waits, when a link is cut, when an actor crashes.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from actors.runtime.world_links import Delays, Link, Wire
from protocols.effects import (
    Append,
    Call,
    Core,
    Effect,
    LinkChanged,
    Log,
    Publish,
    Send,
    SetTimer,
    ShutNode,
    TimerFired,
)
from protocols.envelope import Envelope, Message, encoder
from protocols.mailboxes import ROUTES

_push = heapq.heappush

EVENTS_PENDING_MAX = 1_000_000
"""More scheduled events than this mean that some core feeds itself; the run ends with an error."""


class WorldError(RuntimeError):
    """A run cannot go on."""


class WorldOverrun(WorldError):
    """A core scheduled work without end."""


class CoreFailed(WorldError):
    """A core, or what it asked for, raised: a bug of ours."""


class Doom(msgspec.Struct):
    """An actor dies at a message: `left` messages from now, with only the first `share` of that message's effects carried out."""

    left: int
    share: float
    then: Callable[[], None]


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with an actor's disk for a while: each append stalls it for up to `stall_ns`, or fails and ends it."""

    until_ns: int
    stall_ns: int = 0
    fails: bool = False


class Inhabitant(msgspec.Struct, kw_only=True):
    """One actor of the world. `make_core` builds a new incarnation from its journal; `call` carries out venue requests."""

    name: str
    role: str
    reads: tuple[str, ...]
    make_core: Callable[[int, list[Message]], Core]
    decoder: msgspec.msgpack.Decoder[Envelope[Any]]
    call: Callable[[str, int, Message], None] | None = None
    core: Core | None = None
    epoch: int = 0
    journal: list[Message] = []
    logged: int = 0
    timers: dict[str, int] = {}
    doom: Doom | None = None
    disk: Disk | None = None
    busy_until_ns: int = 0
    fan_out: dict[type[Message], tuple[tuple[Link, int], ...]] = {}


class Backlog(NamedTuple):
    """Messages between a writer and a reader that have not arrived."""

    writer: str
    reader: str
    messages: int


class World:
    """Hosts cores, moves virtual time, and carries messages between them."""

    def __init__(self, seed: int, start_ns: int, delays: Delays | None = None) -> None:
        self.now_ns = start_ns
        self.delivered = 0
        self._delays = delays or Delays()
        self._codec_every = self._delays.codec_every
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        self._inhabitants: dict[str, Inhabitant] = {}
        self._chance = random.Random(seed)
        self._wire = Wire(self, self._chance, self._delays)
        self._transmit = self._wire.transmit
        self._links: dict[tuple[str, str], Link] = {}
        self._epochs = 0
        self.observers: list[Callable[[str, Message], None]] = []
        """Told of everything that an actor publishes, with its name; they must not change anything."""
        self.journal_observers: list[Callable[[str, Message], None]] = []
        """The same for everything that an actor journals."""
        self.on_shut: Callable[[str, str], None] = lambda name, reason: None
        """Told who wants everything stopped, and why."""
        self.journal_failed: Callable[[str], None] = self.crash
        """Told of an actor whose journal does not take a record; the actor has to die of it."""

    def inhabit(self, inhabitant: Inhabitant) -> None:
        """Add an actor; it comes to life with `begin`."""
        self._inhabitants[inhabitant.name] = inhabitant
        for other in self._inhabitants.values():
            other.fan_out.clear()

    def begin(self, name: str) -> int:
        """Start a new incarnation from the journal of the last one; returns its epoch, the highest so far."""
        actor = self._inhabitants[name]
        self._epochs += 1
        actor.epoch = self._epochs
        actor.timers.clear()
        actor.busy_until_ns = 0
        actor.core = actor.make_core(actor.epoch, actor.journal)
        self._carry_out(actor, actor.core.start(self.now_ns))
        if actor.core is None:
            return actor.epoch
        for other in self._inhabitants.values():
            if other.core is None or other is actor:
                continue
            for writer, reader in ((actor, other), (other, actor)):
                if writer.name in reader.reads:
                    link = self.link(writer.name, reader.name)
                    if not link.cut:
                        self._link_changed(reader, writer, up=True)
                        self._wire.release(link)
        return actor.epoch

    def crash(self, name: str) -> None:
        """End an actor at this instant: its memory, timers and unread messages are gone, its journal stays."""
        actor = self._inhabitants[name]
        actor.core = None
        actor.doom = None
        for link in self._links.values():
            if link.writer == name:
                link.forget_latest()
            elif link.reader == name:
                link.break_stream()
        for other in self._inhabitants.values():
            if other.core is not None and actor.name in other.reads:
                self._link_changed(other, actor, up=False)

    def cut(self, writer: str, reader: str) -> None:
        """Cut a link: what was on its way is lost, ordered messages are kept for later, latest ones only the newest."""
        link = self.link(writer, reader)
        if link.cut:
            return
        link.cut = True
        link.break_stream()
        self._link_changed(self._inhabitants[reader], self._inhabitants[writer], up=False)

    def mend(self, writer: str, reader: str) -> None:
        """Restore a cut link; what waited is delivered."""
        link = self.link(writer, reader)
        if not link.cut:
            return
        link.cut = False
        if self._inhabitants[writer].core is not None and self._inhabitants[reader].core is not None:
            self._link_changed(self._inhabitants[reader], self._inhabitants[writer], up=True)
            self._wire.release(link)

    def link(self, writer: str, reader: str) -> Link:
        """The ordered byte stream from one actor to another."""
        link = self._links.get((writer, reader))
        if link is None:
            link = self._links[writer, reader] = Link(writer, reader, self._inhabitants[reader])
        return link

    def core_of(self, name: str) -> Core | None:
        """The living core of an actor, or None."""
        return self._inhabitants[name].core

    def replace_core(self, name: str, core: Core) -> None:
        """Put another core in the place of a living one; it goes on with that one's timers and links."""
        self._inhabitants[name].core = core

    def epoch_of(self, name: str) -> int:
        """The epoch of an actor's present or last incarnation; 0 before its first."""
        return self._inhabitants[name].epoch

    def is_held_up(self, name: str) -> bool:
        """Whether an actor waits for its disk, so that what comes now is handled later."""
        return self._inhabitants[name].busy_until_ns > self.now_ns

    def journal_of(self, name: str) -> list[Message]:
        """What an actor has journaled over all its incarnations."""
        return self._inhabitants[name].journal

    def tell(self, name: str, message: Message, delay_ns: int = 0) -> None:
        """Deliver a message from outside (control plane, venue) to an actor that lives by then."""
        actor = self._inhabitants[name]
        self.at(self.now_ns + delay_ns, self._deliver, actor, message, actor.epoch)

    def backlogs(self) -> list[Backlog]:
        """What waits on every link that was ever used."""
        return [
            Backlog(link.writer, link.reader, len(link.held) + len(link.flying) + len(link.waiting))
            for link in self._links.values()
        ]

    def timer_counts(self) -> dict[str, int]:
        """Timers that are set, by actor."""
        return {actor.name: len(actor.timers) for actor in self._inhabitants.values()}

    def say(self, name: str, message: Message) -> None:
        """Let an actor's host publish something on its own."""
        self._publish(self._inhabitants[name], message)

    def at(self, due_ns: int, action: Callable[..., None], *arguments: Any) -> None:
        """Do something at an instant of virtual time."""
        order = self._order = self._order + 1
        now_ns = self.now_ns
        _push(self._queue, (due_ns if due_ns > now_ns else now_ns, order, action, arguments))

    def run_until(self, end_ns: int) -> None:
        """Move virtual time to `end_ns`, doing everything that is due on the way.

        Raises:
            CoreFailed: something raised; the instant is told.
            WorldOverrun: too much is waiting.
        """
        queue, pop = self._queue, heapq.heappop
        try:
            while queue and queue[0][0] <= end_ns:
                self.now_ns, _, action, arguments = pop(queue)
                action(*arguments)
                if len(queue) > EVENTS_PENDING_MAX:
                    raise WorldOverrun(f"more than {EVENTS_PENDING_MAX} events are pending at {self.now_ns} ns")
        except WorldError:
            raise
        except Exception as error:
            raise CoreFailed(f"{type(error).__name__} at {self.now_ns} ns: {error}") from error
        self.now_ns = end_ns

    def arrive(self, link: Link, body: Message, number: int, epoch: int, is_ordered: bool) -> None:
        """A message has come through a link; one of a stream that broke on its way has not. One that its reader died of was handled by
        nobody: it is sent again, as by a live link, which acknowledges what was handled."""
        if number != link.number:
            return
        if is_ordered:
            link.flying.popleft()
        reader = self._inhabitants[link.reader]
        self._deliver(reader, body, epoch)
        if is_ordered and reader.core is None:
            link.held.insert(0, body)

    def hand(self, name: str, message: Message) -> None:
        """Deliver a message from outside to an actor at this instant, if it lives."""
        actor = self._inhabitants[name]
        self._deliver(actor, message, actor.epoch)

    def _deliver(self, actor: Inhabitant, message: Message, epoch: int) -> None:
        if actor.core is None or actor.epoch != epoch:
            return
        if actor.busy_until_ns > self.now_ns:
            self.at(actor.busy_until_ns, self._deliver, actor, message, epoch)
            return
        self.delivered += 1
        if not self.delivered % self._codec_every:
            message = self._through_the_codec(actor, message)
        effects = actor.core.handle(message, self.now_ns)
        if actor.doom is not None and self._is_doomed(actor, actor.doom, effects):
            return
        if effects:
            self._carry_out(actor, effects)

    def route_calls(self, name: str, call: Callable[[str, int, Message], None]) -> None:
        """Let somebody else carry out an actor's venue requests."""
        self._inhabitants[name].call = call

    def doom(self, name: str, messages: int, share: float, then: Callable[[], None]) -> None:
        """Let an actor die at one of its next messages; `then` has to crash it."""
        self._inhabitants[name].doom = Doom(messages, share, then)

    def spoil_disk(self, name: str, disk: Disk) -> None:
        """Give an actor a bad disk for a while."""
        self._inhabitants[name].disk = disk

    def _is_doomed(self, actor: Inhabitant, doom: Doom, effects: Sequence[Effect]) -> bool:
        doom.left -= 1
        if doom.left > 0:
            return False
        actor.doom = None
        self._carry_out(actor, effects[: int(doom.share * (len(effects) + 1))])
        if actor.core is not None:
            doom.then()
        return True

    def _stalls(self, actor: Inhabitant, rest: Sequence[Effect]) -> bool:
        """Whether a bad disk stops the effects here; those after the append follow when it has let go, or never."""
        disk = actor.disk
        assert disk is not None
        if self.now_ns >= disk.until_ns:
            actor.disk = None
            return False
        if disk.fails:
            self.journal_failed(actor.name)
            return True
        actor.busy_until_ns = self.now_ns + int(self._chance.random() * disk.stall_ns)
        self.at(actor.busy_until_ns, self._go_on, actor, actor.epoch, rest)
        return True

    def _go_on(self, actor: Inhabitant, epoch: int, rest: Sequence[Effect]) -> None:
        if actor.core is not None and actor.epoch == epoch:
            self._carry_out(actor, rest)

    def _through_the_codec(self, actor: Inhabitant, message: Message) -> Message:
        """Pass a message through its wire form, as a live link would."""
        envelope = Envelope("world", 1, self.delivered, self.now_ns, 0, "", message)
        body: Message = actor.decoder.decode(encoder.encode(envelope)).body
        return body

    def _carry_out(self, actor: Inhabitant, effects: Sequence[Effect]) -> None:
        for index, effect in enumerate(effects):
            kind = type(effect)
            if kind is Publish:
                self._publish(actor, effect.body)  # type: ignore[union-attr]
                continue
            match effect:
                case SetTimer():
                    self._set_timer(actor, effect.name, effect.at_ns)
                case Append():
                    if actor.disk is not None and actor.disk.fails and self._stalls(actor, ()):
                        return
                    actor.journal.append(effect.record)
                    for see in self.journal_observers:
                        see(actor.name, effect.record)
                    if actor.disk is not None and self._stalls(actor, effects[index + 1 :]):
                        return
                case Call():
                    if actor.call is not None:
                        actor.call(actor.name, self.now_ns, effect.request)
                case ShutNode():
                    self.on_shut(actor.name, effect.reason)
                case Log():
                    actor.logged += 1
                case Send():
                    if effect.to in self._inhabitants:
                        self._wire.transmit(self.link(actor.name, effect.to), effect.body, 0)
                case _:
                    pass

    def _publish(self, actor: Inhabitant, body: Message) -> None:
        for observe in self.observers:
            observe(actor.name, body)
        kind = type(body)
        readers = actor.fan_out.get(kind)
        if readers is None:
            readers = actor.fan_out[kind] = self._readers_of(actor, kind)
        transmit = self._transmit
        for link, interval_ns in readers:
            transmit(link, body, interval_ns)

    def _readers_of(self, writer: Inhabitant, kind: type[Message]) -> tuple[tuple[Link, int], ...]:
        route = ROUTES.get(kind)
        if route is None:
            return ()
        return tuple(
            (self.link(writer.name, other.name), route.readers[other.role] * 1_000_000)
            for other in self._inhabitants.values()
            if other.role in route.readers and writer.name in other.reads
        )

    def _set_timer(self, actor: Inhabitant, name: str, at_ns: int) -> None:
        if at_ns == 0:
            actor.timers.pop(name, None)
            return
        generation = self._order + 1
        actor.timers[name] = generation
        self.at(at_ns, self._fire, actor, name, generation, actor.epoch)

    def _fire(self, actor: Inhabitant, name: str, generation: int, epoch: int) -> None:
        if actor.epoch == epoch and actor.timers.get(name) == generation:
            del actor.timers[name]
            self._deliver(actor, TimerFired(name=name), epoch)

    def _link_changed(self, reader: Inhabitant, writer: Inhabitant, *, up: bool) -> None:
        self.tell(reader.name, LinkChanged(peer=writer.name, up=up, epoch=writer.epoch))
