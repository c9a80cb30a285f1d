"""The fair price: the middle of the touch, leaning to the side where more is offered to trade, with our own orders taken out.

    fair = mid + imbalance * (ask - bid) / 2,    imbalance = (bid lots - ask lots) / (bid lots + ask lots) in [-1, 1]

over the best few levels. It lies within the touch, grows with every bid lot and falls with every ask lot, and is the plain
microprice for one level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protocols.values import Level


def fair_price_ticks(bids: Sequence[Level], asks: Sequence[Level], levels: int) -> float:
    """Fair price in ticks of a book that has both sides and does not cross.

    Args:
        bids: best first; at least one.
        asks: best first; at least one.
        levels: how many of each side count.
    """
    best_bid, best_ask = bids[0][0], asks[0][0]
    bid_lots = ask_lots = 0
    for _, lots in bids[:levels]:
        bid_lots += lots
    for _, lots in asks[:levels]:
        ask_lots += lots
    both = bid_lots + ask_lots
    imbalance = (bid_lots - ask_lots) / both if both else 0.0
    return ((best_bid + best_ask) + imbalance * (best_ask - best_bid)) / 2


def others_levels(levels: Sequence[Level], own: Mapping[int, int]) -> Sequence[Level]:
    """What other people show: `levels` without our own resting lots (by price in ticks).

    A side that is all ours is returned as it is, for a price without anybody else's word is better than none.
    """
    if not own:
        return levels
    others = [(ticks, lots - own.get(ticks, 0)) for ticks, lots in levels if lots > own.get(ticks, 0)]
    return others or levels
