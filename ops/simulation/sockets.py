"""Sockets of the actors to the simulated venue: opened, lost, silent, opened again, with the signs of life that a live shell passes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from actors.runtime.world import World
from protocols.venue import StreamChanged, StreamHeard

PUBLIC, MARKET, PRIVATE, ORDERS = "public", "market", "private", "orders"

WIRE_DELAY_NS = 200_000
HEARD_PERIOD_NS = {PUBLIC: 4_000_000_000, PRIVATE: 2_000_000_000, MARKET: 4_000_000_000, ORDERS: 4_000_000_000}
"""How often the shell of a socket looks whether it is alive, and passes that on."""

RECONNECT_NS = 250_000_000
"""How long a socket that its owner closes takes to come back."""


@dataclass(slots=True)
class _Socket:
    """One socket of an actor. `number` grows with every connection, so that what belongs to an older one is known."""

    up: bool = False
    number: int = 0
    down_until_ns: int = 0
    silent_until_ns: int = 0
    heard_ns: int = 0
    frames_to_lose: int = 0


class Sockets:
    """Every socket, by actor and stream. All but the private one, which needs a key, come back by themselves."""

    def __init__(self, world: World, silence_ns_max: int, is_mute: Callable[[str], bool]) -> None:
        """Join a world.

        Args:
            silence_ns_max: a socket on which nothing was heard for so long is given up by its owner.
            is_mute: whether an actor has found out that its private stream keeps something from it.
        """
        self._world = world
        self._silence_ns_max = silence_ns_max
        self._is_mute = is_mute
        self._sockets: dict[tuple[str, str], _Socket] = {}
        self.lost: Callable[[str, str], None] = lambda actor, stream: None
        """Told of an actor and the stream that it has just lost."""

    def is_up(self, actor: str, stream: str) -> bool:
        """Whether a socket stands."""
        socket = self._sockets.get((actor, stream))
        return socket is not None and socket.up

    def may_open(self, actor: str, stream: str) -> bool:
        """Whether a socket is down and could be opened now."""
        socket = self._socket(actor, stream)
        return not socket.up and self._world.now_ns >= socket.down_until_ns

    def open(self, actor: str, stream: str) -> None:
        """Open a socket; its actor is told."""
        socket = self._socket(actor, stream)
        socket.up = True
        socket.number += 1
        socket.silent_until_ns = socket.frames_to_lose = 0
        socket.heard_ns = self._world.now_ns
        self._tell(actor, stream, up=True)
        self._keep_alive(actor, stream, socket, socket.number)

    def lose(self, actor: str, stream: str, down_ns: int) -> None:
        """A socket is lost, with what was on its way, and comes back after a while."""
        socket = self._sockets.get((actor, stream))
        if socket is None or not socket.up:
            return
        socket.up = False
        socket.down_until_ns = self._world.now_ns + down_ns
        number = socket.number
        self._tell(actor, stream, up=False)
        self.lost(actor, stream)
        if stream != PRIVATE:
            self._world.at(socket.down_until_ns, self._reopen, actor, stream, number)

    def silence(self, actor: str, stream: str, for_ns: int) -> None:
        """A socket stays open and nothing comes through it."""
        self._socket(actor, stream).silent_until_ns = self._world.now_ns + for_ns

    def lose_frames(self, actor: str, stream: str, count: int) -> None:
        """The next frames of a socket never arrive: a gap."""
        self._socket(actor, stream).frames_to_lose = count

    def drop(self, actor: str) -> None:
        """The actor died, and its sockets with it."""
        for stream in (PUBLIC, MARKET, PRIVATE, ORDERS):
            self._sockets.pop((actor, stream), None)

    def gets_through(self, actor: str, stream: str) -> bool:
        """Whether a frame that comes now arrives."""
        socket = self._socket(actor, stream)
        if not socket.up or self._world.now_ns < socket.silent_until_ns:
            return False
        socket.heard_ns = self._world.now_ns
        if socket.frames_to_lose > 0:
            socket.frames_to_lose -= 1
            return False
        return True

    def _socket(self, actor: str, stream: str) -> _Socket:
        socket = self._sockets.get((actor, stream))
        if socket is None:
            socket = self._sockets[actor, stream] = _Socket()
        return socket

    def _reopen(self, actor: str, stream: str, number: int) -> None:
        socket = self._sockets.get((actor, stream))
        if socket is not None and not socket.up and socket.number == number:
            self.open(actor, stream)

    def _tell(self, actor: str, stream: str, *, up: bool) -> None:
        reason = "" if up else "connection lost"
        changed = StreamChanged(stream=stream, up=up, changed_ns=self._world.now_ns, reason=reason)
        self._world.tell(actor, changed, WIRE_DELAY_NS)

    def _keep_alive(self, actor: str, stream: str, socket: _Socket, number: int) -> None:
        """Pass on signs of life for as long as the socket stands, and give it up where the live shell would."""
        now_ns = self._world.now_ns
        if self._sockets.get((actor, stream)) is not socket or not socket.up or socket.number != number:
            return
        if now_ns >= socket.silent_until_ns:
            socket.heard_ns = now_ns
            if stream != ORDERS:
                self._world.tell(actor, StreamHeard(stream=stream, heard_ns=now_ns))
        if now_ns - socket.heard_ns > self._silence_ns_max or (stream == PRIVATE and self._is_mute(actor)):
            self.lose(actor, stream, RECONNECT_NS)
        else:
            self._world.at(now_ns + HEARD_PERIOD_NS[stream], self._keep_alive, actor, stream, socket, number)
