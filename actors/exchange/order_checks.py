"""Reading the parameters of orders, and the filters of their contract (facts sections 2.1, 2.5 and 8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from actors.exchange import errors
from actors.exchange.errors import VenueRefusal
from actors.exchange.market import Market
from actors.exchange.orders import FORCED_NAMES, OrderRequest

CLIENT_ID_CHARS_MAX = 36
GOOD_TILL_AHEAD_MS_MIN = 600_000
GOOD_TILL_MS_MAX = 253_402_300_799_000
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")
_CONDITIONAL = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
_STP_MODES = ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "NONE")
_PRICE_MATCHES = {
    "OPPONENT": (True, 1),
    "OPPONENT_5": (True, 5),
    "QUEUE": (False, 1),
    "QUEUE_5": (False, 5),
    "QUEUE_10": (False, 10),
    "QUEUE_20": (False, 20),
}


def read_order(params: Mapping[str, Any], market: Market, generated_id: str, now_ms: int) -> OrderRequest:
    """A new order from its parameters.

    Raises:
        VenueRefusal: what is wrong with a parameter, or the filter that the order breaks.
    """
    side = read_side(params)
    order_type = _order_type(params)
    _check_position_side(params)
    time_in_force, good_till_ms = _time_in_force(params, order_type, now_ms)
    reduce_only = read_flag(params, "reduceOnly")
    price_match = params.get("priceMatch") or "NONE"
    price_ticks = 0
    if order_type == "LIMIT":
        if price_match != "NONE":
            price_ticks = _matched_price(params, market, price_match, is_buy=side == "BUY")
        else:
            price_ticks = read_price(params, market)
    elif price_match != "NONE":
        raise VenueRefusal(-5038, "The price match is not supported for this type of order.")
    lots = read_quantity(params, market, is_market=order_type == "MARKET")
    check_bands(market, price_ticks, lots, is_buy=side == "BUY", reduce_only=reduce_only)
    stp_mode = params.get("selfTradePreventionMode") or "EXPIRE_MAKER"
    if stp_mode not in _STP_MODES:
        raise VenueRefusal(-5039, "Invalid self trade prevention mode.")
    return OrderRequest(
        symbol=market.contract.symbol,
        side=side,
        type=order_type,
        time_in_force=time_in_force,
        price_ticks=price_ticks,
        lots=lots,
        reduce_only=reduce_only,
        client_order_id=_client_order_id(params, generated_id),
        stp_mode=stp_mode,
        good_till_ms=good_till_ms,
        price_match=price_match,
        timestamp_ms=int(params.get("timestamp") or 0),
        recv_window_ms=int(float(params.get("recvWindow") or 5_000)),
    )


def read_side(params: Mapping[str, Any]) -> str:
    """BUY or SELL."""
    side = required(params, "side")
    if side not in ("BUY", "SELL"):
        raise VenueRefusal(-1117, "Invalid side.")
    return side


def read_price(params: Mapping[str, Any], market: Market) -> int:
    """A limit price in ticks, within PRICE_FILTER."""
    contract = market.contract
    units = _units(params, "price", contract.price_decimals, market.numbers.tick_units)
    if units <= 0:
        raise VenueRefusal(-4001, "Price less than 0.")
    ticks, rest = divmod(units, market.numbers.tick_units)
    if (ticks, rest) > (contract.price_ticks_max, 0):
        raise VenueRefusal(-4002, "Price greater than max price.")
    if ticks < 1:
        raise VenueRefusal(-4013, "Price less than min price.")
    if rest or ticks % market.tick_multiple:
        raise VenueRefusal(-4014, "Price not increased by tick size.")
    return ticks


def read_quantity(params: Mapping[str, Any], market: Market, *, is_market: bool) -> int:
    """A quantity in lots, within LOT_SIZE or MARKET_LOT_SIZE."""
    contract = market.contract
    units = _units(params, "quantity", contract.quantity_decimals, market.numbers.lot_units)
    if units <= 0:
        raise VenueRefusal(-4003, "Quantity less than or equal to zero.")
    lots, rest = divmod(units, market.numbers.lot_units)
    if lots < 1:
        raise VenueRefusal(-4004, "Quantity less than min quantity.")
    if (lots, rest) > (contract.market_lots_max if is_market else contract.quantity_lots_max, 0):
        raise VenueRefusal(-4005, "Quantity greater than max quantity.")
    if rest:
        raise VenueRefusal(-4023, "Qty not increased by step size.")
    return lots


def check_bands(market: Market, price_ticks: int, lots: int, *, is_buy: bool, reduce_only: bool) -> None:
    """PERCENT_PRICE and MIN_NOTIONAL; `price_ticks` is 0 for a market order."""
    contract, mark = market.contract, market.mark_price
    price = contract.price(price_ticks) if price_ticks else mark
    if price_ticks and mark:
        if is_buy and price > (upper := mark * contract.multiplier_up):
            limit = market.numbers.price_text(int(upper / contract.tick_size))
            raise VenueRefusal(-4016, f"Limit price can't be higher than {limit}.")
        if not is_buy and price < (lower := mark * contract.multiplier_down):
            limit = market.numbers.price_text(-int(-lower // contract.tick_size))
            raise VenueRefusal(-4024, f"Limit price can't be lower than {limit}.")
    if not reduce_only and price * contract.quantity(lots) < contract.notional_min:
        raise VenueRefusal(
            -4164, f"Order's notional must be no smaller than {contract.notional_min} (unless you choose reduce only)."
        )


def _units(params: Mapping[str, Any], name: str, decimals: int, of_one: int) -> int:
    """A plain number that must be there, in units of its last decimal; -1 for any below zero. A tick or a lot has `of_one` of them."""
    text = params.get(name)
    if isinstance(text, int):
        return text * of_one
    if not text:
        raise errors.mandatory(name)
    digits = text.removeprefix("-")
    if not _NUMBER.fullmatch(digits):
        raise VenueRefusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'.",
        )
    whole, _, fraction = digits.partition(".")
    if fraction[decimals:].strip("0"):
        raise errors.precision_over()
    units = int(whole + fraction[:decimals].ljust(decimals, "0"))
    return units if digits == text else -min(units, 1)


def read_int(params: Mapping[str, Any], name: str, default: int | None = None) -> int | None:
    """A whole number, `default` when it is absent."""
    text: str | None = params.get(name)
    if not text:
        return default
    digits = text[1:] if text.startswith("-") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise VenueRefusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)


def read_flag(params: Mapping[str, Any], name: str) -> bool:
    """true or false, in any case; false when absent."""
    text = (params.get(name) or "false").lower()
    if text not in ("true", "false"):
        raise errors.invalid_parameter(name)
    return text == "true"


def required(params: Mapping[str, Any], name: str) -> str:
    """A parameter that must be there."""
    text: str | None = params.get(name)
    if not text:
        raise errors.mandatory(name)
    return text


def _order_type(params: Mapping[str, Any]) -> str:
    order_type = required(params, "type")
    if order_type in _CONDITIONAL:
        raise VenueRefusal(
            -4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
        )
    if order_type not in ("LIMIT", "MARKET"):
        raise VenueRefusal(-1116, "Invalid orderType.")
    return order_type


def _check_position_side(params: Mapping[str, Any]) -> None:
    position_side = params.get("positionSide") or "BOTH"
    if position_side in ("LONG", "SHORT"):
        raise VenueRefusal(-4061, "Order's position side does not match user's setting.")
    if position_side != "BOTH":
        raise VenueRefusal(-4060, "Invalid position side.")


def _time_in_force(params: Mapping[str, Any], order_type: str, now_ms: int) -> tuple[str, int]:
    if order_type == "MARKET":
        if params.get("timeInForce"):
            raise VenueRefusal(-1106, "Parameter 'timeInForce' sent when not required.")
        if params.get("price"):
            raise VenueRefusal(-1106, "Parameter 'price' sent when not required.")
        return "GTC", 0
    time_in_force = required(params, "timeInForce")
    if time_in_force not in ("GTC", "IOC", "FOK", "GTX", "GTD"):
        raise VenueRefusal(-1115, "Invalid timeInForce.")
    if time_in_force != "GTD":
        return time_in_force, 0
    good_till = read_int(params, "goodTillDate")
    if good_till is None:
        raise errors.mandatory("goodTillDate")
    if not now_ms + GOOD_TILL_AHEAD_MS_MIN < good_till < GOOD_TILL_MS_MAX:
        raise VenueRefusal(-5040, "The goodTillDate is invalid: it must be more than 600 s ahead.")
    return time_in_force, good_till // 1_000 * 1_000


def _client_order_id(params: Mapping[str, Any], generated_id: str) -> str:
    client_order_id = params.get("newClientOrderId") or generated_id
    if not _CLIENT_ID.fullmatch(client_order_id) or client_order_id.startswith(FORCED_NAMES):
        raise VenueRefusal(-4015, "Client order id is not valid, or its length is more than 36 chars.")
    return client_order_id


def _matched_price(params: Mapping[str, Any], market: Market, price_match: str, *, is_buy: bool) -> int:
    if params.get("price"):
        raise VenueRefusal(-5037, "Invalid price match: price and priceMatch exclude each other.")
    rule = _PRICE_MATCHES.get(price_match)
    if rule is None:
        raise VenueRefusal(-5037, "Invalid price match.")
    opponent, depth = rule
    levels = market.published_levels(bids=is_buy != opponent, limit=depth)
    if len(levels) < depth:
        raise VenueRefusal(-5041, "No depth matches this BBO order.")
    return levels[depth - 1][0]
