"""Cutting a connection into HTTP messages and WebSocket frames, however the bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from ops.chaos.proxy.units import HEAD_BYTES_MAX, Cutter, Kind, NotUnderstood, Unit, response, text_frame

GET = b"GET /fapi/v1/time HTTP/1.1\r\nHost: venue\r\n\r\n"
POST = b"POST /fapi/v1/order HTTP/1.1\r\ncontent-length: 3\r\n\r\na=b"
UPGRADE = b"GET /ws-fapi/v1 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def frame(payload: bytes, opcode: Opcode = Opcode.TEXT, mask: bool = False) -> bytes:
    return Frame(opcode, payload).serialize(mask=mask)


def test_requests_on_one_connection_are_cut_at_their_ends() -> None:
    assert Cutter(asks=True).cut(GET + POST) == [Unit(Kind.REQUEST, GET, GET), Unit(Kind.REQUEST, POST, POST)]


def test_after_the_upgrade_frames_are_cut_and_unmasked() -> None:
    cut = Cutter(asks=True)
    sent = frame(b'{"id":1}', mask=True)
    units = cut.cut(UPGRADE + sent + frame(b"", Opcode.PING, mask=True))
    assert [(unit.kind, unit.text) for unit in units[1:]] == [(Kind.MESSAGE, b'{"id":1}'), (Kind.CONTROL, b"")]
    assert units[1].wire == sent


def test_a_refused_upgrade_stays_http() -> None:
    refused = response(503, {}, b"full")
    assert Cutter(asks=False).cut(refused) == [Unit(Kind.RESPONSE, refused, refused)]


@pytest.mark.parametrize("length", [0, 5, 125, 126, 65_535, 65_536])
def test_our_frames_are_those_of_the_websocket_library(length: int) -> None:
    payload = b"x" * length
    assert text_frame(payload) == frame(payload)
    (unit,) = upgraded().cut(text_frame(payload))
    assert (unit.kind, unit.text) == (Kind.MESSAGE, payload)


def upgraded() -> Cutter:
    cut = Cutter(asks=False)
    cut.cut(SWITCHED)
    return cut


def test_a_body_whose_length_is_not_told_passes_as_it_comes() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    assert Cutter(asks=False).cut(chunked) == [Unit(Kind.RAW, chunked, b"")]


def test_bytes_that_are_no_http_are_refused() -> None:
    with pytest.raises(NotUnderstood):
        Cutter(asks=True).cut(b"x" * (HEAD_BYTES_MAX + 1))


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 200), max_size=30))
def test_the_same_units_come_out_however_the_bytes_are_split(payloads: list[bytes], cuts: list[int]) -> None:
    stream = SWITCHED + b"".join(text_frame(payload) for payload in payloads)
    cut = Cutter(asks=False)
    found: list[Unit] = []
    rest = stream
    for size in [*cuts, len(stream)]:
        piece, rest = rest[:size], rest[size:]
        found += cut.cut(piece)
    assert [unit.text for unit in found[1:]] == payloads
    assert b"".join(unit.wire for unit in found) == stream
