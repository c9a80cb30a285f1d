"""User events: what an account is told about its orders and balances (facts section 6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from actors.exchange.accounts import Position
from actors.exchange.contracts import Contract, WireNumbers
from actors.exchange.orders import Order

_encode = msgspec.json.Encoder().encode


class UserEvent(NamedTuple):
    """One event of an account; `kind` is its `e`. The payload is bytes, but where another voice than the wire's speaks."""

    account: str
    kind: str
    payload: Any


class LastFill(msgspec.Struct, frozen=True, kw_only=True):
    """The execution that an order event tells of."""

    lots: int
    price_ticks: int
    trade_id: int
    maker: bool
    commission: Decimal
    commission_asset: str
    realized_pnl: Decimal


def order_event(
    order: Order,
    contract: Contract,
    numbers: WireNumbers,
    execution: str,
    now_ms: int,
    *,
    fill: LastFill | None = None,
    expire_reason: str = "0",
    modify_id: int | None = None,
) -> UserEvent:
    """ORDER_TRADE_UPDATE."""
    body: dict[str, Any] = {
        "s": order.symbol,
        "c": order.client_order_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": numbers.quantity_text(order.lots),
        "p": numbers.price_text(order.price_ticks),
        "ap": plain(average_price(order, contract)),
        "sp": "0",
        "x": execution,
        "X": order.status,
        "i": order.order_id,
        "l": numbers.quantity_text(fill.lots if fill else 0),
        "z": numbers.quantity_text(order.executed_lots),
        "L": numbers.price_text(fill.price_ticks if fill else 0),
        "n": plain(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else contract.margin_asset,
        "T": now_ms,
        "t": fill.trade_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.maker if fill else False,
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": order.type,
        "ps": "BOTH",
        "cp": False,
        "rp": plain(fill.realized_pnl) if fill else "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": order.stp_mode,
        "pm": order.price_match,
        "gtd": order.good_till_ms,
        "er": expire_reason,
    }
    if modify_id is not None:
        body["M"] = modify_id
    event = {"e": "ORDER_TRADE_UPDATE", "T": now_ms, "E": now_ms, "o": body}
    return UserEvent(order.account, "ORDER_TRADE_UPDATE", _encode(event))


def trade_lite(order: Order, numbers: WireNumbers, fill: LastFill, now_ms: int) -> UserEvent:
    """TRADE_LITE: the quick word of a fill."""
    event = {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": now_ms,
        "s": order.symbol,
        "q": numbers.quantity_text(order.lots),
        "p": numbers.price_text(order.price_ticks),
        "m": fill.maker,
        "c": order.client_order_id,
        "S": order.side,
        "L": numbers.price_text(fill.price_ticks),
        "l": numbers.quantity_text(fill.lots),
        "t": fill.trade_id,
        "i": order.order_id,
    }
    return UserEvent(order.account, "TRADE_LITE", _encode(event))


def account_update(
    account: str,
    reason: str,
    asset: str,
    wallet: Decimal,
    change: Decimal,
    now_ms: int,
    *,
    position: Position | None = None,
    mark_price: Decimal = Decimal(0),
    funding_symbol: str | None = None,
) -> UserEvent:
    """ACCOUNT_UPDATE of one asset, with the position that changed; `change` is the part that is neither PnL nor commission."""
    rows = []
    if position is not None:
        entry = plain(position.entry_price)
        rows.append(
            {
                "s": position.symbol,
                "pa": plain(position.amount),
                "ep": entry,
                "bep": entry,
                "cr": plain(position.realized_total),
                "up": plain(position.unrealized(mark_price)),
                "mt": "cross",
                "iw": "0",
                "ps": "BOTH",
                "ma": asset,
            }
        )
    body: dict[str, Any] = {
        "B": [{"a": asset, "wb": money(wallet), "cw": money(wallet), "bc": plain(change)}],
        "P": rows,
        "m": reason,
    }
    if funding_symbol is not None:
        body["S"] = funding_symbol
    event = {"e": "ACCOUNT_UPDATE", "T": now_ms, "E": now_ms, "a": body}
    return UserEvent(account, "ACCOUNT_UPDATE", _encode(event))


def margin_call(account: str, wallet: Decimal, rows: list[dict[str, Any]], now_ms: int) -> UserEvent:
    """MARGIN_CALL: the margin is nearly used up."""
    event = {"e": "MARGIN_CALL", "E": now_ms, "cw": money(wallet), "p": rows}
    return UserEvent(account, "MARGIN_CALL", _encode(event))


def leverage_update(account: str, symbol: str, leverage: int, now_ms: int) -> UserEvent:
    """ACCOUNT_CONFIG_UPDATE after a change of leverage."""
    event = {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ac": {"s": symbol, "l": leverage}}
    return UserEvent(account, "ACCOUNT_CONFIG_UPDATE", _encode(event))


def listen_key_expired(account: str, listen_key: str, now_ms: int) -> UserEvent:
    """listenKeyExpired: no event follows until a new key is used."""
    event = {"e": "listenKeyExpired", "E": now_ms, "listenKey": listen_key}
    return UserEvent(account, "listenKeyExpired", _encode(event))


def average_price(order: Order, contract: Contract) -> Decimal:
    """Average price of an order's fills, 0 without fills."""
    if order.executed_lots == 0:
        return Decimal(0)
    return (order.executed_quote / contract.quantity(order.executed_lots)).quantize(Decimal("0.00000001"))


def plain(number: Decimal) -> str:
    """A number without trailing zeros and without an exponent."""
    if number == 0:
        return "0"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(amount: Decimal) -> str:
    """An amount with 8 decimals."""
    return f"{amount:.8f}"
