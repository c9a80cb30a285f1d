"""The account's capital over time: the day's loss and the drawdown, against their limits."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from actors.risk_monitor.day import TradingDay
from actors.risk_monitor.estimators.drawdown import Drawdown
from actors.risk_monitor.memory import RiskMemory
from configs.schema import HardCaps, RiskSettings
from protocols.arithmetic.trading_days import TradingDays
from protocols.messages.orders import BalanceChanged

TRANSFER_SETTLE_NS = 1_000_000_000
"""After a deposit or withdrawal an equity that was valued earlier than this may not hold it yet: nothing is judged by it."""


class CapitalMemory(NamedTuple):
    """What the memory keeps of the capital (its fields are of `RiskMemory`)."""

    day: int
    day_equity: Decimal | None
    equity_peak: Decimal | None
    loss_stopped: bool
    transfers: tuple[str, ...]


class Capital:
    """Equity, less what fees in other assets have cost, at the day's start and at its peak. Limits that are shares are shares of these."""

    def __init__(self, settings: RiskSettings, caps: HardCaps) -> None:
        self._settings = settings
        self._caps = caps
        self._day = TradingDay(TradingDays(settings.day_starts, settings.day_zone))
        self._drawdown = Drawdown()
        self._equity: Decimal | None = None
        self._settled_ns = 0
        self.drawdown_broken = False
        """Whether the drawdown is beyond its limit."""

    def restore(self, memory: RiskMemory) -> None:
        """Go on from an earlier life."""
        self._day.restore(memory.day, memory.day_equity, memory.loss_stopped, memory.transfers)
        self._drawdown = Drawdown(memory.equity_peak)

    def memory(self) -> CapitalMemory:
        """What the memory keeps."""
        day = self._day
        return CapitalMemory(day.day, day.start_equity, self._drawdown.kept, day.loss_stopped, day.transfers())

    def change(self, settings: RiskSettings) -> None:
        """Limits changed; the day's start and the peak stay. A loss beyond a tighter limit is found with the next valuation."""
        self._settings = settings

    @property
    def day(self) -> int:
        """The trading day, in days since 1970."""
        return self._day.day

    @property
    def loss_stopped(self) -> bool:
        """Whether the day's loss was beyond its limit."""
        return self._day.loss_stopped

    def clock(self, venue_now_ns: int) -> None:
        """Take the venue's time: a new day may begin."""
        self._day.clock(venue_now_ns)

    def value(self, equity: Decimal, valued_ns: int) -> bool:
        """Take the equity; whether a limit on loss or drawdown was broken by it."""
        self._equity = equity
        self._day.value(equity)
        if not self.is_settled(valued_ns):
            return False
        self._drawdown.value(equity)
        loss, loss_max = self.day_loss(), self.loss_max()
        lost = loss is not None and loss_max is not None and loss > loss_max and not self._day.loss_stopped
        if lost:
            self._day.loss_stopped = True
        fallen, fallen_max = self.drawdown_amount(), self.drawdown_max()
        broken_before = self.drawdown_broken
        self.drawdown_broken = fallen is not None and fallen_max is not None and fallen > fallen_max
        return lost or (self.drawdown_broken and not broken_before)

    def is_settled(self, valued_ns: int) -> bool:
        """Whether an equity that was valued then holds the last deposit or withdrawal for certain."""
        return valued_ns >= self._settled_ns

    def transfer(self, event: BalanceChanged, now_ns: int) -> bool:
        """Take a change of balance; whether it was a deposit or withdrawal that was not known yet."""
        if not self._day.transfer(event):
            return False
        self._drawdown.transfer(event.balance_change)
        self._settled_ns = now_ns + TRANSFER_SETTLE_NS
        return True

    def accept(self) -> list[str]:
        """A person accepts what was lost so far: it is measured from the present equity; returns what was accepted."""
        accepted, equity = [], self._equity
        if self._day.loss_stopped:
            accepted.append("the day's loss, now measured from the present equity")
            self._day.begin_again(equity)
        if self.drawdown_broken:
            accepted.append("the drawdown, now measured from the present equity")
            self._drawdown.begin_again(equity)
            self.drawdown_broken = False
        return accepted

    def day_pnl(self) -> Decimal | None:
        """Change of equity since the day's start."""
        return self._day.pnl(self._equity)

    def day_loss(self) -> Decimal | None:
        """What was lost since the day's start; negative for a profit."""
        pnl = self.day_pnl()
        return None if pnl is None else -pnl

    def loss_max(self) -> Decimal | None:
        """Limit of the day's loss in quote currency."""
        loss_max = self._settings.daily_loss_max.in_quote(self._day.start_equity)
        return None if loss_max is None else self._caps.capped("daily_loss_max", loss_max)

    def drawdown_amount(self) -> Decimal | None:
        """How far equity is below its peak."""
        return self._drawdown.amount(self._equity)

    def drawdown_max(self) -> Decimal | None:
        """Limit of the drawdown in quote currency."""
        drawdown_max = self._settings.drawdown_max.in_quote(self._drawdown.peak)
        return None if drawdown_max is None else self._caps.capped("drawdown_max", drawdown_max)
