"""What is checked at the venue before anything is started: symbols, the account, keys, marks, and the epochs that were used there."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import msgspec

from configs.keys import ApiKeyError, ApiKeys, load_keys
from configs.schema import Indicator, Settings
from ops.direct_venue import DirectVenue, VenueFailure
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.exchange_info import ExchangeInfo, decode_exchange_info
from protocols.client_order_id import parse_client_order_id
from protocols.key_permissions import reading_key_faults, trading_key_faults
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
            mode, may not trade, or has another margin type, leverage, bracket, fee, place in the queue of auto-deleveraging or fees in
            BNB than configured; a key may do what it should not; a mark is old or away from its market; or the venue cannot be asked.
    """
    venue_settings = settings.venue
    with DirectVenue(venue_settings.rest_url, keys, venue_settings.request_timeout_ms) as venue:
        try:
            listed = check_listing(settings, venue.exchange_info())
            _check_account(venue.account_config())
            _check_keys(settings, venue)
            _check_symbols(settings, venue.symbol_configs())
            if settings.account.fee_burn is not None:
                _check_fee_burn(settings.account.fee_burn, venue.fee_burn())
            _check_fees(settings, venue)
            _check_adl(settings, venue)
            _check_marks(settings, venue)
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


def _check_keys(settings: Settings, venue: DirectVenue) -> None:
    """Every key that some process will use, each asked with itself."""
    wallet_url = settings.venue.wallet_url
    if wallet_url is None:
        return
    wrong = trading_key_faults("the account's key", venue.key_permissions(wallet_url))
    others = (
        ("the risk monitor's key", settings.risk.keys, reading_key_faults),
        ("the key of the emergency stop", settings.venue.stop_keys, trading_key_faults),
    )
    for whose, source, faults in others:
        if source is None:
            continue
        try:
            keys = load_keys(source)
        except ApiKeyError as error:
            raise PreflightFailed(f"{whose}: {error}") from error
        with DirectVenue(settings.venue.rest_url, keys, settings.venue.request_timeout_ms) as asked:
            wrong += faults(whose, asked.key_permissions(wallet_url))
    if wrong:
        raise PreflightFailed("\n  ".join(("the keys do not fit their use:", *wrong)))


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
        limit, largest = settings.risk.position_limit(symbol), _decimal(row.get("maxNotionalValue"))
        if limit.unit == "quote" and largest is not None and limit.amount > largest:
            wrong.append(
                f"risk: a position of {limit.amount:f} in {symbol} is more than the {largest:f} that the venue allows at leverage "
                f"{leverage} (-2027): lower the limit or the leverage"
            )
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


def _check_adl(settings: Settings, venue: DirectVenue) -> None:
    quantile_max = settings.account.adl_quantile_max
    if quantile_max is None:
        return
    places = venue.adl_quantiles()
    wrong = [
        f"account.adl_quantile_max: {symbol} is in place {places[symbol]} of the queue of auto-deleveraging, beyond {quantile_max}: "
        "reduce it at the venue, or raise the setting"
        for symbol in settings.symbols
        if places.get(symbol, 0) > quantile_max
    ]
    if wrong:
        raise PreflightFailed("\n  ".join(("the account does not fit the configuration:", *wrong)))


def _check_marks(settings: Settings, venue: DirectVenue) -> None:
    """A mark that is old, or away from the middle of its market, values nothing."""
    thresholds = settings.risk.indicators
    age_s_max, gap_bps_max = thresholds.of(Indicator.MARK_AGE).limit, thresholds.of(Indicator.MARK_GAP).limit
    wrong = []
    for symbol in settings.symbols:
        mark, age_ms = venue.mark(symbol)
        bid, ask = venue.touch(symbol)
        if age_s_max is not None and age_ms > age_s_max * 1_000:
            wrong.append(
                f"the mark price of {symbol} is {age_ms / 1_000:.0f} s old: wait until the venue makes marks again"
            )
        elif gap_bps_max is not None and bid > 0 and ask > 0:
            mid = (bid + ask) / 2
            gap_bps = abs(mark - mid) / mid * 10_000
            if gap_bps > gap_bps_max:
                wrong.append(
                    f"the mark price of {symbol} is {gap_bps:.0f} bps from its market, beyond the {gap_bps_max:g} of "
                    "risk.indicators.mark_gap: wait, or look at the venue"
                )
    if wrong:
        raise PreflightFailed("\n  ".join(("the venue's marks cannot be trusted:", *wrong)))


def _decimal(value: object) -> Decimal | None:
    """A number that the venue wrote, None where it is none."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _highest_epoch(venue: DirectVenue, settings: Settings) -> int:
    """Among the open and the latest orders of the configured symbols."""
    highest = 0
    for symbol in settings.symbols:
        for row in (*venue.open_orders(symbol), *venue.recent_orders(symbol)):
            parsed = parse_client_order_id(str(row.get("clientOrderId", "")))
            if parsed is not None and parsed.install == settings.install:
                highest = max(highest, parsed.epoch)
    return highest
