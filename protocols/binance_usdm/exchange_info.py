"""exchangeInfo to instruments and limits (facts section 2.1). Never hard-code a filter or a limit: they differ by host and by day."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

import msgspec

from protocols.binance_usdm.damage import DECODE_ERRORS, DamagedPayload, SymbolUnavailable, damaged
from protocols.binance_usdm.payloads import Text, decoder_of
from protocols.binance_usdm.wire_numbers import exact_decimal
from protocols.values import Instrument, RateLimits, make_instrument_id

VENUE = "binance_usdm"

BODY_BYTES_MAX = 16_777_216
"""A longer body is refused unread; production's is about 1 MB."""

OPEN_ORDERS_MAX_DEFAULT = 200
"""Where the symbol has no MAX_NUM_ORDERS."""

_UNBOUNDED_TICKS = 2**53
_PRICE_MULTIPLIER_UNBOUNDED = Decimal(1_000)


class ExchangeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue lists.

    `statuses` has every listed symbol; `refused` those that were not asked for by name and could not be understood, with the reason.
    """

    instruments: tuple[Instrument, ...]
    rate_limits: RateLimits
    statuses: dict[str, str]
    refused: dict[str, str]


class _Limit(msgspec.Struct, rename="camel"):
    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


class _Symbol(msgspec.Struct, rename="camel"):
    symbol: Text
    status: Text
    base_asset: Text
    quote_asset: Text
    margin_asset: Text
    filters: list[dict[str, Any]]


class _Named(msgspec.Struct):
    symbol: Text
    status: Text = ""


class _Info(msgspec.Struct, rename="camel"):
    symbols: list[msgspec.Raw]
    rate_limits: list[_Limit] = []


_info_decoder = decoder_of(_Info)
_symbol_decoder = decoder_of(_Symbol)
_named_decoder = decoder_of(_Named)


def decode_exchange_info(
    body: bytes, account: str, symbols: Collection[str] | None = None, version: int = 1
) -> ExchangeInfo:
    """Instruments of the symbols asked for (of every symbol that trades, when None), and the limits.

    Args:
        body: of GET /fapi/v1/exchangeInfo.
        account: the account's name in our instrument ids.
        symbols: the venue's names.
        version: version given to the instruments.

    Raises:
        DamagedPayload: the body, or a symbol asked for by name, cannot be understood; names the field or filter.
        SymbolUnavailable: a symbol asked for by name is not listed, or not open for trading.
    """
    if len(body) > BODY_BYTES_MAX:
        raise DamagedPayload(field="body", reason=f"{len(body)} bytes, more than {BODY_BYTES_MAX}")
    info: _Info = _decoded(_info_decoder, body, "")
    statuses: dict[str, str] = {}
    refused: dict[str, str] = {}
    instruments: dict[str, Instrument] = {}
    for index, raw in enumerate(info.symbols):
        named: _Named = _decoded(_named_decoder, bytes(raw), f"symbols[{index}]")
        statuses[named.symbol] = named.status
        if named.status != "TRADING" or (symbols is not None and named.symbol not in symbols):
            continue
        try:
            listed: _Symbol = _decoded(_symbol_decoder, bytes(raw), f"symbols[{named.symbol}]")
            instruments[named.symbol] = _instrument(listed, account, version)
        except DamagedPayload as damage:
            if symbols is not None:
                raise
            refused[named.symbol] = str(damage)
    if symbols is not None:
        instruments = {symbol: _asked_for(symbol, instruments, statuses) for symbol in symbols}
    return ExchangeInfo(
        instruments=tuple(instruments.values()),
        rate_limits=_rate_limits(info.rate_limits),
        statuses=statuses,
        refused=refused,
    )


def _asked_for(symbol: str, instruments: dict[str, Instrument], statuses: dict[str, str]) -> Instrument:
    instrument = instruments.get(symbol)
    if instrument is not None:
        return instrument
    status = statuses.get(symbol)
    reason = "the venue does not list it" if status is None else f"its status is {status or 'missing'}, not TRADING"
    raise SymbolUnavailable(symbol=symbol, reason=reason)


def _rate_limits(limits: list[_Limit]) -> RateLimits:
    """Limits of other kinds and windows are not ours to keep and are passed over."""
    names = {
        ("REQUEST_WEIGHT", "MINUTE", 1): "weight_1m",
        ("ORDERS", "SECOND", 10): "orders_10s",
        ("ORDERS", "MINUTE", 1): "orders_1m",
    }
    found: dict[str, int] = {}
    for index, limit in enumerate(limits):
        name = names.get((limit.rate_limit_type, limit.interval, limit.interval_num))
        if name is not None:
            if not 0 < limit.limit < 2**53:
                raise DamagedPayload(field=f"rateLimits[{index}].limit", reason=f"{limit.limit} is not a limit")
            found[name] = limit.limit
    return RateLimits(**found)


class _Filters:
    """The filters of one symbol, read by type and field."""

    def __init__(self, listed: _Symbol) -> None:
        self._symbol = listed.symbol
        self._by_type = {str(row.get("filterType")): row for row in listed.filters}

    def has(self, kind: str) -> bool:
        return kind in self._by_type

    def number(self, kind: str, name: str) -> Decimal:
        """A field that must be there and be zero or more."""
        field = f"symbols[{self._symbol}].filters.{kind}"
        row = self._by_type.get(kind)
        if row is None:
            raise DamagedPayload(field=field, reason="the filter is missing")
        value = row.get(name)
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise DamagedPayload(field=f"{field}.{name}", reason=f"{str(value)[:40]!r} is not a decimal text")
        try:
            number = exact_decimal(str(value)[:64])
        except ValueError as error:
            raise DamagedPayload(field=f"{field}.{name}", reason=str(error)) from None
        if number < 0:
            raise DamagedPayload(field=f"{field}.{name}", reason=f"{number} is negative")
        return number

    def unit(self, kind: str, name: str) -> Decimal:
        """A tick or a lot: more than zero, and no finer than the wire's decimals."""
        number = self.number(kind, name)
        if number == 0 or number.adjusted() < -18:
            field = f"symbols[{self._symbol}].filters.{kind}.{name}"
            raise DamagedPayload(field=field, reason=f"{number} cannot be a unit")
        return number


def _instrument(listed: _Symbol, account: str, version: int) -> Instrument:
    """A bound of 0 means that the venue sets none."""
    filters = _Filters(listed)
    tick = filters.unit("PRICE_FILTER", "tickSize")
    lot = filters.unit("LOT_SIZE", "stepSize")
    banded = filters.has("PERCENT_PRICE")
    counted = filters.has("MAX_NUM_ORDERS")
    draft = Instrument(
        instrument_id=make_instrument_id(VENUE, account, listed.symbol),
        version=version,
        base_asset=listed.base_asset,
        quote_asset=listed.quote_asset,
        margin_asset=listed.margin_asset,
        tick_size=tick,
        lot_size=lot,
        price_ticks_min=1,
        price_ticks_max=_UNBOUNDED_TICKS,
        quantity_lots_min=1,
        quantity_lots_max=_UNBOUNDED_TICKS,
        notional_min=filters.number("MIN_NOTIONAL", "notional") if filters.has("MIN_NOTIONAL") else Decimal(0),
        price_multiplier_up=filters.number("PERCENT_PRICE", "multiplierUp") if banded else _PRICE_MULTIPLIER_UNBOUNDED,
        price_multiplier_down=filters.number("PERCENT_PRICE", "multiplierDown") if banded else Decimal(0),
        open_orders_max=int(filters.number("MAX_NUM_ORDERS", "limit")) if counted else OPEN_ORDERS_MAX_DEFAULT,
    )
    bounded = msgspec.structs.replace(
        draft,
        price_ticks_min=max(1, draft.ticks_up(filters.number("PRICE_FILTER", "minPrice"))),
        price_ticks_max=draft.ticks_down(filters.number("PRICE_FILTER", "maxPrice")) or _UNBOUNDED_TICKS,
        quantity_lots_min=max(1, draft.lots_up(filters.number("LOT_SIZE", "minQty"))),
        quantity_lots_max=draft.lots_down(filters.number("LOT_SIZE", "maxQty")) or _UNBOUNDED_TICKS,
    )
    if bounded.price_ticks_min > bounded.price_ticks_max or bounded.quantity_lots_min > bounded.quantity_lots_max:
        field = f"symbols[{listed.symbol}].filters"
        raise DamagedPayload(field=field, reason="a least price or quantity is above the greatest")
    return bounded


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes, inside: str) -> Any:
    try:
        return decoder.decode(body)
    except DECODE_ERRORS as error:
        raise damaged(error, inside=inside) from None
