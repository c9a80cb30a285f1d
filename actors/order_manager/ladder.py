"""The ladder diff: which resting orders are close enough to what is wanted, which go, and what is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec

from actors.order_manager.orders import Order
from protocols.values import Level, Side

_BUY = Side.BUY
_AIMED_TICKS = attrgetter("aimed_ticks")

AMEND_PATIENCE_NS = 1_000_000_000
"""An order whose amendment has no answer keeps its place for so long before it may be cancelled for standing in the wrong one."""


class Tolerance(msgspec.Struct, frozen=True, gc=False):
    """What is close enough: so many ticks from the wanted price, at most so great a share below the wanted size; no younger order goes.

    An order larger than wanted stays until its price changes or risk asks: on this venue a decrease costs its place in the queue.

    `ticks` holds for the innermost level and grows by as much with each level outwards, where a tick matters less.
    """

    ticks: int
    size_share: float
    age_ns_min: int


class Missing(NamedTuple):
    """A level without an order. `rank` 0 is the innermost."""

    rank: int
    side: Side
    price_ticks: int
    lots: int


class SideDiff(NamedTuple):
    """What to do on one side: cancels with the farthest first, and levels to fill with the innermost first."""

    cancels: list[Order]
    missing: list[Missing]


def is_in_place(side: Side, wanted: Sequence[Level], resting: Collection[Order], tolerance: Tolerance) -> bool:
    """Whether each level of one side has its order in the same place: what is true of most books, found quickly."""
    if len(wanted) != len(resting):
        return False
    room_ticks = 0
    by_price = sorted(resting, key=_AIMED_TICKS, reverse=side is _BUY)
    for (ticks, lots), order in zip(wanted, by_price, strict=True):
        room_ticks += tolerance.ticks
        if not -room_ticks <= ticks - order.aimed_ticks <= room_ticks:
            return False
        if lots - order.aimed_lots > tolerance.size_share * lots:
            return False
    return True


def diff_side(
    side: Side, wanted: Sequence[Level], resting: Iterable[Order], tolerance: Tolerance, now_ns: int
) -> SideDiff:
    """Compare one side of the ladder, where it is not in place, with the orders that rest there.

    An order too young to go keeps the level nearest to it occupied, unless it is more aggressive than every wanted price
    by more than the tolerance: such a one goes at once, for it may be picked off.
    """
    by_price = sorted(resting, key=_AIMED_TICKS, reverse=side is _BUY)
    open_levels = list(enumerate(wanted))
    strangers: list[Order] = []
    for order in by_price:
        index = _close_level(order, open_levels, tolerance)
        if index is None:
            strangers.append(order)
        else:
            del open_levels[index]
    cancels: list[Order] = []
    for order in strangers:
        if _may_stay(side, order, wanted, tolerance, now_ns):
            if open_levels:
                nearest = min(range(len(open_levels)), key=lambda i: abs(open_levels[i][1][0] - order.aimed_ticks))
                del open_levels[nearest]
        else:
            cancels.append(order)
    if wanted and len(cancels) > 1:
        cancels.sort(key=lambda order: -min(abs(ticks - order.aimed_ticks) for ticks, _ in wanted))
    return SideDiff(cancels, [Missing(rank, side, ticks, lots) for rank, (ticks, lots) in open_levels])


def _close_level(order: Order, levels: list[tuple[int, Level]], tolerance: Tolerance) -> int | None:
    best: int | None = None
    best_distance = -1
    aimed_ticks, aimed_lots = order.aimed_ticks, order.aimed_lots
    for index, (rank, (ticks, lots)) in enumerate(levels):
        distance = abs(ticks - aimed_ticks)
        is_close = distance <= tolerance.ticks * (1 + rank) and (best is None or distance < best_distance)
        if is_close and lots - aimed_lots <= tolerance.size_share * lots:
            best, best_distance = index, distance
    return best


def _may_stay(side: Side, order: Order, wanted: Sequence[Level], tolerance: Tolerance, now_ns: int) -> bool:
    age_ns = now_ns - (order.moved_ns or order.created_ns)
    age_ns_min = tolerance.age_ns_min if order.amendment is None else max(tolerance.age_ns_min, AMEND_PATIENCE_NS)
    return bool(wanted) and age_ns < age_ns_min and not is_too_bold(side, order, wanted, tolerance)


def is_too_bold(side: Side, order: Order, wanted: Sequence[Level], tolerance: Tolerance) -> bool:
    """Whether an order is more aggressive than every wanted price by more than the tolerance: it may be picked off."""
    best = max(wanted)[0] if side is Side.BUY else min(wanted)[0]
    return side.sign * (order.aimed_ticks - best) > tolerance.ticks


class Move(NamedTuple):
    """An order that can take a level instead of being cancelled."""

    order: Order
    level: Missing


def pair_moves(cancels: list[Order], missing: list[Missing], reduce_only: bool) -> list[Move]:
    """Give each missing level, the innermost first, the nearest order that would have to go; both leave their lists.

    Args:
        reduce_only: what an order placed now would be; one of the other kind cannot become it.
    """
    moves: list[Move] = []
    for level in list(missing):
        movable = [order for order in cancels if order.may_move and order.reduce_only is reduce_only]
        if not movable:
            break
        order = min(movable, key=lambda order: abs(order.price_ticks - level.price_ticks))
        moves.append(Move(order, level))
        cancels.remove(order)
        missing.remove(level)
    return moves
