"""Brackets, limits of position and leverage, margin calls, liquidation in the recorded order of events, the insurance fund, ADL."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from shared_data import shared_path
from venue_rig import ACCOUNT, START_NS, SYMBOL, VenueRig, WireRig, body, limit_order

from actors.exchange.brackets import brackets_of
from actors.exchange.errors import VenueRefusal
from actors.exchange.exchange import Exchange
from actors.exchange.frames import MarkFrame
from actors.exchange.ledger import InsuranceCleared, OrderExpired, OrderFilled
from actors.exchange.margin import equity, liquidation_price, maintenance

MS = 1_000_000


def mark(rig: VenueRig, price: str) -> None:
    """The mark moves; the venue looks at margins within 100 ms."""
    rig.market.now_ns += 200 * MS
    rig.apply(MarkFrame(SYMBOL, rig.market.now_ns, Decimal(price), Decimal(price), None, None))
    rig.venue.advance(rig.market.now_ns + 200 * MS)


def leveraged(balance: str, lots: int, side: str = "BUY", leverage: int = 100, **changes: Any) -> VenueRig:
    """An account with little money and a large position."""
    rig = VenueRig(balances={"USDC": balance}, fees={}, **changes)
    rig.venue.set_leverage(rig.account, SYMBOL, leverage)
    rig.apply(rig.market.depth(bids=[(640_000, 5_000)], asks=[(640_001, 5_000)]))
    rig.market_order(side, lots)
    rig.venue.outcome.events.clear()
    rig.records().clear()
    return rig


def test_brackets_join_without_a_step() -> None:
    for asset in ("BTC", "ETH", "XYZ"):
        for row, following in pairwise(brackets_of(asset).rows):
            cap = row.notional_cap
            assert cap == following.notional_floor
            assert cap * following.maintenance_rate - following.cumulative == brackets_of(asset).maintenance(cap)


def test_the_facts_on_maintenance_and_liquidation_prices() -> None:
    assert brackets_of("BTC").maintenance(Decimal(100_000)) == Decimal("450.000")
    for amount, expected in (("1", "2409.6386"), ("-1", "2589.6414")):
        rig = VenueRig(open_book=False, balances={"USDC": "100"})
        position = rig.account.position(SYMBOL)
        position.amount, position.cost = Decimal(amount), Decimal(2500)
        rig.apply(MarkFrame(SYMBOL, START_NS + 1, Decimal(2500), Decimal(2500), None, None))
        found = liquidation_price(rig.account, rig.venue.markets, rig.venue.markets[SYMBOL])
        assert abs(found - Decimal(expected)) < Decimal("0.0001")


def test_a_position_is_liquidated_at_its_liquidation_price_and_not_before() -> None:
    rig = leveraged("100", 100)
    price = liquidation_price(rig.account, rig.venue.markets, rig.venue.markets[SYMBOL])
    mark(rig, str(price + 1))
    assert rig.fills() == []
    mark(rig, str(price))
    assert rig.account.position(SYMBOL).amount == 0


def large_position(balance: str) -> VenueRig:
    """170 BTC: beyond 10 million, in the fourth tier."""
    rig = VenueRig(balances={"USDC": balance}, fees={})
    rig.venue.set_leverage(rig.account, SYMBOL, 20)
    rig.apply(rig.market.depth(bids=[(640_000, 500_000)], asks=[(640_001, 500_000)]))
    rig.market_order("BUY", 170_000)
    rig.records().clear()
    return rig


def test_a_liquidation_stops_at_the_tier_below_when_that_frees_enough_margin() -> None:
    rig = large_position("600000")
    price = liquidation_price(rig.account, rig.venue.markets, rig.venue.markets[SYMBOL]) - 1
    rig.apply(rig.market.depth(bids=[(640_000, 0), (int(price * 10) - 1, 500_000)]))
    mark(rig, str(price))
    left = rig.account.position(SYMBOL).amount * price
    assert Decimal("9990000") < left <= 10_000_000
    assert len({fill.client_order_id for fill in rig.fills()}) == 1
    assert maintenance(rig.account, rig.venue.markets, "USDC") < equity(rig.account, rig.venue.markets, "USDC")


def test_a_liquidation_goes_on_tier_by_tier_while_margin_is_missing() -> None:
    rig = large_position("600000")
    price = liquidation_price(rig.account, rig.venue.markets, rig.venue.markets[SYMBOL]) - 400
    rig.apply(rig.market.depth(bids=[(640_000, 0), (int(price * 10) - 1, 500_000)]))
    mark(rig, str(price))
    names = list(dict.fromkeys(fill.client_order_id for fill in rig.fills()))
    kept = [fill.position_after for fill in rig.fills()]
    assert len(names) == 4
    assert kept[-1] == 0
    assert [
        cap for cap in (10_000_000, 500_000, 50_000) if not any(cap * 0.999 < held * price <= cap for held in kept)
    ] == []


def test_the_worst_position_of_open_orders_must_fit_the_leverage() -> None:
    rig = VenueRig(balances={"USDC": "1000000"})
    rig.venue.set_leverage(rig.account, SYMBOL, 125)
    rig.place("BUY", 639_900, 700)
    with pytest.raises(VenueRefusal, match="-2027"):
        rig.place("BUY", 639_900, 100)
    rig.place("SELL", 640_100, 700)
    rig.venue.set_leverage(rig.account, SYMBOL, 100)
    rig.place("BUY", 639_900, 100)


def test_a_leverage_must_fit_the_position_and_the_margin() -> None:
    rig = leveraged("10000", 1_000, leverage=50)
    with pytest.raises(VenueRefusal, match="-2027"):
        rig.venue.set_leverage(rig.account, SYMBOL, 125)
    with pytest.raises(VenueRefusal, match="-2028"):
        rig.venue.set_leverage(rig.account, SYMBOL, 5)
    assert rig.account.position(SYMBOL).leverage == 50


def test_a_margin_call_comes_once_before_the_liquidation() -> None:
    rig = leveraged("100", 100)
    price = liquidation_price(rig.account, rig.venue.markets, rig.venue.markets[SYMBOL])
    for _ in range(3):
        mark(rig, str(price + 30))
    calls = [event for event in rig.venue.outcome.events if event.kind == "MARGIN_CALL"]
    (call,) = [msgspec.json.decode(event.payload) for event in calls]
    assert call["p"][0]["pa"] == "0.1"
    assert set(call["p"][0]) == {"s", "ps", "pa", "mt", "iw", "mp", "up", "mm"}


def recorded_liquidation() -> list[dict[str, Any]]:
    """The one in the data: a BNBUSDT short of 2022."""
    lines = shared_path("data/metacodi-sequences/raw_reconstructed.jsonl").read_text(encoding="utf-8").splitlines()
    events = [msgspec.json.decode(line)["raw"] for line in lines]
    first = next(i for i, e in enumerate(events) if e.get("o", {}).get("o") == "LIQUIDATION")
    last = next(i for i, e in enumerate(events) if e.get("a", {}).get("m") == "INSURANCE_CLEAR")
    return events[first : last + 1]


def kind(event: dict[str, Any]) -> tuple[str, ...]:
    if event["e"] == "ACCOUNT_UPDATE":
        return (event["e"], event["a"]["m"])
    order = event["o"]
    return (event["e"], order["o"], order["f"], order["x"], order["X"], order["S"])


def test_a_liquidation_tells_what_the_recorded_one_told_in_the_same_order() -> None:
    recorded = recorded_liquidation()
    rig = leveraged("100", 100, side="SELL")
    rig.place("SELL", 640_500, 5)
    rig.venue.outcome.events.clear()
    rig.apply(
        rig.market.depth(asks=[(640_001, 0), (640_002, 20), (640_003, 1), (640_004, 1), (640_005, 1), (640_006, 99)])
    )
    rig.apply(rig.market.depth(asks=[(640_010, 0)]))
    price = liquidation_price(rig.account, rig.venue.markets, rig.venue.markets[SYMBOL])
    mark(rig, str(price))
    events = [msgspec.json.decode(event.payload) for event in rig.venue.outcome.events]
    events = [event for event in events if event["e"] not in ("TRADE_LITE", "MARGIN_CALL")]
    expired, *told = events
    assert (expired["o"]["X"], expired["o"]["er"]) == ("EXPIRED", "5")
    assert [kind(event) for event in told] == [kind(event) for event in recorded]
    for event, model in zip(told, recorded, strict=True):
        for part in ("o", "a"):
            assert set(model.get(part, {})) - {"AP", "cr"} <= set(event.get(part, {}))
    for event, model in zip(told, recorded, strict=True):
        if event["e"] == "ORDER_TRADE_UPDATE":
            assert (event["o"]["n"], event["o"]["c"][:10]) == ("0", model["o"]["c"][:10])


def test_the_bankruptcy_price_of_the_recorded_liquidation() -> None:
    """Entry plus wallet over quantity: 378.79475 + 7.75757137 / 1.6 = 383.643, and the fee of 0.5 % was taken from what was left."""
    order = recorded_liquidation()[0]["o"]
    bankrupt = Decimal("378.79475") + Decimal("7.75757137") / Decimal("1.6")
    assert abs(bankrupt - Decimal(str(order["p"]))) < Decimal("0.001")
    rig = leveraged("100", 100, side="SELL")
    rig.apply(rig.market.depth(asks=[(640_002, 0), (640_001, 0), (640_010, 1_000)]))
    price = liquidation_price(rig.account, rig.venue.markets, rig.venue.markets[SYMBOL])
    mark(rig, str(price))
    (fill,) = rig.fills()
    (cleared,) = [record for record in rig.records() if isinstance(record, InsuranceCleared)]
    order_ = rig.account.orders[fill.order_id]
    assert rig.venue.markets[SYMBOL].contract.price(order_.price_ticks) == Decimal("65000.0")
    assert cleared.amount == -min(fill.price * fill.quantity * Decimal("0.0125"), 100 + fill.realized_pnl)
    assert rig.account.wallets["USDC"] == cleared.wallet_after == 100 + fill.realized_pnl + cleared.amount


def test_what_the_book_does_not_take_is_taken_over_and_the_fund_pays() -> None:
    rig = leveraged("100", 100)
    rig.apply(rig.market.depth(bids=[(640_000, 0), (639_999, 0), (639_990, 0), (620_000, 1_000)]))
    mark(rig, "62500")
    (fill,) = rig.fills()
    assert str(fill.price) == "63000.1"
    assert rig.account.wallets["USDC"] >= 0
    assert rig.venue.insurance_funds["USDC"] < 1_000_000
    executions = [
        msgspec.json.decode(event.payload)["o"]["x"] for event in rig.venue.outcome.events if event.kind[0] == "O"
    ]
    assert executions == ["NEW", "CALCULATED"]


def test_opposite_positions_are_deleveraged_when_the_fund_cannot_pay() -> None:
    rig = leveraged("100", 100, insurance_fund="1")
    for name, lots in (("rich", 60), ("lucky", 80)):
        other = rig.venue.account(name)
        other.wallets["USDC"] = Decimal(100_000)
        rig.market_order("SELL", lots, account=name)
    rig.venue.set_leverage(rig.venue.account("lucky"), SYMBOL, 50)
    mark(rig, "64000")
    rig.records().clear()
    rig.apply(rig.market.depth(bids=[(640_000, 0), (639_999, 0), (639_990, 0), (620_000, 1_000)]))
    mark(rig, "62500")
    closed = [(fill.account, fill.client_order_id, str(fill.quantity)) for fill in rig.fills()[:2]]
    assert closed == [("lucky", "adl_autoclose", "0.080"), ("rich", "adl_autoclose", "0.020")]
    assert rig.account.position(SYMBOL).amount == 0
    assert rig.venue.account("rich").position(SYMBOL).amount == Decimal("-0.040")


def test_open_orders_of_other_margin_assets_stay() -> None:
    rig = leveraged("100", 100)
    rig.place("BUY", 630_000, 1)
    mark(rig, "62000")
    expired = [record for record in rig.records() if isinstance(record, OrderExpired)]
    assert [record.reason for record in expired] == ["5"]


def test_nothing_is_lost_or_made_by_a_liquidation() -> None:
    """What the account lost went to the market, or to the fund."""
    rig = leveraged("100", 100)
    mark(rig, "62800")
    realized = sum((fill.realized_pnl for fill in rig.fills()), Decimal(0))
    fund = rig.venue.insurance_funds.get("USDC", Decimal(1_000_000)) - 1_000_000
    assert rig.account.wallets["USDC"] == 100 + realized - fund
    assert maintenance(rig.account, rig.venue.markets, "USDC") == 0
    assert equity(rig.account, rig.venue.markets, "USDC") == rig.account.wallets["USDC"]


def test_liquidations_are_told_in_public_and_to_their_owner() -> None:
    rig = WireRig(balances={"USDC": "100"}, fees={})
    rig.exchange.subscribe("btcusdc@forceOrder")
    rig.send("POST", "/fapi/v1/leverage", {"symbol": SYMBOL, "leverage": 100})
    rig.apply(rig.market.depth(asks=[(640_001, 5_000)]))
    rig.send("POST", "/fapi/v1/order", {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.100"})
    rig.apply(MarkFrame(SYMBOL, rig.now_ns, Decimal(63_100), Decimal(63_100), None, None))
    rig.wait(1_500)
    told = [
        msgspec.json.decode(frame.payload)["o"] for frame in rig.output.stream_frames if "forceOrder" in frame.stream
    ]
    assert [(order["S"], order["q"], order["o"], order["f"], order["X"]) for order in told] == [
        ("SELL", "0.100", "LIMIT", "IOC", "FILLED")
    ]
    (row,) = body(rig.send("GET", "/fapi/v1/forceOrders", {"symbol": SYMBOL, "autoCloseType": "LIQUIDATION"}))
    assert (row["clientOrderId"][:10], row["type"], row["status"]) == ("autoclose-", "LIMIT", "FILLED")
    assert body(rig.send("GET", "/fapi/v1/forceOrders", {"autoCloseType": "ADL"})) == []
    incomes = body(rig.send("GET", "/fapi/v1/income", {"incomeType": "INSURANCE_CLEAR"}))
    assert [row["asset"] for row in incomes] == ["USDC"]


def test_a_restarted_venue_knows_what_the_fund_took() -> None:
    rig = leveraged("100", 100)
    earlier = VenueRig(balances={"USDC": "100"}, fees={})
    records = [*earlier.records()]
    mark(rig, "63000")
    records += rig.records()
    exchange = Exchange(rig.settings, [rig.venue.markets[SYMBOL].contract], [], START_NS, earlier=records)
    assert exchange.venue.account(ACCOUNT).wallets["USDC"] == rig.account.wallets["USDC"]
    kinds = [row.kind for row in exchange.venue.account(ACCOUNT).income]
    assert "INSURANCE_CLEAR" in kinds


def test_no_client_may_use_the_names_of_the_venues_own_orders() -> None:
    rig = WireRig()
    for name in ("autoclose-1", "adl_autoclose", "settlement_autoclose-7"):
        answer = rig.send("POST", "/fapi/v1/order", limit_order(newClientOrderId=name))
        assert body(answer)["code"] == -4015
    assert not [record for record in rig.output.records if isinstance(record, OrderFilled)]
