"""Position arithmetic in exact decimals: average cost, and first in first out.

Quantities are signed base currency (positive = long), prices and amounts quote currency, so nothing here depends on a version of an
instrument's filters. A position keeps the exact sum of price times quantity of what is open instead of a rounded average price: realised
PnL and open cost always add up to what was paid. Only the cost of a closed part of a position is rounded, half up to 8 decimals as the
venue rounds money; what is rounded off stays in the open part, and nothing is lost when the position is flat.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, localcontext

import msgspec

MONEY = Decimal("0.00000001")
"""The smallest amount of money that a venue books."""

OPEN_PARTS_MAX = 1_000
"""Parts that a first-in-first-out position keeps apart; beyond it the two oldest become one at their common cost."""

_ZERO = Decimal(0)
_EXACT = Context(prec=80, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Inexact])
_ROUNDING = Context(prec=80, rounding=ROUND_HALF_UP, traps=[InvalidOperation])


def exact_arithmetic() -> AbstractContextManager[Context]:
    """Sums and products inside are exact; a result that would need rounding raises `decimal.Inexact`."""
    return localcontext(_EXACT)


class Trade(msgspec.Struct, frozen=True):
    """What a trade did to a position: PnL realised before fees, and the part of the old position that it closed (base, >= 0)."""

    realised: Decimal
    closed: Decimal


class AverageCost(msgspec.Struct, frozen=True):
    """A position valued at its average cost. `cost` is the sum of price times quantity of the open part (>= 0)."""

    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO

    @classmethod
    def opened(cls, quantity: Decimal, entry_price: Decimal) -> AverageCost:
        """A position taken over as it stands."""
        with exact_arithmetic():
            return cls(quantity, abs(quantity) * entry_price)

    @property
    def average_price(self) -> Decimal:
        """Average price of the open part, rounded to 11 decimals; 0 when flat. For display: PnL is computed from `cost`."""
        return average_price(self.quantity, self.cost)

    def unrealised(self, mark_price: Decimal) -> Decimal:
        """PnL of the open part at `mark_price`."""
        with exact_arithmetic():
            return self.quantity * mark_price - (self.cost if self.quantity >= 0 else -self.cost)

    def traded(self, quantity: Decimal, price: Decimal) -> tuple[AverageCost, Trade]:
        """The position after buying (`quantity` > 0) or selling (< 0) at `price`."""
        with exact_arithmetic():
            if self.quantity * quantity >= 0:
                return AverageCost(self.quantity + quantity, self.cost + abs(quantity) * price), Trade(_ZERO, _ZERO)
            held, closed = abs(self.quantity), min(abs(quantity), abs(self.quantity))
            closed_cost = _share(self.cost, closed, held)
            realised = _gain(self.quantity, closed * price, closed_cost)
            opened = abs(quantity) - closed
            cost = self.cost - closed_cost + opened * price
            return AverageCost(self.quantity + quantity, cost), Trade(realised, closed)


class OpenPart(msgspec.Struct, frozen=True):
    """Part of a position that was opened together: unsigned quantity and its cost."""

    quantity: Decimal
    cost: Decimal


class FirstInFirstOut(msgspec.Struct, frozen=True):
    """A position whose oldest part is closed first. `quantity` is signed; `parts` are oldest first."""

    quantity: Decimal = _ZERO
    parts: tuple[OpenPart, ...] = ()

    @classmethod
    def opened(cls, quantity: Decimal, entry_price: Decimal) -> FirstInFirstOut:
        """A position taken over as it stands, in one part."""
        if quantity == 0:
            return cls()
        with exact_arithmetic():
            return cls(quantity, (OpenPart(abs(quantity), abs(quantity) * entry_price),))

    @property
    def cost(self) -> Decimal:
        """Sum of price times quantity of the open part (>= 0)."""
        with exact_arithmetic():
            return sum((part.cost for part in self.parts), _ZERO)

    def unrealised(self, mark_price: Decimal) -> Decimal:
        """PnL of the open part at `mark_price`."""
        with exact_arithmetic():
            return self.quantity * mark_price - (self.cost if self.quantity >= 0 else -self.cost)

    def traded(self, quantity: Decimal, price: Decimal) -> tuple[FirstInFirstOut, Trade]:
        """The position after buying (`quantity` > 0) or selling (< 0) at `price`."""
        with exact_arithmetic():
            if self.quantity * quantity >= 0:
                if quantity == 0:
                    return self, Trade(_ZERO, _ZERO)
                parts = _bounded((*self.parts, OpenPart(abs(quantity), abs(quantity) * price)))
                return FirstInFirstOut(self.quantity + quantity, parts), Trade(_ZERO, _ZERO)
            closed = min(abs(quantity), abs(self.quantity))
            parts, closed_cost = _close(self.parts, closed)
            realised = _gain(self.quantity, closed * price, closed_cost)
            opened = abs(quantity) - closed
            if opened:
                parts = (OpenPart(opened, opened * price),)
            return FirstInFirstOut(self.quantity + quantity, parts), Trade(realised, closed)


def average_price(quantity: Decimal, cost: Decimal) -> Decimal:
    """`cost` by `quantity`, rounded half up to 11 decimals as the venue shows it; 0 for nothing."""
    if quantity == 0:
        return _ZERO
    with localcontext(_ROUNDING):
        return (cost / abs(quantity)).quantize(Decimal("0.00000000001"))


def _gain(held: Decimal, closed_value: Decimal, closed_cost: Decimal) -> Decimal:
    return closed_value - closed_cost if held > 0 else closed_cost - closed_value


def _share(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The cost of `part` of a `whole`, rounded to money."""
    if part == whole:
        return cost
    with localcontext(_ROUNDING):
        return (cost * part / whole).quantize(MONEY)


def _close(parts: tuple[OpenPart, ...], closed: Decimal) -> tuple[tuple[OpenPart, ...], Decimal]:
    """Take `closed` from the oldest parts; returns what stays and the cost of what was closed."""
    closed_cost = _ZERO
    for index, part in enumerate(parts):
        if part.quantity > closed:
            if closed == 0:
                return parts[index:], closed_cost
            share = _share(part.cost, closed, part.quantity)
            rest = OpenPart(part.quantity - closed, part.cost - share)
            return (rest, *parts[index + 1 :]), closed_cost + share
        closed -= part.quantity
        closed_cost += part.cost
    return (), closed_cost


def _bounded(parts: tuple[OpenPart, ...]) -> tuple[OpenPart, ...]:
    if len(parts) <= OPEN_PARTS_MAX:
        return parts
    first, second = parts[0], parts[1]
    return (OpenPart(first.quantity + second.quantity, first.cost + second.cost), *parts[2:])
