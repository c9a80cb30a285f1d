"""Where our resting order stands in the recorded queue, pessimistically: prints shorten it, cancellations are assumed behind us.

One rule bounds the pessimism: the queue ahead is never larger than what the level shows. When a level shrinks before the print that
explains it has arrived, the shrinkage is remembered; the print then first pays for it, so that no volume is counted twice.
"""

from __future__ import annotations

from actors.exchange.orders import Order


def join_queue(order: Order, displayed_lots: int, market_ns: int) -> None:
    """The order arrives behind everything that the level shows."""
    order.lots_ahead = displayed_lots
    order.since_market_ns = market_ns
    order.falls.clear()


def level_changed(order: Order, displayed_lots: int, market_ns: int) -> None:
    """The order's level now shows `displayed_lots`: there cannot be more ahead than that."""
    if displayed_lots < order.lots_ahead:
        order.falls.append((market_ns, order.lots_ahead - displayed_lots))
        order.lots_ahead = displayed_lots


def print_at_price(order: Order, print_lots: int, market_ns: int) -> int:
    """A print of `print_lots` at the order's price, against its side: returns the lots that reach the order.

    They are never more than the print less the queue ahead. A print that is not younger than the order's arrival was before it.
    """
    if market_ns <= order.since_market_ns:
        return 0
    explained = _explain(order, print_lots, market_ns)
    beyond_falls = print_lots - explained
    reaching = max(0, beyond_falls - order.lots_ahead - _unexplained(order, market_ns))
    order.lots_ahead = max(0, order.lots_ahead - beyond_falls)
    return min(order.remaining_lots, reaching)


def _explain(order: Order, print_lots: int, market_ns: int) -> int:
    """Use up shrinkages that are not older than the print, the oldest first; returns the lots used."""
    left = print_lots
    for index, (fall_ns, lots) in enumerate(order.falls):
        if fall_ns >= market_ns and lots and left:
            used = min(lots, left)
            order.falls[index] = (fall_ns, lots - used)
            left -= used
    return print_lots - left


def _unexplained(order: Order, market_ns: int) -> int:
    return sum(lots for fall_ns, lots in order.falls if fall_ns >= market_ns)
