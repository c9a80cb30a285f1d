"""Flies a flight recording again: the recorded core is told the same messages at the same times, and its answers are compared by byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from actors.runtime.flight_recording import (
    Begun,
    Handled,
    RecordingError,
    Started,
    encode_effects,
    read_frames,
    revive,
)

SHOWN_CHARACTERS_MAX = 2_000


class Flown(msgspec.Struct, frozen=True, kw_only=True):
    """A recording flown again. `difference` tells of the first answer that was another; "" when all were the same.

    `failure` is what the recorded core raised at the end, and raised again.
    """

    recording: str
    name: str
    epoch: int
    number: int
    messages: int
    effects_bytes: int
    began_ns: int
    ended_ns: int
    kinds: dict[str, int]
    difference: str = ""
    failure: str = ""


def fly(path: Path) -> Flown:
    """Fly one recording; it ends with the first difference, for after it the core is another.

    Raises:
        RecordingError: the file is none, damaged, or of another version.
    """
    frames = read_frames(path)
    begun = next(frames, None)
    if not isinstance(begun, Begun):
        raise RecordingError(f"{path} does not begin with a core")
    core, mailbox = revive(begun)
    decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(mailbox)
    kinds: dict[str, int] = {}
    began_ns = ended_ns = messages = size = 0
    difference = failure = ""
    for frame in frames:
        assert not isinstance(frame, Begun), "a core begins a file"
        began_ns, ended_ns = began_ns or frame.now_ns, frame.now_ns
        if isinstance(frame, Started):
            kind, message = "start", None
        else:
            messages += 1
            message = _decoded(path, decoder, frame, messages)
            kind = type(message).__name__
            kinds[kind] = kinds.get(kind, 0) + 1
        size += len(frame.effects)
        effects, raised = _tell(core, message, frame.now_ns)
        recorded = frame.error if isinstance(frame, Handled) else ""
        if effects != frame.effects or raised != recorded:
            difference = _told(messages, kind, frame.now_ns, frame.effects, effects, recorded, raised)
            break
        failure = raised
    return Flown(
        recording=str(path),
        name=begun.name,
        epoch=begun.epoch,
        number=begun.number,
        messages=messages,
        effects_bytes=size,
        began_ns=began_ns,
        ended_ns=ended_ns,
        kinds=dict(sorted(kinds.items())),
        difference=difference,
        failure=failure,
    )


def _decoded(path: Path, decoder: msgspec.msgpack.Decoder[Any], frame: Handled, number: int) -> Any:
    try:
        return decoder.decode(frame.message)
    except msgspec.DecodeError as error:
        raise RecordingError(f"{path}: message {number} cannot be understood by this version: {error}") from error


def _tell(core: Any, message: Any, now_ns: int) -> tuple[bytes, str]:
    """The answer as bytes, or what the core raised."""
    try:
        effects = core.start(now_ns) if message is None else core.handle(message, now_ns)
    except Exception as error:  # noqa: BLE001 - a core that fails is what is looked for
        return b"", repr(error)
    return encode_effects(effects), ""


def _told(
    number: int, kind: str, now_ns: int, recorded: bytes, flown: bytes, recorded_error: str, flown_error: str
) -> str:
    then, now = (_shown(recorded, recorded_error), _shown(flown, flown_error))
    return f"message {number} ({kind}, at {now_ns} ns) was answered\n  then: {then}\n  now:  {now}"


def _shown(effects: bytes, error: str) -> str:
    text = f"raised {error}" if error else str(msgspec.msgpack.decode(effects, strict=False))
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}..."
