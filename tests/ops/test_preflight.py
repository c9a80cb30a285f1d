"""What is refused before anything is started, in words that name the setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripted_venue import KEYS, ScriptedVenue

from configs.keys import write_key_file
from configs.loading import load_settings, with_changes
from configs.schema import Settings
from ops import preflight
from ops.preflight import PreflightFailed, check_listing, check_venue, wait_for_venue
from protocols.values import RateLimits

ROOT = Path(__file__).resolve().parents[2]


def listed(symbol: str, status: str = "TRADING") -> dict[str, object]:
    return {
        "symbol": symbol,
        "status": status,
        "baseAsset": symbol[:-4],
        "quoteAsset": symbol[-4:],
        "marginAsset": symbol[-4:],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000000", "tickSize": "0.1"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ],
    }


def configured(symbol: str, **changes: object) -> dict[str, object]:
    return {"symbol": symbol, "marginType": "CROSSED", "leverage": 20, "maxNotionalValue": "1000000", **changes}


def info(*symbols: dict[str, object]) -> dict[str, object]:
    return {"symbols": list(symbols), "rateLimits": []}


def granted(**changes: bool) -> dict[str, object]:
    """What the wallet says of a key that may read and trade futures."""
    names = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer", "enableSpotAndMarginTrading")
    return {"enableReading": True, "enableFutures": True, **dict.fromkeys(names, False), **changes}


@pytest.fixture
def settings() -> Settings:
    changes = {"venue": {"wallet_url": "http://127.0.0.1:1"}}
    return with_changes(load_settings(ROOT / "configs" / "demo.yaml", {}), changes, "test")


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> ScriptedVenue:
    scripted = ScriptedVenue()
    scripted.answers["/fapi/v1/exchangeInfo"] = info(listed("BTCUSDC"), listed("ETHUSDC"))
    scripted.answers["/fapi/v1/symbolConfig"] = [configured("BTCUSDC"), configured("ETHUSDC")]
    scripted.answers["/fapi/v1/feeBurn"] = {"feeBurn": False}
    scripted.answers["/fapi/v1/premiumIndex"] = {"markPrice": "50000", "time": 1_700_000_000_000}
    scripted.answers["/fapi/v1/ticker/bookTicker"] = {"bidPrice": "49999.9", "askPrice": "50000.1"}
    scripted.answers["/fapi/v1/adlQuantile"] = []
    scripted.answers["/sapi/v1/account/apiRestrictions"] = granted()
    scripted.answers["/fapi/v1/commissionRate"] = {"makerCommissionRate": "0", "takerCommissionRate": "0.0004"}
    monkeypatch.setattr(preflight, "DirectVenue", lambda url, keys, timeout_ms: scripted.client(keys))
    return scripted


def refusal(settings: Settings) -> str:
    with pytest.raises(PreflightFailed) as caught:
        check_venue(settings, KEYS)
    return str(caught.value)


def test_a_fitting_venue_gives_instruments_in_the_configured_order(settings: Settings, venue: ScriptedVenue) -> None:
    found = check_venue(settings, KEYS)
    assert list(found.instruments) == ["BTCUSDC", "ETHUSDC"]
    assert found.epoch_floor == 0


def test_the_limits_that_the_venue_tells_are_kept_for_the_plan(settings: Settings, venue: ScriptedVenue) -> None:
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6_000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50},
    ]
    venue.answers["/fapi/v1/exchangeInfo"] = info(listed("BTCUSDC"), listed("ETHUSDC")) | {"rateLimits": limits}
    assert check_venue(settings, KEYS).rate_limits == RateLimits(weight_1m=6_000, orders_10s=50, orders_1m=1_200)


def test_every_symbol_that_cannot_be_traded_is_named_with_its_reason(settings: Settings) -> None:
    settings = with_changes(
        settings, {"symbols": ["BTCUSDC", "ETHUSDC", "XYZUSDC", "BTCUSDT"], "exchange": None}, "test"
    )
    body = json.dumps(info(listed("BTCUSDC"), listed("ETHUSDC", "SETTLING"), listed("BTCUSDT"))).encode()
    with pytest.raises(PreflightFailed) as caught:
        check_listing(settings, body)
    assert str(caught.value) == (
        "the venue does not fit the configuration:\n"
        "  symbols.1: ETHUSDC is SETTLING, not TRADING\n"
        "  symbols.2: XYZUSDC is not listed by the venue\n"
        "  venue.margin_asset: BTCUSDT is margined in USDT, not USDC"
    )


def test_a_damaged_list_is_refused(settings: Settings) -> None:
    with pytest.raises(PreflightFailed, match="the venue's exchangeInfo cannot be read"):
        check_listing(settings, b'{"symbols": 7}')


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ({"dualSidePosition": True}, "it is in hedge mode: set one-way position mode"),
        ({"multiAssetsMargin": True}, "it is in multi-asset mode: set single-asset mode"),
        ({"canTrade": False}, "the venue does not let it trade"),
    ],
)
def test_an_account_in_another_mode_is_refused(
    settings: Settings, venue: ScriptedVenue, mode: dict[str, object], reason: str
) -> None:
    venue.answers["/fapi/v1/accountConfig"] = {"dualSidePosition": False, "multiAssetsMargin": False, **mode}
    assert refusal(settings) == f"the account cannot be traded on: {reason}"


def test_isolated_margin_is_refused_on_configured_symbols(settings: Settings, venue: ScriptedVenue) -> None:
    isolated = [configured(symbol, marginType="ISOLATED") for symbol in ("ETHUSDC", "XYZUSDC")]
    venue.answers["/fapi/v1/symbolConfig"] = [configured("BTCUSDC"), *isolated]
    assert refusal(settings) == (
        "the account does not fit the configuration:\n  ETHUSDC is in isolated margin: set cross margin at the venue"
    )


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ({"leverage": 10}, "account.leverage: it is 20 for BTCUSDC, not 10"),
        ({"fee_burn": True}, "account.fee_burn: fees in BNB are off at the venue"),
        ({"taker_fee_max": "0.0003"}, "account.taker_fee_max: the taker fee of BTCUSDC is 0.0004, above 0.0003"),
        ({"maker_fee_max": "-0.0001"}, "account.maker_fee_max: the maker fee of BTCUSDC is 0, above -0.0001"),
        ({"adl_quantile_max": 2}, "account.adl_quantile_max: BTCUSDC is in place 3 of the queue of auto-deleveraging"),
    ],
)
def test_an_account_that_is_not_as_configured_is_refused(
    settings: Settings, venue: ScriptedVenue, account: dict[str, object], reason: str
) -> None:
    venue.answers["/fapi/v1/adlQuantile"] = [{"symbol": "BTCUSDC", "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 3}}]
    assert reason in refusal(with_changes(settings, {"account": account}, "test"))


def test_a_limit_beyond_what_the_venue_allows_at_the_leverage_is_refused(
    settings: Settings, venue: ScriptedVenue
) -> None:
    venue.answers["/fapi/v1/symbolConfig"] = [configured("BTCUSDC", maxNotionalValue="40000"), configured("ETHUSDC")]
    limits = {"symbols": {"BTCUSDC": {"position_notional_max": "50000"}}}
    assert refusal(with_changes(settings, {"risk": limits}, "test")) == (
        "the account does not fit the configuration:\n  risk: a position of 50000 in BTCUSDC is more than the 40000 that the "
        "venue allows at leverage 20 (-2027): lower the limit or the leverage"
    )


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ({"time": 1_700_000_000_000 - 31_000}, "the mark price of BTCUSDC is 31 s old"),
        ({"markPrice": "50760"}, "the mark price of BTCUSDC is 152 bps from its market, beyond the 150"),
    ],
)
def test_a_mark_that_stands_still_or_left_its_market_is_refused(
    settings: Settings, venue: ScriptedVenue, mark: dict[str, object], reason: str
) -> None:
    venue.answers["/fapi/v1/premiumIndex"] = {"markPrice": "50000", "time": 1_700_000_000_000, **mark}
    assert reason in refusal(settings)


REMEDY = "take that permission from it at the venue, or use another key"


@pytest.mark.parametrize(
    ("permissions", "reason"),
    [
        ({"enableWithdrawals": True}, f"the account's key may withdraw: {REMEDY}"),
        ({"enableInternalTransfer": True}, f"the account's key may transfer money: {REMEDY}"),
        ({"permitsUniversalTransfer": True}, f"the account's key may transfer money: {REMEDY}"),
        ({"enableFutures": False}, "the account's key may not trade futures: give it that permission at the venue"),
        ({"enableReading": False}, "the account's key may not read: give it that permission at the venue"),
    ],
)
def test_a_key_that_may_do_too_much_or_too_little_is_refused(
    settings: Settings, venue: ScriptedVenue, permissions: dict[str, bool], reason: str
) -> None:
    venue.answers["/sapi/v1/account/apiRestrictions"] = granted(**permissions)
    assert refusal(settings) == f"the keys do not fit their use:\n  {reason}"


@pytest.mark.parametrize(
    ("place", "permissions", "reason"),
    [
        ({"risk": {"keys": ...}}, granted(), f"the risk monitor's key may trade, and is there to read: {REMEDY}"),
        (
            {"risk": {"keys": ...}},
            granted(enableFutures=False, enableSpotAndMarginTrading=True),
            f"the risk monitor's key may trade, and is there to read: {REMEDY}",
        ),
        (
            {"risk": {"keys": ...}},
            granted(enableFutures=False, enableWithdrawals=True),
            f"the risk monitor's key may withdraw: {REMEDY}",
        ),
        (
            {"venue": {"stop_keys": ...}},
            granted(enableWithdrawals=True),
            f"the key of the emergency stop may withdraw: {REMEDY}",
        ),
    ],
)
def test_every_other_key_is_asked_with_itself(
    settings: Settings,
    venue: ScriptedVenue,
    tmp_path: Path,
    place: dict[str, dict[str, object]],
    permissions: dict[str, object],
    reason: str,
) -> None:
    write_key_file(tmp_path / "other.keys", "other", "secret")
    ((section, names),) = place.items()
    changes = {section: {key: {"file": str(tmp_path / "other.keys")} for key in names}}
    venue.permissions["other"] = permissions
    assert refusal(with_changes(settings, changes, "test")) == f"the keys do not fit their use:\n  {reason}"


def test_a_read_only_key_beside_a_trading_key_is_as_it_should_be(
    settings: Settings, venue: ScriptedVenue, tmp_path: Path
) -> None:
    write_key_file(tmp_path / "other.keys", "other", "secret")
    venue.permissions["other"] = granted(enableFutures=False)
    changes = {"risk": {"keys": {"file": str(tmp_path / "other.keys")}}}
    assert check_venue(with_changes(settings, changes, "test"), KEYS).epoch_floor == 0


def test_a_refused_key_is_told_in_the_venues_words(settings: Settings, venue: ScriptedVenue) -> None:
    venue.errors["/fapi/v1/accountConfig"] = (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions."})
    assert refusal(settings) == (
        "the venue cannot be checked: GET /fapi/v1/accountConfig was refused (401, -2015): "
        "Invalid API-key, IP, or permissions."
    )


def test_the_epoch_floor_is_the_highest_of_our_own_orders(settings: Settings, venue: ScriptedVenue) -> None:
    venue.rows["BTCUSDC"] = [
        {"clientOrderId": text} for text in ("rm1-7-000-1", "rm2-z-000-1", "x-other", "rm1-a-000-1")
    ]
    venue.answers["/fapi/v1/allOrders"] = [{"clientOrderId": "rm1-c-001-9"}]
    assert check_venue(settings, KEYS).epoch_floor == 12


def test_a_venue_that_never_answers_is_given_up_after_the_last_attempt() -> None:
    pauses: list[None] = []
    with pytest.raises(PreflightFailed, match=r"the venue does not answer: http://127\.0\.0\.1:9.* cannot be reached"):
        wait_for_venue("http://127.0.0.1:9", 100, attempts=3, pause=lambda: pauses.append(None))
    assert len(pauses) == 3
