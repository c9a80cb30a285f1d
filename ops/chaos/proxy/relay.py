"""The proxy's sockets: each connection of ours is one to the venue, carried unit by unit as the rules decide."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable

import msgspec

from ops.chaos.proxy.notes import Labels, Note, note_of
from ops.chaos.proxy.rules import Effect, Rule, Rules, Toward, Way, answer_frame, damaged, shifted, way_of
from ops.chaos.proxy.units import Cutter, Kind, NotUnderstood, Unit, response, text_frame

READ_BYTES = 65_536
SLICE_BYTES = 7
SLICE_PAUSE_S = 0.002

_NOTED = (Way.REST, Way.ORDERS)
"""Ways of which every request and answer is written down, not only what a rule treated."""

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Listens for our actors and carries to one address of loopback."""

    def __init__(self, venue_port: int, note: Callable[[Note], None]) -> None:
        self.rules = Rules()
        self._venue_port = venue_port
        self._note = note
        self._changed = asyncio.Event()
        self._count = 0
        self._open: dict[int, _Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen on a free port of loopback; returns it."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def set(self, rules: tuple[Rule, ...]) -> None:
        """Put other rules in force; what the old ones held travels on."""
        self.rules.set(rules, self._count)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def reset(self, ways: tuple[Way, ...]) -> int:
        """RST on both sides of every connection of these ways; returns how many there were."""
        chosen = [connection for connection in self._open.values() if connection.way in ways]
        for connection in chosen:
            connection.reset()
        return len(chosen)

    async def rules_change(self) -> None:
        """Return when other rules are in force."""
        await self._changed.wait()

    def noted(self, way: Way, toward: Toward, effect: Effect, label: str, text: bytes) -> None:
        """Write a unit down where it is worth it."""
        if effect is not Effect.PASS or (way in _NOTED and label):
            self._note(note_of(time.time_ns(), way, toward, effect, label, text))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._count += 1
        connection = _Connection(self, self._count, (reader, writer))
        self._open[connection.number] = connection
        try:
            await connection.carry(self._venue_port)
        finally:
            del self._open[connection.number]
            self._tasks.discard(task)


class _Connection:
    """One connection of ours and its twin to the venue."""

    def __init__(self, relay: Relay, number: int, ours: _Streams) -> None:
        self.number = number
        self.way = Way.REST
        self._relay = relay
        self._ours = ours
        self._theirs: _Streams | None = None
        self._labels = Labels(self.way)
        self._swapped: dict[Toward, bytes] = {}
        _no_delay(ours[1])

    def reset(self) -> None:
        """RST to both ends."""
        for streams in (self._ours, self._theirs):
            if streams is not None:
                _abort(streams[1])

    async def carry(self, venue_port: int) -> None:
        """Carry both directions until both are over."""
        cutter = Cutter(asks=True)
        with contextlib.suppress(OSError, NotUnderstood):
            units: list[Unit] = []
            while not units:
                data = await self._ours[0].read(READ_BYTES)
                if not data:
                    break
                units = cutter.cut(data)
            if units:
                self.way = way_of(units[0].wire.split(b" ", 2)[1].decode("ascii", "replace"))
                self._labels = Labels(self.way)
                self._theirs = await asyncio.open_connection("127.0.0.1", venue_port)
                _no_delay(self._theirs[1])
                await asyncio.gather(
                    self._pump(Toward.VENUE, cutter, units, self._ours[0], self._theirs[1]),
                    self._pump(Toward.US, Cutter(asks=False), [], self._theirs[0], self._ours[1]),
                )
        self.reset()

    async def _pump(
        self,
        toward: Toward,
        cutter: Cutter,
        units: list[Unit],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """One direction; its end closes the other side as this side was closed: with a FIN, or with a RST."""
        try:
            while True:
                for unit in units:
                    await self._treat(toward, unit, writer)
                data = await reader.read(READ_BYTES)
                if not data:
                    writer.close()
                    return
                units = cutter.cut(data)
        except (OSError, NotUnderstood):
            _abort(writer)

    async def _treat(self, toward: Toward, unit: Unit, writer: asyncio.StreamWriter) -> None:
        label = self._labels.of(toward, unit.text) if unit.kind not in (Kind.CONTROL, Kind.RAW) else ""
        rule = self._relay.rules.decide(self.way, toward, self.number, label.encode() + b"\n" + unit.text)
        effect = rule.effect if rule is not None else Effect.PASS
        self._relay.noted(self.way, toward, effect, label, unit.text)
        wire = unit.wire
        if rule is not None:
            changed = await self._apply(rule, unit, writer)
            if changed is None:
                return
            wire = changed
        writer.write(wire)
        late = self._swapped.pop(toward, None)
        if late is not None:
            writer.write(late)
        await writer.drain()

    async def _apply(self, rule: Rule, unit: Unit, writer: asyncio.StreamWriter) -> bytes | None:
        """The bytes that travel in the unit's place; None when nothing does, or it has travelled already."""
        toward = rule.toward
        match rule.effect:
            case Effect.PASS:
                return unit.wire
            case Effect.DELAY:
                await asyncio.sleep(rule.delay_ms / 1_000)
                return unit.wire
            case Effect.HOLD:
                while self._relay.rules.in_force(rule):
                    await self._relay.rules_change()
                return unit.wire
            case Effect.DROP:
                return None
            case Effect.DUPLICATE:
                return unit.wire * 2
            case Effect.SWAP:
                if toward in self._swapped:
                    return unit.wire
                self._swapped[toward] = unit.wire
                return None
            case Effect.DAMAGE:
                return _again(unit, damaged(_said(unit)))
            case Effect.SHIFT:
                return _again(unit, shifted(_said(unit), rule.delay_ms))
            case Effect.ANSWER:
                await self._answer(rule, unit, writer)
                return None
            case Effect.SLICE:
                for at in range(0, len(unit.wire), SLICE_BYTES):
                    writer.write(unit.wire[at : at + SLICE_BYTES])
                    await writer.drain()
                    await asyncio.sleep(SLICE_PAUSE_S)
                return None
            case Effect.RESET:
                self.reset()
                return None

    async def _answer(self, rule: Rule, unit: Unit, writer: asyncio.StreamWriter) -> None:
        """Toward the venue the asker is answered at once; toward us the venue's answer is replaced."""
        to_us = writer if rule.toward is Toward.US else self._ours[1]
        if self.way is Way.ORDERS:
            to_us.write(text_frame(answer_frame(rule, unit.text)))
        else:
            to_us.write(response(rule.status, rule.headers, rule.body.encode()))
        await to_us.drain()


def _said(unit: Unit) -> bytes:
    """A message's text, or the body of an HTTP answer."""
    return unit.text if unit.kind is Kind.MESSAGE else unit.text.partition(b"\r\n\r\n")[2]


def _again(unit: Unit, text: bytes) -> bytes:
    """A changed unit from the venue in its wrapping; of a damaged HTTP answer only the body is changed."""
    if unit.kind is Kind.MESSAGE:
        return text_frame(text)
    return response(int(unit.text[9:12]), {}, text)


def _no_delay(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _abort(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if not writer.transport.is_closing():
        writer.transport.abort()


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What the suite tells the proxy, one a line: other rules, or RSTs, or both. Without either it only asks."""

    rules: tuple[Rule, ...] | None = None
    reset: tuple[Way, ...] = ()


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: when it was done on both clocks, and how many units the rules in force have treated."""

    boot_ns: int
    t: int
    touched: int
    port: int = 0
