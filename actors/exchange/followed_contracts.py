"""Contracts as another venue lists them: its filters become ours."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

import msgspec

from actors.exchange.contracts import QUOTE_ASSETS, Contract
from actors.exchange.errors import SourceError
from protocols.values import Instrument

PRICE_TICKS_MAX = 2**53
LOTS_MAX = 2**53


class _Filter(msgspec.Struct, rename="camel"):
    filter_type: str
    max_qty: str = ""


class _Symbol(msgspec.Struct, rename="camel"):
    symbol: str
    price_precision: int
    quantity_precision: int
    filters: list[_Filter]
    contract_type: str = "PERPETUAL"
    liquidation_fee: str = "0.0125"
    market_take_bound: str = "0.05"


class _Named(msgspec.Struct):
    symbol: str


class _Info(msgspec.Struct):
    symbols: list[msgspec.Raw]


def followed_contracts(exchange_info: bytes, instruments: Iterable[Instrument]) -> list[Contract]:
    """The contracts of these instruments, whose `exchangeInfo` this is.

    Raises:
        SourceError: one of them is of a kind that this venue does not have, or what it lacks cannot be read.
    """
    wanted = {instrument.symbol: instrument for instrument in instruments}
    contracts = []
    try:
        for raw in msgspec.json.decode(exchange_info, type=_Info).symbols:
            instrument = wanted.get(msgspec.json.decode(raw, type=_Named).symbol)
            if instrument is not None:
                contracts.append(_contract(msgspec.json.decode(raw, type=_Symbol), instrument))
    except (msgspec.DecodeError, InvalidOperation, ValueError) as error:
        raise SourceError(f"exchangeInfo of the followed venue: {error}") from None
    return contracts


def _contract(listed: _Symbol, instrument: Instrument) -> Contract:
    symbol = listed.symbol
    if listed.contract_type != "PERPETUAL":
        raise SourceError(f"{symbol}: it is a {listed.contract_type} contract; this venue has perpetuals only")
    if instrument.quote_asset not in QUOTE_ASSETS or instrument.margin_asset != instrument.quote_asset:
        known = " or ".join(QUOTE_ASSETS)
        raise SourceError(f"{symbol}: it is margined in {instrument.margin_asset}; this venue has {known} only")
    if instrument.quantity_lots_min != 1:
        raise SourceError(f"{symbol}: its least quantity is not one step; this venue cannot list it")
    at_market = next((row.max_qty for row in listed.filters if row.filter_type == "MARKET_LOT_SIZE"), "")
    lots_max = min(instrument.quantity_lots_max, LOTS_MAX)
    return Contract(
        symbol=symbol,
        base_asset=instrument.base_asset,
        quote_asset=instrument.quote_asset,
        tick_size=instrument.tick_size,
        lot_size=instrument.lot_size,
        price_decimals=max(listed.price_precision, _decimals(instrument.tick_size)),
        quantity_decimals=max(listed.quantity_precision, _decimals(instrument.lot_size)),
        price_ticks_max=min(instrument.price_ticks_max, PRICE_TICKS_MAX),
        quantity_lots_max=lots_max,
        market_lots_max=(instrument.lots_down(Decimal(at_market)) if at_market else 0) or lots_max,
        notional_min=instrument.notional_min,
        multiplier_up=instrument.price_multiplier_up,
        multiplier_down=instrument.price_multiplier_down,
        market_take_bound=Decimal(listed.market_take_bound),
        liquidation_fee=Decimal(listed.liquidation_fee),
        open_orders_max=instrument.open_orders_max,
    )


def _decimals(unit: Decimal) -> int:
    exponent = unit.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
