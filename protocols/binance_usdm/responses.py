"""Answers of REST and of the WebSocket API to neutral outcomes (facts sections 2, 7 and 8).

Nothing here raises on what the venue sends, except `decode_ws_api` on a frame that names no request. A success that cannot be read
is an unknown outcome, and the reason names the field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from protocols.binance_usdm import payloads
from protocols.binance_usdm.answers import BODY_BYTES_MAX as BODY_BYTES_MAX
from protocols.binance_usdm.answers import TEXT_CHARACTERS_MAX, Head, outcome_of_success, sized
from protocols.binance_usdm.damage import DECODE_ERRORS, DamagedPayload, damaged
from protocols.binance_usdm.errors import BANNED_UNTIL, ErrorClass, classify, request_kind
from protocols.binance_usdm.market_streams import FRAME_BYTES_MAX
from protocols.binance_usdm.payloads import NS_PER_MS
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.venue import (
    AmendOrder,
    AnyOutcome,
    CancelOrder,
    OutcomeUnknown,
    PlaceOrder,
    Refused,
    Throttled,
    Usage,
    VenueRequest,
)

WEIGHT_WAIT_S = 60
"""Wait after a broken limit on weight where the venue names none: its window is a minute."""
ORDERS_WAIT_S = 10
"""The same for the ten-second limit on orders."""
BAN_WAIT_S = 120
"""The shortest ban."""
FIREWALL_WAIT_S = 300
"""Wait after HTTP 403, which comes from the firewall before the venue and names none."""
WAIT_S_MAX = 259_200
"""The longest ban (3 days); a longer wait is not believed."""

_NS_PER_S = 1_000_000_000
_USAGE_FIELDS = {
    "x-mbx-used-weight-1m": "weight_1m",
    "x-mbx-order-count-10s": "orders_10s",
    "x-mbx-order-count-1m": "orders_1m",
    "X-MBX-USED-WEIGHT-1M": "weight_1m",
    "X-MBX-ORDER-COUNT-10S": "orders_10s",
    "X-MBX-ORDER-COUNT-1M": "orders_1m",
}
_WS_USAGE_FIELDS = {
    ("REQUEST_WEIGHT", "MINUTE", 1): "weight_1m",
    ("ORDERS", "SECOND", 10): "orders_10s",
    ("ORDERS", "MINUTE", 1): "orders_1m",
}

_error_decoder = payloads.decoder_of(payloads.ErrorBody)
_items_decoder = payloads.decoder_of(list[msgspec.Raw])
_ws_decoder = payloads.decoder_of(payloads.WsBody)


class WsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A frame of the WebSocket API. `request_id` is None where the venue names none: the session itself was refused."""

    request_id: int | None
    status: int
    usage: Usage
    result: bytes = b""
    venue_code: int = 0
    text: str = ""


def decode_rest(
    request: VenueRequest,
    http_status: int,
    headers: Mapping[str, str],
    body: bytes,
    received_ns: int,
    instruments: WireInstruments,
    sent_ns: int = 0,
) -> AnyOutcome:
    """The outcome of one REST call.

    Args:
        request: what was asked.
        http_status: of the answer.
        headers: of the answer, in any case of letters.
        body: of the answer.
        received_ns: our clock at its receipt.
        instruments: those that answers may be about.
        sent_ns: our clock when it was sent; only `TimeAnswered` carries it on.
    """
    usage = usage_of_headers(headers)
    if not 200 <= http_status < 300:
        code, text = _error_of(body)
        retry_after_s = _retry_after_s(headers)
        return _failed(request, http_status, code, text, usage, received_ns, retry_after_s)
    return _succeeded(request, body, usage, received_ns, instruments, sent_ns)


def decode_rest_batch(
    requests: Sequence[PlaceOrder] | Sequence[AmendOrder] | Sequence[CancelOrder],
    http_status: int,
    headers: Mapping[str, str],
    body: bytes,
    received_ns: int,
    instruments: WireInstruments,
) -> tuple[AnyOutcome, ...]:
    """The outcomes of a batch, one for each request in their order; HTTP 200 says nothing of the items."""
    if not 200 <= http_status < 300:
        return tuple(decode_rest(request, http_status, headers, body, received_ns, instruments) for request in requests)
    usage = usage_of_headers(headers)
    try:
        items = sized(_items_decoder, body)
    except DamagedPayload as damage:
        return tuple(_unreadable(request, damage, usage, received_ns) for request in requests)
    if len(items) != len(requests):
        uneven = DamagedPayload(field="batch", reason=f"{len(items)} items answer {len(requests)} requests")
        return tuple(_unreadable(request, uneven, usage, received_ns) for request in requests)
    return tuple(
        _succeeded(request, bytes(item), usage, received_ns, instruments, 0)
        for request, item in zip(requests, items, strict=True)
    )


def decode_ws_api(frame: bytes | str) -> WsAnswer:
    """A frame of the WebSocket API; `ws_outcome` makes the outcome once the request of its id is found.

    Raises:
        DamagedPayload: the frame cannot be understood.
    """
    if len(frame) > FRAME_BYTES_MAX:
        raise DamagedPayload(field="frame", reason=f"{len(frame)} bytes, more than {FRAME_BYTES_MAX}")
    try:
        body: payloads.WsBody = _ws_decoder.decode(frame)
    except DECODE_ERRORS as error:
        raise damaged(error) from None
    fields: dict[str, int] = {}
    for limit in body.rate_limits or ():
        field = _WS_USAGE_FIELDS.get((limit.rate_limit_type, limit.interval, limit.interval_num))
        if field is not None:
            fields[field] = _bounded(limit.count)
    failure = body.error or payloads.ErrorBody()
    return WsAnswer(
        request_id=body.id if isinstance(body.id, int) else None,
        status=body.status,
        usage=Usage(**fields),
        result=bytes(body.result) if isinstance(body.result, msgspec.Raw) else b"",
        venue_code=_bounded(failure.code),
        text=failure.msg[:TEXT_CHARACTERS_MAX],
    )


def ws_outcome(answer: WsAnswer, request: VenueRequest, received_ns: int, instruments: WireInstruments) -> AnyOutcome:
    """The outcome of a request sent by the WebSocket API."""
    if answer.status == 200 and answer.venue_code >= 0:
        return _succeeded(request, answer.result, answer.usage, received_ns, instruments, 0)
    return _failed(request, answer.status, answer.venue_code, answer.text, answer.usage, received_ns, None)


def usage_of_headers(headers: Mapping[str, str]) -> Usage:
    """What the venue says we have used. Order endpoints often answer a weight of -1: unknown."""
    fields: dict[str, int] = {}
    for name, value in headers.items():
        field = _USAGE_FIELDS.get(name) or _USAGE_FIELDS.get(name.lower())
        if field is not None and value.isascii() and value.isdigit():
            fields[field] = _bounded(int(value[:20]))
    return Usage(**fields)


def _succeeded(
    request: VenueRequest,
    body: bytes,
    usage: Usage,
    received_ns: int,
    instruments: WireInstruments,
    sent_ns: int,
) -> AnyOutcome:
    try:
        head = Head(request.request_id, received_ns, usage)
        return outcome_of_success(request, body, head, instruments, sent_ns)
    except DamagedPayload as damage:
        code, text = _error_of(body)
        if code < 0:
            return _failed(request, 400, code, text, usage, received_ns, None)
        return _unreadable(request, damage, usage, received_ns)


def _failed(
    request: VenueRequest,
    http_status: int,
    code: int,
    text: str,
    usage: Usage,
    received_ns: int,
    retry_after_s: int | None,
) -> AnyOutcome:
    verdict = classify(request_kind(request), http_status, code, text)
    head = Head(request.request_id, received_ns, usage)
    if verdict.error_class is ErrorClass.REFUSED:
        assert verdict.refusal is not None
        return Refused(**head.fields, kind=verdict.refusal, venue_code=code, text=text)
    if verdict.error_class is ErrorClass.UNKNOWN:
        return OutcomeUnknown(**head.fields, reason=f"status {http_status}: {text}", venue_code=code)
    banned = verdict.error_class is ErrorClass.BANNED
    wait_ns = _wait_ns(request, http_status, text, retry_after_s, banned=banned, orders_only=verdict.orders_only)
    return Throttled(
        **head.fields,
        retry_at_ns=received_ns + wait_ns,
        banned=banned,
        orders_only=verdict.orders_only,
        venue_code=code,
        text=text,
    )


def _wait_ns(
    request: VenueRequest,
    http_status: int,
    text: str,
    retry_after_s: int | None,
    *,
    banned: bool,
    orders_only: bool,
) -> int:
    """The longest wait that the answer names, or the default of its kind."""
    named: list[int] = []
    if retry_after_s is not None:
        named.append(retry_after_s * _NS_PER_S)
    until = BANNED_UNTIL.search(text)
    asked_at_venue_ns = getattr(request, "venue_time_ns", 0)
    if until and asked_at_venue_ns:
        named.append(int(until.group(1)) * NS_PER_MS - asked_at_venue_ns)
    if named:
        return min(max(max(named), _NS_PER_S), WAIT_S_MAX * _NS_PER_S)
    if http_status == 403:
        return FIREWALL_WAIT_S * _NS_PER_S
    if banned:
        return BAN_WAIT_S * _NS_PER_S
    if orders_only and "MINUTE" not in text.upper():
        return ORDERS_WAIT_S * _NS_PER_S
    return WEIGHT_WAIT_S * _NS_PER_S


def _unreadable(request: VenueRequest, damage: DamagedPayload, usage: Usage, received_ns: int) -> OutcomeUnknown:
    reason = f"the answer cannot be read: {damage}"[:TEXT_CHARACTERS_MAX]
    return OutcomeUnknown(request_id=request.request_id, received_ns=received_ns, usage=usage, reason=reason)


def _error_of(body: bytes) -> tuple[int, str]:
    """Code and text of an error; code 0 and the body's beginning where it is not the venue's JSON."""
    if len(body) <= BODY_BYTES_MAX:
        try:
            error: payloads.ErrorBody = _error_decoder.decode(body)
        except DECODE_ERRORS:
            pass
        else:
            if error.code or error.msg:
                return _bounded(error.code), error.msg[:TEXT_CHARACTERS_MAX]
    return 0, body[:TEXT_CHARACTERS_MAX].decode("utf-8", "replace")


def _retry_after_s(headers: Mapping[str, str]) -> int | None:
    for name, value in headers.items():
        if name.lower() == "retry-after" and value.isascii() and value.isdigit():
            return min(int(value[:12]), WAIT_S_MAX)
    return None


def _bounded(number: int) -> int:
    return max(-(2**62), min(number, 2**62))
