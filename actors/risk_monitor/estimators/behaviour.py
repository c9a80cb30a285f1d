"""The venue's own rules of behaviour: orders cancelled too soon, quantity that never fills, dust."""

from __future__ import annotations

from collections import deque

ORDERS_MAX = 16_384
"""Orders of one symbol within the window: more than the venue's limit on orders (1,200 a minute) lets an account place in ten minutes."""


class _Placed:
    __slots__ = ("filled_lots", "is_dust", "is_short_lived", "key", "lots", "placed_ns")

    def __init__(self, key: str, placed_ns: int, lots: int, is_dust: bool) -> None:
        self.key = key
        self.placed_ns = placed_ns
        self.lots = lots
        self.filled_lots = 0
        self.is_dust = is_dust
        self.is_short_lived = False


class Behaviour:
    """The venue's ratios for one symbol over the orders placed within the last `window_ns`, exact to the event.

    cancel ratio (GCR): orders cancelled less than `life_ns` after they were placed / orders. unfilled ratio (UFR): 1 - executed quantity /
    quantity, of those orders. dust ratio (DR): orders below `dust_notional` / orders. Orders that the venue refused, post-only ones among
    them, do not count: they were never placed. An order that is amended stays the order that it was. Source: order events, and the
    venue's published definitions (quantitative rules of 2024).
    """

    def __init__(self, window_ns: int, life_ns: int) -> None:
        self._window_ns = window_ns
        self._life_ns = life_ns
        self._orders: deque[_Placed] = deque()
        self._by_key: dict[str, _Placed] = {}
        self._lots = self._filled_lots = self._dust = self._short_lived = 0

    def placed(self, key: str, lots: int, is_dust: bool, now_ns: int) -> None:
        """The venue took an order. One that is known already changes nothing."""
        if key in self._by_key:
            return
        if len(self._orders) >= ORDERS_MAX:
            self._drop()
        order = _Placed(key, now_ns, lots, is_dust)
        self._orders.append(order)
        self._by_key[key] = order
        self._lots += lots
        self._dust += is_dust

    def filled(self, key: str, lots: int) -> None:
        """Part of an order was executed."""
        order = self._by_key.get(key)
        if order is not None:
            lots = min(lots, order.lots - order.filled_lots)
            order.filled_lots += lots
            self._filled_lots += lots

    def canceled(self, key: str, now_ns: int) -> None:
        """An order was cancelled, by whomever."""
        order = self._by_key.get(key)
        if order is not None and not order.is_short_lived and now_ns - order.placed_ns < self._life_ns:
            order.is_short_lived = True
            self._short_lived += 1

    def forget_before(self, now_ns: int) -> None:
        """Let go of what is older than the window."""
        oldest_ns = now_ns - self._window_ns
        while self._orders and self._orders[0].placed_ns <= oldest_ns:
            self._drop()

    @property
    def orders(self) -> int:
        """Orders within the window: the venue's rules apply only above a number of them."""
        return len(self._orders)

    @property
    def cancel_ratio(self) -> float:
        """Share of orders that lived too short."""
        return self._short_lived / len(self._orders) if self._orders else 0.0

    @property
    def unfilled_ratio(self) -> float:
        """Share of quantity that was not executed."""
        return 1.0 - self._filled_lots / self._lots if self._lots else 0.0

    @property
    def dust_ratio(self) -> float:
        """Share of orders that are dust."""
        return self._dust / len(self._orders) if self._orders else 0.0

    def _drop(self) -> None:
        order = self._orders.popleft()
        self._by_key.pop(order.key, None)
        self._lots -= order.lots
        self._filled_lots -= order.filled_lots
        self._dust -= order.is_dust
        self._short_lived -= order.is_short_lived
