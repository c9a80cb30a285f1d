"""What each call costs and which key it needs (facts sections 1.5 and 2): the table behind the rate budget."""

from __future__ import annotations

import enum
from typing import NamedTuple

from protocols import venue


class Security(enum.Enum):
    """What a call needs: nothing, the key's header, or the header and a signature."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


class Cost(NamedTuple):
    """Use of the limits: weight per address and minute, orders per account in 10 s and in a minute."""

    weight: int
    orders_10s: int = 0
    orders_1m: int = 0


class Call(NamedTuple):
    """One row of the table."""

    method: str
    path: str
    security: Security
    cost: Cost


BATCH_ORDERS_MAX = 5
"""Orders in one batch of places or amends."""

BATCH_CANCELS_MAX = 10
"""Orders in one batch of cancels."""

BOOK_LEVELS = 1_000
"""Levels a side of a snapshot; the weight below is for this many."""

AMENDMENT_ROWS_MAX = 100
"""Rows asked of the amendments of one order, the newest first to be kept by the venue."""

PAGE_ROWS_MAX = 1_000
"""Rows asked of fills and income; a full page means that more may follow."""

CALLS: dict[type[venue.VenueRequest], Call] = {
    venue.PlaceOrder: Call("POST", "/fapi/v1/order", Security.SIGNED, Cost(0, 1, 1)),
    venue.AmendOrder: Call("PUT", "/fapi/v1/order", Security.SIGNED, Cost(0, 1, 1)),
    venue.CancelOrder: Call("DELETE", "/fapi/v1/order", Security.SIGNED, Cost(1)),
    venue.CancelAll: Call("DELETE", "/fapi/v1/allOpenOrders", Security.SIGNED, Cost(1)),
    venue.SetCountdown: Call("POST", "/fapi/v1/countdownCancelAll", Security.SIGNED, Cost(10)),
    venue.QueryOrder: Call("GET", "/fapi/v1/order", Security.SIGNED, Cost(1)),
    venue.QueryAmendments: Call("GET", "/fapi/v1/orderAmendment", Security.SIGNED, Cost(1)),
    venue.QueryOpenOrders: Call("GET", "/fapi/v1/openOrders", Security.SIGNED, Cost(1)),
    venue.QueryFills: Call("GET", "/fapi/v1/userTrades", Security.SIGNED, Cost(5)),
    venue.QueryPositions: Call("GET", "/fapi/v3/positionRisk", Security.SIGNED, Cost(5)),
    venue.QueryBalances: Call("GET", "/fapi/v3/balance", Security.SIGNED, Cost(5)),
    venue.QueryIncome: Call("GET", "/fapi/v1/income", Security.SIGNED, Cost(30)),
    venue.QueryBook: Call("GET", "/fapi/v1/depth", Security.NONE, Cost(20)),
    venue.QueryTime: Call("GET", "/fapi/v1/time", Security.NONE, Cost(1)),
    venue.QueryAccount: Call("GET", "/fapi/v3/account", Security.SIGNED, Cost(5)),
    venue.QueryAllOpenOrders: Call("GET", "/fapi/v1/openOrders", Security.SIGNED, Cost(40)),
    venue.QuerySymbolConfigs: Call("GET", "/fapi/v1/symbolConfig", Security.SIGNED, Cost(5)),
    venue.QueryAdlQuantiles: Call("GET", "/fapi/v1/adlQuantile", Security.SIGNED, Cost(5)),
    venue.QueryTradingStatus: Call("GET", "/fapi/v1/apiTradingStatus", Security.SIGNED, Cost(10)),
    venue.QueryAssetRates: Call("GET", "/fapi/v1/assetIndex", Security.NONE, Cost(10)),
    venue.QueryAccountConfig: Call("GET", "/fapi/v1/accountConfig", Security.SIGNED, Cost(5)),
    venue.QueryKeyPermissions: Call("GET", "/sapi/v1/account/apiRestrictions", Security.SIGNED, Cost(1)),
    venue.QueryFeeBurn: Call("GET", "/fapi/v1/feeBurn", Security.SIGNED, Cost(30)),
    venue.QueryFeeRates: Call("GET", "/fapi/v1/commissionRate", Security.SIGNED, Cost(20)),
    venue.QueryBrackets: Call("GET", "/fapi/v1/leverageBracket", Security.SIGNED, Cost(1)),
    venue.QueryListing: Call("GET", "/fapi/v1/exchangeInfo", Security.NONE, Cost(1)),
    venue.OpenUserStream: Call("POST", "/fapi/v1/listenKey", Security.KEY, Cost(1)),
    venue.KeepUserStream: Call("PUT", "/fapi/v1/listenKey", Security.KEY, Cost(1)),
}

EXCHANGE_INFO = Call("GET", "/fapi/v1/exchangeInfo", Security.NONE, Cost(1))
PLACE_BATCH = Call("POST", "/fapi/v1/batchOrders", Security.SIGNED, Cost(5, BATCH_ORDERS_MAX, 1))
AMEND_BATCH = Call("PUT", "/fapi/v1/batchOrders", Security.SIGNED, Cost(5, BATCH_ORDERS_MAX, 1))
CANCEL_BATCH = Call("DELETE", "/fapi/v1/batchOrders", Security.SIGNED, Cost(1))
ACCOUNT = Call("GET", "/fapi/v3/account", Security.SIGNED, Cost(5))
ACCOUNT_CONFIG = Call("GET", "/fapi/v1/accountConfig", Security.SIGNED, Cost(5))


def cost_of(request: venue.VenueRequest) -> Cost:
    """Cost of a neutral request, the same by REST and by the WebSocket API."""
    return CALLS[type(request)].cost
