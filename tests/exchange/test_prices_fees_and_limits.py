"""Mark, index and funding by the venue's own rules; fee tiers and BNB; bans that grow; calls with a pool of their own."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from shared_data import shared_path
from venue_rig import ACCOUNT, KEY, SECRET, SYMBOL, VenueRig, WireRig, body

from actors.exchange.authentication import KeyRing, hmac_credential
from actors.exchange.frames import MarkFrame
from actors.exchange.ledger import FundingPaid
from actors.exchange.rate_limits import FUNDING_POOL_MAX
from actors.exchange.reference_prices import funding_rate, mark_price, premium

MS = 1_000_000


def test_the_vectors_of_the_facts() -> None:
    vectors = msgspec.json.decode(shared_path("facts/test_vectors.json").read_bytes())["binance_arith"]
    seen = 0
    for row in vectors:
        match row["id"]:
            case "funding_rate":
                assert funding_rate(Decimal(row["P"]), row["N"]) == Decimal(row["F"])
            case "premium":
                found = premium(*(Decimal(row[name]) for name in ("impact_bid", "impact_ask", "index")))
                assert found == Decimal(row["premium"])
            case "mark_price":
                basis, last = Decimal(row["basis_mean"]), Decimal(row["last"])
                found = mark_price(Decimal(row["index"]), Decimal(row["rate"]), Decimal(row["hours_left"]), basis, last)
                assert found == Decimal(row["mark"])
            case _:
                continue
        seen += 1
    assert seen == 9


def with_index(rig: VenueRig, index: str) -> None:
    rig.apply(MarkFrame(SYMBOL, rig.market.now_ns, None, Decimal(index), None, None))


def test_without_an_index_mark_and_index_are_the_mid() -> None:
    rig = VenueRig()
    market = rig.venue.markets[SYMBOL]
    assert market.mark_price == market.index_price == Decimal("64000.05")
    assert market.funding_rate == Decimal("0.0001")


def test_with_an_index_alone_the_mark_is_the_median_and_the_premium_makes_the_rate() -> None:
    rig = VenueRig()
    rig.apply(rig.market.depth(bids=[(640_000, 5_000)], asks=[(640_001, 5_000)]))
    with_index(rig, "63900")
    rig.venue.advance(rig.market.now_ns + 61_000 * MS)
    market = rig.venue.markets[SYMBOL]
    assert market.index_price == 63_900
    assert market.mark_price == Decimal("64000.05")
    assert market.funding_rate == funding_rate(Decimal(100) / 63_900, 8)


def test_a_book_too_thin_for_the_impact_notional_says_nothing_of_the_premium() -> None:
    rig = VenueRig()
    rig.apply(rig.market.book(bids=[(640_000, 1)], asks=[(640_001, 1)]))
    with_index(rig, "63900")
    rig.venue.advance(rig.market.now_ns + 61_000 * MS)
    assert rig.venue.markets[SYMBOL].funding_rate == Decimal("0.0001")


def test_funding_is_paid_at_the_rate_of_the_premium_which_then_starts_anew() -> None:
    rig = VenueRig()
    rig.apply(rig.market.depth(bids=[(640_000, 5_000)], asks=[(640_001, 5_000)]))
    rig.market_order("BUY", 10)
    due_ns = rig.market.now_ns + 61_000 * MS
    rig.apply(MarkFrame(SYMBOL, rig.market.now_ns, None, Decimal(63_900), None, due_ns))
    rig.venue.advance(due_ns)
    (paid,) = [record for record in rig.records() if isinstance(record, FundingPaid)]
    assert paid.rate == funding_rate(Decimal(100) / 63_900, 8)
    assert paid.amount == (-Decimal("0.010") * paid.mark_price * paid.rate).quantize(Decimal("0.00000001"))
    with_index(rig, "64000.05")
    rig.venue.advance(due_ns + 1)
    for _ in range(60):
        rig.venue.advance(rig.venue.now_ns + 1_000 * MS)
    assert rig.venue.markets[SYMBOL].funding_rate < Decimal("0.00015")


@pytest.mark.parametrize(("tier", "taker"), [(0, "0.0004"), (3, "0.000256"), (9, "0.000136")])
def test_a_higher_tier_pays_its_part(tier: int, taker: str) -> None:
    rig = WireRig(fee_tier=tier)
    assert body(rig.send("GET", "/fapi/v1/accountConfig"))["feeTier"] == tier
    rates = body(rig.send("GET", "/fapi/v1/commissionRate", {"symbol": SYMBOL}))
    assert Decimal(rates["takerCommissionRate"]) == Decimal(taker)


def buy(rig: WireRig) -> None:
    order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.010"}
    assert rig.send("POST", "/fapi/v1/order", order).status == 200


def test_fees_are_paid_in_bnb_a_tenth_cheaper_while_there_is_some() -> None:
    rig = WireRig(balances={"USDC": "100000", "BNB": "0.0005"}, bnb_price="600")
    assert body(rig.send("GET", "/fapi/v1/feeBurn")) == {"feeBurn": False}
    assert body(rig.send("POST", "/fapi/v1/feeBurn", {"feeBurn": "true"})) == {"code": 200, "msg": "success"}
    buy(rig)
    (first,) = body(rig.send("GET", "/fapi/v1/userTrades", {"symbol": SYMBOL}))
    fee = Decimal("640.001") * Decimal("0.0004")
    assert (first["commissionAsset"], Decimal(first["commission"])) == (
        "BNB",
        (fee * Decimal("0.9") / 600).quantize(Decimal("0.00000001")),
    )
    balances = {row["asset"]: Decimal(row["balance"]) for row in body(rig.send("GET", "/fapi/v3/balance"))}
    assert balances == {"USDC": 100_000, "BNB": Decimal("0.0005") - Decimal(first["commission"])}
    rig.apply(rig.market.depth(asks=[(640_001, 100)]))
    buy(rig)
    assert body(rig.send("GET", "/fapi/v1/userTrades", {"symbol": SYMBOL}))[-1]["commissionAsset"] == "USDC"


def test_the_wallet_says_what_the_key_that_asks_may_do() -> None:
    rig = WireRig()
    granted = body(rig.send("GET", "/sapi/v1/account/apiRestrictions"))
    allowed = {name for name, value in granted.items() if name.startswith(("enable", "permits")) and value}
    assert allowed == {"enableReading", "enableFutures"}
    key = replace(hmac_credential(KEY, SECRET, ACCOUNT), permissions=frozenset({"enableReading", "enableWithdrawals"}))
    object.__setattr__(rig.exchange.api._desk, "keys", KeyRing([key]))
    granted = body(rig.send("GET", "/sapi/v1/account/apiRestrictions"))
    assert (granted["enableWithdrawals"], granted["enableFutures"]) == (True, False)


def test_each_ban_is_twice_as_long_as_the_one_before() -> None:
    rig = WireRig(weight_per_minute=10)

    def banned_for_s() -> int:
        for _ in range(200):
            answer = rig.public("/fapi/v1/depth", f"symbol={SYMBOL}&limit=100")
            if answer.status == 418:
                return int(answer.headers["Retry-After"])
        raise AssertionError("no ban")

    first = banned_for_s()
    rig.wait(first * 1_000 + 60_000)
    assert (first, banned_for_s()) == (120, 240)


def test_the_funding_calls_have_a_pool_of_their_own() -> None:
    rig = WireRig()
    for _ in range(FUNDING_POOL_MAX):
        assert rig.public("/fapi/v1/fundingRate").status == 200
    refused = rig.public("/fapi/v1/fundingInfo")
    assert (refused.status, 0 < int(refused.headers["Retry-After"]) <= 300) == (429, True)
    assert rig.public("/fapi/v1/time").status == 200
