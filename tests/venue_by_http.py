"""The simulated venue's own core behind httpx, without sockets and under a virtual clock: for commands that speak to it directly."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from venue_rig import KEY, MS, SECRET, WireRig

from actors.exchange.api import RestRequest
from configs.keys import ApiKeys
from ops.direct_venue import DirectVenue
from protocols.binance_usdm.signing import HmacSigner

KEYS = ApiKeys(KEY, HmacSigner(SECRET))


class VenueByHttp:
    """`before` is called with each request, first, and may change the market, answer in the venue's stead, or raise."""

    def __init__(self, rig: WireRig) -> None:
        self.rig = rig
        self.asked: list[tuple[str, str]] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.after: Callable[[httpx.Request], None] = lambda request: None

    def client(self) -> DirectVenue:
        return DirectVenue(
            "http://127.0.0.1:1",
            KEYS,
            1_000,
            transport=httpx.MockTransport(self._answer),
            clock_ns=self.clock_ns,
        )

    def clock_ns(self) -> int:
        return self.rig.now_ns

    def sleep(self, seconds: float) -> None:
        self.rig.wait(round(seconds * 1_000))

    def orders(self, **wanted: str) -> list[dict[str, str]]:
        """Parameters of every order that was sent."""
        sent = [dict(httpx.QueryParams(query)) for what, query in self.asked if what == "POST /fapi/v1/order"]
        return [order for order in sent if all(order[name] == value for name, value in wanted.items())]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        query = request.url.query.decode()
        self.asked.append((f"{request.method} {path}", query))
        instead = self.before(request)
        if instead is not None:
            return instead
        key = request.headers.get("X-MBX-APIKEY", "")
        answer = self.rig.send_raw(RestRequest(method=request.method, path=path, raw_query=query, api_key=key))
        self.rig.now_ns += MS
        self.after(request)
        return httpx.Response(answer.status, content=answer.body, headers=dict(answer.headers))
