"""Frames of the private stream to neutral events (facts section 6). One frame may give several, or none.

TRADE_LITE is recognised and not used: the same fill comes complete in ORDER_TRADE_UPDATE. Events of symbols that are not ours, of
algo orders and of Binance's own bots are counted by name. The stream's key, which wraps frames, never gets into a name.
"""

from __future__ import annotations

from typing import Any

import msgspec

from protocols.binance_usdm.damage import DECODE_ERRORS, DamagedPayload, damaged
from protocols.binance_usdm.market_streams import FRAME_BYTES_MAX, Id, TimeMs
from protocols.binance_usdm.payloads import (
    NS_PER_MS,
    STATUSES,
    Text,
    decimal_of,
    lots_of,
    price_ticks_of,
    signed_lots_of,
)
from protocols.binance_usdm.unmodelled import Unmodelled
from protocols.binance_usdm.wire_numbers import WireInstrument, WireInstruments
from protocols.values import Side
from protocols.venue import (
    AccountConfigUpdate,
    AnyUserEvent,
    BalanceUpdate,
    ExecutionKind,
    FillReport,
    MarginCallUpdate,
    OrderReport,
    OrderUpdate,
    PositionUpdate,
    UserStreamExpired,
)

EVENTS_PER_FRAME_MAX = 2_048
"""Balances and positions in one ACCOUNT_UPDATE; more is refused."""

FORCED_REASONS = {
    "autoclose-": "LIQUIDATION",
    "adl_autoclose": "ADL",
    "settlement_autoclose-": "SETTLEMENT",
    "delivery_autoclose-": "DELIVERY",
}
"""Beginning of a client order id that the venue itself gave, and what `OrderUpdate.reason` then says."""

EXPIRE_REASONS = {
    "1": "self-trade prevention",
    "2": "remainder of an immediate order",
    "3": "remainder of an immediate order after self-trade prevention",
    "4": "reduce-only order knocked out",
    "5": "account liquidated",
    "6": "its condition is gone",
    "7": "symbol delisted",
    "8": "its stop was triggered",
    "9": "remainder of a market order",
}
"""Field `er`, in words."""

EXECUTION_KINDS = {
    "NEW": ExecutionKind.NEW,
    "TRADE": ExecutionKind.TRADE,
    "CANCELED": ExecutionKind.CANCELED,
    "EXPIRED": ExecutionKind.EXPIRED,
    "REJECTED": ExecutionKind.EXPIRED,
    "AMENDMENT": ExecutionKind.AMENDED,
    "CALCULATED": ExecutionKind.LIQUIDATION,
}
"""Field `x`."""


class _Order(msgspec.Struct, gc=False):
    s: Text
    c: Text
    S: Side
    q: Text
    p: Text
    x: Text
    X: Text
    i: Id
    l: Text  # noqa: E741
    z: Text
    L: Text
    T: TimeMs = 0
    t: int = 0
    n: Text | None = None
    N: Text | None = None
    m: bool = False
    R: bool = False
    rp: Text = "0"
    er: Text = "0"


class _OrderTradeUpdate(msgspec.Struct, tag_field="e", tag="ORDER_TRADE_UPDATE", gc=False):
    o: _Order
    T: TimeMs


class _Balance(msgspec.Struct, gc=False):
    a: Text
    wb: Text
    bc: Text = "0"


class _Position(msgspec.Struct, gc=False):
    s: Text
    pa: Text
    ep: Text
    ps: Text = "BOTH"


class _Account(msgspec.Struct):
    m: Text = ""
    B: list[_Balance] = []
    P: list[_Position] = []
    S: Text = ""


class _AccountUpdate(msgspec.Struct, tag_field="e", tag="ACCOUNT_UPDATE"):
    a: _Account
    T: TimeMs


class _CalledPosition(msgspec.Struct):
    s: Text
    pa: Text = ""
    mm: Text = ""
    up: Text = ""


class _MarginCall(msgspec.Struct, tag_field="e", tag="MARGIN_CALL"):
    E: TimeMs
    p: list[_CalledPosition] = []


class _Leverage(msgspec.Struct):
    s: Text
    l: int  # noqa: E741


class _Assets(msgspec.Struct):
    j: bool


class _ConfigUpdate(msgspec.Struct, tag_field="e", tag="ACCOUNT_CONFIG_UPDATE"):
    T: TimeMs
    ac: _Leverage | None = None
    ai: _Assets | None = None


class _Expired(msgspec.Struct, tag_field="e", tag="listenKeyExpired"):
    """`E` is a number or, on some servers, text: it is not read."""


_Event = _OrderTradeUpdate | _AccountUpdate | _MarginCall | _ConfigUpdate | _Expired


class _Shape(msgspec.Struct):
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    e: str = ""
    result: Any = msgspec.UNSET
    error: Any = msgspec.UNSET


_MODELLED = frozenset(
    {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "MARGIN_CALL", "ACCOUNT_CONFIG_UPDATE", "listenKeyExpired"}
)
_event_decoder = msgspec.json.Decoder(_Event)
_shape_decoder = msgspec.json.Decoder(_Shape)


class UserStreamDecoder:
    """Decodes the frames of one private connection. `unmodelled` counts by name what gave no event."""

    def __init__(self, instruments: WireInstruments) -> None:
        self._by_symbol = instruments.by_symbol
        self._unmodelled = Unmodelled()

    @property
    def unmodelled(self) -> dict[str, int]:
        """Frames, and parts of frames, that were recognised and gave no event, so far."""
        return self._unmodelled.counts

    def decode(self, frame: bytes | str, received_ns: int) -> tuple[AnyUserEvent, ...]:
        """One frame to its events, in the frame's order (balances before positions).

        Raises:
            DamagedPayload: the frame cannot be understood; the error names the field. It gave no event at all.
        """
        if len(frame) > FRAME_BYTES_MAX:
            raise DamagedPayload(field="frame", reason=f"{len(frame)} bytes, more than {FRAME_BYTES_MAX}")
        try:
            event: _Event | None = _event_decoder.decode(frame)
        except DECODE_ERRORS as error:
            event = self._second_look(frame, error)
        if event is None:
            return ()
        if isinstance(event, _OrderTradeUpdate):
            return self._order_update(event.o, (event.o.T or event.T) * NS_PER_MS, received_ns)
        if isinstance(event, _AccountUpdate):
            return self._account_update(event, received_ns)
        if isinstance(event, _MarginCall):
            text = "; ".join(f"{row.s} position {row.pa}, maintenance margin {row.mm}" for row in event.p[:20])
            return (MarginCallUpdate(text=text, venue_time_ns=event.E * NS_PER_MS, received_ns=received_ns),)
        if isinstance(event, _ConfigUpdate):
            return self._config_update(event, received_ns)
        return (UserStreamExpired(received_ns=received_ns),)

    def _second_look(self, frame: bytes | str, error: Exception, inside: str = "") -> _Event | None:
        """A wrapped frame, a control reply, an event that is not modelled, or damage."""
        try:
            shape = _shape_decoder.decode(frame)
        except DECODE_ERRORS as shape_error:
            raise damaged(shape_error, inside=inside) from None
        if shape.e in _MODELLED:
            raise damaged(error, inside=inside) from None
        if isinstance(shape.data, msgspec.Raw) and not inside:
            data = bytes(shape.data)
            try:
                event: _Event = _event_decoder.decode(data)
            except DECODE_ERRORS as inner_error:
                return self._second_look(data, inner_error, inside="data")
            return event
        if shape.e:
            self._unmodelled.count(shape.e)
        elif shape.result is not msgspec.UNSET or shape.error is not msgspec.UNSET:
            self._unmodelled.count("control reply")
        else:
            self._unmodelled.count("frame without an event name")
        return None

    def _order_update(self, body: _Order, venue_time_ns: int, received_ns: int) -> tuple[AnyUserEvent, ...]:
        wire = self._by_symbol.get(body.s)
        if wire is None:
            self._unmodelled.count("ORDER_TRADE_UPDATE of another symbol")
            return ()
        status = STATUSES.get(body.X)
        if status is None:
            raise DamagedPayload(field="o.X", reason=f"{body.X!r} is not an order status")
        kind = EXECUTION_KINDS.get(body.x)
        if kind is None:
            raise DamagedPayload(field="o.x", reason=f"{body.x!r} is not an execution type")
        forced = next((reason for start, reason in FORCED_REASONS.items() if body.c.startswith(start)), "")
        if forced and kind is ExecutionKind.TRADE:
            kind = ExecutionKind.LIQUIDATION
        order = OrderReport(
            instrument_id=wire.instrument_id,
            client_order_id=body.c,
            venue_order_id=body.i,
            side=body.S,
            status=status,
            price_ticks=price_ticks_of(wire, body.p, "o.p"),
            quantity_lots=lots_of(wire, body.q, "o.q"),
            filled_lots=lots_of(wire, body.z, "o.z"),
            reduce_only=body.R,
            venue_time_ns=venue_time_ns,
        )
        fill = _fill(body, wire, venue_time_ns) if kind in (ExecutionKind.TRADE, ExecutionKind.LIQUIDATION) else None
        reason = forced or EXPIRE_REASONS.get(body.er, "")
        return (OrderUpdate(kind=kind, order=order, fill=fill, reason=reason, received_ns=received_ns),)

    def _account_update(self, event: _AccountUpdate, received_ns: int) -> tuple[AnyUserEvent, ...]:
        account = event.a
        if len(account.B) + len(account.P) > EVENTS_PER_FRAME_MAX:
            raise DamagedPayload(field="a", reason=f"more than {EVENTS_PER_FRAME_MAX} balances and positions")
        venue_time_ns = event.T * NS_PER_MS
        events: list[AnyUserEvent] = [
            BalanceUpdate(
                asset=row.a,
                wallet_balance=decimal_of(row.wb, f"a.B[{index}].wb"),
                balance_change=decimal_of(row.bc, f"a.B[{index}].bc"),
                reason=account.m,
                symbol=account.S,
                venue_time_ns=venue_time_ns,
                received_ns=received_ns,
            )
            for index, row in enumerate(account.B)
        ]
        for index, position in enumerate(account.P):
            wire = self._by_symbol.get(position.s)
            if wire is None:
                self._unmodelled.count("ACCOUNT_UPDATE of another symbol")
                continue
            if position.ps != "BOTH":
                self._unmodelled.count("ACCOUNT_UPDATE of a hedge position")
                continue
            events.append(
                PositionUpdate(
                    instrument_id=wire.instrument_id,
                    position_lots=signed_lots_of(wire, position.pa, f"a.P[{index}].pa"),
                    entry_price=decimal_of(position.ep, f"a.P[{index}].ep"),
                    reason=account.m,
                    venue_time_ns=venue_time_ns,
                    received_ns=received_ns,
                )
            )
        return tuple(events)

    def _config_update(self, event: _ConfigUpdate, received_ns: int) -> tuple[AnyUserEvent, ...]:
        parts = []
        if event.ac is not None:
            parts.append(f"{event.ac.s} leverage {event.ac.l}")
        if event.ai is not None:
            parts.append(f"multi-assets mode {'on' if event.ai.j else 'off'}")
        venue_time_ns = event.T * NS_PER_MS
        return (AccountConfigUpdate(text=", ".join(parts), venue_time_ns=venue_time_ns, received_ns=received_ns),)


def _fill(body: _Order, wire: WireInstrument, venue_time_ns: int) -> FillReport | None:
    """The execution inside an order's event; None where nothing was executed."""
    quantity_lots = lots_of(wire, body.l, "o.l")
    if quantity_lots == 0:
        return None
    if not 0 <= body.t <= 2**62:
        raise DamagedPayload(field="o.t", reason="not a trade id")
    return FillReport(
        instrument_id=wire.instrument_id,
        trade_id=body.t,
        venue_order_id=body.i,
        side=body.S,
        price_ticks=price_ticks_of(wire, body.L, "o.L"),
        quantity_lots=quantity_lots,
        fee=decimal_of(body.n or "0", "o.n"),
        fee_asset=body.N or "",
        realised=decimal_of(body.rp, "o.rp"),
        maker=body.m,
        venue_time_ns=venue_time_ns,
    )
