"""Market stream frames to neutral events (facts section 5): combined and raw frames, the control replies among them.

Decoding is typed and in one pass; everything that does not fit takes a second look, which tells damage (an error that names the
field) from what is merely not modelled (recognised by name and counted).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from protocols.binance_usdm.damage import DECODE_ERRORS, DamagedPayload, damaged
from protocols.binance_usdm.unmodelled import Unmodelled
from protocols.binance_usdm.wire_numbers import Scale, WireInstrument, WireInstruments, exact_decimal
from protocols.values import Level
from protocols.venue import AnyMarketEvent, BookDiff, BookTicker, PublicTrade, VenueMark

FRAME_BYTES_MAX = 1_048_576
"""A longer frame is refused unread."""

TIME_MS_MAX = 9_223_372_036_854
"""Milliseconds whose nanoseconds still fit 64 bits."""

Id = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
TimeMs = Annotated[int, msgspec.Meta(ge=0, le=TIME_MS_MAX)]
Rows = list[tuple[str, str]]

_NS_PER_MS = 1_000_000
_COMBINED_BYTES = b'{"stream"'
_COMBINED_TEXT = '{"stream"'


class ControlReply(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's reply to SUBSCRIBE and its like; `error` is empty when it was obeyed."""

    request_id: int | None
    error: str = ""


class _Depth(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    s: str
    U: Id
    u: Id
    pu: Id
    T: TimeMs
    b: Rows
    a: Rows


class _Ticker(msgspec.Struct, tag_field="e", tag="bookTicker", gc=False):
    s: str
    u: Id
    T: TimeMs
    b: str
    B: str
    a: str
    A: str


class _AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    s: str
    p: str
    q: str
    T: TimeMs
    m: bool
    l: Id  # noqa: E741
    a: Id = -1


class _Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    s: str
    t: Id
    p: str
    q: str
    T: TimeMs
    m: bool
    X: str = "MARKET"


class _Mark(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    s: str
    p: str
    r: str
    T: TimeMs
    E: TimeMs
    i: str = ""


_Event = _Depth | _Ticker | _AggTrade | _Trade | _Mark


class _Combined(msgspec.Struct, gc=False):
    stream: str
    data: _Event


class _Shape(msgspec.Struct):
    """What can be told of a frame without knowing it."""

    stream: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    e: str = ""
    result: Any = msgspec.UNSET
    error: Any = msgspec.UNSET
    id: int | str | None = None


class _Named(msgspec.Struct):
    e: str = ""


_MODELLED = frozenset({"depthUpdate", "bookTicker", "aggTrade", "trade", "markPriceUpdate"})
_combined_decoder = msgspec.json.Decoder(_Combined)
_raw_decoder = msgspec.json.Decoder(_Event)
_shape_decoder = msgspec.json.Decoder(_Shape)
_named_decoder = msgspec.json.Decoder(_Named)


class MarketStreamDecoder:
    """Decodes the frames of one connection. `unmodelled` counts what was recognised and not decoded, by name.

    Aggregated trades are the documented stream; single trades (undocumented) are decoded too, and those that are no market
    trade (`X` other than MARKET: insurance fund, ADL) are dropped.
    """

    def __init__(self, instruments: WireInstruments) -> None:
        self._by_symbol = instruments.by_symbol
        self._unmodelled = Unmodelled()
        self.last_reply: ControlReply | None = None
        self.replies = 0

    @property
    def unmodelled(self) -> dict[str, int]:
        """Frames recognised by name and not decoded, so far."""
        return self._unmodelled.counts

    def decode(self, frame: bytes | str, received_ns: int) -> AnyMarketEvent | None:
        """One frame to its event; None for a control reply and for what is not modelled.

        Raises:
            DamagedPayload: the frame cannot be understood; the error names the field.
        """
        if len(frame) > FRAME_BYTES_MAX:
            raise DamagedPayload(field="frame", reason=f"{len(frame)} bytes, more than {FRAME_BYTES_MAX}")
        event: _Event
        try:
            if frame[:9] == (_COMBINED_TEXT if isinstance(frame, str) else _COMBINED_BYTES):
                combined = _combined_decoder.decode(frame)
                event = combined.data
                if type(event) is _Depth and not _is_diff_stream(combined.stream):
                    self._unmodelled.count(f"depthUpdate of {combined.stream.partition('@')[2]}")
                    return None
            else:
                event = _raw_decoder.decode(frame)
        except DECODE_ERRORS as error:
            odd = self._second_look(frame, error)
            if odd is None:
                return None
            event = odd
        wire = self._by_symbol.get(event.s)
        if wire is None:
            self._unmodelled.count(f"{type(event).__struct_config__.tag} of an unknown symbol")
            return None
        if type(event) is _Depth:
            return _book_diff(event, wire, received_ns)
        if type(event) is _Ticker:
            return _book_ticker(event, wire, received_ns)
        if type(event) is _AggTrade:
            trade_id = event.a if event.a >= 0 else event.l
            return _public_trade(trade_id, event.p, event.q, event.m, event.T, wire, received_ns)
        if type(event) is _Trade:
            if event.X != "MARKET":
                self._unmodelled.count(f"trade of kind {event.X}")
                return None
            return _public_trade(event.t, event.p, event.q, event.m, event.T, wire, received_ns)
        assert type(event) is _Mark
        return _venue_mark(event, wire, received_ns)

    def _second_look(self, frame: bytes | str, error: Exception) -> _Event | None:
        """A frame that the fast pass refused: odd but sound, a reply, not modelled, or damaged."""
        try:
            shape = _shape_decoder.decode(frame)
        except DECODE_ERRORS as shape_error:
            if frame[:1] in (b"[", "["):
                self._count_array(frame)
                return None
            raise damaged(shape_error) from None
        if isinstance(shape.data, msgspec.Raw):
            return self._second_look_inside(shape.stream, bytes(shape.data))
        if shape.result is not msgspec.UNSET or shape.error is not msgspec.UNSET:
            self.replies += 1
            self.last_reply = ControlReply(
                request_id=shape.id if isinstance(shape.id, int) else None,
                error="" if shape.error is msgspec.UNSET else str(shape.error)[:200],
            )
            return None
        if shape.e in _MODELLED:
            raise damaged(error) from None
        self._unmodelled.count(shape.e or "frame without an event name")
        return None

    def _second_look_inside(self, stream: str, data: bytes) -> _Event | None:
        if data[:1] == b"[":
            self._count_array(data)
            return None
        try:
            name = _named_decoder.decode(data).e
        except DECODE_ERRORS as error:
            raise damaged(error, inside="data") from None
        if name not in _MODELLED:
            self._unmodelled.count(name or f"frame of {stream.partition('@')[2]}")
            return None
        try:
            event: _Event = _raw_decoder.decode(data)
        except DECODE_ERRORS as error:
            raise damaged(error, inside="data") from None
        if type(event) is _Depth and not _is_diff_stream(stream):
            self._unmodelled.count(f"depthUpdate of {stream.partition('@')[2]}")
            return None
        return event

    def _count_array(self, data: bytes | str) -> None:
        """Streams of all symbols (`!markPrice@arr`) come as arrays; we subscribe to none."""
        try:
            named = msgspec.json.decode(data, type=list[_Named])
        except DECODE_ERRORS as error:
            raise damaged(error) from None
        self._unmodelled.count(f"array of {named[0].e if named else 'nothing'}")


def subscribe_frame(streams: list[str], request_id: int) -> bytes:
    """The control frame that subscribes to these streams. The venue allows few messages a second: send one for many."""
    return msgspec.json.encode({"method": "SUBSCRIBE", "params": streams, "id": request_id})


def diff_levels(rows: Rows, wire: WireInstrument, field: str) -> list[Level]:
    """Rows of (price, quantity) text of a diff to levels.

    Orders older than a change of the tick rest at prices off it: such a level is never in our book, and its removal is passed over.

    Raises:
        DamagedPayload: a number is negative, not a number, or a price not a multiple of the tick; names the row.
    """
    prices = wire.prices
    quantities = wire.public_quantities
    try:
        return [(prices[price], quantities[quantity]) for price, quantity in rows]
    except ValueError:
        return [
            (_units(prices, price, f"{field}[{index}][0]"), _units(quantities, quantity, f"{field}[{index}][1]"))
            for index, (price, quantity) in enumerate(rows)
            if not (_is_none(quantity) and _is_off_tick(prices, price))
        ]


def snapshot_levels(rows: Rows, wire: WireInstrument, field: str) -> list[Level]:
    """Rows of a snapshot, best first, to levels; a level off the tick behind the best is left out, as in `diff_levels`.

    Raises:
        DamagedPayload: a number is negative, not a number, or the best price not a multiple of the tick; names the row.
    """
    prices = wire.prices
    quantities = wire.public_quantities
    try:
        return [(prices[price], quantities[quantity]) for price, quantity in rows]
    except ValueError:
        return [
            (_units(prices, price, f"{field}[{index}][0]"), _units(quantities, quantity, f"{field}[{index}][1]"))
            for index, (price, quantity) in enumerate(rows)
            if not (index and _is_off_tick(prices, price))
        ]


def _is_diff_stream(stream: str) -> bool:
    """Partial books (`@depth20@100ms`) look like diffs and are not: each holds the whole top and no chain."""
    name = stream.partition("@")[2]
    return name == "depth" or name.startswith("depth@")


def _book_diff(event: _Depth, wire: WireInstrument, received_ns: int) -> BookDiff:
    if event.u < event.U:
        raise DamagedPayload(field="U", reason=f"first update id {event.U} is above the last, {event.u}")
    return BookDiff(
        instrument_id=wire.instrument_id,
        first_update_id=event.U,
        last_update_id=event.u,
        previous_update_id=event.pu,
        venue_time_ns=event.T * _NS_PER_MS,
        received_ns=received_ns,
        bids=diff_levels(event.b, wire, "b"),
        asks=diff_levels(event.a, wire, "a"),
    )


def _book_ticker(event: _Ticker, wire: WireInstrument, received_ns: int) -> BookTicker:
    """An empty side is told by the venue as price 0 with quantity 0."""
    prices = wire.prices
    quantities = wire.public_quantities
    try:
        bid_ticks, bid_lots = prices[event.b], quantities[event.B]
        ask_ticks, ask_lots = prices[event.a], quantities[event.A]
    except ValueError:
        bid_ticks, bid_lots = _price_or_none(prices, event.b, "b"), _units(quantities, event.B, "B")
        ask_ticks, ask_lots = _price_or_none(prices, event.a, "a"), _units(quantities, event.A, "A")
    return BookTicker(
        instrument_id=wire.instrument_id,
        update_id=event.u,
        venue_time_ns=event.T * _NS_PER_MS,
        received_ns=received_ns,
        bid_ticks=bid_ticks,
        bid_lots=bid_lots,
        ask_ticks=ask_ticks,
        ask_lots=ask_lots,
    )


def _public_trade(
    trade_id: int, price: str, quantity: str, buyer_is_maker: bool, time_ms: int, wire: WireInstrument, received_ns: int
) -> PublicTrade:
    try:
        price_ticks, quantity_lots = wire.prices[price], wire.public_quantities[quantity]
    except ValueError:
        price_ticks, quantity_lots = _units(wire.prices, price, "p"), _units(wire.public_quantities, quantity, "q")
    return PublicTrade(
        instrument_id=wire.instrument_id,
        trade_id=trade_id,
        price_ticks=price_ticks,
        quantity_lots=quantity_lots,
        buyer_is_maker=buyer_is_maker,
        venue_time_ns=time_ms * _NS_PER_MS,
        received_ns=received_ns,
    )


def _venue_mark(event: _Mark, wire: WireInstrument, received_ns: int) -> VenueMark:
    """Where the index is absent (servers before 2020) the mark stands in for it; an empty rate is 0 (delivery contracts)."""
    field = "p"
    try:
        mark_price = exact_decimal(event.p)
        field = "i"
        index_price = exact_decimal(event.i) if event.i else mark_price
        field = "r"
        funding_rate = exact_decimal(event.r or "0")
    except ValueError as error:
        raise DamagedPayload(field=field, reason=str(error)) from None
    if mark_price <= 0 or index_price <= 0:
        raise DamagedPayload(field="p" if mark_price <= 0 else "i", reason="the price is not positive")
    return VenueMark(
        instrument_id=wire.instrument_id,
        mark_price=mark_price,
        index_price=index_price,
        funding_rate=funding_rate,
        next_funding_venue_ms=event.T,
        venue_time_ns=event.E * _NS_PER_MS,
        received_ns=received_ns,
    )


def _units(scale: Scale, text: str, field: str) -> int:
    try:
        return scale[text]
    except ValueError as error:
        raise DamagedPayload(field=field, reason=str(error)) from None


def _price_or_none(scale: Scale, text: str, field: str) -> int:
    return 0 if _is_none(text) else _units(scale, text, field)


def _is_none(text: str) -> bool:
    """Whether the text is a zero: "0", "0.000"."""
    return text[:1] == "0" and not text.strip("0.")


def _is_off_tick(prices: Scale, text: str) -> bool:
    """Whether the text is a sound price that is no multiple of the tick."""
    try:
        prices.floor_units(text)
    except ValueError:
        return False
    try:
        prices.units(text)
    except ValueError:
        return True
    return False
