"""The subscriber that the venue is measured with: it counts whole frames, and none of a stream that is not in order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ops.bench.venue_frames import BrokenStreamError, check_order, frames_of


def on_the_wire(payload: bytes) -> bytes:
    """A server's text frame."""
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    if len(payload) < 65_536:
        return bytes((0x81, 126)) + len(payload).to_bytes(2) + payload
    return bytes((0x81, 127)) + len(payload).to_bytes(8) + payload


def test_frames_of_every_length_are_found_and_one_that_is_cut_off_is_none() -> None:
    payloads = [b"x" * length for length in (0, 1, 125, 126, 65_535, 65_536)]
    data = b"".join(on_the_wire(payload) for payload in payloads)
    assert list(frames_of(data)) == payloads
    assert list(frames_of(data[:-1])) == payloads[:-1]
    assert list(frames_of(data + b"\x89\x00" + on_the_wire(b"after a ping"))) == [*payloads, b"after a ping"]


def test_what_is_no_text_is_no_stream() -> None:
    with pytest.raises(BrokenStreamError, match="byte 3: a frame of kind 0x88"):
        list(frames_of(on_the_wire(b"x") + b"\x88\x00"))


def frame(kind: str, **data: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode({"stream": "s", "data": {"e": kind} | data}))
    return found


@pytest.mark.parametrize(
    ("first", "next_one", "lost"),
    [
        (frame("depthUpdate", u=7, pu=3), frame("depthUpdate", u=9, pu=7), frame("depthUpdate", u=9, pu=8)),
        (frame("trade", t=4), frame("trade", t=5), frame("trade", t=6)),
        (frame("trade", t=4), frame("trade", t=5), frame("trade", t=4)),
        (frame("bookTicker", u=4), frame("bookTicker", u=4), frame("bookTicker", u=3)),
    ],
)
def test_a_frame_that_was_lost_or_came_out_of_order_is_noticed(
    first: dict[str, Any], next_one: dict[str, Any], lost: dict[str, Any]
) -> None:
    for second, sound in ((next_one, True), (lost, False)):
        last: dict[str, int] = {}
        check_order(first, last)
        if sound:
            check_order(second, last)
        else:
            with pytest.raises(BrokenStreamError, match=r"s: . after ."):
                check_order(second, last)
