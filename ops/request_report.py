"""One-shot orders in the report of a run: what was asked for, and what the venue's ledger says became of it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from actors.exchange.ledger import OrderFilled
from ops.invariants.history import History
from protocols.messages.journal import OrderIntended
from protocols.messages.orders import OrderDenied
from protocols.values import symbol_of


def requests_by_symbol(history: History) -> dict[str, dict[str, Any]]:
    """By symbol: requests sent and denied (by code), and the executions of those that were sent. Money as text."""
    sent: dict[str, set[str]] = {symbol: set() for symbol in history.instruments}
    denied: dict[str, Counter[str]] = {symbol: Counter() for symbol in history.instruments}
    for _, record in history.journaled():
        if isinstance(record, OrderIntended) and record.intent_id:
            sent[symbol_of(record.instrument_id)].add(record.client_order_id)
        elif isinstance(record, OrderDenied) and record.intent_id:
            denied[symbol_of(record.instrument_id)][record.code.value] += 1
    ours = set().union(*sent.values())
    fills = [r for r in history.ledger if isinstance(r, OrderFilled) and r.client_order_id in ours]
    return {
        symbol: {
            "sent": len(sent[symbol]),
            "denied": dict(sorted(denied[symbol].items())),
            "fills": sum(fill.symbol == symbol for fill in fills),
            "volume": str(sum((f.price * f.quantity for f in fills if f.symbol == symbol), Decimal(0))),
            "fees": str(sum((f.commission for f in fills if f.symbol == symbol), Decimal(0))),
        }
        for symbol in history.instruments
    }
