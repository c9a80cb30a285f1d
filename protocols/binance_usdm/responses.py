"""Answers of REST and of the WebSocket API to neutral outcomes (facts sections 2, 7 and 8).

Nothing here raises on what the venue sends, except `decode_ws_api` on a frame that names no request. A success that cannot be read
is an unknown outcome, and the reason names the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from protocols.binance_usdm import payloads
from protocols.binance_usdm.costs import PAGE_ROWS_MAX
from protocols.binance_usdm.damage import DECODE_ERRORS, DamagedPayload, damaged
from protocols.binance_usdm.errors import BANNED_UNTIL, ErrorClass, classify, request_kind
from protocols.binance_usdm.market_streams import FRAME_BYTES_MAX, snapshot_levels
from protocols.binance_usdm.payloads import NS_PER_MS
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.values import InstrumentId
from protocols.venue import (
    AmendOrder,
    AnyOutcome,
    BalanceReport,
    BalancesAnswered,
    BookSnapshot,
    CancelAll,
    CancelOrder,
    Done,
    FillsAnswered,
    IncomeAnswered,
    KeepUserStream,
    OpenOrdersAnswered,
    OpenUserStream,
    OrderAnswered,
    OutcomeUnknown,
    PlaceOrder,
    PositionReport,
    PositionsAnswered,
    QueryBalances,
    QueryBook,
    QueryFills,
    QueryIncome,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QueryTime,
    Refused,
    SetCountdown,
    Throttled,
    TimeAnswered,
    Usage,
    UserStreamOpened,
    VenueRequest,
)

BODY_BYTES_MAX = 8_388_608
"""A longer answer is refused unread."""

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
_TEXT_CHARACTERS_MAX = 300
_USAGE_HEADER = re.compile(r"x-mbx-(used-weight|order-count)-(\d+[smhd])", re.IGNORECASE)
_USAGE_FIELDS = {
    ("used-weight", "1m"): "weight_1m",
    ("order-count", "10s"): "orders_10s",
    ("order-count", "1m"): "orders_1m",
}
_WS_USAGE_FIELDS = {
    ("REQUEST_WEIGHT", "MINUTE", 1): "weight_1m",
    ("ORDERS", "SECOND", 10): "orders_10s",
    ("ORDERS", "MINUTE", 1): "orders_1m",
}

_error_decoder = payloads.decoder_of(payloads.ErrorBody)
_order_decoder = payloads.decoder_of(payloads.OrderBody)
_orders_decoder = payloads.decoder_of(list[payloads.OrderBody])
_items_decoder = payloads.decoder_of(list[msgspec.Raw])
_fills_decoder = payloads.decoder_of(list[payloads.FillBody])
_positions_decoder = payloads.decoder_of(list[payloads.PositionBody])
_balances_decoder = payloads.decoder_of(list[payloads.BalanceBody])
_income_decoder = payloads.decoder_of(list[payloads.IncomeBody])
_depth_decoder = payloads.decoder_of(payloads.DepthBody)
_time_decoder = payloads.decoder_of(payloads.TimeBody)
_key_decoder = payloads.decoder_of(payloads.ListenKeyBody)
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
        items = _sized(_items_decoder, body)
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
        text=failure.msg[:_TEXT_CHARACTERS_MAX],
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
        match = _USAGE_HEADER.fullmatch(name)
        if match and value.isascii() and value.isdigit():
            field = _USAGE_FIELDS.get((match.group(1).lower(), match.group(2).lower()))
            if field is not None:
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
        decode = _DECODERS.get(type(request))
        if decode is None:
            raise DamagedPayload(field="request", reason=f"{type(request).__name__} has no answer")
        return decode(request, body, _Base(request.request_id, received_ns, usage), instruments, sent_ns)
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
    base = _Base(request.request_id, received_ns, usage)
    if verdict.error_class is ErrorClass.REFUSED:
        assert verdict.refusal is not None
        return Refused(**base.fields, kind=verdict.refusal, venue_code=code, text=text)
    if verdict.error_class is ErrorClass.UNKNOWN:
        return OutcomeUnknown(**base.fields, reason=f"status {http_status}: {text}", venue_code=code)
    banned = verdict.error_class is ErrorClass.BANNED
    wait_ns = _wait_ns(request, http_status, text, retry_after_s, banned=banned, orders_only=verdict.orders_only)
    return Throttled(
        **base.fields,
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
    reason = f"the answer cannot be read: {damage}"[:_TEXT_CHARACTERS_MAX]
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
                return _bounded(error.code), error.msg[:_TEXT_CHARACTERS_MAX]
    return 0, body[:_TEXT_CHARACTERS_MAX].decode("utf-8", "replace")


def _retry_after_s(headers: Mapping[str, str]) -> int | None:
    for name, value in headers.items():
        if name.lower() == "retry-after" and value.isascii() and value.isdigit():
            return min(int(value[:12]), WAIT_S_MAX)
    return None


def _bounded(number: int) -> int:
    return max(-(2**62), min(number, 2**62))


def _sized(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    if len(body) > BODY_BYTES_MAX:
        raise DamagedPayload(field="body", reason=f"{len(body)} bytes, more than {BODY_BYTES_MAX}")
    try:
        return decoder.decode(body)
    except DECODE_ERRORS as error:
        raise damaged(error) from None


class _Base:
    """The fields that every outcome has."""

    __slots__ = ("fields",)

    def __init__(self, request_id: int, received_ns: int, usage: Usage) -> None:
        self.fields: dict[str, Any] = {"request_id": request_id, "received_ns": received_ns, "usage": usage}


def _order(request: VenueRequest, body: bytes, base: _Base, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    return OrderAnswered(**base.fields, order=payloads.order_report(_sized(_order_decoder, body), instruments))


def _done(request: VenueRequest, body: bytes, base: _Base, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    """Successes say `code` 200, or name what was set; neither is needed, but an error must not pass for one."""
    answer: payloads.ErrorBody = _sized(_error_decoder, body)
    if answer.code < 0:
        raise DamagedPayload(field="code", reason=answer.msg[:_TEXT_CHARACTERS_MAX])
    return Done(**base.fields)


def _open_orders(
    request: VenueRequest, body: bytes, base: _Base, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    assert isinstance(request, QueryOpenOrders)
    rows = _sized(_orders_decoder, body)
    orders = tuple(_row(index, payloads.order_report, row, instruments) for index, row in enumerate(rows))
    return OpenOrdersAnswered(**base.fields, instrument_id=request.instrument_id, orders=orders)


def _fills(request: VenueRequest, body: bytes, base: _Base, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    assert isinstance(request, QueryFills)
    rows = _sized(_fills_decoder, body)
    fills = tuple(_row(index, payloads.fill_report, row, instruments) for index, row in enumerate(rows))
    return FillsAnswered(
        **base.fields, instrument_id=request.instrument_id, fills=fills, complete=len(rows) < PAGE_ROWS_MAX
    )


def _positions(
    request: VenueRequest, body: bytes, base: _Base, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    """Positions of our symbols. The two rows of a hedge-mode account are netted: exposure is what counts."""
    reports: dict[InstrumentId, PositionReport] = {}
    for index, row in enumerate(_sized(_positions_decoder, body)):
        wire = instruments.by_symbol.get(row.symbol)
        if wire is None:
            continue
        report = PositionReport(
            instrument_id=wire.instrument_id,
            position_lots=payloads.signed_lots_of(wire, row.position_amt, f"[{index}].positionAmt"),
            entry_price=payloads.decimal_of(row.entry_price, f"[{index}].entryPrice"),
            mark_price=payloads.decimal_of(row.mark_price, f"[{index}].markPrice"),
            venue_time_ns=row.update_time * NS_PER_MS,
        )
        other = reports.get(wire.instrument_id)
        if other is not None:
            larger = max(report, other, key=lambda position: abs(position.position_lots))
            report = msgspec.structs.replace(larger, position_lots=report.position_lots + other.position_lots)
        reports[wire.instrument_id] = report
    return PositionsAnswered(**base.fields, positions=tuple(reports.values()))


def _balances(
    request: VenueRequest, body: bytes, base: _Base, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    rows: list[payloads.BalanceBody] = _sized(_balances_decoder, body)
    balances = tuple(
        BalanceReport(asset=row.asset, wallet_balance=payloads.decimal_of(row.balance, f"[{index}].balance"))
        for index, row in enumerate(rows)
    )
    return BalancesAnswered(**base.fields, balances=balances)


def _income(request: VenueRequest, body: bytes, base: _Base, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    rows: list[payloads.IncomeBody] = _sized(_income_decoder, body)
    records = tuple(_row(index, payloads.income_report, row) for index, row in enumerate(rows))
    return IncomeAnswered(**base.fields, records=records, complete=len(rows) < PAGE_ROWS_MAX)


def _book(request: VenueRequest, body: bytes, base: _Base, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    assert isinstance(request, QueryBook)
    wire = instruments.by_id[request.instrument_id]
    depth: payloads.DepthBody = _sized(_depth_decoder, body)
    return BookSnapshot(
        **base.fields,
        instrument_id=wire.instrument_id,
        last_update_id=depth.last_update_id,
        venue_time_ns=(depth.T or depth.E) * NS_PER_MS,
        bids=tuple(snapshot_levels(depth.bids, wire, "bids")),
        asks=tuple(snapshot_levels(depth.asks, wire, "asks")),
    )


def _time(request: VenueRequest, body: bytes, base: _Base, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    clock: payloads.TimeBody = _sized(_time_decoder, body)
    return TimeAnswered(**base.fields, venue_time_ns=clock.server_time * NS_PER_MS, sent_ns=sent_ns)


def _key(request: VenueRequest, body: bytes, base: _Base, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    answer: payloads.ListenKeyBody = _sized(_key_decoder, body)
    return UserStreamOpened(**base.fields, listen_key=answer.listen_key)


def _row(index: int, report: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return report(*arguments)
    except DamagedPayload as damage:
        raise DamagedPayload(field=f"[{index}].{damage.field}", reason=damage.reason) from None


_Decode = Callable[[VenueRequest, bytes, _Base, WireInstruments, int], AnyOutcome]
_DECODERS: dict[type[VenueRequest], _Decode] = {
    PlaceOrder: _order,
    AmendOrder: _order,
    CancelOrder: _order,
    QueryOrder: _order,
    CancelAll: _done,
    SetCountdown: _done,
    KeepUserStream: _done,
    QueryOpenOrders: _open_orders,
    QueryFills: _fills,
    QueryPositions: _positions,
    QueryBalances: _balances,
    QueryIncome: _income,
    QueryBook: _book,
    QueryTime: _time,
    OpenUserStream: _key,
}
