"""What the account watch and inventory ask of the account: calls and answers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from wire_samples import BTC, ETH, TIME_NS, wires

from protocols import venue
from protocols.binance_usdm.requests import RestRequests
from protocols.binance_usdm.responses import decode_rest
from protocols.binance_usdm.signing import HmacSigner
from protocols.key_permissions import KeyPermissions
from protocols.venue import OutcomeUnknown, Usage

WIRES = wires()
SIGNED: dict[str, Any] = {"request_id": 1, "venue_time_ns": TIME_NS}


def answer(request: Any, body: Any) -> Any:
    return decode_rest(request, 200, {}, json.dumps(body).encode(), 9, WIRES)


def fields(**more: Any) -> dict[str, Any]:
    return {"request_id": 1, "received_ns": 9, "usage": Usage(), **more}


@pytest.mark.parametrize(
    ("request_", "path", "signed"),
    [
        (venue.QueryAssetRates(request_id=1), "/fapi/v1/assetIndex", False),
        (venue.QueryListing(request_id=1), "/fapi/v1/exchangeInfo", False),
        (venue.QueryAccountConfig(**SIGNED), "/fapi/v1/accountConfig", True),
        (venue.QueryKeyPermissions(**SIGNED), "/sapi/v1/account/apiRestrictions", True),
        (venue.QueryFeeBurn(**SIGNED), "/fapi/v1/feeBurn", True),
        (venue.QueryBrackets(**SIGNED), "/fapi/v1/leverageBracket", True),
    ],
)
def test_a_question_without_a_symbol(request_: Any, path: str, signed: bool) -> None:
    call = RestRequests(WIRES, HmacSigner("s")).build(request_)
    assert (call.method, call.path, "signature=" in call.query) == ("GET", path, signed)


def test_fee_rates_are_asked_for_by_symbol() -> None:
    call = RestRequests(WIRES, HmacSigner("s")).build(venue.QueryFeeRates(**SIGNED, instrument_id=BTC))
    assert call.target.startswith("/fapi/v1/commissionRate?symbol=BTCUSDT&timestamp=")


def test_rates_of_assets_in_dollars_only() -> None:
    rows = [{"symbol": "BNBUSD", "index": "612.5", "bidBuffer": "0.1"}, {"symbol": "BTCEUR", "index": "1"}]
    assert answer(venue.QueryAssetRates(request_id=1), rows) == venue.AssetRatesAnswered(
        **fields(rates=(venue.AssetRate(asset="BNB", rate=Decimal("612.5")),))
    )


def test_modes_of_the_account() -> None:
    body = {"feeTier": 0, "canTrade": True, "dualSidePosition": False, "multiAssetsMargin": True}
    assert answer(venue.QueryAccountConfig(**SIGNED), body) == venue.AccountConfigAnswered(
        **fields(hedge_mode=False, multi_asset_mode=True, can_trade=True)
    )


FORBIDDEN = {
    "enableReading": False,
    "enableFutures": False,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "permitsUniversalTransfer": False,
    "enableSpotAndMarginTrading": False,
}


@pytest.mark.parametrize(
    ("granted", "what"),
    [
        ("enableReading", "reads"),
        ("enableFutures", "trades_futures"),
        ("enableSpotAndMarginTrading", "trades_elsewhere"),
        ("enableMargin", "trades_elsewhere"),
        ("enableVanillaOptions", "trades_elsewhere"),
        ("enablePortfolioMarginTrading", "trades_elsewhere"),
        ("enableFixApiTrade", "trades_elsewhere"),
        ("enableWithdrawals", "withdraws"),
        ("enableInternalTransfer", "transfers"),
        ("permitsUniversalTransfer", "transfers"),
    ],
)
def test_what_a_key_may_do(granted: str, what: str) -> None:
    names = ("reads", "trades_futures", "trades_elsewhere", "withdraws", "transfers")
    expected = KeyPermissions(**{name: name == what for name in names})
    body = {"ipRestrict": True, "createTime": 1, **FORBIDDEN, granted: True}
    assert answer(venue.QueryKeyPermissions(**SIGNED), body) == venue.KeyPermissionsAnswered(
        **fields(permissions=expected)
    )


def test_permissions_that_are_not_all_there_are_no_answer() -> None:
    body = {name: value for name, value in FORBIDDEN.items() if name != "enableWithdrawals"}
    assert isinstance(answer(venue.QueryKeyPermissions(**SIGNED), body), OutcomeUnknown)


def test_fee_burn_and_rates() -> None:
    assert answer(venue.QueryFeeBurn(**SIGNED), {"feeBurn": True}) == venue.FeeBurnAnswered(**fields(fee_burn=True))
    body = {"symbol": "BTCUSDT", "makerCommissionRate": "-0.00005", "takerCommissionRate": "0.0004"}
    assert answer(venue.QueryFeeRates(**SIGNED, instrument_id=BTC), body) == venue.FeeRatesAnswered(
        **fields(instrument_id=BTC, maker=Decimal("-0.00005"), taker=Decimal("0.0004"))
    )


def test_fee_rates_of_another_symbol_are_no_answer() -> None:
    body = {"symbol": "ETHUSDC", "makerCommissionRate": "0", "takerCommissionRate": "0"}
    assert isinstance(answer(venue.QueryFeeRates(**SIGNED, instrument_id=BTC), body), OutcomeUnknown)


def test_brackets_keep_their_digits_and_come_smallest_first() -> None:
    rows = [
        {"bracket": 2, "initialLeverage": 50, "notionalCap": 250_000, "maintMarginRatio": 0.01, "cum": 50},
        {"bracket": 1, "initialLeverage": 125, "notionalCap": 50_000, "maintMarginRatio": 0.004, "cum": 0},
    ]
    body = [{"symbol": "BTCUSDT", "brackets": rows}, {"symbol": "DOGEUSDT", "brackets": rows}]
    assert answer(venue.QueryBrackets(**SIGNED), body) == venue.BracketsAnswered(
        **fields(
            reports=(
                venue.BracketReport(
                    instrument_id=BTC,
                    brackets=(
                        venue.Bracket(
                            notional_cap=Decimal(50_000), leverage_max=125, maintenance_rate=Decimal("0.004")
                        ),
                        venue.Bracket(notional_cap=Decimal(250_000), leverage_max=50, maintenance_rate=Decimal("0.01")),
                    ),
                ),
            )
        )
    )


def test_a_listing_without_a_symbol_and_with_one_that_is_halted() -> None:
    body = {"symbols": [{"symbol": "BTCUSDT", "status": "SETTLING"}], "rateLimits": []}
    assert answer(venue.QueryListing(request_id=1), body) == venue.ListingAnswered(
        **fields(reports=(venue.ListingReport(instrument_id=BTC, status="SETTLING", instrument=None),))
    )
    assert ETH not in [report.instrument_id for report in answer(venue.QueryListing(request_id=1), body).reports]
