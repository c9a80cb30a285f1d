"""The risk monitor's own picture of a symbol's open orders, from the order events."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple, assert_never

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

ORDERS_TRACKED_MAX = 1_000
"""Open orders of one symbol that are kept; more mean that the picture is no longer complete."""


class OpenOrder(NamedTuple):
    """What may still rest or fill. `filled_lots` is needed because an amendment states the total.

    `doubtful`: the order manager does not know whether it lives. `adopted`: only the venue's list says that it lives.
    """

    side: Side
    remaining_lots: int
    filled_lots: int
    doubtful: bool = False
    adopted: bool = False


class OpenOrders:
    """Open orders of one symbol.

    Args:
        complete: whether nothing can be open that we have not heard of; false after a restart and after missed events, until the next
            incarnation of the order manager has cleared the symbol.
    """

    def __init__(self, complete: bool = True) -> None:
        self._orders: dict[str, OpenOrder] = {}
        self.complete = complete

    def apply(self, event: AnyOrderEvent) -> None:
        """Follow one event."""
        key = event.client_order_id or f"#{event.venue_order_id}"
        match event:
            case OrderAmended():
                known = self._orders[key].filled_lots if key in self._orders else 0
                filled = max(known, event.filled_lots)
                if filled and filled >= event.quantity_lots:
                    self._orders.pop(key, None)
                else:
                    self._keep(key, OpenOrder(event.side, event.quantity_lots - filled, filled))
            case OrderAccepted() | OrderUnknown():
                filled = self._orders[key].filled_lots if key in self._orders else 0
                if isinstance(event, OrderAccepted):
                    filled = max(filled, event.filled_lots)
                remaining = max(event.quantity_lots - filled, 0)
                if remaining or isinstance(event, OrderAmended):
                    self._keep(key, OpenOrder(event.side, remaining, filled, isinstance(event, OrderUnknown)))
                else:
                    self._orders.pop(key, None)
            case OrderFilled():
                filled = self._orders[key].filled_lots if key in self._orders else 0
                if event.remaining_lots > 0:
                    self._keep(key, OpenOrder(event.side, event.remaining_lots, filled + event.quantity_lots))
                else:
                    self._orders.pop(key, None)
            case OrderCanceled() | OrderExpired() | OrderRejected():
                self._orders.pop(key, None)
            case OrderDenied():
                pass
            case _:
                assert_never(event)

    def forget(self) -> None:
        """Events were missed: what is open is no longer known."""
        self._orders.clear()
        self.complete = False

    def begin_again(self) -> None:
        """A new incarnation of the order manager clears the symbol before it quotes."""
        self.complete = True

    def open(self) -> Mapping[str, OpenOrder]:
        """Every open order by its client order id."""
        return self._orders

    def adopt(self, seen: Mapping[str, tuple[Side, int]]) -> None:
        """Nothing complete was told since a restart or a gap: what the venue shows (side, remaining lots) is the picture from here."""
        self._orders = {key: OpenOrder(side, lots, 0, adopted=True) for key, (side, lots) in seen.items()}
        self.complete = True

    def release(self, seen: Container[str]) -> None:
        """What was adopted goes when the venue no longer shows it: its end may have been told before it was adopted."""
        for key in [key for key, order in self._orders.items() if order.adopted and key not in seen]:
            del self._orders[key]

    def count(self) -> int:
        """How many orders are open."""
        return len(self._orders)

    def worst_case_lots(self, position_lots: int) -> tuple[int, int]:
        """Highest and lowest signed position that the open orders can lead to; the sides are never netted."""
        highest = lowest = position_lots
        for order in self._orders.values():
            if order.side is Side.BUY:
                highest += order.remaining_lots
            else:
                lowest -= order.remaining_lots
        return highest, lowest

    def _keep(self, key: str, order: OpenOrder) -> None:
        if key not in self._orders and len(self._orders) >= ORDERS_TRACKED_MAX:
            self.complete = False
            return
        self._orders[key] = order
