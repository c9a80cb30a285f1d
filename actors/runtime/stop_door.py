"""The door of a node at which an emergency stop knocks without Ray: it writes the stop file there, and ends order managers where asked.

The node's keeper opens it, for it outlives Ray, the supervisor and every actor. Both ends prove the cluster secret (links/proof.py, with a
key of its own made of it), and only then is anything done. It can stop and nothing else: whoever holds the secret may do more anyway.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from typing import TypeVar

import msgspec

from actors.runtime.journal_holders import kill_order_managers
from actors.runtime.links.proof import NONCE_BYTES, Challenge, ClusterSecret, Proven, WrongProof, new_nonce
from actors.runtime.shut import write_stop_file
from actors.runtime.state_dir import StateDir

PURPOSE = "the door for stops"
FRAME_BYTES_MAX = 4_096
REASON_CHARACTERS_MAX = 500
VISITORS_MAX = 8
CONNECT_S_MAX = 1.5
VISIT_S_MAX = 6.0
"""Of one exchange of words: longer than order managers take to be killed."""

Words = TypeVar("Words", Challenge, Proven)
_LENGTH = struct.Struct(">I")


class StopAsked(msgspec.Struct, frozen=True, array_like=True):
    """Shut this node; `kills`: end its order managers too."""

    reason: str
    kills: bool


class StopDone(msgspec.Struct, frozen=True, array_like=True):
    """What was done. `shut`: the stop file is there; `survived`: an order manager could not be ended."""

    shut: bool
    survived: bool
    text: str


class DoorClosed(Exception):
    """The node was not reached, or did not prove the secret; the text says which."""


class StopDoor:
    """Serves visitors in threads of its own until `close`.

    Raises:
        OSError: the port cannot be had.
    """

    def __init__(self, state: StateDir, host: str, port: int, secret: ClusterSecret) -> None:
        """Args: port: 0 for one that is free. secret: of the cluster."""
        self._server = _Server((host, port), _Visit, state, _door_secret(secret), ":" in host)
        self._thread = threading.Thread(target=self._server.serve_forever, name="stop door", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._server.server_address[1]
        return port

    def close(self) -> None:
        """Serve nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def knock(host: str, port: int, secret: ClusterSecret, asked: StopAsked, timeout_s: float = VISIT_S_MAX) -> StopDone:
    """Ask a node to stop.

    Raises:
        DoorClosed: it may or may not have been done.
    """
    own = _door_secret(secret)
    try:
        with socket.create_connection((host, port), min(timeout_s, CONNECT_S_MAX)) as line:
            line.settimeout(timeout_s)
            challenge = _read(line, Challenge)
            nonce = new_nonce()
            _write(line, own.prove_hello(challenge.nonce, nonce, msgspec.msgpack.encode(asked)))
            answer = _read(line, Proven)
            own.check_welcome(challenge.nonce, nonce, answer)
            return msgspec.msgpack.decode(answer.body, type=StopDone)
    except (OSError, EOFError) as error:
        raise DoorClosed(f"{host}:{port} cannot be reached: {_why(error)}") from error
    except (WrongProof, msgspec.DecodeError) as error:
        raise DoorClosed(f"{host}:{port} is not a node of this cluster: {error}") from error


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[_Visit],
        state: StateDir,
        secret: ClusterSecret,
        is_ipv6: bool,
    ) -> None:
        if is_ipv6:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)
        self.state = state
        self.secret = secret
        self.visitors = threading.BoundedSemaphore(VISITORS_MAX)


class _Visit(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Strangers, and more visitors than VISITORS_MAX, hear nothing."""
        if not self.server.visitors.acquire(blocking=False):
            return
        try:
            with contextlib.suppress(OSError, EOFError, WrongProof, msgspec.DecodeError):
                self._talk(self.request)
        finally:
            self.server.visitors.release()

    def _talk(self, line: socket.socket) -> None:
        line.settimeout(VISIT_S_MAX)
        challenge = new_nonce()
        _write(line, Challenge(challenge))
        proven = _read(line, Proven)
        self.server.secret.check_hello(challenge, proven)
        done = _stop(self.server.state, msgspec.msgpack.decode(proven.body, type=StopAsked))
        _write(line, self.server.secret.prove_welcome(challenge, proven.nonce, msgspec.msgpack.encode(done)))


def _stop(state: StateDir, asked: StopAsked) -> StopDone:
    told, shut = "shut", True
    try:
        doubt = write_stop_file(state.stop_file, asked.reason[:REASON_CHARACTERS_MAX])
        told = f"shut ({doubt})" if doubt else told
    except OSError as error:
        told, shut = f"NOT shut ({state.stop_file}: {error.strerror})", False
    if not asked.kills:
        return StopDone(shut, False, told)
    kills = kill_order_managers(state)
    return StopDone(shut, bool(kills.survived), f"{told}; {kills.text}")


def _door_secret(secret: ClusterSecret) -> ClusterSecret:
    return ClusterSecret(secret.derived(PURPOSE).encode("ascii"))


def _write(line: socket.socket, words: Challenge | Proven) -> None:
    frame = msgspec.msgpack.encode(words)
    line.sendall(_LENGTH.pack(len(frame)) + frame)


def _read(line: socket.socket, kind: type[Words]) -> Words:
    (length,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    if length > FRAME_BYTES_MAX:
        raise msgspec.DecodeError(f"a frame of {length} bytes")
    words = msgspec.msgpack.decode(_exactly(line, length), type=kind)
    if isinstance(words, Challenge) and len(words.nonce) != NONCE_BYTES:
        raise msgspec.DecodeError("a challenge of the wrong length")
    return words


def _exactly(line: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = line.recv(count - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found


def _why(error: OSError | EOFError) -> str:
    if isinstance(error, EOFError):
        return "it hung up"
    return error.strerror or str(error) or type(error).__name__
