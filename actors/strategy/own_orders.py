"""Our resting orders of one symbol, as far as order events tell: what the book shows is partly ourselves."""

from __future__ import annotations

from typing import assert_never

import msgspec

from protocols.messages.orders import (
    AnyOrderEvent,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from protocols.values import Side

ORDERS_MAX = 512
"""Orders remembered; beyond it the oldest is forgotten (a symbol has far fewer resting)."""


class _Resting(msgspec.Struct, frozen=True):
    side: Side
    price_ticks: int
    quantity_lots: int
    filled_lots: int

    @property
    def remaining_lots(self) -> int:
        return max(self.quantity_lots - self.filled_lots, 0)


class OwnOrders:
    """Resting lots by price for either side. An order of unknown outcome is not counted: it is not known to be in the book."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self._orders: dict[str, _Resting] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def clear(self) -> None:
        """Forget every order."""
        self._orders.clear()
        self.bids.clear()
        self.asks.clear()

    def take(self, event: AnyOrderEvent) -> None:
        """Follow one event; events of orders that are not ours change nothing."""
        order_id = event.client_order_id
        if not order_id:
            return
        known = self._orders.get(order_id)
        match event:
            case OrderAccepted() | OrderAmended():
                filled = known.filled_lots if known is not None else 0
                filled = max(filled, event.filled_lots)
                if isinstance(event, OrderAccepted) and filled >= event.quantity_lots:
                    self._remove(order_id)
                else:
                    self._put(order_id, _Resting(event.side, event.price_ticks, event.quantity_lots, filled))
            case OrderFilled():
                if event.remaining_lots <= 0:
                    self._remove(order_id)
                elif known is not None:
                    filled = known.quantity_lots - event.remaining_lots
                    self._put(order_id, _Resting(known.side, known.price_ticks, known.quantity_lots, filled))
            case OrderCanceled() | OrderExpired() | OrderRejected():
                self._remove(order_id)
            case OrderDenied() | OrderUnknown():
                pass
            case _:
                assert_never(event)

    def _put(self, order_id: str, order: _Resting) -> None:
        self._remove(order_id)
        if len(self._orders) >= ORDERS_MAX:
            self._remove(next(iter(self._orders)))
        self._orders[order_id] = order
        self._add(order, order.remaining_lots)

    def _remove(self, order_id: str) -> None:
        order = self._orders.pop(order_id, None)
        if order is not None:
            self._add(order, -order.remaining_lots)

    def _add(self, order: _Resting, lots: int) -> None:
        by_price = self.bids if order.side is Side.BUY else self.asks
        total = by_price.get(order.price_ticks, 0) + lots
        if total > 0:
            by_price[order.price_ticks] = total
        else:
            by_price.pop(order.price_ticks, None)
