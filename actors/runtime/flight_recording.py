"""A flight recording: everything that one core was told, and what it answered, so that an incident can be flown again.

Each file begins with the core as it was then and goes on with messages and effects in their order. A message is written after its
effects have been carried out, never before an order leaves. A recording that fails ends itself; trading goes on.

The files hold what the mailbox held, the key of the private stream among it: they are readable by their owner only.
"""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Union, get_args

import msgspec

from actors.runtime.pure_pickle import load_pure
from configs.schema import RecordingSettings
from protocols.effects import Core, Effect
from protocols.envelope import Message

MAGIC = b"raymaker flight 1\n"
FRAME_BYTES_MAX = 67_108_864
SUFFIX = ".flight"

_HEAD = struct.Struct("<II")
"""Length and checksum of a frame."""

_encode = msgspec.msgpack.Encoder().encode


class RecordingError(Exception):
    """A file is no flight recording, or damaged; the text says where."""


class Begun(msgspec.Struct, frozen=True, tag=True):
    """First frame of a file: the core and what its mailbox accepts (pickled), before anything that follows."""

    name: str
    role: str
    epoch: int
    number: int
    flown: bytes


class Started(msgspec.Struct, frozen=True, tag=True):
    """The core came to life."""

    now_ns: int
    effects: bytes


class Handled(msgspec.Struct, frozen=True, tag=True):
    """The core took a message. `error` is what it raised; then there are no effects and nothing follows."""

    now_ns: int
    message: bytes
    effects: bytes
    error: str = ""


Frame = Begun | Started | Handled
_frame_decoder = msgspec.msgpack.Decoder(Frame)


class FlightRecorder:
    """Writes the recording of one process. Never raises."""

    def __init__(
        self, folder: Path, name: str, role: str, epoch: int, settings: RecordingSettings, mailbox: Any, log: Any
    ) -> None:
        self._folder = folder
        self._name, self._role, self._epoch = name, role, epoch
        self._settings = settings
        self._mailbox = mailbox
        self._log = log
        self._file: int | None = None
        self._bytes = 0
        self._number = 0

    def begin(self, core: Core) -> None:
        """A new file, which begins with `core` as it is now; the oldest beyond the limit goes."""
        try:
            flown = pickle.dumps((core, get_args(self._mailbox) or (self._mailbox,)))
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._close()
            self._number += 1
            path = self._folder / f"{self._name}.{self._epoch:08d}.{self._number:04d}{SUFFIX}"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            self._bytes = os.write(self._file, MAGIC)
            for old in recordings(self._folder, self._name)[: -self._settings.files_max]:
                old.unlink(missing_ok=True)
        except (OSError, pickle.PicklingError, TypeError, AttributeError) as error:
            self._give_up(error)
            return
        self._write(Begun(self._name, self._role, self._epoch, self._number, flown))

    def started(self, now_ns: int, effects: Sequence[Effect]) -> None:
        """The core's first effects were carried out."""
        if self._file is not None:
            self._write(Started(now_ns, encode_effects(effects)))

    def handled(self, core: Core, message: Message, now_ns: int, effects: Sequence[Effect]) -> None:
        """A message was handled and its effects were carried out; a full file is followed by the next."""
        if self._file is None:
            return
        self._write(Handled(now_ns, _encode(message), encode_effects(effects)))
        if self._bytes >= self._settings.file_bytes_max:
            self.begin(core)

    def failed(self, message: Message, now_ns: int, error: BaseException) -> None:
        """The core raised on a message: the last frame there is."""
        if self._file is not None:
            self._write(Handled(now_ns, _encode(message), b"", error=repr(error)))
            self._close()

    def _write(self, frame: Frame) -> None:
        assert self._file is not None
        payload = _encode(frame)
        try:
            self._bytes += os.write(self._file, _HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._log.warning("the flight recording ends: {}", error)
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def recordings(folder: Path, name: str) -> list[Path]:
    """The recordings of an actor, oldest first."""
    return sorted(folder.glob(f"{name}.[0-9]*{SUFFIX}"))


def encode_effects(effects: Sequence[Effect]) -> bytes:
    """Effects as bytes that are equal where the effects are."""
    return _encode([(type(effect).__name__, effect) for effect in effects])


def read_frames(path: Path) -> Iterator[Frame]:
    """The frames of a file, in their order; a last one that was torn by the death of the process is left out.

    Raises:
        RecordingError: it is no flight recording, or damaged.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise RecordingError(f"{path} is no flight recording")
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                length, checksum = _HEAD.unpack(head)
                payload = file.read(length) if length <= FRAME_BYTES_MAX else b""
                if length <= FRAME_BYTES_MAX and len(payload) < length:
                    return
                if zlib.crc32(payload) != checksum:
                    raise RecordingError(f"{path}: damaged before byte {file.tell()}")
                yield _frame_decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise RecordingError(f"{path} was written by another version: {error}") from error
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from error


def revive(begun: Begun) -> tuple[Core, Any]:
    """The core of a recording and the union of its mailbox.

    Raises:
        RecordingError: it was made by another version, or holds what no core holds.
    """
    try:
        core, accepted = load_pure(begun.flown)
        mailbox: Any = Union.__getitem__(accepted)
    except Exception as error:
        raise RecordingError(f"the core of {begun.name} cannot be brought back: {error!r}") from error
    return core, mailbox
