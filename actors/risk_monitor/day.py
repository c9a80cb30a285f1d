"""The trading day and its loss: days begin at a configured time of a configured zone, by the venue's clock."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from protocols.arithmetic.trading_days import TradingDays
from protocols.messages.orders import TRANSFER_REASONS, BalanceChanged

TRANSFERS_REMEMBERED_MAX = 64
"""Transfers of which we know that they were counted: several shards report the same one, and a restarted link repeats them."""


class TradingDay:
    """Equity at the start of the day, and whether the day's loss has stopped trading. `start_equity` is moved by transfers."""

    def __init__(self, days: TradingDays) -> None:
        self._days = days
        self.day = -1
        self.start_equity: Decimal | None = None
        self.loss_stopped = False
        self._transfers: deque[str] = deque(maxlen=TRANSFERS_REMEMBERED_MAX)

    def restore(self, day: int, start_equity: Decimal | None, loss_stopped: bool, transfers: tuple[str, ...]) -> None:
        """Go on with the day of an earlier life."""
        self.day, self.start_equity, self.loss_stopped = day, start_equity, loss_stopped
        self._transfers.extend(transfers)

    def clock(self, venue_now_ns: int) -> bool:
        """Begin a new day if the venue's clock says so; returns whether it did. The clock going back changes nothing."""
        day = self._days.day_of(venue_now_ns)
        if day <= self.day:
            return False
        self.day, self.start_equity, self.loss_stopped = day, None, False
        return True

    def value(self, equity: Decimal) -> None:
        """Take the equity: the first of the day is what its loss is measured from."""
        if self.start_equity is None and self.day >= 0:
            self.start_equity = equity

    def begin_again(self, equity: Decimal | None) -> None:
        """A person accepted the loss so far: measure it from here."""
        self.start_equity, self.loss_stopped = equity, False

    def transfer(self, event: BalanceChanged) -> bool:
        """Move the day's start by a deposit or withdrawal, once; returns whether it did."""
        if event.reason not in TRANSFER_REASONS or not event.balance_change.is_finite() or event.balance_change == 0:
            return False
        key = f"{event.venue_time_ns}:{event.asset}:{event.reason}:{event.balance_change}"
        if key in self._transfers or self.start_equity is None:
            return False
        self._transfers.append(key)
        self.start_equity += event.balance_change
        return True

    def pnl(self, equity: Decimal | None) -> Decimal | None:
        """Change of equity since the start of the day; None while unknown."""
        return None if equity is None or self.start_equity is None else equity - self.start_equity

    def transfers(self) -> tuple[str, ...]:
        """The transfers that were counted, oldest first."""
        return tuple(self._transfers)
