"""The limits in force: from the configuration's words, under the hard caps, following equity and marks in steps."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from actors.risk_monitor.account_watch import AccountWatch
from actors.risk_monitor.judgement import SymbolView
from actors.risk_monitor.limits import equity_has_moved, written_limits
from actors.risk_monitor.symbol_watch import SymbolWatch
from configs.schema import HardCaps, RiskSettings
from protocols.values import InstrumentId

_ZERO = Decimal(0)
_ACCOUNT_NOTIONAL = "account_notional_max"


class LimitDesk:
    """Limits of the account and of each symbol in quote currency.

    Args:
        views: their limits are kept up to date here.
        watches: told of the limits that their shares are of.
    """

    def __init__(
        self,
        views: Mapping[InstrumentId, SymbolView],
        watches: Mapping[InstrumentId, SymbolWatch],
        account_watch: AccountWatch,
        risk: RiskSettings,
        caps: HardCaps,
    ) -> None:
        self._views = views
        self._watches = watches
        self._account_watch = account_watch
        self._caps = caps
        self._risk = risk
        self._equity_step: Decimal | None = None
        self._parts = self._divided()
        self.account_max = self._account_max(None)
        """Limit of all positions together; of a share of equity nothing is allowed before equity is known."""

    @property
    def position_max(self) -> dict[InstrumentId, Decimal]:
        """Limit of each symbol's position."""
        return {instrument_id: view.limits.position_notional_max for instrument_id, view in self._views.items()}

    def change(self, risk: RiskSettings) -> None:
        """Other limits are written from now on; `follow` puts them in force."""
        self._risk = risk
        for view in self._views.values():
            self.renew(view)
        self.account_max = self._account_max(None)
        self._equity_step = None

    def renew(self, view: SymbolView) -> None:
        """Write a symbol's limits anew, for its filters or the configuration changed."""
        view.written = written_limits(self._risk, view.instrument, self._caps)

    def follow(self, equity: Decimal | None) -> bool:
        """Let the limits follow marks and equity, in steps; whether any changed."""
        stepped = equity is not None and equity_has_moved(equity, self._equity_step)
        if stepped:
            self._equity_step = equity
            self.account_max = self._account_max(equity)
            self._account_watch.limit = float(self.account_max)
        changed = stepped
        for instrument_id, view in self._views.items():
            if view.follow(self._equity_step) or stepped:
                changed = True
                limits = view.limits
                self._watches[instrument_id].rescale(
                    limits.position_notional_max, self._equity_step or _ZERO, limits.open_orders_max
                )
        if changed:
            self._parts = self._divided()
        return changed

    def part_of(self, view: SymbolView) -> Decimal:
        """A symbol's part of all limits, between 0 and 1: so much of the account's margin is for it."""
        return self._parts[view.instrument.instrument_id]

    def _divided(self) -> dict[InstrumentId, Decimal]:
        limits = self.position_max
        total = sum(limits.values(), _ZERO)
        return {instrument_id: limit / total if total else _ZERO for instrument_id, limit in limits.items()}

    def _account_max(self, equity: Decimal | None) -> Decimal:
        return self._caps.capped(_ACCOUNT_NOTIONAL, self._risk.account_notional_max.in_quote(equity) or _ZERO)
