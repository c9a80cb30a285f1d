"""Shares of the venue's request budget: fixed by the number of symbols, so they never need to be lowered."""

from __future__ import annotations

from protocols.values import RateLimits


def shard_budget(limits: RateLimits, symbols: int, symbols_total: int) -> RateLimits:
    """The part of a shard with `symbols` of `symbols_total`; all parts together are at most the whole."""
    return RateLimits(
        weight_1m=limits.weight_1m * symbols // symbols_total,
        orders_10s=limits.orders_10s * symbols // symbols_total,
        orders_1m=limits.orders_1m * symbols // symbols_total,
    )
