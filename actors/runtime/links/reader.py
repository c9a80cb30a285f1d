"""The reading end of one link: dials the writer, goes on where it stopped, and dials again for as long as it lives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import msgspec

from actors.runtime.links.address import Address, TcpAddress, parse_address
from actors.runtime.links.connection import Connection
from actors.runtime.links.frames import (
    CLOCK,
    GREETING_BYTES_MAX,
    STREAM_OF,
    VERSION,
    Ack,
    Hello,
    Kind,
    Refusal,
    Welcome,
    control_frame,
    echo_frame,
)
from actors.runtime.links.peer_clock import PeerClock
from actors.runtime.links.proof import Challenge, ClusterSecret, Proven, WrongProof, new_nonce
from actors.runtime.shell import Clock
from configs.schema import LinkSettings
from protocols.envelope import Envelope
from protocols.node_clocks import translated

WELCOME_TIMEOUT_S = 2.0
ECHO_PERIOD_S = 1.0
"""How often a writer on another node is asked for its clock."""

SILENCE_NS = 3_000_000_000
"""A writer on another node that has not beaten for so long is dialled anew: TCP itself would wait for minutes."""

_LATEST, _BEAT, _ECHO = int(Kind.LATEST), int(Kind.BEAT), int(Kind.ECHO)

_challenge_decoder = msgspec.msgpack.Decoder(Challenge)
_proven_decoder = msgspec.msgpack.Decoder(Proven)
_welcome_decoder = msgspec.msgpack.Decoder(Welcome)
_refusal_decoder = msgspec.msgpack.Decoder(Refusal)


class LinkReader:
    """Reads one peer's messages. Callbacks run in the turn of the loop that received the bytes."""

    def __init__(
        self,
        peer: str,
        address: str,
        hello: Hello,
        decoder: msgspec.msgpack.Decoder[Any],
        settings: LinkSettings,
        clock: Clock,
        log: Any,
        on_message: Callable[[Envelope[Any]], None],
        on_change: Callable[[str, bool, int], None],
        on_bad: Callable[[str, str], None],
        secret: ClusterSecret | None = None,
    ) -> None:
        """Describe the link; `start` dials.

        Args:
            hello: who we are; its `resume` gives the numbers to begin with.
            decoder: decodes an envelope of our mailbox.
            on_change: `(peer, up, epoch)`.
            on_bad: `(peer, what)`: something came that cannot be understood; it has been left out.
            secret: of the cluster; needed where a peer is, or may come to be, on another node.

        Raises:
            AddressError: the address cannot be used.
        """
        self._peer = peer
        self._address = parse_address(address)
        self._secret = secret
        self._clock_of_peer = PeerClock()
        self._challenge, self._nonce = b"", b""
        self._asked_ns = 0
        self._beaten_ns = 0
        self._echo_timer: asyncio.TimerHandle | None = None
        self._hello = hello
        self._decoder = decoder
        self._settings = settings
        self._clock = clock
        self._log = log
        self._on_message = on_message
        self._on_change = on_change
        self._on_bad = on_bad
        self._connection: Connection | None = None
        self._lost: asyncio.Event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ack_timer: asyncio.TimerHandle | None = None
        self._unacknowledged = 0
        self._epoch = 0
        self._epoch_min = 0
        self._newest_ns = clock.now_ns()
        self._last_refusal = ""
        self.last: dict[str, int] = {stream: number for stream, number in hello.resume.items() if number >= 0}
        """Number of the last message handled of each stream."""
        self.up = False
        self.messages_in = 0
        self.duplicates = 0
        self.refused = 0
        """Frames and connections that were refused for what they held."""

    def start(self) -> None:
        """Begin to dial. Call once, inside the loop."""
        self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"link to {self._peer}")

    async def close(self) -> None:
        """Acknowledge what was handled, hang up and stay away."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._acknowledge()
        if self._connection is not None:
            self._connection.close("closed by the reader")

    def age_ns(self, now_ns: int) -> int:
        """Time since the newest frame was sent; it grows while the link is down.

        On one node by its one clock; between nodes by their clock as the echo tells it, at the worst of what its error allows.
        """
        return now_ns - self._newest_ns

    def announce(self, epoch: int, address: str = "") -> None:
        """A newer incarnation of the peer exists, perhaps at another address: nothing of an older one is read any more.

        Raises:
            AddressError: the address cannot be used.
        """
        if epoch < self._epoch_min:
            return
        self._epoch_min = epoch
        moved = bool(address) and parse_address(address) != self._address
        if moved:
            self._address = parse_address(address)
        if self._connection is not None and (moved or 0 < self._epoch < epoch):
            reason = (
                f"{self._peer} is at {address} now" if moved else f"epoch {self._epoch} has been replaced by {epoch}"
            )
            self._connection.close(reason)

    async def _keep(self) -> None:
        delay_s = delay_s_min = self._settings.reconnect_delay_ms / 1_000
        delay_s_max = self._settings.reconnect_delay_ms_max / 1_000
        while True:
            began_ns = self._clock.now_ns()
            welcomed = await self._dial()
            if welcomed and self._clock.now_ns() - began_ns > 1e9 * delay_s_max:
                delay_s = delay_s_min
            await asyncio.sleep(delay_s * (0.5 + random.random() / 2))
            delay_s = min(delay_s * 2, delay_s_max)

    async def _dial(self) -> bool:
        """One connection from its beginning to its end; True when the peer welcomed us."""
        loop = asyncio.get_running_loop()
        self._lost = asyncio.Event()
        self._epoch = 0
        self._challenge = b""
        self._clock_of_peer.forget()
        address = self._address
        connection = Connection(
            self._settings.frame_bytes_max if self._secret is None else GREETING_BYTES_MAX,
            on_frame=self._heard,
            on_writable=lambda: None,
            on_lost=self._gone,
        )
        self._connection = connection  # a challenge may be here before the loop comes back to this task
        try:
            await _connect(loop, connection, address)
        except (OSError, TimeoutError):
            self._connection = None
            return False
        if not isinstance(address, TcpAddress):
            connection.write(control_frame(Kind.HELLO, self._greeting()))
        waiting = loop.call_later(WELCOME_TIMEOUT_S, self._give_up, connection)
        try:
            await self._lost.wait()
        finally:
            waiting.cancel()
            if self._echo_timer is not None:
                self._echo_timer.cancel()
        self._connection = None
        return self._epoch > 0

    def _greeting(self) -> Hello:
        return msgspec.structs.replace(self._hello, resume={**self._hello.resume, **self.last})

    def _give_up(self, connection: Connection) -> None:
        if not self._epoch:
            self.refused += 1
            connection.close("no welcome in time")

    def _heard(self, kind: int, number: int, payload: memoryview) -> None:
        if kind == _LATEST and self.up:
            self._take(payload)
        elif kind == _BEAT and self.up:
            self._beaten_ns = self._clock.now_ns()
            self._newest_ns = max(self._newest_ns, self._ours(number))
        elif kind in STREAM_OF and self.up:
            self._take_ordered(STREAM_OF[Kind(kind)], number, payload)
        elif kind == _ECHO and self.up and len(payload) == CLOCK.size:
            self._clock_of_peer.note(number, CLOCK.unpack(payload)[0], self._clock.now_ns())
        elif kind == Kind.CHALLENGE and not self.up and not self._challenge:
            self._challenged(payload)
        elif kind == Kind.WELCOME and not self.up:
            self._welcomed(payload)
        elif kind == Kind.REFUSAL and not self.up:
            self._refused(payload)
        else:
            self._hang_up(f"a frame of kind {kind} where none is expected")

    def _take(self, payload: memoryview) -> None:
        try:
            envelope = self._decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.refused += 1
            self._on_bad(self._peer, str(error))
            return
        self.messages_in += 1
        if self._challenge:
            envelope = translated(envelope, self._clock_of_peer.offset_ns, self._clock_of_peer.error_ns)
        sent_ns = envelope.sent_ns - self._clock_of_peer.error_ns
        if sent_ns > self._newest_ns:
            self._newest_ns = sent_ns
        self._on_message(envelope)

    def _take_ordered(self, stream: str, number: int, payload: memoryview) -> None:
        if number <= self.last.get(stream, -1):
            self.duplicates += 1
            return
        self._take(payload)
        self.last[stream] = number
        self._unacknowledged += 1
        if self._unacknowledged >= self._settings.acknowledge_every:
            self._acknowledge()
        elif self._ack_timer is None:
            delay_s = self._settings.acknowledge_delay_ms / 1_000
            self._ack_timer = asyncio.get_running_loop().call_later(delay_s, self._acknowledge)

    def _acknowledge(self) -> None:
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
        connection = self._connection
        if self._unacknowledged and self.up and connection is not None:
            self._unacknowledged = 0
            connection.write(control_frame(Kind.ACK, Ack(dict(self.last))))

    def _challenged(self, payload: memoryview) -> None:
        """A writer on another node: answer with the hello and a proof of the secret."""
        if not isinstance(self._address, TcpAddress) or self._connection is None:
            self._hang_up("a challenge where none is expected")
            return
        if self._secret is None:
            self._objects("its address is on another node, and this actor has no cluster secret")
            return
        try:
            self._challenge = _challenge_decoder.decode(payload).nonce
        except msgspec.DecodeError:
            self._hang_up("a challenge that cannot be understood")
            return
        self._nonce = new_nonce()
        self._asked_ns = self._clock.now_ns()
        body = msgspec.msgpack.encode(self._greeting())
        proven = self._secret.prove_hello(self._challenge, self._nonce, body)
        self._connection.write(control_frame(Kind.HELLO, proven))

    def _welcome_in(self, payload: memoryview) -> Welcome:
        """
        Raises:
            WrongProof: it comes from another node and is not proven.
            msgspec.DecodeError, UnicodeDecodeError: it is none.
        """
        if not isinstance(self._address, TcpAddress):
            return _welcome_decoder.decode(payload)
        if self._secret is None or not self._challenge:
            raise WrongProof("a welcome before any challenge")
        proven = _proven_decoder.decode(payload)
        self._secret.check_welcome(self._challenge, self._nonce, proven)
        welcome = _welcome_decoder.decode(proven.body)
        self._clock_of_peer.note(self._asked_ns, welcome.now_ns, self._clock.now_ns())
        return welcome

    def _ask_clock(self) -> None:
        connection = self._connection
        if connection is not None and self.up:
            if self._clock.now_ns() - self._beaten_ns > SILENCE_NS:
                connection.close("it is silent")
                return
            if connection.writable:
                connection.write(echo_frame(self._clock.now_ns()))
            self._echo_timer = asyncio.get_running_loop().call_later(ECHO_PERIOD_S, self._ask_clock)

    def _ours(self, their_ns: int) -> int:
        """A time of the peer's clock on ours, as early as it can have been."""
        return their_ns + self._clock_of_peer.offset_ns - self._clock_of_peer.error_ns if self._challenge else their_ns

    def _welcomed(self, payload: memoryview) -> None:
        try:
            welcome = self._welcome_in(payload)
        except WrongProof as error:
            self._objects(f"it does not prove the cluster secret ({error}): both nodes need the same cluster.secret")
            return
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._hang_up("a welcome that cannot be understood")
            return
        if welcome.version != VERSION:
            self._objects(f"link version {welcome.version}, ours is {VERSION}: both ends must run the same release")
        elif welcome.name != self._peer:
            self._objects(f"{welcome.name[:64]} answers at its address")
        elif welcome.epoch < self._epoch_min:
            self._objects(f"epoch {welcome.epoch} has been replaced by {self._epoch_min}")
        else:
            self._epoch = self._epoch_min = welcome.epoch
            self._last_refusal = ""
            self.up = True
            assert self._connection is not None
            self._connection.frame_bytes_max = self._settings.frame_bytes_max
            if self._challenge:
                self._beaten_ns = self._clock.now_ns()
                self._ask_clock()
            self._on_change(self._peer, True, welcome.epoch)

    def _refused(self, payload: memoryview) -> None:
        try:
            reason = _refusal_decoder.decode(payload).reason
        except (msgspec.DecodeError, UnicodeDecodeError):
            reason = "a refusal that cannot be understood"
        self._objects(f"it refuses us: {reason[:200]}")

    def _objects(self, reason: str) -> None:
        """Hang up, and say why once for each new reason."""
        self.refused += 1
        if reason != self._last_refusal:
            self._last_refusal = reason
            self._log.error("link to {}: {}", self._peer, reason)
        if self._connection is not None:
            self._connection.close(reason)

    def _hang_up(self, reason: str) -> None:
        self.refused += 1
        self._on_bad(self._peer, reason)
        if self._connection is not None:
            self._connection.close(reason)

    def _gone(self, reason: str) -> None:
        if self._connection is not None and self._connection.oversized:
            self.refused += 1
            self._on_bad(self._peer, reason)
        self._lost.set()
        if self.up:
            self.up = False
            self._unacknowledged = 0
            self._log.info("link to {} lost: {}", self._peer, reason)
            self._on_change(self._peer, False, self._epoch)


async def _connect(loop: asyncio.AbstractEventLoop, connection: Connection, address: Address) -> None:
    """
    Raises:
        OSError, TimeoutError: nobody answers there.
    """
    if isinstance(address, TcpAddress):
        async with asyncio.timeout(WELCOME_TIMEOUT_S):
            await loop.create_connection(lambda: connection, address.host, address.port)
    else:
        await loop.create_unix_connection(lambda: connection, str(address.path))
