"""Bodies of answers as typed structs, and the parts that turn them into neutral reports (facts section 2).

Unknown fields are tolerated, fields that came or went in the last years are optional, and a number where a string is usual (or the
reverse) is taken: `strict=False`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec

from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.market_streams import Id, Rows, TimeMs
from protocols.binance_usdm.wire_numbers import WireInstrument, WireInstruments, exact_decimal
from protocols.values import Side
from protocols.venue import AmendmentReport, FillReport, IncomeReport, OrderReport, OrderStatus

NS_PER_MS = 1_000_000

STATUSES: dict[str, OrderStatus] = {
    "NEW": OrderStatus.NEW,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
    "NEW_INSURANCE": OrderStatus.NEW,
    "NEW_ADL": OrderStatus.NEW,
}

Text = Annotated[str, msgspec.Meta(max_length=128)]


class ErrorBody(msgspec.Struct, rename="camel"):
    """`code` is absent in errors of the routing layer and a string in some successes."""

    code: int = 0
    msg: str = ""


class OrderBody(msgspec.Struct, rename="camel"):
    """An order in the answers of place, amend, cancel and the queries."""

    order_id: Id
    symbol: Text
    status: Text
    client_order_id: Text
    price: Text
    orig_qty: Text
    executed_qty: Text
    side: Side
    reduce_only: bool = False
    update_time: TimeMs = 0
    time: TimeMs = 0


class FillBody(msgspec.Struct, rename="camel"):
    """A row of userTrades."""

    symbol: Text
    id: Id
    order_id: Id
    side: Side
    price: Text
    qty: Text
    commission: Text
    commission_asset: Text
    time: TimeMs
    maker: bool
    realized_pnl: Text = "0"


class ChangeBody(msgspec.Struct):
    """What an amendment changed of one number."""

    after: Text


class AmendmentTermsBody(msgspec.Struct, rename="camel"):
    """Price and total quantity in a row of orderAmendment."""

    price: ChangeBody
    orig_qty: ChangeBody


class AmendmentBody(msgspec.Struct, rename="camel"):
    """A row of orderAmendment."""

    symbol: Text
    order_id: Id
    client_order_id: Text
    time: TimeMs
    amendment: AmendmentTermsBody


class PositionBody(msgspec.Struct, rename="camel"):
    """A row of positionRisk, or of the positions of account (which has neither entry nor mark)."""

    symbol: Text
    position_amt: Text
    position_side: Text = "BOTH"
    entry_price: Text = "0"
    mark_price: Text = "0"
    update_time: TimeMs = 0


class BalanceBody(msgspec.Struct, rename="camel"):
    """A row of balance."""

    asset: Text
    balance: Text


class AssetBody(msgspec.Struct, rename="camel"):
    """A row of the assets of account."""

    asset: Text
    margin_balance: Text
    maint_margin: Text
    available_balance: Text


class AccountBody(msgspec.Struct, rename="camel"):
    """Account v3, as far as margin is concerned."""

    assets: list[AssetBody]


class SymbolConfigBody(msgspec.Struct, rename="camel"):
    """A row of symbolConfig."""

    symbol: Text
    leverage: int
    max_notional_value: Text
    margin_type: Text = ""


class AssetIndexBody(msgspec.Struct, rename="camel"):
    """A row of assetIndex: `BNBUSD` and its index."""

    symbol: Text
    index: Text


class AccountConfigBody(msgspec.Struct, rename="camel"):
    """accountConfig."""

    dual_side_position: bool
    multi_assets_margin: bool
    can_trade: bool


class KeyPermissionsBody(msgspec.Struct, rename="camel"):
    """account/apiRestrictions of the wallet. Only what came later than the others may be absent."""

    enable_reading: bool
    enable_futures: bool
    enable_withdrawals: bool
    enable_internal_transfer: bool
    permits_universal_transfer: bool
    enable_spot_and_margin_trading: bool
    enable_margin: bool = False
    enable_vanilla_options: bool = False
    enable_portfolio_margin_trading: bool = False
    enable_fix_api_trade: bool = False


class FeeBurnBody(msgspec.Struct, rename="camel"):
    """feeBurn."""

    fee_burn: bool


class CommissionRateBody(msgspec.Struct, rename="camel"):
    """commissionRate."""

    symbol: Text
    maker_commission_rate: Text
    taker_commission_rate: Text


class BracketRow(msgspec.Struct, rename="camel"):
    """One bracket; its values are JSON numbers, decoded as their digits."""

    notional_cap: Decimal
    initial_leverage: int
    maint_margin_ratio: Decimal


class BracketsBody(msgspec.Struct, rename="camel"):
    """The brackets of one symbol."""

    symbol: Text
    brackets: list[BracketRow]


class AdlBody(msgspec.Struct, rename="camel"):
    """A row of adlQuantile: by position side, `BOTH` in one-way mode."""

    symbol: Text
    adl_quantile: dict[Text, int]


class RuleBody(msgspec.Struct, rename="camel"):
    """One indicator of apiTradingStatus."""

    indicator: Text
    value: float
    trigger_value: float
    is_locked: bool = False
    planned_recover_time: int = 0


class TradingStatusBody(msgspec.Struct, rename="camel"):
    """apiTradingStatus: indicators by symbol, and `ACCOUNT`."""

    indicators: dict[Text, list[RuleBody]] = {}


class IncomeBody(msgspec.Struct, rename="camel"):
    """A row of income. `tranId` is unique per kind and account; `tradeId` is "" where no trade stands behind it."""

    income_type: Text
    income: Text
    asset: Text
    time: TimeMs
    tran_id: int | str
    symbol: Text = ""
    trade_id: int | str | None = ""


class DepthBody(msgspec.Struct, rename="camel"):
    """A snapshot of a book."""

    last_update_id: Id
    bids: Rows
    asks: Rows
    E: TimeMs = 0
    T: TimeMs = 0


class TimeBody(msgspec.Struct, rename="camel"):
    """The venue's clock."""

    server_time: TimeMs


class ListenKeyBody(msgspec.Struct, rename="camel"):
    """The private stream's key."""

    listen_key: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class UsageBody(msgspec.Struct, rename="camel"):
    """One of `rateLimits` in an answer of the WebSocket API."""

    rate_limit_type: str
    interval: str
    interval_num: int
    count: int = -1


class WsBody(msgspec.Struct, rename="camel"):
    """A frame of the WebSocket API."""

    status: int
    id: int | str | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorBody | None = None
    rate_limits: list[UsageBody] | None = None


def decoder_of(body: Any) -> msgspec.json.Decoder[Any]:
    """A decoder for one kind of body."""
    return msgspec.json.Decoder(body, strict=False)


def wire_of(symbol: str, instruments: WireInstruments) -> WireInstrument:
    """The instrument of a symbol in an answer.

    Raises:
        DamagedPayload: it is not one that we asked about.
    """
    wire = instruments.by_symbol.get(symbol)
    if wire is None:
        raise DamagedPayload(field="symbol", reason=f"{symbol!r} is not a symbol of this account's configuration")
    return wire


def order_report(body: OrderBody, instruments: WireInstruments) -> OrderReport:
    """An order, made neutral. Its price is rounded down to the tick where it is off it (`price_ticks_of`)."""
    wire = wire_of(body.symbol, instruments)
    status = STATUSES.get(body.status)
    if status is None:
        raise DamagedPayload(field="status", reason=f"{body.status!r} is not an order status")
    return OrderReport(
        instrument_id=wire.instrument_id,
        client_order_id=body.client_order_id,
        venue_order_id=body.order_id,
        side=body.side,
        status=status,
        price_ticks=price_ticks_of(wire, body.price, "price"),
        quantity_lots=lots_of(wire, body.orig_qty, "origQty"),
        filled_lots=lots_of(wire, body.executed_qty, "executedQty"),
        reduce_only=body.reduce_only,
        venue_time_ns=(body.update_time or body.time) * NS_PER_MS,
    )


def amendment_report(body: AmendmentBody, instruments: WireInstruments) -> AmendmentReport:
    """An amendment, made neutral."""
    wire = wire_of(body.symbol, instruments)
    return AmendmentReport(
        instrument_id=wire.instrument_id,
        client_order_id=body.client_order_id,
        venue_order_id=body.order_id,
        price_ticks=price_ticks_of(wire, body.amendment.price.after, "amendment.price.after"),
        quantity_lots=lots_of(wire, body.amendment.orig_qty.after, "amendment.origQty.after"),
        venue_time_ns=body.time * NS_PER_MS,
    )


def fill_report(body: FillBody, instruments: WireInstruments) -> FillReport:
    """An execution, made neutral."""
    wire = wire_of(body.symbol, instruments)
    return FillReport(
        instrument_id=wire.instrument_id,
        trade_id=body.id,
        venue_order_id=body.order_id,
        side=body.side,
        price_ticks=price_ticks_of(wire, body.price, "price"),
        quantity_lots=lots_of(wire, body.qty, "qty"),
        fee=decimal_of(body.commission, "commission"),
        fee_asset=body.commission_asset,
        realised=decimal_of(body.realized_pnl, "realizedPnl"),
        maker=body.maker,
        venue_time_ns=body.time * NS_PER_MS,
    )


def income_report(body: IncomeBody) -> IncomeReport:
    """An income record, made neutral."""
    return IncomeReport(
        symbol=body.symbol,
        kind=body.income_type,
        asset=body.asset,
        amount=decimal_of(body.income, "income"),
        transaction_id=str(body.tran_id)[:64],
        trade_id=str(body.trade_id or "")[:64],
        venue_time_ns=body.time * NS_PER_MS,
    )


def price_ticks_of(wire: WireInstrument, text: str, field: str) -> int:
    """Ticks of an order's or a fill's price, rounded down where it is off the tick.

    Forced orders (liquidation, ADL, settlement) carry prices that are no multiple of the tick, and an order may be older than a
    change of filters; to lose the event would be worse than part of a tick.
    """
    try:
        return wire.prices.floor_units(text)
    except ValueError as error:
        raise DamagedPayload(field=field, reason=str(error)) from None


def lots_of(wire: WireInstrument, text: str, field: str) -> int:
    """Lots of a quantity, which must be exact."""
    try:
        return wire.quantities[text]
    except ValueError as error:
        raise DamagedPayload(field=field, reason=str(error)) from None


def signed_lots_of(wire: WireInstrument, text: str, field: str) -> int:
    """Lots of a position, which must be exact."""
    try:
        return wire.quantities.signed_units(text)
    except ValueError as error:
        raise DamagedPayload(field=field, reason=str(error)) from None


def decimal_of(text: str, field: str) -> Decimal:
    """A finite decimal."""
    try:
        return exact_decimal(text)
    except ValueError as error:
        raise DamagedPayload(field=field, reason=str(error)) from None
