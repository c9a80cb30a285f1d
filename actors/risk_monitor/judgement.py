"""What a symbol and the account may do now, and why. The unknown is dangerous: what is not known reduces, what never was known halts."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from actors.risk_monitor.limits import QuoteLimits, has_moved
from actors.risk_monitor.open_orders import OpenOrders
from protocols.messages.alerts import AlertCode
from protocols.messages.risk import TradingState
from protocols.values import Instrument

REPORT_AGE_NS_MAX = 2_000_000_000
"""Positions and equity that inventory has not repeated for this long are not known any more (it repeats them every 250 ms)."""

_RANK = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}


class Verdict(NamedTuple):
    """A state and its cause; `code` is set where a limit of the configuration was broken."""

    state: TradingState
    reason: str
    code: AlertCode | None = None


ACTIVE = Verdict(TradingState.ACTIVE, "")


def worst(verdicts: list[Verdict]) -> Verdict:
    """The most restrictive verdict, the first of equals; ACTIVE for none."""
    return max(verdicts, key=lambda verdict: _RANK[verdict.state], default=ACTIVE)


class SymbolView:
    """What is known of one symbol. Times are receipts on our own clock; 0 means never."""

    def __init__(self, instrument: Instrument, limits: QuoteLimits, orders_complete: bool = True) -> None:
        self.instrument = instrument
        self.limits = limits
        self.mark_price: Decimal | None = None
        self.mark_ns = 0
        self.position_lots = 0
        self.position_known = False
        self.position_ns = 0
        self.orders = OpenOrders(orders_complete)
        self.limits_mark: Decimal | None = None
        self.verdict = Verdict(TradingState.HALTED, "no mark price has been seen yet")

    @property
    def notional(self) -> Decimal:
        """Unsigned notional of the position at the mark; 0 while there is no mark."""
        return self._value(abs(self.position_lots))

    @property
    def worst_case_notional(self) -> Decimal:
        """Unsigned notional of the worst position that the open orders can lead to."""
        highest, lowest = self.orders.worst_case_lots(self.position_lots)
        return self._value(max(abs(highest), abs(lowest)))

    def follow_mark(self) -> None:
        """Let the mark that limits are converted with follow the mark, in steps."""
        if self.mark_price is not None and has_moved(self.mark_price, self.limits_mark):
            self.limits_mark = self.mark_price

    def judge(self, now_ns: int, mark_age_ns_max: int) -> Verdict:
        """What this symbol may do by itself, whatever the account may."""
        verdicts = [*self._unknown(now_ns, mark_age_ns_max)]
        if self.notional > self.limits.position_notional_max:
            verdicts.append(
                Verdict(
                    TradingState.REDUCING,
                    f"position of {self.notional:.2f} is above its limit of {self.limits.position_notional_max}",
                    AlertCode.LIMIT_BREACHED,
                )
            )
        if self.orders.count() > self.limits.open_orders_max:
            verdicts.append(
                Verdict(
                    TradingState.REDUCING,
                    f"{self.orders.count()} open orders are more than the limit of {self.limits.open_orders_max}",
                    AlertCode.LIMIT_BREACHED,
                )
            )
        return worst(verdicts)

    def _unknown(self, now_ns: int, mark_age_ns_max: int) -> list[Verdict]:
        found = []
        if self.mark_price is None:
            found.append(Verdict(TradingState.HALTED, "no mark price has been seen yet"))
        elif now_ns - self.mark_ns > mark_age_ns_max:
            found.append(Verdict(TradingState.REDUCING, "the mark price is stale"))
        if self.position_ns == 0:
            found.append(Verdict(TradingState.HALTED, "the position has never been known"))
        elif not self.position_known:
            found.append(Verdict(TradingState.REDUCING, "inventory doubts the position"))
        elif now_ns - self.position_ns > REPORT_AGE_NS_MAX:
            found.append(Verdict(TradingState.REDUCING, "inventory is silent about the position"))
        return found

    def _value(self, lots: int) -> Decimal:
        return Decimal(0) if self.mark_price is None else self.mark_price * self.instrument.quantity(lots)


class AccountView:
    """What is known of the account."""

    def __init__(self) -> None:
        self.equity: Decimal | None = None
        self.equity_ns = 0
        self.verdict = Verdict(TradingState.HALTED, "the equity has never been known")

    def judge(
        self, now_ns: int, day_pnl: Decimal | None, loss_stopped: bool, notional: Decimal, notional_max: Decimal
    ) -> Verdict:
        """What the account may do. `loss_stopped` once the day's loss was beyond its limit."""
        verdicts = []
        if loss_stopped:
            loss = "" if day_pnl is None else f" (now {-day_pnl:.2f})"
            verdicts.append(
                Verdict(TradingState.HALTED, f"the day's loss went beyond its limit{loss}", AlertCode.DAILY_LOSS)
            )
        if self.equity is None:
            verdicts.append(Verdict(TradingState.HALTED, "the equity has never been known"))
        elif now_ns - self.equity_ns > REPORT_AGE_NS_MAX:
            verdicts.append(Verdict(TradingState.REDUCING, "inventory is silent about the equity"))
        elif day_pnl is None:
            verdicts.append(Verdict(TradingState.REDUCING, "the equity at the day's start is not known yet"))
        if self.equity is not None and self.equity <= 0:
            verdicts.append(Verdict(TradingState.REDUCING, f"the equity is {self.equity:.2f}"))
        if notional > notional_max:
            verdicts.append(
                Verdict(
                    TradingState.REDUCING,
                    f"positions of {notional:.2f} are above the account's limit of {notional_max}",
                    AlertCode.LIMIT_BREACHED,
                )
            )
        return worst(verdicts)
