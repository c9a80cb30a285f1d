"""The deterministic world: the same cores in one thread, under a virtual clock and a seeded scheduler.

One seed gives one history. Links keep their promises (protocols/mailboxes.py): an ordered message arrives once and in order, a
latest one may be replaced by a newer one of its key. Everything else the scheduler decides: how long a message takes, which latest
message waits, when a link is cut, when an actor crashes.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

import msgspec

from protocols.effects import Append, Call, Core, Effect, LinkChanged, Log, Publish, Send, SetTimer, TimerFired
from protocols.envelope import Envelope, Message, encoder
from protocols.mailboxes import ROUTES, LinkClass

EVENTS_PENDING_MAX = 1_000_000
"""More scheduled events than this mean that some core feeds itself; the run ends with an error."""


class WorldOverrun(RuntimeError):
    """A core scheduled work without end."""


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """How the scheduler treats messages: latency drawn between two bounds, and how often a latest message waits to be replaced."""

    link_ns_min: int = 30_000
    link_ns_max: int = 300_000
    wait_share: float = 0.02
    wait_ns_max: int = 50_000_000
    codec_every: int = 20


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


class World:
    """Hosts cores, moves virtual time, and carries messages between them."""

    def __init__(self, seed: int, start_ns: int, delays: Delays | None = None) -> None:
        self.now_ns = start_ns
        self.delivered = 0
        self._random = random.Random(seed)
        self._delays = delays or Delays()
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._inhabitants: dict[str, Inhabitant] = {}
        self._timers: dict[tuple[str, int, str], int] = {}
        self._fifo_ns: dict[tuple[str, str], int] = {}
        self._waiting: dict[tuple[str, str, str], Message] = {}
        self._cut: set[tuple[str, str]] = set()
        self._held: dict[tuple[str, str], list[Message]] = {}
        self._epochs = 0
        self.observers: list[Callable[[str, Message], None]] = []
        """Told of everything that an actor publishes, with its name; they must not change anything."""

    def inhabit(self, inhabitant: Inhabitant) -> None:
        """Add an actor; it comes to life with `begin`."""
        self._inhabitants[inhabitant.name] = inhabitant

    def begin(self, name: str) -> int:
        """Start a new incarnation from the journal of the last one; returns its epoch, the highest so far."""
        actor = self._inhabitants[name]
        self._epochs += 1
        actor.epoch = self._epochs
        actor.core = actor.make_core(actor.epoch, actor.journal)
        self._carry_out(actor, actor.core.start(self.now_ns))
        for other in self._inhabitants.values():
            if other.core is None or other is actor:
                continue
            for writer, reader in ((actor, other), (other, actor)):
                if writer.name in reader.reads and (writer.name, reader.name) not in self._cut:
                    self._link_changed(reader, writer, up=True)
                    self._release(writer.name, reader.name)
        return actor.epoch

    def crash(self, name: str) -> None:
        """End an actor at this instant: its memory, timers and unread messages are gone, its journal stays."""
        actor = self._inhabitants[name]
        actor.core = None
        for pair, held in self._held.items():
            if pair[0] == name:
                held[:] = [body for body in held if ROUTES[type(body)].link_class is not LinkClass.LATEST]
        for other in self._inhabitants.values():
            if other.core is not None and actor.name in other.reads:
                self._link_changed(other, actor, up=False)

    def cut(self, writer: str, reader: str) -> None:
        """Cut a link: ordered messages wait, latest ones keep only the newest."""
        self._cut.add((writer, reader))
        self._link_changed(self._inhabitants[reader], self._inhabitants[writer], up=False)

    def mend(self, writer: str, reader: str) -> None:
        """Restore a cut link; what waited is delivered."""
        self._cut.discard((writer, reader))
        if self._inhabitants[writer].core is not None and self._inhabitants[reader].core is not None:
            self._link_changed(self._inhabitants[reader], self._inhabitants[writer], up=True)
            self._release(writer, reader)

    def core_of(self, name: str) -> Core | None:
        """The living core of an actor, or None."""
        return self._inhabitants[name].core

    def epoch_of(self, name: str) -> int:
        """The epoch of an actor's present or last incarnation; 0 before its first."""
        return self._inhabitants[name].epoch

    def journal_of(self, name: str) -> list[Message]:
        """What an actor has journaled over all its incarnations."""
        return self._inhabitants[name].journal

    def tell(self, name: str, message: Message, delay_ns: int = 0) -> None:
        """Deliver a message from outside (control plane, venue) to an actor that lives by then."""
        epoch = self._inhabitants[name].epoch
        self.at(self.now_ns + delay_ns, lambda: self._deliver(name, message, epoch))

    def at(self, due_ns: int, action: Callable[[], None]) -> None:
        """Do something at an instant of virtual time."""
        if len(self._queue) >= EVENTS_PENDING_MAX:
            raise WorldOverrun(f"more than {EVENTS_PENDING_MAX} events are pending at {self.now_ns} ns")
        self._order += 1
        heapq.heappush(self._queue, (max(due_ns, self.now_ns), self._order, action))

    def run_until(self, end_ns: int) -> None:
        """Move virtual time to `end_ns`, doing everything that is due on the way."""
        while self._queue and self._queue[0][0] <= end_ns:
            self.now_ns, _, action = heapq.heappop(self._queue)
            action()
        self.now_ns = end_ns

    def _deliver(self, name: str, message: Message, epoch: int) -> None:
        actor = self._inhabitants[name]
        if actor.core is None or actor.epoch != epoch:
            return
        self.delivered += 1
        if self.delivered % self._delays.codec_every == 0:
            message = self._through_the_codec(actor, message)
        self._carry_out(actor, actor.core.handle(message, self.now_ns))

    def _through_the_codec(self, actor: Inhabitant, message: Message) -> Message:
        """Pass a message through its wire form, as a live link would."""
        envelope = Envelope("world", 1, self.delivered, self.now_ns, 0, "", message)
        body: Message = actor.decoder.decode(encoder.encode(envelope)).body
        return body

    def _carry_out(self, actor: Inhabitant, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Publish(body=body):
                    for observe in self.observers:
                        observe(actor.name, body)
                    for reader in self._readers_of(actor, body):
                        self._transmit(actor.name, reader, body)
                case Send(to=to, body=body):
                    if to in self._inhabitants:
                        self._transmit(actor.name, to, body)
                case Append(record=record):
                    actor.journal.append(record)
                case Call(request=request):
                    if actor.call is not None:
                        actor.call(actor.name, self.now_ns, request)
                case SetTimer(name=name, at_ns=at_ns):
                    self._set_timer(actor, name, at_ns)
                case Log():
                    actor.logged += 1

    def _readers_of(self, writer: Inhabitant, body: Message) -> list[str]:
        route = ROUTES.get(type(body))
        if route is None:
            return []
        return [
            other.name
            for other in self._inhabitants.values()
            if other.role in route.readers and writer.name in other.reads
        ]

    def _set_timer(self, actor: Inhabitant, name: str, at_ns: int) -> None:
        key = (actor.name, actor.epoch, name)
        if at_ns == 0:
            self._timers.pop(key, None)
            return
        generation = self._order + 1
        self._timers[key] = generation
        self.at(at_ns, lambda: self._fire(key, generation))

    def _fire(self, key: tuple[str, int, str], generation: int) -> None:
        if self._timers.get(key) == generation:
            del self._timers[key]
            self._deliver(key[0], TimerFired(name=key[2]), key[1])

    def _transmit(self, writer: str, reader: str, body: Message) -> None:
        route = ROUTES[type(body)]
        key = f"{type(body).__name__}:{route.key(body)}" if route.key is not None else ""
        if (writer, reader) in self._cut or self._inhabitants[reader].core is None:
            self._hold(writer, reader, key, body)
            return
        if route.link_class is LinkClass.LATEST and self._random.random() < self._delays.wait_share:
            already = (writer, reader, key) in self._waiting
            self._waiting[writer, reader, key] = body
            if not already:
                due_ns = self.now_ns + self._random.randint(0, self._delays.wait_ns_max)
                self.at(due_ns, lambda: self._replace(writer, reader, key))
            return
        if (writer, reader, key) in self._waiting:
            self._waiting[writer, reader, key] = body
            return
        self._put_on_the_wire(writer, reader, body)

    def _replace(self, writer: str, reader: str, key: str) -> None:
        """Deliver the newest message of a key that was made to wait."""
        body = self._waiting.pop((writer, reader, key), None)
        if body is not None:
            self._put_on_the_wire(writer, reader, body)

    def _hold(self, writer: str, reader: str, key: str, body: Message) -> None:
        held = self._held.setdefault((writer, reader), [])
        if key:
            route = ROUTES[type(body)]
            assert route.key is not None
            wanted = route.key(body)
            held[:] = [m for m in held if type(m) is not type(body) or route.key(m) != wanted]
        held.append(body)

    def _release(self, writer: str, reader: str) -> None:
        for body in self._held.pop((writer, reader), []):
            self._put_on_the_wire(writer, reader, body)

    def _put_on_the_wire(self, writer: str, reader: str, body: Message) -> None:
        """One ordered byte stream per pair: nothing overtakes."""
        latency_ns = self._random.randint(self._delays.link_ns_min, self._delays.link_ns_max)
        due_ns = max(self._fifo_ns.get((writer, reader), 0), self.now_ns + latency_ns)
        self._fifo_ns[writer, reader] = due_ns
        epoch = self._inhabitants[reader].epoch
        self.at(due_ns, lambda: self._arrive(writer, reader, body, epoch))

    def _arrive(self, writer: str, reader: str, body: Message, epoch: int) -> None:
        """Deliver, or keep what an ordered link owes to the reader's next incarnation."""
        actor = self._inhabitants[reader]
        if actor.core is not None and actor.epoch == epoch:
            self._deliver(reader, body, epoch)
        elif ROUTES[type(body)].link_class is not LinkClass.LATEST:
            if actor.core is None:
                self._hold(writer, reader, "", body)
            else:
                self._put_on_the_wire(writer, reader, body)

    def _link_changed(self, reader: Inhabitant, writer: Inhabitant, *, up: bool) -> None:
        self.tell(reader.name, LinkChanged(peer=writer.name, up=up, epoch=writer.epoch))
