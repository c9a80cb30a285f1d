"""Every indicator of the account, from those of its symbols, its equity and the answers of the venue."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from actors.risk_monitor.board import Board
from actors.risk_monitor.estimators.covariance import ReturnCovariance, quantile, value_at_risk
from actors.risk_monitor.estimators.exposure import gross_exposure, largest_exposure, net_exposure
from actors.risk_monitor.estimators.profit import HourlyPnl
from actors.risk_monitor.estimators.venue_health import VenueHealth
from actors.risk_monitor.symbol_watch import ORDERS_JUDGED_MIN, SymbolWatch
from configs.schema import Indicator, RiskSettings
from protocols.messages.orders import RateUsage
from protocols.values import RateLimits


class AccountWatch:
    """Indicators of the account. `limit` is its limit on notional in quote currency."""

    def __init__(
        self, watches: Sequence[SymbolWatch], settings: RiskSettings, rate_limits: RateLimits, shards: int
    ) -> None:
        windows = settings.estimators
        self.board = Board(settings.indicators)
        self.limit = 0.0
        self.equity = 0.0
        self._watches = watches
        self._covariance = ReturnCovariance(len(watches), windows.sample_ms, windows.covariance_halflife_ms)
        self._horizon_s = windows.value_at_risk_horizon_ms / 1_000
        self._deviations = quantile(windows.value_at_risk_confidence)
        self._warm_samples = windows.warm_up_ms // windows.sample_ms
        self._orders_10s_max = max(rate_limits.orders_10s, 1)
        self._orders_1m_max = max(rate_limits.orders_1m, 1)
        self._health = [VenueHealth() for _ in range(shards)]
        self._hourly = HourlyPnl()

    def sample(self, returns: Sequence[float]) -> None:
        """End of a sampling period: the return of each symbol in it."""
        self._covariance.sample(np.array(returns))
        self.revalue()

    def move(self, symbol: int, log_return: float, share: float) -> None:
        """The return of one symbol since the last sample, when `share` of the period has passed."""
        self._covariance.move(symbol, log_return, share)
        self._put_correlated()

    def revalue(self) -> None:
        """A position or a mark moved: everything that sums over symbols."""
        watches, put = self._watches, self.board.put
        exposures = [watch.exposure for watch in watches]
        if self.limit > 0:
            put(Indicator.GROSS_EXPOSURE, gross_exposure(exposures) / self.limit)
            put(Indicator.NET_EXPOSURE, net_exposure(exposures) / self.limit)
            put(Indicator.CONCENTRATION, largest_exposure(exposures) / self.limit)
        self.put_worst()
        self._covariance.hold(exposures)
        self._put_correlated()

    def put_worst(self) -> None:
        """An order or a position moved: the worst cases of all symbols together."""
        if self.limit > 0:
            put, watches = self.board.put, self._watches
            put(Indicator.WORST_LONG, sum([watch.worst_long for watch in watches]) / self.limit)
            put(Indicator.WORST_SHORT, sum([watch.worst_short for watch in watches]) / self.limit)

    def _put_correlated(self) -> None:
        """What depends on how the symbols move together."""
        covariance = self._covariance
        correlated = covariance.correlated()
        at_risk = value_at_risk(covariance.variance(), self._horizon_s, self._deviations)
        if self.limit > 0:
            self.board.put(Indicator.CORRELATED_EXPOSURE, correlated / self.limit)
        if self.equity > 0:
            self.board.put(Indicator.VALUE_AT_RISK, at_risk / self.equity, covariance.samples >= self._warm_samples)

    def take_equity(self, equity: Decimal, loss: Decimal | None, loss_max: Decimal | None, now_ns: int) -> None:
        """A new equity, and the day's loss against its limit."""
        self.equity = float(equity)
        self._hourly.value(self.equity, now_ns)
        self.put_share(Indicator.HOURLY_PNL, self._hourly.change())
        self._put_part(Indicator.DAILY_LOSS, loss, loss_max)

    def take_drawdown(self, drawdown: Decimal | None, drawdown_max: Decimal | None) -> None:
        """The drawdown against its limit."""
        self._put_part(Indicator.DRAWDOWN, drawdown, drawdown_max)

    def take_pnl(self, realised: float, unrealised: float) -> None:
        """The day's realised and the present unrealised PnL of all symbols."""
        self.put_share(Indicator.REALISED_PNL, realised)
        self.put_share(Indicator.UNREALISED_PNL, unrealised)

    def take_usage(self, usage: RateUsage, now_ns: int) -> None:
        """How a shard's calls fare, and how much of the order limit is used."""
        if not 0 <= usage.shard < len(self._health):
            return
        self._health[usage.shard].take(usage, now_ns)
        used = max(usage.orders_used_10s / self._orders_10s_max, usage.orders_used_1m / self._orders_1m_max)
        self.board.put(Indicator.ORDER_RATE, max(used, 0.0))
        calls = sum(health.calls() for health in self._health)
        judged = calls >= ORDERS_JUDGED_MIN
        self.board.put(Indicator.ROUND_TRIP, max(health.round_trip_ms() for health in self._health), judged)
        self.board.put(Indicator.ERROR_RATE, max(health.error_rate() for health in self._health), judged)

    def transfer(self, amount: Decimal) -> None:
        """A deposit or withdrawal."""
        self._hourly.transfer(float(amount))

    def put_share(self, indicator: Indicator, amount: float) -> None:
        """Put an amount of quote currency as a share of equity; without equity it cannot be judged."""
        if self.equity > 0:
            self.board.put(indicator, amount / self.equity)
        else:
            self.board.clear(indicator)

    def _put_part(self, indicator: Indicator, amount: Decimal | None, limit: Decimal | None) -> None:
        if amount is None or not limit:
            self.board.clear(indicator)
        else:
            self.board.put(indicator, float(amount / limit))
