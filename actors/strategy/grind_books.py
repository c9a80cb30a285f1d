"""What grinding has cost and saved, from executions and their fees alone; the view and the report of a run count by it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

CYCLES_OPEN_MAX = 64
"""Cycles of which the reduction is remembered for their re-entry; older ones have long ended."""

OUT = "grind-out:"
BACK = "grind-back:"
"""What the intents of a cycle begin with; its name follows."""


class Grinding(msgspec.Struct, frozen=True, kw_only=True):
    """Quantities in base units; `cost`, the fees of both orders, and `saving` in quote currency.

    `saving` is what re-entering earned: for each quantity that came back, the price at which it went less the price at which it came back
    (of a short position the reverse). Negative where it came back dearer. Fees in another asset stand in `fees_elsewhere`.
    """

    reductions: int = 0
    reentries: int = 0
    reduced: Decimal = Decimal(0)
    reentered: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    saving: Decimal = Decimal(0)
    fees_elsewhere: dict[str, Decimal] = {}


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a grinding order. `sign`: +1 bought, -1 sold."""

    intent_id: str
    sign: int
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str


class GrindBooks:
    """Adds up executions; those of other orders change nothing."""

    def __init__(self, fee_asset: str) -> None:
        self._fee_asset = fee_asset
        self._reductions: dict[str, tuple[Decimal, Decimal]] = {}
        self._reentered: set[str] = set()
        self.totals = Grinding()

    def take(self, execution: Execution) -> None:
        """Take one execution, once."""
        intent_id = execution.intent_id
        if intent_id.startswith(OUT):
            self._take_reduction(intent_id.removeprefix(OUT), execution)
        elif intent_id.startswith(BACK):
            self._take_reentry(intent_id.removeprefix(BACK), execution)

    def _take_reduction(self, cycle: str, execution: Execution) -> None:
        quantity, value = self._reductions.get(cycle, (Decimal(0), Decimal(0)))
        is_first = cycle not in self._reductions
        self._reductions[cycle] = quantity + execution.quantity, value + execution.quantity * execution.price
        if len(self._reductions) > CYCLES_OPEN_MAX:
            oldest = next(iter(self._reductions))
            del self._reductions[oldest]
            self._reentered.discard(oldest)
        totals = self.totals
        self.totals = msgspec.structs.replace(
            totals,
            reductions=totals.reductions + is_first,
            reduced=totals.reduced + execution.quantity,
        )
        self._pay(execution)

    def _take_reentry(self, cycle: str, execution: Execution) -> None:
        quantity, value = self._reductions.get(cycle, (Decimal(0), Decimal(0)))
        saved = execution.quantity * (value / quantity - execution.price) * execution.sign if quantity else Decimal(0)
        totals = self.totals
        self.totals = msgspec.structs.replace(
            totals,
            reentries=totals.reentries + (cycle not in self._reentered),
            reentered=totals.reentered + execution.quantity,
            saving=totals.saving + saved,
        )
        self._reentered.add(cycle)
        self._pay(execution)

    def _pay(self, execution: Execution) -> None:
        totals, asset = self.totals, execution.fee_asset
        if asset == self._fee_asset:
            self.totals = msgspec.structs.replace(totals, cost=totals.cost + execution.fee)
        elif execution.fee:
            elsewhere = {**totals.fees_elsewhere, asset: totals.fees_elsewhere.get(asset, Decimal(0)) + execution.fee}
            self.totals = msgspec.structs.replace(totals, fees_elsewhere=elsewhere)
