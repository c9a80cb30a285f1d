"""Where our resting order stands in the recorded queue, by two models side by side.

Pessimistic: prints shorten the queue, cancellations are assumed behind us. Probabilistic: a cancellation is ahead of us or behind us in
proportion to the logarithm of what stands there. One of them gives the fills; the other is followed for the report.

One rule bounds both: the queue ahead is never larger than what the level shows. When a level shrinks before the print that explains it has
arrived, the shrinkage is remembered; the print then first pays for it, so that no volume is counted twice.
"""

from __future__ import annotations

from math import log1p
from typing import NamedTuple

from actors.exchange.orders import Order


class Reach(NamedTuple):
    """Lots of a print that reach an order: by the pessimistic model, and by the probabilistic one, which is never less."""

    sure: int
    likely: int


def join_queue(order: Order, displayed_lots: int, market_ns: int) -> None:
    """The order arrives behind everything that the level shows."""
    order.lots_ahead = displayed_lots
    order.likely_ahead = float(displayed_lots)
    order.shown_lots = displayed_lots
    order.since_market_ns = market_ns
    order.falls.clear()
    order.likely_falls.clear()


def level_changed(order: Order, displayed_lots: int, market_ns: int) -> None:
    """The order's level now shows `displayed_lots`: there cannot be more ahead than that."""
    if displayed_lots < order.shown_lots:
        gone, before = order.shown_lots - displayed_lots, order.likely_ahead
        order.likely_ahead = min(_after_cancellation(before, order.shown_lots, gone), displayed_lots)
        order.likely_falls.append((market_ns, gone, before - order.likely_ahead))
    order.shown_lots = displayed_lots
    if displayed_lots < order.lots_ahead:
        order.falls.append((market_ns, order.lots_ahead - displayed_lots))
        order.lots_ahead = displayed_lots


def print_at_price(order: Order, print_lots: int, market_ns: int) -> Reach:
    """A print of `print_lots` at the order's price, against its side: the lots that reach the order.

    They are never more than the print less the queue ahead. A print that is not younger than the order's arrival was before it.
    """
    if market_ns <= order.since_market_ns:
        return Reach(0, 0)
    explained = _explain(order, print_lots, market_ns)
    beyond_falls = print_lots - explained
    unexplained = _unexplained(order, market_ns)
    sure = max(0, beyond_falls - order.lots_ahead - unexplained)
    order.lots_ahead = max(0, order.lots_ahead - beyond_falls)
    return Reach(sure, max(sure, _likely_reach(order, print_lots, market_ns)))


def _likely_reach(order: Order, print_lots: int, market_ns: int) -> int:
    """The same by the probabilistic model: what was taken for a cancellation and was this print is put back first."""
    left = print_lots
    for index, (fall_ns, gone, reduction) in enumerate(order.likely_falls):
        if fall_ns >= market_ns and gone and left:
            used = min(gone, left)
            put_back = reduction * used / gone
            order.likely_falls[index] = (fall_ns, gone - used, reduction - put_back)
            order.likely_ahead += put_back
            left -= used
    order.shown_lots = max(0, order.shown_lots - left)
    reaching = max(0, int(print_lots - order.likely_ahead))
    order.likely_ahead = max(0.0, order.likely_ahead - print_lots)
    return reaching


def _after_cancellation(ahead: float, shown: int, gone: int) -> float:
    """What is left ahead when `gone` lots of a level were cancelled somewhere in it."""
    behind = max(0.0, shown - ahead)
    front_weight, back_weight = log1p(ahead), log1p(behind)
    total = front_weight + back_weight
    share_behind = back_weight / total if total else 1.0
    gone_behind = min(behind, gone * share_behind)
    return max(0.0, ahead - (gone - gone_behind))


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
