"""What every served call costs, as the fact sheet has it (section 2): with a symbol, and without one."""

from __future__ import annotations

import pytest
from venue_rig import SYMBOL, WireRig

ACCOUNT_READS = dict.fromkeys(
    (
        *("v1/accountConfig", "v1/symbolConfig", "v1/adlQuantile", "v1/allOrders", "v1/userTrades", "v2/account"),
        *("v3/account", "v2/balance", "v3/balance", "v2/positionRisk", "v3/positionRisk"),
    ),
    (5, 5),
)
MODES = dict.fromkeys(("v1/positionSide/dual", "v1/multiAssetsMargin", "v1/feeBurn"), (30, 30))
CANDLES = dict.fromkeys(
    (
        f"v1/{kind}"
        for kind in ("klines", "markPriceKlines", "indexPriceKlines", "premiumIndexKlines", "continuousKlines")
    ),
    (5, 5),
)
READS = (
    ACCOUNT_READS
    | MODES
    | CANDLES
    | {
        "v1/ping": (1, 1),
        "v1/time": (1, 1),
        "v1/exchangeInfo": (1, 1),
        "v1/depth": (10, 10),
        "v1/trades": (5, 5),
        "v1/historicalTrades": (200, 200),
        "v1/aggTrades": (20, 20),
        "v1/premiumIndex": (1, 10),
        "v1/fundingRate": (0, 0),
        "v1/fundingInfo": (0, 0),
        "v1/ticker/24hr": (1, 40),
        "v1/ticker/price": (1, 2),
        "v2/ticker/price": (1, 2),
        "v1/ticker/bookTicker": (2, 5),
        "v1/openInterest": (1, 1),
        "v1/assetIndex": (1, 10),
        "v1/constituents": (2, 2),
        "v1/symbolAdlRisk": (1, 1),
        "v1/insuranceBalance": (1, 1),
        "v1/leverageBracket": (1, 1),
        "v1/commissionRate": (20, 20),
        "v1/income": (30, 30),
        "v1/apiTradingStatus": (1, 10),
        "v1/rateLimit/order": (1, 1),
        "v1/forceOrders": (20, 50),
        "v1/order": (1, 1),
        "v1/openOrder": (1, 1),
        "v1/openOrders": (1, 40),
        "v1/orderAmendment": (1, 1),
    }
)
WRITES = {
    "POST v1/order": 0,
    "POST v1/order/test": 1,
    "PUT v1/order": 0,
    "DELETE v1/order": 1,
    "POST v1/batchOrders": 5,
    "PUT v1/batchOrders": 5,
    "DELETE v1/batchOrders": 1,
    "DELETE v1/allOpenOrders": 1,
    "POST v1/countdownCancelAll": 10,
    "POST v1/positionSide/dual": 1,
    "POST v1/multiAssetsMargin": 1,
    "POST v1/leverage": 1,
    "POST v1/marginType": 1,
    "POST v1/feeBurn": 1,
    "POST v1/listenKey": 1,
    "PUT v1/listenKey": 1,
    "DELETE v1/listenKey": 1,
}
WALLET = ("GET", "/sapi/v1/account/apiRestrictions")


def test_every_call_costs_what_the_facts_say() -> None:
    routes = {key: route for key, route in WireRig().exchange.api._routes.items() if key != WALLET}
    costs = {key: (route.weigh({"symbol": SYMBOL}), route.weigh({})) for key, route in routes.items()}
    wanted = {("GET", f"/fapi/{path}"): cost for path, cost in READS.items()}
    wanted |= {(name.split(" ")[0], f"/fapi/{name.split(' ')[1]}"): (cost, cost) for name, cost in WRITES.items()}
    assert costs == wanted


@pytest.mark.parametrize(("limit", "weight"), [(5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1_000, 20)])
def test_a_book_costs_by_its_levels_and_the_header_counts_it(limit: int, weight: int) -> None:
    rig = WireRig()
    used = int(rig.public("/fapi/v1/ping").headers["X-MBX-USED-WEIGHT-1M"])
    answer = rig.public("/fapi/v1/depth", f"symbol={SYMBOL}&limit={limit}")
    assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) == used + weight


def test_only_the_funding_calls_have_a_pool_of_their_own() -> None:
    pooled = {path for (_, path), route in WireRig().exchange.api._routes.items() if route.funding_pool}
    assert pooled == {"/fapi/v1/fundingRate", "/fapi/v1/fundingInfo"}
