"""Shares of the venue's request budget: fixed by the number of symbols, so they never need to be lowered."""

from __future__ import annotations

from typing import NamedTuple

from configs.schema import Settings


class RequestBudget(NamedTuple):
    """Requests allowed: orders in 10 s and in a minute, weight in a minute."""

    orders_10s: int
    orders_1m: int
    weight_1m: int


BINANCE_USDM = RequestBudget(orders_10s=300, orders_1m=1_200, weight_1m=2_400)
"""The venue's documented limits of an account and an address (facts section 1.4)."""


def account_budget(settings: Settings) -> RequestBudget:
    """What the venue allows the whole account."""
    exchange = settings.exchange
    if exchange is None:
        return BINANCE_USDM
    return RequestBudget(exchange.orders_per_10s, exchange.orders_per_minute, exchange.weight_per_minute)


def shard_budget(budget: RequestBudget, symbols: int, symbols_total: int) -> RequestBudget:
    """The part of a shard with `symbols` of `symbols_total`; all parts together are at most the whole."""
    return RequestBudget(*(part * symbols // symbols_total for part in budget))
