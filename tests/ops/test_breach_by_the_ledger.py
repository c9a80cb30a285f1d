"""How long the quotes outlived a breach, by the venue's ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from actors.exchange.ledger import OrderAccepted, OrderCanceled, OrderFilled
from ops.bench.breach import WINDOW_NS, beyond_ms, withdrawn_ms

MS = 1_000_000


def accepted(order_id: int, t: int, side: str = "BUY") -> Any:
    fields: dict[str, Any] = dict.fromkeys(OrderAccepted.__struct_fields__, "")
    zero = Decimal(0)
    fields |= {
        "t": t,
        "order_id": order_id,
        "side": side,
        "price": zero,
        "quantity": zero,
        "best_bid": None,
        "best_ask": None,
    }
    return OrderAccepted(**fields)


def canceled(order_id: int, t: int) -> OrderCanceled:
    return OrderCanceled(
        t=t, account="a", symbol="S", order_id=order_id, client_order_id="", side="BUY", executed=Decimal(0), reason=""
    )


def filled(t: int, position: str, client_order_id: str, side: str = "BUY") -> OrderFilled:
    fields: dict[str, Any] = dict.fromkeys(OrderFilled.__struct_fields__, "")
    fields |= {"t": t, "client_order_id": client_order_id, "side": side}
    return OrderFilled(**{**fields, "price": Decimal(100), "position_after": Decimal(position)})


def test_it_ends_with_the_last_quote_that_rested_when_the_level_rose() -> None:
    records = [accepted(1, 10), accepted(2, 20), canceled(1, 100 * MS), canceled(2, 103 * MS)]
    assert withdrawn_ms(records, 98 * MS) == 5.0


def test_what_was_cancelled_before_or_long_after_is_not_the_breachs() -> None:
    records = [accepted(1, 10), accepted(2, 20), canceled(1, 50 * MS), canceled(2, 100 * MS + WINDOW_NS + 1)]
    assert withdrawn_ms(records, 100 * MS) is None


def test_a_foreign_fill_beyond_the_limit_is_over_when_the_last_quote_that_would_raise_it_is_gone() -> None:
    records = [
        accepted(1, 10),
        accepted(2, 20, side="SELL"),
        filled(50 * MS, "1.1", "bench-0-BUY"),
        canceled(2, 51 * MS),
        accepted(3, 52 * MS),
        canceled(1, 54 * MS),
        canceled(3, 59 * MS),
        filled(90 * MS, "1.2", "bench-0-BUY"),
    ]
    assert beyond_ms(records, Decimal(100)) == [4.0]


def test_our_own_fills_and_positions_within_the_limit_are_no_breach() -> None:
    assert beyond_ms([accepted(1, 10), filled(50, "0.9", "bench-1"), filled(60, "1.1", "rm1-1")], Decimal(100)) == []
