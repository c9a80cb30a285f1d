"""Drawdown of the account from the peak of its equity."""

from __future__ import annotations

from decimal import Decimal

KEPT_STEP = Decimal("0.0001")
"""A new peak is kept on file when it is this part above the one on file: not with every valuation."""


class Drawdown:
    """How far equity is below its peak.

    Formula: max(peak - equity, 0). Unit: quote currency, >= 0. Window: since the peak, over restarts; a person who resumes begins a new
    one, and transfers move it. Source: equity as inventory says it.
    """

    def __init__(self, peak: Decimal | None = None) -> None:
        self.peak = peak
        self.kept = peak
        """The peak for the memory."""

    def value(self, equity: Decimal) -> None:
        """Take the equity."""
        if self.peak is None or equity > self.peak:
            self.peak = equity
        if self.kept is None or self.peak > self.kept + abs(self.kept) * KEPT_STEP:
            self.kept = self.peak

    def transfer(self, amount: Decimal) -> None:
        """A deposit or withdrawal is nobody's profit or loss."""
        if self.peak is not None:
            self.peak = self.kept = self.peak + amount

    def begin_again(self, equity: Decimal | None) -> None:
        """A person accepted the loss so far."""
        self.peak = self.kept = equity

    def amount(self, equity: Decimal | None) -> Decimal | None:
        """The drawdown now; None while nothing is known."""
        if self.peak is None or equity is None:
            return None
        return max(self.peak - equity, Decimal(0))
