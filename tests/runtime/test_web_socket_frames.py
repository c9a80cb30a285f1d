"""Frames of several messages in one write: the other end's own parser reads the very messages."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from actors.runtime.web_socket_frames import text_frames


def heard(data: bytes) -> list[Frame]:
    server = Protocol(Side.SERVER, state=OPEN, max_size=None)
    server.receive_data(data)
    assert server.parser_exc is None
    return [event for event in server.events_received() if isinstance(event, Frame)]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_message_of_any_length_is_read_whole(length: int) -> None:
    payload = bytes(number % 251 for number in range(length))
    assert heard(text_frames([payload])) == [Frame(Opcode.TEXT, payload)]


def test_messages_keep_their_order_and_each_has_a_mask_of_its_own() -> None:
    data = text_frames([b"same", b"same", b"other"])
    assert [bytes(frame.data) for frame in heard(data)] == [b"same", b"same", b"other"]
    assert len({data[2:6], data[12:16], data[22:26]}) == 3


def test_the_same_message_is_masked_anew_each_time() -> None:
    assert len({text_frames([b"again"])[2:6] for _ in range(8)}) > 1
