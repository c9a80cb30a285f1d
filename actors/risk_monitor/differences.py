"""What the venue shows us against what the order managers say, and for how long they have differed."""

from __future__ import annotations

from collections.abc import Mapping

from actors.risk_monitor.eyes import SeenOrder
from actors.risk_monitor.open_orders import OpenOrder


class Differences:
    """Ages of the differences of one symbol. Ages, not differences, are judged: what is on its way is no lie."""

    def __init__(self) -> None:
        self._orders: dict[str, int] = {}
        self._position_ns = 0

    def position_age_s(self, seen_lots: int, told_lots: int, now_ns: int) -> float:
        """For how long the position has differed; 0 while it agrees."""
        if seen_lots == told_lots:
            self._position_ns = 0
            return 0.0
        if self._position_ns == 0:
            self._position_ns = now_ns
        return (now_ns - self._position_ns) / 1e9

    def orders_age_s(self, seen: Mapping[str, SeenOrder], told: Mapping[str, OpenOrder], now_ns: int) -> float:
        """For how long some order has differed: unknown to one of both, or with another remaining quantity.

        An order that the order manager itself calls unknown is no difference while the venue does not show it.
        """
        differing = {
            name
            for name, order in seen.items()
            if name not in told or told[name].remaining_lots != order.remaining_lots
        }
        differing |= {
            name for name, order in told.items() if name not in seen and not order.doubtful and name[:1] != "#"
        }
        self._orders = {name: self._orders.get(name, now_ns) for name in differing}
        return (now_ns - min(self._orders.values())) / 1e9 if self._orders else 0.0

    def pause(self) -> None:
        """Nothing can be compared now: ages begin anew."""
        self._orders.clear()
        self._position_ns = 0

    def pause_orders(self) -> None:
        """Orders cannot be compared now."""
        self._orders.clear()

    def names(self) -> list[str]:
        """Orders that differ, the longest first."""
        return sorted(self._orders, key=lambda name: (self._orders[name], name))
