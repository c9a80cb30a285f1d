"""Bodies of success to neutral outcomes, one function for each kind of answer (facts section 2)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from protocols.binance_usdm import payloads
from protocols.binance_usdm.costs import PAGE_ROWS_MAX
from protocols.binance_usdm.damage import DECODE_ERRORS, DamagedPayload, damaged
from protocols.binance_usdm.exchange_info import decode_exchange_info
from protocols.binance_usdm.market_streams import snapshot_levels
from protocols.binance_usdm.payloads import NS_PER_MS
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.key_permissions import KeyPermissions
from protocols.values import InstrumentId
from protocols.venue import (
    AccountAnswered,
    AccountConfigAnswered,
    AdlAnswered,
    AdlReport,
    AllOpenOrdersAnswered,
    AmendmentsAnswered,
    AmendOrder,
    AnyOutcome,
    AssetRate,
    AssetRatesAnswered,
    BalanceReport,
    BalancesAnswered,
    BookSnapshot,
    Bracket,
    BracketReport,
    BracketsAnswered,
    CancelAll,
    CancelOrder,
    Done,
    FeeBurnAnswered,
    FeeRatesAnswered,
    FillsAnswered,
    IncomeAnswered,
    KeepUserStream,
    KeyPermissionsAnswered,
    ListingAnswered,
    ListingReport,
    MarginReport,
    OpenOrdersAnswered,
    OpenUserStream,
    OrderAnswered,
    PlaceOrder,
    PositionReport,
    PositionsAnswered,
    QueryAccount,
    QueryAccountConfig,
    QueryAdlQuantiles,
    QueryAllOpenOrders,
    QueryAmendments,
    QueryAssetRates,
    QueryBalances,
    QueryBook,
    QueryBrackets,
    QueryFeeBurn,
    QueryFeeRates,
    QueryFills,
    QueryIncome,
    QueryKeyPermissions,
    QueryListing,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QuerySymbolConfigs,
    QueryTime,
    QueryTradingStatus,
    RuleReport,
    SetCountdown,
    SymbolConfigReport,
    SymbolConfigsAnswered,
    TimeAnswered,
    TradingStatusAnswered,
    Usage,
    UserStreamOpened,
    VenueRequest,
)

BODY_BYTES_MAX = 8_388_608
"""A longer answer is refused unread."""

_DOLLARS = "USD"

TEXT_CHARACTERS_MAX = 300
"""Characters of the venue's text that are kept."""

_error_decoder = payloads.decoder_of(payloads.ErrorBody)
_order_decoder = payloads.decoder_of(payloads.OrderBody)
_orders_decoder = payloads.decoder_of(list[payloads.OrderBody])
_amendments_decoder = payloads.decoder_of(list[payloads.AmendmentBody])
_fills_decoder = payloads.decoder_of(list[payloads.FillBody])
_positions_decoder = payloads.decoder_of(list[payloads.PositionBody])
_balances_decoder = payloads.decoder_of(list[payloads.BalanceBody])
_income_decoder = payloads.decoder_of(list[payloads.IncomeBody])
_account_decoder = payloads.decoder_of(payloads.AccountBody)
_configs_decoder = payloads.decoder_of(list[payloads.SymbolConfigBody])
_quantiles_decoder = payloads.decoder_of(list[payloads.AdlBody])
_asset_rates_decoder = payloads.decoder_of(list[payloads.AssetIndexBody])
_account_config_decoder = payloads.decoder_of(payloads.AccountConfigBody)
_permissions_decoder = payloads.decoder_of(payloads.KeyPermissionsBody)
_fee_burn_decoder = payloads.decoder_of(payloads.FeeBurnBody)
_fee_rates_decoder = payloads.decoder_of(payloads.CommissionRateBody)
_brackets_decoder = payloads.decoder_of(list[payloads.BracketsBody])
_status_decoder = payloads.decoder_of(payloads.TradingStatusBody)
_depth_decoder = payloads.decoder_of(payloads.DepthBody)
_time_decoder = payloads.decoder_of(payloads.TimeBody)
_key_decoder = payloads.decoder_of(payloads.ListenKeyBody)


class Head:
    """The fields that every outcome has."""

    __slots__ = ("fields",)

    def __init__(self, request_id: int, received_ns: int, usage: Usage) -> None:
        self.fields: dict[str, Any] = {"request_id": request_id, "received_ns": received_ns, "usage": usage}


def outcome_of_success(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    """The outcome that a body of success says.

    Raises:
        DamagedPayload: the body cannot be understood, or is an error in spite of its status.
    """
    decode = _DECODERS.get(type(request))
    if decode is None:
        raise DamagedPayload(field="request", reason=f"{type(request).__name__} has no answer")
    return decode(request, body, head, instruments, sent_ns)


def sized(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Decode a body of bounded size.

    Raises:
        DamagedPayload: it is too long or cannot be understood.
    """
    if len(body) > BODY_BYTES_MAX:
        raise DamagedPayload(field="body", reason=f"{len(body)} bytes, more than {BODY_BYTES_MAX}")
    try:
        return decoder.decode(body)
    except DECODE_ERRORS as error:
        raise damaged(error) from None


def _order(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    return OrderAnswered(**head.fields, order=payloads.order_report(sized(_order_decoder, body), instruments))


def _done(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    """Successes say `code` 200, or name what was set; neither is needed, but an error must not pass for one."""
    answer: payloads.ErrorBody = sized(_error_decoder, body)
    if answer.code < 0:
        raise DamagedPayload(field="code", reason=answer.msg[:TEXT_CHARACTERS_MAX])
    return Done(**head.fields)


def _open_orders(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    assert isinstance(request, QueryOpenOrders)
    rows = sized(_orders_decoder, body)
    orders = tuple(_row(index, payloads.order_report, row, instruments) for index, row in enumerate(rows))
    return OpenOrdersAnswered(**head.fields, instrument_id=request.instrument_id, orders=orders)


def _amendments(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    assert isinstance(request, QueryAmendments)
    rows = sized(_amendments_decoder, body)
    amendments = tuple(_row(index, payloads.amendment_report, row, instruments) for index, row in enumerate(rows))
    return AmendmentsAnswered(**head.fields, instrument_id=request.instrument_id, amendments=amendments)


def _fills(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    assert isinstance(request, QueryFills)
    rows = sized(_fills_decoder, body)
    fills = tuple(_row(index, payloads.fill_report, row, instruments) for index, row in enumerate(rows))
    return FillsAnswered(
        **head.fields, instrument_id=request.instrument_id, fills=fills, complete=len(rows) < PAGE_ROWS_MAX
    )


def _positions(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    """Positions of our symbols. The two rows of a hedge-mode account are netted: exposure is what counts."""
    reports: dict[InstrumentId, PositionReport] = {}
    for index, row in enumerate(sized(_positions_decoder, body)):
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
    return PositionsAnswered(**head.fields, positions=tuple(reports.values()))


def _balances(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    rows: list[payloads.BalanceBody] = sized(_balances_decoder, body)
    balances = tuple(
        BalanceReport(asset=row.asset, wallet_balance=payloads.decimal_of(row.balance, f"[{index}].balance"))
        for index, row in enumerate(rows)
    )
    return BalancesAnswered(**head.fields, balances=balances)


def _income(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    rows: list[payloads.IncomeBody] = sized(_income_decoder, body)
    records = tuple(_row(index, payloads.income_report, row) for index, row in enumerate(rows))
    return IncomeAnswered(**head.fields, records=records, complete=len(rows) < PAGE_ROWS_MAX)


def _account(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    account: payloads.AccountBody = sized(_account_decoder, body)
    assets = tuple(
        MarginReport(
            asset=row.asset,
            margin_balance=payloads.decimal_of(row.margin_balance, f"assets[{index}].marginBalance"),
            maintenance_margin=payloads.decimal_of(row.maint_margin, f"assets[{index}].maintMargin"),
            available_balance=payloads.decimal_of(row.available_balance, f"assets[{index}].availableBalance"),
        )
        for index, row in enumerate(account.assets)
    )
    return AccountAnswered(**head.fields, assets=assets)


def _all_open_orders(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    """Orders of symbols that we do not know are nobody's business here."""
    rows = sized(_orders_decoder, body)
    known = [(index, row) for index, row in enumerate(rows) if row.symbol in instruments.by_symbol]
    orders = tuple(_row(index, payloads.order_report, row, instruments) for index, row in known)
    return AllOpenOrdersAnswered(**head.fields, orders=orders)


def _configs(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    rows: list[payloads.SymbolConfigBody] = sized(_configs_decoder, body)
    configs = tuple(
        SymbolConfigReport(
            instrument_id=instruments.by_symbol[row.symbol].instrument_id,
            leverage=row.leverage,
            notional_max=payloads.decimal_of(row.max_notional_value, f"[{index}].maxNotionalValue"),
            margin_type=row.margin_type,
        )
        for index, row in enumerate(rows)
        if row.symbol in instruments.by_symbol
    )
    return SymbolConfigsAnswered(**head.fields, configs=configs)


def _quantiles(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    """The worst side of each symbol."""
    rows: list[payloads.AdlBody] = sized(_quantiles_decoder, body)
    quantiles = tuple(
        AdlReport(
            instrument_id=instruments.by_symbol[row.symbol].instrument_id,
            quantile=max(row.adl_quantile.values(), default=0),
        )
        for row in rows
        if row.symbol in instruments.by_symbol
    )
    return AdlAnswered(**head.fields, quantiles=quantiles)


def _trading_status(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    status: payloads.TradingStatusBody = sized(_status_decoder, body)
    rules = tuple(
        RuleReport(
            symbol=symbol,
            rule=row.indicator,
            locked=row.is_locked,
            value=Decimal(str(row.value)),
            trigger=Decimal(str(row.trigger_value)),
            recovers_venue_ms=row.planned_recover_time,
        )
        for symbol, rows in status.indicators.items()
        for row in rows
    )
    return TradingStatusAnswered(**head.fields, rules=rules)


def _asset_rates(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    """Rates in another currency than US dollars are nobody's business here."""
    rows: list[payloads.AssetIndexBody] = sized(_asset_rates_decoder, body)
    rates = tuple(
        AssetRate(asset=row.symbol.removesuffix(_DOLLARS), rate=payloads.decimal_of(row.index, f"[{index}].index"))
        for index, row in enumerate(rows)
        if row.symbol.endswith(_DOLLARS)
    )
    return AssetRatesAnswered(**head.fields, rates=rates)


def _account_config(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    config: payloads.AccountConfigBody = sized(_account_config_decoder, body)
    return AccountConfigAnswered(
        **head.fields,
        hedge_mode=config.dual_side_position,
        multi_asset_mode=config.multi_assets_margin,
        can_trade=config.can_trade,
    )


def _permissions(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    return KeyPermissionsAnswered(**head.fields, permissions=decode_key_permissions(body))


def decode_key_permissions(body: bytes) -> KeyPermissions:
    """What a key may do, from the body of account/apiRestrictions.

    Raises:
        DamagedPayload: it is something else.
    """
    key: payloads.KeyPermissionsBody = sized(_permissions_decoder, body)
    elsewhere = (key.enable_spot_and_margin_trading, key.enable_margin, key.enable_vanilla_options)
    return KeyPermissions(
        reads=key.enable_reading,
        trades_futures=key.enable_futures,
        trades_elsewhere=any((*elsewhere, key.enable_portfolio_margin_trading, key.enable_fix_api_trade)),
        withdraws=key.enable_withdrawals,
        transfers=key.enable_internal_transfer or key.permits_universal_transfer,
    )


def _fee_burn(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    answer: payloads.FeeBurnBody = sized(_fee_burn_decoder, body)
    return FeeBurnAnswered(**head.fields, fee_burn=answer.fee_burn)


def _fee_rates(
    request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int
) -> AnyOutcome:
    assert isinstance(request, QueryFeeRates)
    rates: payloads.CommissionRateBody = sized(_fee_rates_decoder, body)
    if rates.symbol != instruments.by_id[request.instrument_id].symbol:
        raise DamagedPayload(field="symbol", reason=f"{rates.symbol} was not asked for")
    return FeeRatesAnswered(
        **head.fields,
        instrument_id=request.instrument_id,
        maker=payloads.decimal_of(rates.maker_commission_rate, "makerCommissionRate"),
        taker=payloads.decimal_of(rates.taker_commission_rate, "takerCommissionRate"),
    )


def _brackets(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    rows: list[payloads.BracketsBody] = sized(_brackets_decoder, body)
    reports = tuple(
        BracketReport(
            instrument_id=instruments.by_symbol[row.symbol].instrument_id,
            brackets=tuple(
                Bracket(
                    notional_cap=bracket.notional_cap,
                    leverage_max=bracket.initial_leverage,
                    maintenance_rate=bracket.maint_margin_ratio,
                )
                for bracket in sorted(row.brackets, key=lambda one: one.notional_cap)
            ),
        )
        for row in rows
        if row.symbol in instruments.by_symbol
    )
    return BracketsAnswered(**head.fields, reports=reports)


def _listing(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    listed = decode_exchange_info(body, account="")
    trading = {one.symbol: one for one in listed.instruments}
    reports = []
    for symbol, wire in instruments.by_symbol.items():
        if symbol not in listed.statuses:
            continue
        found = trading.get(symbol)
        reports.append(
            ListingReport(
                instrument_id=wire.instrument_id,
                status=listed.statuses[symbol],
                instrument=None if found is None else msgspec.structs.replace(found, instrument_id=wire.instrument_id),
                text=listed.refused.get(symbol, ""),
            )
        )
    return ListingAnswered(**head.fields, reports=tuple(reports))


def _book(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    assert isinstance(request, QueryBook)
    wire = instruments.by_id[request.instrument_id]
    depth: payloads.DepthBody = sized(_depth_decoder, body)
    return BookSnapshot(
        **head.fields,
        instrument_id=wire.instrument_id,
        last_update_id=depth.last_update_id,
        venue_time_ns=(depth.T or depth.E) * NS_PER_MS,
        bids=tuple(snapshot_levels(depth.bids, wire, "bids")),
        asks=tuple(snapshot_levels(depth.asks, wire, "asks")),
    )


def _time(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    clock: payloads.TimeBody = sized(_time_decoder, body)
    return TimeAnswered(**head.fields, venue_time_ns=clock.server_time * NS_PER_MS, sent_ns=sent_ns)


def _key(request: VenueRequest, body: bytes, head: Head, instruments: WireInstruments, sent_ns: int) -> AnyOutcome:
    answer: payloads.ListenKeyBody = sized(_key_decoder, body)
    return UserStreamOpened(**head.fields, listen_key=answer.listen_key)


def _row(index: int, report: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return report(*arguments)
    except DamagedPayload as damage:
        raise DamagedPayload(field=f"[{index}].{damage.field}", reason=damage.reason) from None


_Decode = Callable[[VenueRequest, bytes, Head, WireInstruments, int], AnyOutcome]
_DECODERS: dict[type[VenueRequest], _Decode] = {
    PlaceOrder: _order,
    AmendOrder: _order,
    CancelOrder: _order,
    QueryOrder: _order,
    CancelAll: _done,
    SetCountdown: _done,
    KeepUserStream: _done,
    QueryAmendments: _amendments,
    QueryOpenOrders: _open_orders,
    QueryFills: _fills,
    QueryPositions: _positions,
    QueryBalances: _balances,
    QueryIncome: _income,
    QueryAccount: _account,
    QueryAllOpenOrders: _all_open_orders,
    QuerySymbolConfigs: _configs,
    QueryAdlQuantiles: _quantiles,
    QueryTradingStatus: _trading_status,
    QueryAssetRates: _asset_rates,
    QueryAccountConfig: _account_config,
    QueryKeyPermissions: _permissions,
    QueryFeeBurn: _fee_burn,
    QueryFeeRates: _fee_rates,
    QueryBrackets: _brackets,
    QueryListing: _listing,
    QueryBook: _book,
    QueryTime: _time,
    OpenUserStream: _key,
}
