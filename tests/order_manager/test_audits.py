"""How often a shard looks at the venue without a reason, and what that may cost of its request weight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.order_manager.audits import (
    AUDIT_WEIGHT_SHARE,
    FILLS_WEIGHT,
    FILLS_WEIGHT_SHARE,
    OPEN_ORDERS_WEIGHT,
    POSITIONS_WEIGHT,
    audit_every_ns,
    fills_every_ns,
)

MINUTE_NS = 60_000_000_000


@pytest.mark.parametrize(
    ("symbols", "audit_s", "fills_s"),
    [(1, 5, 5), (2, 5, 5), (4, 5, 5), (8, 5, 10), (20, 5, 25), (75, 10, 93.75), (200, 25.625, 250)],
)
def test_with_the_defaults_a_lost_order_is_found_within_ten_seconds_up_to_75_symbols(
    symbols: int, audit_s: float, fills_s: float
) -> None:
    assert audit_every_ns(5_000, symbols, 2_400) == audit_s * 1e9
    assert fills_every_ns(5_000, symbols, 2_400) == fills_s * 1e9


@given(st.integers(500, 60_000), st.integers(1, 500), st.integers(10, 10_000))
def test_comparisons_never_cost_more_than_their_shares_of_the_weight(
    period_ms: int, symbols: int, weight_1m: int
) -> None:
    audit_ns, fills_ns = (every(period_ms, symbols, weight_1m) for every in (audit_every_ns, fills_every_ns))
    audits = (symbols * OPEN_ORDERS_WEIGHT + POSITIONS_WEIGHT) * MINUTE_NS / audit_ns
    fills = symbols * FILLS_WEIGHT * MINUTE_NS / fills_ns
    assert audits <= AUDIT_WEIGHT_SHARE * weight_1m * 1.0001
    assert fills <= FILLS_WEIGHT_SHARE * weight_1m * 1.0001
    assert fills_ns >= audit_ns >= period_ms * 1_000_000
