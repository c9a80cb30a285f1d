"""The writing end of an actor's links: readers dial it, say who they are and from where they want to go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from actors.runtime.links.address import TcpAddress, parse_address
from actors.runtime.links.alert_spool import AlertSpool
from actors.runtime.links.connection import Connection
from actors.runtime.links.frames import (
    FROM_NOW,
    GREETING_BYTES_MAX,
    VERSION,
    Ack,
    Hello,
    Kind,
    Refusal,
    Welcome,
    beat_frame,
    control_frame,
    echo_frame,
    envelope_frame,
)
from actors.runtime.links.ordered_log import Entry, History, OrderedLog
from actors.runtime.links.proof import Challenge, ClusterSecret, Proven, WrongProof, new_nonce
from actors.runtime.links.session import ReaderSession
from actors.runtime.shell import Clock
from configs.schema import LinkSettings
from protocols.envelope import Envelope, Message
from protocols.mailboxes import ROUTES, LinkClass, Route
from protocols.messages.alerts import Alert

READERS_MAX = 256
"""Readers that are remembered; more are refused."""

STRANGERS_MAX = 32
"""Connections that have not yet said who they are; more are refused."""

HELLO_TIMEOUT_S = 2.0
BEAT_PERIOD_S = 0.1
LATEST_KEYS_MAX = 10_000
"""Newest values kept for readers that come later; beyond it the oldest key is forgotten."""

ALERT_CHARACTERS_MAX = 4_000
"""Longer texts of alerts are cut."""

READER_ORDER = {"strategy": 0, "order_manager": 1}
"""Who gets a frame first: the path from a book to an order."""

_LATEST, _ORDERED = LinkClass.LATEST, LinkClass.ORDERED
_LATEST_KIND = int(Kind.LATEST)
_NS_PER_MS = 1_000_000

_hello_decoder = msgspec.msgpack.Decoder(Hello)
_proven_decoder = msgspec.msgpack.Decoder(Proven)
_ack_decoder = msgspec.msgpack.Decoder(Ack)


class LinkWriter:
    """Gives an actor's messages to its readers, by the class of each message's route."""

    def __init__(
        self,
        name: str,
        epoch: int,
        settings: LinkSettings,
        clock: Clock,
        log: Any,
        spool: AlertSpool,
        history: Callable[[str, int, int], list[tuple[int, Message]]],
        on_full: Callable[[str, bool], None],
        on_gap: Callable[[str, str], None],
        secret: ClusterSecret | None = None,
        on_stranger: Callable[[str, str], None] = lambda who, what: None,
    ) -> None:
        """Make the writer; `listen` opens it.

        Args:
            history: `(stream, from_number, limit)`: older ordered messages from the actor's journal.
            on_full: told when an ordered link reaches its limit, and when it has half of it free again.
            on_gap: told when a reader will lack ordered messages, and why.
            secret: of the cluster; needed to listen at a TCP address.
            on_stranger: told of somebody without the secret: `(claimed name, what)`.
        """
        self._name = name
        self._epoch = epoch
        self._settings = settings
        self._frame_bytes_max = settings.frame_bytes_max
        self._clock = clock
        self._now_ns = clock.now_ns
        self._log = log
        self._spool = spool
        self._history = history
        self._on_full = on_full
        self._on_gap = on_gap
        self._secret = secret
        self._on_stranger = on_stranger
        self._sessions: dict[str, ReaderSession] = {}
        self._in_order: list[ReaderSession] = []
        self._readers: dict[type[Message], list[tuple[ReaderSession, int]]] = {}
        self._epochs: dict[str, int] = {}
        self._latest: dict[tuple[Any, ...], tuple[bytes, str | None]] = {}
        held_max = 2 * settings.ordered_messages_max
        self._logs = {
            "events": OrderedLog(held_max, self._journaled("events")),
            "ordered": OrderedLog(held_max),
        }
        self._seq = epoch << 32
        self._chain_prefix = f"{name}/{epoch}/"
        self._servers: list[asyncio.AbstractServer] = []
        self._strangers: set[Connection] = set()
        self._beat: asyncio.TimerHandle | None = None
        self.messages_out = 0
        self.refused = 0
        """Connections refused or dropped for what they sent."""
        self.unproven = 0
        """Those among them that did not know the cluster secret."""

    async def listen(self, address: str) -> None:
        """Open a socket; a Unix socket that a dead process left behind is replaced. More than one may be open.

        Raises:
            AddressError: the address cannot be used.
            OSError: the socket cannot be made.
        """
        place = parse_address(address)
        loop = asyncio.get_running_loop()
        if isinstance(place, TcpAddress):
            assert self._secret is not None, "a TCP address without the cluster secret"
            server = await loop.create_server(self._accept_from_elsewhere, place.host, place.port)
        else:
            if place.path.is_socket():
                place.path.unlink()
            server = await loop.create_unix_server(self.accept, str(place.path))
        self._servers.append(server)
        if self._beat is None:
            self._send_beats()

    def publish(self, body: Message, origin_ns: int, cause: str, to: str = "") -> None:
        """Give a message to every reader whose route accepts it, or to the one named `to`.

        Raises:
            KeyError: the message has no route (protocols/mailboxes.py).
            ValueError: the message is longer than readers accept.
        """
        route = ROUTES[type(body)]
        self.messages_out += 1
        link_class = route.link_class
        if link_class is _LATEST:
            self._publish_latest(body, route, origin_ns, cause, to)
        elif link_class is _ORDERED:
            self._publish_ordered(body, route, origin_ns, cause, to)
        else:
            assert isinstance(body, Alert)
            self._publish_alert(body)

    def announce(self, name: str, epoch: int) -> None:
        """A newer incarnation of a reader exists: its older ones are not served any more."""
        self._epochs[name] = max(epoch, self._epochs.get(name, 0))
        session = self._sessions.get(name)
        if session is not None and session.epoch < epoch:
            session.drop(f"epoch {session.epoch} has been replaced by {epoch}")

    def depths(self) -> dict[str, int]:
        """Messages that wait for each reader, and unacknowledged alerts."""
        waiting = {name: session.depth for name, session in self._sessions.items()}
        waiting["alerts"] = len(self._spool.queue)
        return waiting

    def counters(self) -> dict[str, int]:
        """Totals over all readers since the start."""
        return {
            "replaced": sum(session.outbox.replaced for session in self._in_order),
            "missing": sum(session.missing for session in self._in_order),
            "ahead": sum(session.ahead for session in self._in_order),
            "connected": sum(session.connected for session in self._in_order),
        }

    async def close(self) -> None:
        """Stop listening and drop every reader."""
        if self._beat is not None:
            self._beat.cancel()
        for server in self._servers:
            server.close()
        for session in self._in_order:
            session.drop("closed by the writer")
        for stranger in list(self._strangers):
            stranger.close("closed by the writer")
        self._spool.close()

    def _publish_latest(self, body: Message, route: Route, origin_ns: int, cause: str, to: str) -> None:
        """The readers first, then what keeps the value for those that come later. Few calls: each order waits for two of these."""
        now_ns = self._now_ns()
        self._seq = seq = self._seq + 1
        chain = cause or f"{self._chain_prefix}{seq}"
        envelope = Envelope(self._name, self._epoch, seq, now_ns, origin_ns, chain, body)
        frame = envelope_frame(_LATEST_KIND, seq, envelope)
        if len(frame) > self._frame_bytes_max:
            self._checked(frame, body)
        message_type = type(body)
        key = (message_type, route.key(body) if route.key is not None else "", to)
        instrument_id = getattr(body, "instrument_id", None)
        for session, interval_ns in self._readers.get(message_type) or self._readers_of(message_type):
            if not session.connected or (to and session.name != to):
                continue
            if not session.wanted or instrument_id in session.wanted:
                session.give_latest(key, frame, interval_ns, now_ns)
        if key not in self._latest and len(self._latest) >= LATEST_KEYS_MAX:
            del self._latest[next(iter(self._latest))]
        self._latest[key] = (frame, instrument_id)

    def _readers_of(self, message_type: type[Message]) -> list[tuple[ReaderSession, int]]:
        """Readers of one type of message with their intervals, first the order path; looked up once until a reader comes."""
        readers = ROUTES[message_type].readers
        found = [(one, readers[one.role] * _NS_PER_MS) for one in self._in_order if one.role in readers]
        self._readers[message_type] = found
        return found

    def _publish_ordered(self, body: Message, route: Route, origin_ns: int, cause: str, to: str) -> None:
        number = getattr(body, "event_seq", None)
        stream = "ordered" if number is None else "events"
        if number is None:
            self._seq += 1
            number = self._seq
        frame = self._ordered_frame(stream, number, body, origin_ns, cause or self._chain())
        readers = (to,) if to else tuple(route.readers)
        log, entry = self._logs[stream], Entry(number, frame, readers)
        previous = log.last
        if not log.add(entry):
            self._log.error("link: {} has number {} again or goes back: not sent", type(body).__name__, number)
            return
        for session in self._in_order:
            session.added(stream, entry, previous)
            if session.reads(entry):
                self._judge(session)

    def _publish_alert(self, alert: Alert) -> None:
        if not alert.source or len(alert.text) > ALERT_CHARACTERS_MAX:
            source, text = alert.source or self._name, alert.text[:ALERT_CHARACTERS_MAX]
            alert = msgspec.structs.replace(alert, source=source, text=text)
        try:
            self._spool.add(alert)
        except OSError as error:
            self._log.error("alert spool: {}; the alert is kept in memory", error)
        for session in self._in_order:
            session.pump()

    def _ordered_frame(self, stream: str, number: int, body: Message, origin_ns: int, cause: str) -> bytes:
        kind = Kind.EVENT if stream == "events" else Kind.ORDERED
        envelope = Envelope(self._name, self._epoch, number, self._clock.now_ns(), origin_ns, cause, body)
        return self._checked(envelope_frame(kind, number, envelope), body)

    def _checked(self, frame: bytes, body: Message) -> bytes:
        """A frame that every reader accepts: one that is too long would end each connection that it is written to."""
        if len(frame) > self._settings.frame_bytes_max:
            limit = self._settings.frame_bytes_max
            raise ValueError(
                f"{type(body).__name__} takes {len(frame)} bytes, more than links.frame_bytes_max ({limit})"
            )
        return frame

    def _alert_frame(self, number: int, alert: Alert) -> bytes:
        envelope = Envelope[Message](self._name, self._epoch, number, self._clock.now_ns(), 0, "", alert)
        return envelope_frame(Kind.ALERT, number, envelope)

    def _chain(self) -> str:
        return self._chain_prefix + str(self._seq)

    def _journaled(self, stream: str) -> History:
        def history(from_number: int, limit: int) -> list[Entry]:
            found = self._history(stream, from_number, limit)
            return [
                Entry(number, self._ordered_frame(stream, number, body, 0, ""), tuple(ROUTES[type(body)].readers))
                for number, body in found
            ]

        return history

    def _judge(self, session: ReaderSession) -> None:
        limit = self._settings.ordered_messages_max
        outstanding = session.outstanding
        if not session.full and outstanding >= limit:
            session.full = True
            self._on_full(session.name, True)
        elif session.full and outstanding <= limit // 2:
            session.full = False
            self._on_full(session.name, False)

    def accept(self, challenge: bytes = b"") -> Connection:
        """The connection of somebody who dialled and has not yet said who he is."""
        connection = Connection(
            GREETING_BYTES_MAX,
            on_frame=lambda kind, number, payload: self._greeted(connection, kind, payload, challenge),
            on_writable=lambda: None,
            on_lost=lambda reason: self._stranger_left(connection, reason),
            on_made=lambda made: self._met(made, challenge),
        )
        return connection

    def _accept_from_elsewhere(self) -> Connection:
        return self.accept(new_nonce())

    def _met(self, connection: Connection, challenge: bytes) -> None:
        if len(self._strangers) >= STRANGERS_MAX:
            self.refused += 1
            connection.close("too many connections without a hello")
            return
        self._strangers.add(connection)
        if challenge:
            connection.write(control_frame(Kind.CHALLENGE, Challenge(challenge)))
        asyncio.get_running_loop().call_later(HELLO_TIMEOUT_S, self._give_up, connection)

    def _stranger_left(self, connection: Connection, reason: str) -> None:
        self._strangers.discard(connection)
        if connection.oversized:
            self.refused += 1
            self._log.warning("link: a connection without a hello sent {}", reason)

    def _give_up(self, connection: Connection) -> None:
        if connection in self._strangers:
            self.refused += 1
            connection.close("no hello in time")

    def _greeted(self, connection: Connection, kind: int, payload: memoryview, challenge: bytes) -> None:
        self._strangers.discard(connection)
        try:
            hello, nonce = self._hello_in(payload, challenge) if kind == Kind.HELLO else (None, b"")
        except WrongProof as error:
            self.unproven += 1
            reason = f"the cluster secret is not proven ({error}): both nodes need the same cluster.secret"
            self._refuse(connection, "a stranger", reason)
            self._on_stranger("links", f"somebody dialled without the cluster secret ({error})")
            return
        except (msgspec.DecodeError, UnicodeDecodeError):
            hello = None
        if hello is None:
            self.refused += 1
            self._log.warning("link: a connection did not begin with a hello")
            connection.close("no hello")
            return
        reason = self._objection(hello)
        if reason:
            self._refuse(connection, hello.name[:64], reason)
            return
        self._admit(connection, hello, challenge, nonce)

    def _hello_in(self, payload: memoryview, challenge: bytes) -> tuple[Hello, bytes]:
        """A hello and, from another node, the reader's challenge.

        Raises:
            WrongProof: it comes from another node, and its sender does not know the secret.
            msgspec.DecodeError, UnicodeDecodeError: it is none.
        """
        if not challenge or self._secret is None:
            return _hello_decoder.decode(payload), b""
        proven = _proven_decoder.decode(payload)
        self._secret.check_hello(challenge, proven)
        return _hello_decoder.decode(proven.body), proven.nonce

    def _refuse(self, connection: Connection, who: str, reason: str) -> None:
        self.refused += 1
        self._log.warning("link: refused {}: {}", who, reason)
        connection.write(control_frame(Kind.REFUSAL, Refusal(reason)))
        connection.finish(reason)

    def _objection(self, hello: Hello) -> str:
        if hello.version != VERSION:
            return f"link version {hello.version}, ours is {VERSION}: both ends must run the same release"
        newest = self._epochs.get(hello.name, 0)
        if hello.epoch < newest:
            return f"epoch {hello.epoch} has been replaced by {newest}"
        if hello.name not in self._sessions and len(self._sessions) >= READERS_MAX:
            return f"{READERS_MAX} readers are known already"
        return ""

    def _admit(self, connection: Connection, hello: Hello, challenge: bytes, nonce: bytes) -> None:
        self._epochs[hello.name] = hello.epoch
        former = self._sessions.get(hello.name)
        if former is not None:
            former.drop("the reader dialled again")
            if former.epoch == hello.epoch:
                hello = msgspec.structs.replace(hello, resume={**former.positions(), **_numbers(hello)})
        session = ReaderSession(
            connection, hello, self._logs, self._spool, self._alert_frame, self._clock, self._on_gap
        )
        if former is not None:
            session.full = former.full
        self._sessions[hello.name] = session
        self._in_order = sorted(self._sessions.values(), key=lambda one: (READER_ORDER.get(one.role, 9), one.name))
        self._readers.clear()
        connection.rebind(
            on_frame=lambda kind, number, payload: self._heard(session, kind, number, payload),
            on_writable=session.pump,
            on_lost=lambda reason: self._lost(session, reason),
        )
        connection.frame_bytes_max = self._settings.frame_bytes_max
        welcome: Welcome | Proven = Welcome(VERSION, self._name, self._epoch, self._now_ns())
        if challenge and self._secret is not None:
            welcome = self._secret.prove_welcome(challenge, nonce, msgspec.msgpack.encode(welcome))
        connection.write(control_frame(Kind.WELCOME, welcome))
        self._log.info("link: {} (epoch {}) reads from here", hello.name, hello.epoch)
        now_ns = self._clock.now_ns()
        for key, (frame, instrument_id) in self._latest.items():
            message_type, _, to = key
            interval_ms = ROUTES[message_type].readers.get(session.role)
            if interval_ms is None or (to and session.name != to):
                continue
            if not session.wanted or instrument_id in session.wanted:
                session.give_latest(key, frame, interval_ms * _NS_PER_MS, now_ns)
        session.pump()
        self._judge(session)

    def _heard(self, session: ReaderSession, kind: int, number: int, payload: memoryview) -> None:
        if kind == Kind.ECHO:
            session.answer(echo_frame(number, self._now_ns()))
            return
        try:
            if kind != Kind.ACK:
                raise msgspec.DecodeError(f"frame of kind {kind}")
            session.acknowledge(_ack_decoder.decode(payload).numbers)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.refused += 1
            self._log.warning("link: {} sent what it should not: {}", session.name, error)
            session.drop("a frame that cannot be understood")
            return
        except OSError as error:
            self._log.error("alert spool: {}", error)
        self._judge(session)

    def _lost(self, session: ReaderSession, reason: str) -> None:
        self.refused += session.sent_oversized
        session.lost()
        self._log.info("link: {} reads no more: {}", session.name, reason)

    def _send_beats(self) -> None:
        frame = beat_frame(self._clock.now_ns())
        for session in self._in_order:
            session.answer(frame)
        self._beat = asyncio.get_running_loop().call_later(BEAT_PERIOD_S, self._send_beats)


def _numbers(hello: Hello) -> dict[str, int]:
    """Where the reader itself knows to go on."""
    return {stream: number for stream, number in hello.resume.items() if number != FROM_NOW}
