"""Matching of our accounts' orders against the recorded market and each other: price first, then place in the queue.

Nothing here changes an order's executed size: it says who trades what, and the venue books it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from actors.exchange.book import Book, Level
from actors.exchange.orders import Order
from actors.exchange.queue_position import join_queue, level_changed, print_at_price


class Execution(NamedTuple):
    """A resting order of ours trades `lots` at its own price.

    `other_lots` is what the other queue model gives it of the same print; `certain` is what the market went through, by any model.
    """

    order: Order
    lots: int
    other_lots: int = 0
    certain: bool = False


class Take(NamedTuple):
    """One step of an arriving order through the other side.

    `maker` is None for the recorded market. `expires` marks a resting order that self-trade prevention removes instead of trading.
    """

    price_ticks: int
    lots: int
    maker: Order | None
    expires: bool = False


class TakePlan(NamedTuple):
    """What an arriving order would do. `stopped_by_self` is set when self-trade prevention ends the arriving order."""

    steps: list[Take]
    lots: int
    stopped_by_self: bool


class Matcher:
    """Our resting orders of one symbol, with the recorded book they stand in."""

    def __init__(self, book: Book, *, probabilistic: bool = False) -> None:
        self.book = book
        self.knows_queues = True
        """Without it no print fills at its own price: what stands in front of an order is not known, and may be anything."""
        self._probabilistic = probabilistic
        self._bids: dict[int, list[Order]] = {}
        self._asks: dict[int, list[Order]] = {}

    def resting(self, *, bids: bool) -> Iterator[Order]:
        """Our orders of one side, the best price first, then the oldest."""
        side = self._bids if bids else self._asks
        for price in sorted(side, reverse=bids):
            yield from side[price]

    def own_lots(self, price_ticks: int, *, bids: bool) -> int:
        """Our resting lots at a price."""
        orders = (self._bids if bids else self._asks).get(price_ticks)
        return sum(order.remaining_lots for order in orders) if orders else 0

    def own_prices(self, *, bids: bool) -> list[int]:
        """Prices at which our orders rest, ascending."""
        return sorted(self._bids if bids else self._asks)

    def has_orders(self) -> bool:
        """Whether any order of ours rests here."""
        return bool(self._bids or self._asks)

    def rest(self, order: Order) -> None:
        """Put an order at the back of its level's queue."""
        side = self.book.side(bids=order.is_buy)
        join_queue(order, side.lots(order.price_ticks), self.book.market_ns)
        (self._bids if order.is_buy else self._asks).setdefault(order.price_ticks, []).append(order)
        side.changed.add(order.price_ticks)

    def remove(self, order: Order) -> None:
        """Take an order out of the book; one that does not rest is ignored."""
        side = self._bids if order.is_buy else self._asks
        orders = side.get(order.price_ticks)
        if orders is None or order not in orders:
            return
        orders.remove(order)
        if not orders:
            del side[order.price_ticks]
        self.book.side(bids=order.is_buy).changed.add(order.price_ticks)

    def best(self, *, bids: bool) -> int | None:
        """Best published price of a side, our orders included."""
        recorded = self.book.side(bids=bids).best()
        own = self._bids if bids else self._asks
        if not own:
            return recorded
        ours = max(own) if bids else min(own)
        if recorded is None:
            return ours
        return max(recorded, ours) if bids else min(recorded, ours)

    def displayed_lots(self, price_ticks: int, *, bids: bool) -> int:
        """Published lots at a price."""
        recorded = (self.book.bids if bids else self.book.asks).lots(price_ticks)
        return recorded + self.own_lots(price_ticks, bids=bids) if (self._bids if bids else self._asks) else recorded

    def displayed_levels(self, prices: Iterable[int], *, bids: bool) -> list[Level]:
        """Published lots at each of these prices."""
        levels = (self.book.bids if bids else self.book.asks).levels_at(prices)
        own = self._bids if bids else self._asks
        if not own:
            return levels
        return [(price, lots + self.own_lots(price, bids=bids) if price in own else lots) for price, lots in levels]

    def would_take(self, *, is_buy: bool, price_ticks: int) -> bool:
        """Whether an order at this price would match at once."""
        opposite = self.best(bids=not is_buy)
        if opposite is None:
            return False
        return opposite <= price_ticks if is_buy else opposite >= price_ticks

    def plan(self, order: Order, *, limit_ticks: int | None, lots: int) -> TakePlan:
        """Walk `order` through the other side up to `limit_ticks` (None: any price) and `lots`."""
        steps: list[Take] = []
        left = lots
        for price in self._opposite_prices(order.is_buy):
            if left == 0 or (
                limit_ticks is not None and (price > limit_ticks if order.is_buy else price < limit_ticks)
            ):
                break
            for step in self._level_in_queue_order(price, bids=not order.is_buy):
                if left == 0:
                    break
                if step.maker is not None and step.maker.account == order.account and order.stp_mode != "NONE":
                    if order.stp_mode in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
                        steps.append(step._replace(expires=True))
                    if order.stp_mode in ("EXPIRE_TAKER", "EXPIRE_BOTH"):
                        return TakePlan(steps, lots - left, True)
                    continue
                traded = min(left, step.lots)
                steps.append(step._replace(lots=traded))
                left -= traded
        return TakePlan(steps, lots - left, False)

    def took_recorded(self, price_ticks: int, lots: int, *, bids: bool) -> None:
        """An arriving order consumed recorded lots: they are gone, and the queue ahead of ours is shorter by them."""
        self.book.side(bids=bids).take(price_ticks, lots)
        for order in (self._bids if bids else self._asks).get(price_ticks, ()):
            order.lots_ahead = max(0, order.lots_ahead - lots)

    def on_print(self, price_ticks: int, lots: int, *, buyer_is_maker: bool, market_ns: int) -> list[Execution]:
        """A recorded print: orders that it went through fill in full; at its price only the volume beyond the queue fills, once."""
        executions: list[Execution] = []
        left = lots
        for bids in (True, False):
            for order in self.resting(bids=bids):
                through = order.price_ticks > price_ticks if bids else order.price_ticks < price_ticks
                if through:
                    if market_ns > order.since_market_ns:
                        executions.append(Execution(order, order.remaining_lots, certain=True))
                        left = max(0, left - order.remaining_lots)
                    continue
                if order.price_ticks != price_ticks or bids != buyer_is_maker or not self.knows_queues:
                    break
                reach = print_at_price(order, left, market_ns)
                given, other = (reach.likely, reach.sure) if self._probabilistic else (reach.sure, reach.likely)
                given = min(given, order.remaining_lots)
                if given or other:
                    executions.append(Execution(order, given, other))
                    left -= given
        return executions

    def on_book(self) -> list[Execution]:
        """The recorded book changed: queues ahead are bounded by it, and orders that its other side reached fill in full."""
        executions: list[Execution] = []
        market_ns = self.book.market_ns
        for own, side, opposite, is_bid in (
            (self._bids, self.book.bids, self.book.asks, True),
            (self._asks, self.book.asks, self.book.bids, False),
        ):
            if not own:
                continue
            best_opposite = opposite.best()
            for price in sorted(own, reverse=is_bid):
                reached = best_opposite is not None and (best_opposite <= price if is_bid else best_opposite >= price)
                for order in own[price]:
                    if reached:
                        executions.append(Execution(order, order.remaining_lots, certain=True))
                    else:
                        level_changed(order, side.lots(price), market_ns)
        return executions

    def _opposite_prices(self, is_buy: bool) -> Iterator[int]:
        side = self.book.side(bids=not is_buy)
        own = self._asks if is_buy else self._bids
        if not own:
            yield from (price for price, _ in side.levels())
            return
        yield from sorted({price for price, _ in side.levels()} | set(own), reverse=not is_buy)

    def _level_in_queue_order(self, price_ticks: int, *, bids: bool) -> Iterator[Take]:
        recorded = self.book.side(bids=bids).lots(price_ticks)
        passed = 0
        for order in list((self._bids if bids else self._asks).get(price_ticks, ())):
            ahead = min(recorded, order.lots_ahead)
            if ahead > passed:
                yield Take(price_ticks, ahead - passed, None)
                passed = ahead
            yield Take(price_ticks, order.remaining_lots, order)
        if recorded > passed:
            yield Take(price_ticks, recorded - passed, None)
