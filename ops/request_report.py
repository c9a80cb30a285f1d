"""One-shot orders in the report of a run: what was asked for, and what the venue's ledger says became of it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec

from actors.exchange.ledger import OrderFilled
from actors.strategy.grind_books import Execution, GrindBooks
from ops.invariants.history import History
from protocols.messages.journal import OrderIntended
from protocols.messages.orders import OrderDenied
from protocols.values import Instrument, symbol_of


def requests_by_symbol(history: History) -> dict[str, dict[str, Any]]:
    """By symbol: requests sent and denied (by code), the executions of those that were sent, and what grinding was of it. Money as text."""
    sent: dict[str, dict[str, str]] = {symbol: {} for symbol in history.instruments}
    denied: dict[str, Counter[str]] = {symbol: Counter() for symbol in history.instruments}
    for _, record in history.journaled():
        if isinstance(record, OrderIntended) and record.intent_id:
            sent[symbol_of(record.instrument_id)][record.client_order_id] = record.intent_id
        elif isinstance(record, OrderDenied) and record.intent_id:
            denied[symbol_of(record.instrument_id)][record.code.value] += 1
    fills: dict[str, list[OrderFilled]] = {symbol: [] for symbol in history.instruments}
    for entry in history.ledger:
        if isinstance(entry, OrderFilled) and entry.client_order_id in sent.get(entry.symbol, ()):
            fills[entry.symbol].append(entry)
    return {
        symbol: {
            "sent": len(sent[symbol]),
            "denied": dict(sorted(denied[symbol].items())),
            "fills": len(fills[symbol]),
            "volume": str(sum((fill.price * fill.quantity for fill in fills[symbol]), Decimal(0))),
            "fees": str(sum((fill.commission for fill in fills[symbol]), Decimal(0))),
            "grinding": _grinding(instrument, fills[symbol], sent[symbol]),
        }
        for symbol, instrument in history.instruments.items()
    }


def _grinding(instrument: Instrument, fills: list[OrderFilled], intents: dict[str, str]) -> dict[str, Any]:
    books = GrindBooks(instrument.margin_asset)
    for fill in fills:
        books.take(
            Execution(
                intent_id=intents[fill.client_order_id],
                sign=1 if fill.side == "BUY" else -1,
                price=fill.price,
                quantity=fill.quantity,
                fee=fill.commission,
                fee_asset=fill.commission_asset,
            )
        )
    told: dict[str, Any] = msgspec.to_builtins(books.totals)
    return told
