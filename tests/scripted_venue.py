"""A venue that answers REST calls from a script, for commands that speak to it directly."""

from __future__ import annotations

import json
from collections import Counter
from urllib.parse import parse_qs

import httpx

from configs.keys import ApiKeys
from ops.direct_venue import DirectVenue
from protocols.binance_usdm.signing import HmacSigner

KEYS = ApiKeys("key", HmacSigner("secret"))


class ScriptedVenue:
    """Open orders by symbol; `cancel_all` empties a symbol unless it is stubborn, and `errors` answers a path with a refusal."""

    def __init__(self, open_orders: dict[str, int] | None = None, stubborn: int = 0) -> None:
        self.open_orders = Counter(open_orders or {})
        self.stubborn = stubborn
        self.errors: dict[str, tuple[int, object]] = {}
        self.answers: dict[str, object] = {
            "/fapi/v1/time": {"serverTime": 1_700_000_000_000},
            "/fapi/v1/accountConfig": {"dualSidePosition": False, "multiAssetsMargin": False, "canTrade": True},
            "/fapi/v1/allOrders": [],
        }
        self.heals_after = -1
        """So many refusals of `errors` are given, then none; negative for all of them."""
        self.asked: list[tuple[str, str]] = []
        self.permissions: dict[str, object] = {}
        """What the wallet says of a key, by the key; of the others `answers` does."""
        self.rows: dict[str, list[dict[str, object]]] = {}

    def client(self, keys: ApiKeys | None = KEYS) -> DirectVenue:
        return DirectVenue("http://127.0.0.1:1", keys, 1_000, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        symbol = parse_qs(request.url.query.decode()).get("symbol", [""])[0]
        self.asked.append((f"{request.method} {path}", symbol))
        if path in self.errors and self.heals_after:
            self.heals_after -= 1
            status, body = self.errors[path]
            return httpx.Response(status, content=json.dumps(body) if not isinstance(body, str) else body)
        if path == "/sapi/v1/account/apiRestrictions":
            key = request.headers["X-MBX-APIKEY"]
            return httpx.Response(200, json=self.permissions.get(key, self.answers.get(path)))
        if path == "/fapi/v1/allOpenOrders":
            if self.stubborn:
                self.stubborn -= 1
            else:
                self.open_orders[symbol] = 0
            return httpx.Response(200, json={"code": 200, "msg": "done"})
        if path == "/fapi/v1/openOrders":
            return httpx.Response(200, json=self.rows.get(symbol, []) + [{} for _ in range(self.open_orders[symbol])])
        return httpx.Response(200, json=self.answers[path])
