"""How often a shard compares itself with the venue without a reason: as often as its part of the request weight allows."""

from __future__ import annotations

OPEN_ORDERS_WEIGHT = 1
FILLS_WEIGHT = 5
POSITIONS_WEIGHT = 5
"""Weight of one question (facts sections 2.3 and 2.4); positions are asked for all symbols at once."""

AUDIT_WEIGHT_SHARE = 0.2
"""Part of a shard's weight that comparisons of open orders and positions may use; with many symbols they are rarer."""

FILLS_WEIGHT_SHARE = 0.1
"""Part of it that reading the executions of each symbol may use besides."""

_MINUTE_NS = 60_000_000_000


def audit_every_ns(period_ms: int, symbols: int, weight_1m: int) -> int:
    """Time between two comparisons of open orders and positions: as configured, or longer where so many symbols would cost too much."""
    weight = symbols * OPEN_ORDERS_WEIGHT + POSITIONS_WEIGHT
    return max(period_ms * 1_000_000, _spread_ns(weight, AUDIT_WEIGHT_SHARE, weight_1m))


def fills_every_ns(period_ms: int, symbols: int, weight_1m: int) -> int:
    """Time after which a comparison reads executions too, though open orders and positions agree: two missed ones may cancel out."""
    spread_ns = _spread_ns(symbols * FILLS_WEIGHT, FILLS_WEIGHT_SHARE, weight_1m)
    return max(audit_every_ns(period_ms, symbols, weight_1m), spread_ns)


def _spread_ns(weight: int, share: float, weight_1m: int) -> int:
    """So far apart, requests of this weight use that part of a minute's weight."""
    return int(weight * _MINUTE_NS / (share * max(weight_1m, 1)))
