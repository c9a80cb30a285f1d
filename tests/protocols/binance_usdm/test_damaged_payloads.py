"""However a payload is damaged, a decoder gives its answer or `DamagedPayload`: nothing else, ever."""

from __future__ import annotations

from typing import get_args

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wire_frames import EXCHANGE_INFO, MARKET_FRAMES, REST_BODIES, USER_FRAMES, WS_FRAMES
from wire_samples import ETH, TIME_NS, amend, cancel, place, wires

from protocols import venue
from protocols.binance_usdm.damage import DamagedPayload, SymbolUnavailable
from protocols.binance_usdm.exchange_info import decode_exchange_info
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.responses import decode_rest, decode_rest_batch, decode_ws_api, ws_outcome
from protocols.binance_usdm.user_stream import UserStreamDecoder

WIRES = wires()
POISON = st.sampled_from(
    [
        *(
            b'null true false 0 -1 -0 1e999 1E400 NaN Infinity 9223372036854775807 9223372036854775808 [] {} "" "NaN"'.split()
        ),
        *(
            b'"-1" "1e999999999" "0E-8" "\xff" "\\ud800" "\\u0000" 0.5 [[[[]]]] {"e":"trade"} 123456789012345678901234567890'.split()
        ),
        b'"' + b"9" * 300 + b'"',
        b"[" * 5_000,
        b"\x00",
        b'"\xf0\x9f\x98\x80"',
    ]
)


@st.composite
def damaged_versions(draw: st.DrawFn, sound: tuple[bytes, ...]) -> bytes:
    """A sound payload, cut, joined, with bytes changed, or with a value replaced by something vile."""
    frame = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(1, 3))):
        if not frame:
            break
        at = draw(st.integers(0, len(frame) - 1))
        match draw(st.sampled_from(["cut", "byte", "value", "twice"])):
            case "cut":
                del frame[at : at + draw(st.integers(1, len(frame)))]
            case "byte":
                frame[at] = draw(st.integers(0, 255))
            case "twice":
                frame += frame[at:]
            case _:
                start = frame.find(b":", at) + 1
                stops = [stop for stop in (frame.find(b",", start), frame.find(b"}", start)) if stop > 0]
                frame[start : min(stops, default=len(frame))] = draw(POISON)
    return bytes(frame)


REQUESTS: tuple[venue.VenueRequest, ...] = (
    place(),
    amend(),
    cancel(),
    venue.CancelAll(request_id=1, instrument_id=ETH, venue_time_ns=TIME_NS, window_ms=1),
    venue.SetCountdown(request_id=1, instrument_id=ETH, countdown_ms=1, venue_time_ns=TIME_NS, window_ms=1),
    venue.QueryOrder(request_id=1, instrument_id=ETH, client_order_id="c", venue_time_ns=TIME_NS),
    venue.QueryAmendments(
        request_id=1, instrument_id=ETH, client_order_id="c", venue_time_from_ms=1, venue_time_ns=TIME_NS
    ),
    venue.QueryOpenOrders(request_id=1, instrument_id=ETH, venue_time_ns=TIME_NS),
    venue.QueryFills(request_id=1, instrument_id=ETH, trade_id_from=1, venue_time_from_ms=0, venue_time_ns=TIME_NS),
    venue.QueryPositions(request_id=1, venue_time_ns=TIME_NS),
    venue.QueryBalances(request_id=1, venue_time_ns=TIME_NS),
    venue.QueryIncome(request_id=1, venue_time_from_ms=0, venue_time_ns=TIME_NS),
    venue.QueryBook(request_id=1, instrument_id=ETH),
    venue.QueryTime(request_id=1),
    venue.OpenUserStream(request_id=1),
    venue.KeepUserStream(request_id=1),
)
STATUSES = st.sampled_from([200, 200, 200, 400, 401, 403, 404, 408, 418, 429, 500, 503])
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "X-MBX-USED-WEIGHT-1M", "x-mbx-order-count-10s", "date"]),
    st.one_of(st.text(max_size=20), st.integers().map(str)),
    max_size=3,
)


def travels(message: object) -> None:
    """The message passes a link and comes back the same: no number or text in it breaks the codec."""
    kind = type(message)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=kind) == message


@given(damaged_versions(MARKET_FRAMES))
@settings(max_examples=400)
def test_market_frames(frame: bytes) -> None:
    decoder = MarketStreamDecoder(WIRES)
    try:
        event = decoder.decode(frame, 1)
    except DamagedPayload as damage:
        assert damage.field
        assert len(str(damage)) < 1_000
    else:
        if event is not None:
            travels(event)


@given(damaged_versions(MARKET_FRAMES))
def test_market_frames_as_text(frame: bytes) -> None:
    text = frame.decode("utf-8", "surrogateescape")
    try:
        MarketStreamDecoder(WIRES).decode(text, 1)
    except DamagedPayload as damage:
        assert damage.field


@given(damaged_versions(USER_FRAMES))
@settings(max_examples=400)
def test_user_frames(frame: bytes) -> None:
    try:
        events = UserStreamDecoder(WIRES).decode(frame, 1)
    except DamagedPayload as damage:
        assert damage.field
    else:
        for event in events:
            travels(event)


@given(damaged_versions(WS_FRAMES), st.sampled_from(REQUESTS[:4]))
@settings(max_examples=400)
def test_websocket_answers(frame: bytes, request: venue.VenueRequest) -> None:
    try:
        answered = decode_ws_api(frame)
    except DamagedPayload as damage:
        assert damage.field
    else:
        travels(ws_outcome(answered, request, 1, WIRES))


@given(damaged_versions(REST_BODIES), st.sampled_from(REQUESTS), STATUSES, HEADERS)
@settings(max_examples=600)
@example(b"", REQUESTS[0], 200, {})
def test_rest_answers_always_give_an_outcome(
    body: bytes, request: venue.VenueRequest, status: int, headers: dict[str, str]
) -> None:
    outcome = decode_rest(request, status, headers, body, 1, WIRES)
    assert isinstance(outcome, get_args(venue.AnyOutcome))
    assert outcome.request_id == request.request_id
    travels(outcome)


@given(damaged_versions(REST_BODIES), STATUSES)
def test_batch_answers_always_give_one_outcome_each(body: bytes, status: int) -> None:
    assert len(decode_rest_batch([place(), place()], status, {}, b"[" + body + b"," + body + b"]", 1, WIRES)) == 2


@given(damaged_versions((EXCHANGE_INFO,)))
@settings(max_examples=300)
def test_exchange_info(body: bytes) -> None:
    for symbols in (None, ["ETHUSDC"]):
        try:
            decode_exchange_info(body, "main", symbols)
        except (DamagedPayload, SymbolUnavailable) as refused:
            assert str(refused)
