"""What is checked at the venue before anything is started: symbols, account modes, and the epochs that were used there."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from configs.keys import ApiKeys
from configs.schema import Settings
from ops.direct_venue import DirectVenue, VenueFailure
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.exchange_info import ExchangeInfo, decode_exchange_info
from protocols.client_order_id import parse_client_order_id
from protocols.values import Instrument, RateLimits


class PreflightFailed(Exception):
    """The venue and the configuration do not fit; the text lists every reason with the path of the setting."""


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan needs of the venue. `epoch_floor` is the highest epoch of ours seen there, 0 for none."""

    instruments: dict[str, Instrument]
    epoch_floor: int
    rate_limits: RateLimits


def check_venue(settings: Settings, keys: ApiKeys) -> Preflight:
    """Ask the venue and compare.

    Raises:
        PreflightFailed: a symbol does not exist, does not trade or has another margin asset; the account is in hedge or multi-asset
            mode, may not trade, or has another margin type, leverage or fees in BNB than configured; or the venue cannot be asked.
    """
    venue_settings = settings.venue
    with DirectVenue(venue_settings.rest_url, keys, venue_settings.request_timeout_ms) as venue:
        try:
            listed = check_listing(settings, venue.exchange_info())
            _check_account(venue.account_config())
            _check_symbols(settings, venue.symbol_configs())
            if settings.account.fee_burn is not None:
                _check_fee_burn(settings.account.fee_burn, venue.fee_burn())
            _check_fees(settings, venue)
            return Preflight(
                instruments={instrument.symbol: instrument for instrument in listed.instruments},
                epoch_floor=_highest_epoch(venue, settings),
                rate_limits=listed.rate_limits,
            )
        except VenueFailure as failure:
            raise PreflightFailed(f"the venue cannot be checked: {failure}") from failure


def check_listing(settings: Settings, exchange_info: bytes) -> ExchangeInfo:
    """The body of exchangeInfo, with the instruments of the configured symbols only and in their order.

    Raises:
        PreflightFailed: one or more symbols cannot be traded, each with its reason, or the body is damaged.
    """
    account = settings.venue.account_alias
    try:
        listed = decode_exchange_info(exchange_info, account)
    except DamagedPayload as damage:
        raise PreflightFailed(f"the venue's exchangeInfo cannot be read: {damage}") from damage
    by_symbol = {instrument.symbol: instrument for instrument in listed.instruments}
    reasons = [_symbol_reason(symbol, listed, by_symbol, settings) for symbol in settings.symbols]
    if any(reasons):
        raise PreflightFailed("\n  ".join(("the venue does not fit the configuration:", *filter(None, reasons))))
    return msgspec.structs.replace(listed, instruments=tuple(by_symbol[symbol] for symbol in settings.symbols))


def wait_for_venue(rest_url: str, timeout_ms: int, attempts: int, pause: Callable[[], None]) -> None:
    """Return when the venue tells the time; asks at most `attempts` times.

    Raises:
        PreflightFailed: it never did.
    """
    reason = ""
    for _ in range(attempts):
        try:
            with DirectVenue(rest_url, None, timeout_ms) as venue:
                venue.now_ms()
                return
        except VenueFailure as failure:
            reason = str(failure)
            pause()
    raise PreflightFailed(f"the venue does not answer: {reason}")


def _symbol_reason(
    symbol: str, listed: ExchangeInfo, by_symbol: dict[str, Instrument], settings: Settings
) -> str | None:
    path = f"symbols.{settings.symbols.index(symbol)}"
    instrument = by_symbol.get(symbol)
    if instrument is not None:
        asset = settings.venue.margin_asset
        if instrument.margin_asset != asset:
            return f"venue.margin_asset: {symbol} is margined in {instrument.margin_asset}, not {asset}"
        return None
    if symbol in listed.refused:
        return f"{path}: {symbol} is listed but cannot be understood: {listed.refused[symbol]}"
    status = listed.statuses.get(symbol)
    if status is None:
        return f"{path}: {symbol} is not listed by the venue"
    return f"{path}: {symbol} is {status}, not TRADING"


def _check_account(config: dict[str, object]) -> None:
    wrong = []
    if config.get("dualSidePosition") is not False:
        wrong.append("it is in hedge mode: set one-way position mode")
    if config.get("multiAssetsMargin") is not False:
        wrong.append("it is in multi-asset mode: set single-asset mode")
    if config.get("canTrade") is False:
        wrong.append("the venue does not let it trade")
    if wrong:
        raise PreflightFailed(f"the account cannot be traded on: {'; '.join(wrong)}")


def _check_symbols(settings: Settings, rows: list[dict[str, object]]) -> None:
    wrong = []
    wanted = settings.account.leverage
    for row in rows:
        symbol, margin_type, leverage = str(row.get("symbol")), row.get("marginType"), row.get("leverage")
        if symbol not in settings.symbols:
            continue
        if str(margin_type).upper() not in ("CROSSED", "CROSS"):
            wrong.append(f"{symbol} is in {str(margin_type).lower()} margin: set cross margin at the venue")
        if wanted is not None and leverage != wanted:
            wrong.append(f"account.leverage: it is {leverage} for {symbol}, not {wanted}: set it at the venue or here")
    if wrong:
        raise PreflightFailed("\n  ".join(("the account does not fit the configuration:", *wrong)))


def _check_fee_burn(wanted: bool, seen: bool) -> None:
    if wanted is not seen:
        is_on = "on" if seen else "off"
        raise PreflightFailed(
            f"account.fee_burn: fees in BNB are {is_on} at the venue: switch them, or change the setting"
        )


def _check_fees(settings: Settings, venue: DirectVenue) -> None:
    limits = {"maker": settings.account.maker_fee_max, "taker": settings.account.taker_fee_max}
    wrong = []
    for symbol in settings.symbols if any(limit is not None for limit in limits.values()) else ():
        for rate, (kind, limit) in zip(venue.fee_rates(symbol), limits.items(), strict=True):
            if limit is not None and rate > limit:
                wrong.append(f"account.{kind}_fee_max: the {kind} fee of {symbol} is {rate:f}, above {limit:f}")
    if wrong:
        raise PreflightFailed("\n  ".join(("the account does not fit the configuration:", *wrong)))


def _highest_epoch(venue: DirectVenue, settings: Settings) -> int:
    """Among the open and the latest orders of the configured symbols."""
    highest = 0
    for symbol in settings.symbols:
        for row in (*venue.open_orders(symbol), *venue.recent_orders(symbol)):
            parsed = parse_client_order_id(str(row.get("clientOrderId", "")))
            if parsed is not None and parsed.install == settings.install:
                highest = max(highest, parsed.epoch)
    return highest
