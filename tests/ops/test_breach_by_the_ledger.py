"""How long the quotes outlived a breach, by the venue's ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from actors.exchange.ledger import OrderAccepted, OrderCanceled
from ops.bench.breach import WINDOW_NS, withdrawn_ms

MS = 1_000_000


def accepted(order_id: int, t: int) -> Any:
    fields: dict[str, Any] = dict.fromkeys(OrderAccepted.__struct_fields__, "")
    zero = Decimal(0)
    fields |= {"t": t, "order_id": order_id, "price": zero, "quantity": zero, "best_bid": None, "best_ask": None}
    return OrderAccepted(**fields)


def canceled(order_id: int, t: int) -> OrderCanceled:
    return OrderCanceled(
        t=t, account="a", symbol="S", order_id=order_id, client_order_id="", side="BUY", executed=Decimal(0), reason=""
    )


def test_it_ends_with_the_last_quote_that_rested_when_the_level_rose() -> None:
    records = [accepted(1, 10), accepted(2, 20), canceled(1, 100 * MS), canceled(2, 103 * MS)]
    assert withdrawn_ms(records, 98 * MS) == 5.0


def test_what_was_cancelled_before_or_long_after_is_not_the_breachs() -> None:
    records = [accepted(1, 10), accepted(2, 20), canceled(1, 50 * MS), canceled(2, 100 * MS + WINDOW_NS + 1)]
    assert withdrawn_ms(records, 100 * MS) is None
