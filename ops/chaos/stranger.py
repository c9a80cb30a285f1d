"""Somebody else on the account: orders and calls at the venue that are not ours, with the same key."""

from __future__ import annotations

import time
from decimal import Decimal
from types import TracebackType
from typing import Any

import httpx

from actors.exchange.ledger import LedgerRecord
from configs.keys import ApiKeys
from protocols.binance_usdm.requests import API_KEY_HEADER
from protocols.binance_usdm.signing import signed_query

TIMEOUT_S = 5.0
PREFIX = "stranger-"


class StrangerRefused(Exception):
    """The venue refused what the stranger wanted; the text is the venue's."""


def is_strangers(record: LedgerRecord) -> bool:
    """Whether a record is of an order that a stranger placed."""
    return getattr(record, "client_order_id", "").startswith(PREFIX)


class Stranger:
    """A program of somebody else. As a context manager it closes its connection."""

    def __init__(self, rest_url: str, keys: ApiKeys) -> None:
        self._keys = keys
        self._client = httpx.Client(base_url=rest_url, timeout=TIMEOUT_S, trust_env=False)
        self._count = 0

    def __enter__(self) -> Stranger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def buy_at_market(self, symbol: str, quantity: Decimal) -> None:
        """Take liquidity.

        Raises:
            StrangerRefused: the venue did not want it.
        """
        self._order(symbol, [("side", "BUY"), ("type", "MARKET"), ("quantity", str(quantity))])

    def rest_a_bid(self, symbol: str, quantity: Decimal, price: Decimal) -> str:
        """Leave an order in the book; returns its id.

        Raises:
            StrangerRefused: the venue did not want it.
        """
        fields = [("side", "BUY"), ("type", "LIMIT"), ("timeInForce", "GTC"), ("quantity", str(quantity))]
        return self._order(symbol, [*fields, ("price", str(price))])

    def end_listen_key(self) -> None:
        """Close the account's private streams.

        Raises:
            StrangerRefused: the venue did not want it.
        """
        self._call("DELETE", "/fapi/v1/listenKey", "")

    def _order(self, symbol: str, fields: list[tuple[str, str]]) -> str:
        self._count += 1
        name = f"{PREFIX}{self._count}"
        timestamp = ("timestamp", str(time.time_ns() // 1_000_000))
        query = signed_query([("symbol", symbol), *fields, ("newClientOrderId", name), timestamp], self._keys.signer)
        self._call("POST", "/fapi/v1/order", query)
        return name

    def _call(self, method: str, path: str, query: str) -> Any:
        headers = {API_KEY_HEADER: self._keys.api_key}
        answer = self._client.request(method, f"{path}?{query}" if query else path, headers=headers)
        if answer.status_code != 200:
            raise StrangerRefused(f"{method} {path}: HTTP {answer.status_code}: {answer.text[:200]}")
        return answer.json()
