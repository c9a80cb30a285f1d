"""Frames of the private stream to neutral events."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from wire_samples import ETH, wires

from protocols import venue
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.market_streams import FRAME_BYTES_MAX
from protocols.binance_usdm.user_stream import UserStreamDecoder
from protocols.values import Side
from protocols.venue import ExecutionKind, OrderStatus

NS = 1_790_770_785_000_000_000
ORDER: dict[str, Any] = {
    "s": "ETHUSDC",
    "c": "mm-1",
    "S": "BUY",
    "o": "LIMIT",
    "f": "GTX",
    "q": "0.010",
    "p": "2610.50",
    "ap": "2610.5",
    "sp": "0",
    "x": "TRADE",
    "X": "FILLED",
    "i": 8_886_774,
    "l": "0.010",
    "z": "0.010",
    "L": "2610.50",
    "n": "-0.0001",
    "N": "USDC",
    "T": 1_790_770_785_000,
    "t": 770_001,
    "m": True,
    "R": False,
    "rp": "0.5",
    "er": "0",
    "a field of tomorrow": None,
}
REPORT = venue.OrderReport(
    instrument_id=ETH,
    client_order_id="mm-1",
    venue_order_id=8_886_774,
    side=Side.BUY,
    status=OrderStatus.FILLED,
    price_ticks=261_050,
    quantity_lots=10,
    filled_lots=10,
    reduce_only=False,
    venue_time_ns=NS,
)
FILL = venue.FillReport(
    instrument_id=ETH,
    trade_id=770_001,
    venue_order_id=8_886_774,
    side=Side.BUY,
    price_ticks=261_050,
    quantity_lots=10,
    fee=Decimal("-0.0001"),
    fee_asset="USDC",
    realised=Decimal("0.5"),
    maker=True,
    venue_time_ns=NS,
)


def order_frame(**changes: Any) -> dict[str, Any]:
    order = {key: value for key, value in {**ORDER, **changes}.items() if value is not None}
    return {"e": "ORDER_TRADE_UPDATE", "T": 1_790_770_785_000, "E": 1_790_770_785_002, "o": order}


def account_frame(**changes: Any) -> dict[str, Any]:
    account = {
        "B": [{"a": "USDC", "wb": "1000.00000000", "cw": "1000.00000000", "bc": "-0.5"}],
        "P": [{"s": "ETHUSDC", "pa": "-0.010", "ep": "2610.5", "bep": "2610.5", "ps": "BOTH", "mt": "cross"}],
        "m": "ORDER",
        **changes,
    }
    return {"e": "ACCOUNT_UPDATE", "T": 1_790_770_785_000, "E": 1_790_770_785_002, "a": account}


def decode(frame: Any) -> tuple[venue.AnyUserEvent, ...]:
    return UserStreamDecoder(wires()).decode(json.dumps(frame), 5)


def only_order(frame: Any) -> venue.OrderUpdate:
    (event,) = decode(frame)
    assert isinstance(event, venue.OrderUpdate)
    return event


def test_a_fill_carries_the_order_and_the_execution() -> None:
    expected = venue.OrderUpdate(kind=ExecutionKind.TRADE, order=REPORT, fill=FILL, reason="", received_ns=5)
    assert decode(order_frame()) == (expected,)


def test_a_frame_wrapped_with_the_stream_key_says_the_same() -> None:
    assert decode({"stream": "SECRETKEY", "data": order_frame()}) == decode(order_frame())


@pytest.mark.parametrize(
    ("told", "status", "kind"),
    [
        ("NEW", "NEW", ExecutionKind.NEW),
        ("CANCELED", "CANCELED", ExecutionKind.CANCELED),
        ("EXPIRED", "EXPIRED", ExecutionKind.EXPIRED),
        ("EXPIRED", "EXPIRED_IN_MATCH", ExecutionKind.EXPIRED),
        ("AMENDMENT", "NEW", ExecutionKind.AMENDED),
    ],
)
def test_events_without_an_execution_have_no_fill(told: str, status: str, kind: ExecutionKind) -> None:
    event = only_order(order_frame(x=told, X=status, l="0", L="0", t=0, n=None, N=None))
    assert (event.kind, event.fill) == (kind, None)


def test_a_fill_without_a_commission_is_free() -> None:
    fill = only_order(order_frame(n=None, N=None)).fill
    assert fill is not None
    assert (fill.fee, fill.fee_asset) == (0, "")


@pytest.mark.parametrize(
    ("client_order_id", "reason"),
    [
        ("autoclose-123", "LIQUIDATION"),
        ("adl_autoclose", "ADL"),
        ("settlement_autoclose-1", "SETTLEMENT"),
        ("delivery_autoclose-1", "DELIVERY"),
    ],
)
def test_the_venues_own_orders_are_told_by_their_id(client_order_id: str, reason: str) -> None:
    event = only_order(order_frame(c=client_order_id, p="2610.505"))
    assert (event.kind, event.reason, event.order.price_ticks) == (ExecutionKind.LIQUIDATION, reason, 261_050)
    assert event.fill == FILL


def test_a_calculated_execution_is_a_liquidation() -> None:
    event = only_order(order_frame(x="CALCULATED"))
    assert (event.kind, event.fill) == (ExecutionKind.LIQUIDATION, FILL)


def test_an_expiry_says_why() -> None:
    assert only_order(order_frame(x="EXPIRED", X="EXPIRED", er="4")).reason == "reduce-only order knocked out"


def test_a_balance_and_a_position_come_from_one_frame_in_this_order() -> None:
    assert decode(account_frame()) == (
        venue.BalanceUpdate(
            asset="USDC",
            wallet_balance=Decimal("1000.00000000"),
            balance_change=Decimal("-0.5"),
            reason="ORDER",
            symbol="",
            venue_time_ns=NS,
            received_ns=5,
        ),
        venue.PositionUpdate(
            instrument_id=ETH,
            position_lots=-10,
            entry_price=Decimal("2610.5"),
            reason="ORDER",
            venue_time_ns=NS,
            received_ns=5,
        ),
    )


def test_funding_keeps_its_reason_and_symbol() -> None:
    (event,) = decode(account_frame(m="FUNDING_FEE", P=[], S="ETHUSDC"))
    assert isinstance(event, venue.BalanceUpdate)
    assert (event.reason, event.symbol) == ("FUNDING_FEE", "ETHUSDC")


def test_margin_call_expiry_and_changed_settings() -> None:
    call = {"e": "MARGIN_CALL", "E": 5, "cw": "3.16", "p": [{"s": "ETHUSDC", "pa": "1.327", "mm": "1.61"}]}
    assert decode(call) == (
        venue.MarginCallUpdate(
            text="ETHUSDC position 1.327, maintenance margin 1.61", venue_time_ns=5_000_000, received_ns=5
        ),
    )
    assert decode({"e": "listenKeyExpired", "E": "1693427319838", "listenKey": "KEY"}) == (
        venue.UserStreamExpired(received_ns=5),
    )
    leverage = {"e": "ACCOUNT_CONFIG_UPDATE", "E": 6, "T": 5, "ac": {"s": "ETHUSDC", "l": 20}}
    assert decode(leverage) == (
        venue.AccountConfigUpdate(text="ETHUSDC leverage 20", venue_time_ns=5_000_000, received_ns=5),
    )
    assets = {"e": "ACCOUNT_CONFIG_UPDATE", "E": 6, "T": 5, "ai": {"j": True}}
    assert decode(assets) == (
        venue.AccountConfigUpdate(text="multi-assets mode on", venue_time_ns=5_000_000, received_ns=5),
    )


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        ({"e": "TRADE_LITE", "s": "ETHUSDC"}, "TRADE_LITE"),
        ({"e": "ALGO_UPDATE", "o": {}}, "ALGO_UPDATE"),
        ({"stream": "SECRETKEY", "data": {"e": "GRID_UPDATE"}}, "GRID_UPDATE"),
        ({"stream": "SECRETKEY", "data": {"x": 1}}, "frame without an event name"),
        ({"result": None, "id": 1}, "control reply"),
        (order_frame(s="DOGEUSDT"), "ORDER_TRADE_UPDATE of another symbol"),
    ],
)
def test_what_gives_no_event_is_counted_by_name_and_never_by_key(frame: Any, name: str) -> None:
    decoder = UserStreamDecoder(wires())
    assert decoder.decode(json.dumps(frame), 5) == ()
    assert decoder.unmodelled == {name: 1}


def test_positions_of_other_symbols_and_hedge_rows_are_counted() -> None:
    decoder = UserStreamDecoder(wires())
    rows = [{"s": "DOGEUSDT", "pa": "1", "ep": "1"}, {"s": "ETHUSDC", "pa": "1", "ep": "1", "ps": "LONG"}]
    assert decoder.decode(json.dumps(account_frame(B=[], P=rows)), 5) == ()
    assert decoder.unmodelled == {"ACCOUNT_UPDATE of another symbol": 1, "ACCOUNT_UPDATE of a hedge position": 1}


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        (order_frame(i=None), "o.i"),
        (order_frame(i="8886774"), "o.i"),
        (order_frame(S="UP"), "o.S"),
        (order_frame(X="DREAMING"), "o.X"),
        (order_frame(x="DREAMING"), "o.x"),
        (order_frame(q="0.0105"), "o.q"),
        (order_frame(z="-1"), "o.z"),
        (order_frame(l="x"), "o.l"),
        (order_frame(L="-5"), "o.L"),
        (order_frame(t=-1), "o.t"),
        (order_frame(n="NaN"), "o.n"),
        (order_frame(rp="inf"), "o.rp"),
        (account_frame(B=[{"a": "USDC", "wb": "x"}]), "a.B[0].wb"),
        (account_frame(B=[{"a": "USDC"}]), "a.B[0].wb"),
        (account_frame(P=[{"s": "ETHUSDC", "pa": "0.0001", "ep": "1"}]), "a.P[0].pa"),
        (account_frame(P=[{"s": "ETHUSDC", "pa": "1", "ep": "NaN"}]), "a.P[0].ep"),
        (account_frame(B=[{"a": "X", "wb": "1"}] * 3_000), "a"),
        ({"e": "MARGIN_CALL"}, "E"),
    ],
)
def test_damage_names_the_field(frame: Any, field: str) -> None:
    for form, inside in ((frame, field), ({"stream": "K", "data": frame}, field)):
        with pytest.raises(DamagedPayload) as caught:
            decode(form)
        assert caught.value.field.removeprefix("data.") == inside


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", "7", b"\xff", '{"data":7}', '{"data":[]}', " " * (FRAME_BYTES_MAX + 1)]
)
def test_text_that_is_no_event_is_damage(frame: bytes | str) -> None:
    with pytest.raises(DamagedPayload):
        UserStreamDecoder(wires()).decode(frame, 5)
