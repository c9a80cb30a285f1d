"""The links of the deterministic world. They keep the promises of protocols/mailboxes.py: an ordered message arrives once and in order, a
latest one may be replaced by a newer one of its key and comes to a reader no oftener than its route says."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from protocols.envelope import Message
from protocols.mailboxes import ROUTES

Key = tuple[type[Message], str]

_KEYS = {kind: route.key for kind, route in ROUTES.items()}


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """How the scheduler treats messages: latency drawn between two bounds, and how often a latest message waits to be replaced."""

    link_ns_min: int = 30_000
    link_ns_max: int = 300_000
    wait_share: float = 0.02
    wait_ns_max: int = 50_000_000
    codec_every: int = 20


class LinkTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a link for a while: messages take up to `delay_ns` longer, a `repeat_share` of the latest come twice."""

    until_ns: int
    delay_ns: int = 0
    repeat_share: float = 0.0


class Seat(Protocol):
    """Who sits at the end of a link: an incarnation of the reader, or nobody."""

    @property
    def core(self) -> object | None: ...

    @property
    def epoch(self) -> int: ...


class Link:
    """What is between one writer and one reader: how far its stream is, what waits to be replaced, what waits for the reader.

    `flying` are the ordered messages on their way; `number` grows when the stream breaks, and what flew in the one before is known by it.
    """

    __slots__ = (
        "cut",
        "fifo_ns",
        "flying",
        "free_ns",
        "held",
        "number",
        "reader",
        "seat",
        "trouble",
        "waiting",
        "writer",
    )

    def __init__(self, writer: str, reader: str, seat: Seat) -> None:
        self.writer = writer
        self.reader = reader
        self.seat = seat
        self.cut = False
        self.fifo_ns = 0
        self.free_ns: dict[Key, int] = {}
        self.waiting: dict[Key, Message] = {}
        self.held: list[Message] = []
        self.flying: deque[Message] = deque()
        self.number = 0
        self.trouble: LinkTrouble | None = None

    def break_stream(self) -> None:
        """What flew is lost, but for ordered messages: those are sent again before all that waits."""
        self.number += 1
        self.held = [*self.flying, *self.held]
        self.flying.clear()

    def hold(self, body: Message) -> None:
        """Keep a message until somebody reads; a latest one replaces the older one of its key."""
        key_of = _KEYS[type(body)]
        if key_of is not None:
            key = key_of(body)
            self.held = [m for m in self.held if type(m) is not type(body) or key_of(m) != key]
        self.held.append(body)

    def forget_latest(self) -> None:
        """The writer died: what it kept in memory for the reader is gone, what is in its journal is not."""
        self.waiting.clear()
        self.free_ns.clear()
        self.held = [body for body in self.held if _KEYS[type(body)] is None]


class Host(Protocol):
    """What the wire needs of its world."""

    now_ns: int

    def at(self, due_ns: int, action: Callable[..., None], *arguments: Any) -> None: ...

    def arrive(self, link: Link, body: Message, number: int, epoch: int, is_ordered: bool) -> None: ...


class Wire:
    """Carries messages over links, each in its time."""

    def __init__(self, host: Host, chance: random.Random, delays: Delays) -> None:
        self._host = host
        self._at = host.at
        self._arrive = host.arrive
        self._chance = chance.random
        self._delays = delays
        self._wait_share = delays.wait_share
        self._least_ns = delays.link_ns_min
        self._span_ns = delays.link_ns_max - delays.link_ns_min

    def transmit(self, link: Link, body: Message, interval_ns: int) -> None:
        """Take a message from the writer; `interval_ns` is the least time between two of its key."""
        seat = link.seat
        if link.cut or seat.core is None:
            link.hold(body)
            return
        kind = type(body)
        key_of = _KEYS[kind]
        if key_of is not None:
            key = (kind, key_of(body))
            if link.waiting and key in link.waiting:
                link.waiting[key] = body
                return
            now_ns = self._host.now_ns
            free_ns = link.free_ns.get(key, 0) if interval_ns else 0
            if self._chance() < self._wait_share:
                free_ns = max(free_ns, now_ns + int(self._chance() * self._delays.wait_ns_max))
            if free_ns > now_ns:
                link.waiting[key] = body
                self._host.at(free_ns, self._replace, link, key, interval_ns)
                return
            if interval_ns:
                link.free_ns[key] = now_ns + interval_ns
        self._put(link, body, seat.epoch, key_of is None)

    def release(self, link: Link) -> None:
        """Send what was held for a reader that is there now."""
        held, link.held = link.held, []
        for body in held:
            self._put(link, body, link.seat.epoch, _KEYS[type(body)] is None)

    def _put(self, link: Link, body: Message, epoch: int, is_ordered: bool) -> None:
        """One ordered byte stream per pair: nothing overtakes."""
        due_ns = self._host.now_ns + self._least_ns + int(self._chance() * self._span_ns)
        repeats = 0
        if link.trouble is not None:
            delay_ns, repeats = self._suffer(link, body)
            due_ns += delay_ns
        if due_ns < link.fifo_ns:
            due_ns = link.fifo_ns
        link.fifo_ns = due_ns
        if is_ordered:
            link.flying.append(body)
        self._at(due_ns, self._arrive, link, body, link.number, epoch, is_ordered)
        if repeats:
            self._at(due_ns, self._arrive, link, body, link.number, epoch, is_ordered)

    def _suffer(self, link: Link, body: Message) -> tuple[int, int]:
        """By how much a message is late, and how often it comes again."""
        trouble = link.trouble
        assert trouble is not None
        if self._host.now_ns >= trouble.until_ns:
            link.trouble = None
            return 0, 0
        again = _KEYS[type(body)] is not None and self._chance() < trouble.repeat_share
        return int(self._chance() * trouble.delay_ns), int(again)

    def _replace(self, link: Link, key: Key, interval_ns: int) -> None:
        """Send the newest message of a key that was made to wait."""
        body = link.waiting.pop(key, None)
        if body is None:
            return
        if link.cut or link.seat.core is None:
            link.hold(body)
            return
        if interval_ns:
            link.free_ns[key] = self._host.now_ns + interval_ns
        self._put(link, body, link.seat.epoch, False)
