"""What speaks against a symbol and against the account, and why.

The unknown is dangerous: what is not known restricts, what never was known halts.
"""

from __future__ import annotations

from decimal import Decimal

from actors.risk_monitor.board import Board
from actors.risk_monitor.derived import Derived
from actors.risk_monitor.levels import Verdict
from actors.risk_monitor.limits import QuoteLimits, WrittenLimits, has_moved, quote_limits
from actors.risk_monitor.open_orders import OpenOrders
from configs.schema import Indicator
from protocols.messages.alerts import AlertCode
from protocols.messages.risk import RiskLevel
from protocols.values import Instrument

RATE_PATIENCE_NS = 10_000_000_000
"""Fees in another asset that have waited for their rate so long are a loss of unknown size."""

_ZERO = Decimal(0)


class SymbolView:
    """What is known of one symbol, exactly. Times are receipts on our own clock; 0 means never."""

    def __init__(self, instrument: Instrument, written: WrittenLimits, orders: OpenOrders) -> None:
        self.instrument = instrument
        self.written = written
        self.limits = quote_limits(written, None, None)
        self.mark_price: Decimal | None = None
        self.mark_ns = 0
        self.position_lots = 0
        self.position_known = False
        self.position_ns = 0
        self.orders = orders
        self.limits_mark: Decimal | None = None
        self._quote_limits = Derived[QuoteLimits]()
        self._has_moved = Derived[bool]()

    @property
    def notional(self) -> Decimal:
        """Unsigned notional of the position at the mark; 0 while there is no mark."""
        return self._value(abs(self.position_lots))

    @property
    def worst_case_notional(self) -> Decimal:
        """Unsigned notional of the worst position that the open orders can lead to."""
        highest, lowest = self.orders.worst_case_lots(self.position_lots)
        return self._value(max(abs(highest), abs(lowest)))

    def follow(self, equity: Decimal | None) -> bool:
        """Let the limits follow the mark and the equity, in steps; whether they changed."""
        if self.mark_price is not None and self._has_moved.of(has_moved, self.mark_price, self.limits_mark):
            self.limits_mark = self.mark_price
        before, self.limits = self.limits, self._quote_limits.of(quote_limits, self.written, equity, self.limits_mark)
        return before != self.limits

    def judge(self, now_ns: int, mark_age_ns_max: int, report_age_ns_max: int, board: Board) -> list[Verdict]:
        """What speaks against this symbol, whatever the account may do. What has not been repeated for so long is not known."""
        verdicts = self._not_known(now_ns, mark_age_ns_max, report_age_ns_max)
        position_max = self.limits.position_notional_max
        if self.position_lots and position_max and self.notional > position_max:
            verdicts.append(
                Verdict(
                    board.at_limit(Indicator.POSITION),
                    f"position of {self.notional:.2f} is above its limit of {position_max}",
                    AlertCode.LIMIT_BREACHED,
                    "position",
                    f"{self.notional:.2f}",
                    str(position_max),
                )
            )
        if self.orders.count() > self.limits.open_orders_max:
            verdicts.append(
                Verdict(
                    board.at_limit(Indicator.OPEN_ORDERS),
                    f"{self.orders.count()} open orders are more than the limit of {self.limits.open_orders_max}",
                    AlertCode.LIMIT_BREACHED,
                    "open_orders",
                    str(self.orders.count()),
                    str(self.limits.open_orders_max),
                )
            )
        return [*verdicts, *board.verdicts()]

    def _not_known(self, now_ns: int, mark_age_ns_max: int, report_age_ns_max: int) -> list[Verdict]:
        found = []
        if self.mark_price is None:
            found.append(_unknown(RiskLevel.HALTED, "no mark price has been seen yet"))
        elif now_ns - self.mark_ns > mark_age_ns_max:
            found.append(_unknown(RiskLevel.RESTRICTED, "the mark price is stale"))
        if self.position_ns == 0:
            found.append(_unknown(RiskLevel.HALTED, "the position has never been known"))
        elif not self.position_known:
            found.append(_unknown(RiskLevel.RESTRICTED, "inventory doubts the position"))
        elif now_ns - self.position_ns > report_age_ns_max:
            found.append(_unknown(RiskLevel.RESTRICTED, "inventory is silent about the position"))
        return found

    def _value(self, lots: int) -> Decimal:
        return _ZERO if self.mark_price is None else self.mark_price * self.instrument.quantity(lots)


class AccountView:
    """What is known of the account, exactly."""

    def __init__(self) -> None:
        self.equity: Decimal | None = None
        self.equity_ns = 0
        self.unvalued: tuple[str, ...] = ()
        self._unvalued_ns = 0

    def note_unvalued(self, assets: tuple[str, ...], now_ns: int) -> None:
        """Take the assets in which fees wait for a rate."""
        self._unvalued_ns = 0 if not assets else self._unvalued_ns or now_ns
        self.unvalued = assets

    def judge(
        self,
        now_ns: int,
        report_age_ns_max: int,
        day_pnl: Decimal | None,
        loss_max: Decimal | None,
        notional: Decimal,
        notional_max: Decimal,
        board: Board,
    ) -> list[Verdict]:
        """What speaks against the account. `loss_max` is the limit of the day's loss once it was beyond that, else None."""
        verdicts = []
        if loss_max is not None:
            loss = "" if day_pnl is None else f" (now {-day_pnl:.2f})"
            verdicts.append(
                Verdict(
                    board.at_limit(Indicator.DAILY_LOSS),
                    f"the day's loss went beyond its limit{loss}",
                    AlertCode.DAILY_LOSS,
                    "daily_loss",
                    "" if day_pnl is None else f"{-day_pnl:.2f}",
                    f"{loss_max:f}",
                    passing=True,
                )
            )
        if self.equity is None:
            verdicts.append(_unknown(RiskLevel.HALTED, "the equity has never been known"))
        elif now_ns - self.equity_ns > report_age_ns_max:
            verdicts.append(_unknown(RiskLevel.RESTRICTED, "inventory is silent about the equity"))
        elif day_pnl is None:
            verdicts.append(_unknown(RiskLevel.RESTRICTED, "the equity at the day's start is not known yet"))
        if self._unvalued_ns and now_ns - self._unvalued_ns > RATE_PATIENCE_NS:
            what = f"fees in {', '.join(self.unvalued)} cannot be valued, for the venue tells no rate"
            verdicts.append(
                _unknown(RiskLevel.HALTED, f"{what}: pay fees in the margin asset (at the venue, feeBurn off)")
            )
        if self.equity is not None and self.equity <= 0:
            text = f"the equity is {self.equity:.2f}"
            verdicts.append(Verdict(RiskLevel.RESTRICTED, text, None, "equity", f"{self.equity:.2f}", "0"))
        elif self.equity is not None and notional > notional_max:
            verdicts.append(
                Verdict(
                    board.at_limit(Indicator.GROSS_EXPOSURE),
                    f"positions of {notional:.2f} are above the account's limit of {notional_max}",
                    AlertCode.LIMIT_BREACHED,
                    "gross_exposure",
                    f"{notional:.2f}",
                    f"{notional_max:f}",
                )
            )
        return [*verdicts, *board.verdicts()]


def _unknown(level: RiskLevel, reason: str) -> Verdict:
    """Something is not known: it ends as soon as it is known again."""
    return Verdict(level, reason, passing=True)
