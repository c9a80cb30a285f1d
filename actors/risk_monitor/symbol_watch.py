"""Every indicator of one symbol, brought up to date by each message that moves it."""

from __future__ import annotations

import math
from decimal import Decimal

from actors.risk_monitor.board import Board
from actors.risk_monitor.estimators.behaviour import Behaviour
from actors.risk_monitor.estimators.exposure import funding_ahead
from actors.risk_monitor.estimators.liquidity import Liquidity
from actors.risk_monitor.estimators.markout import Markout
from actors.risk_monitor.estimators.order_flow import OrderFlow
from actors.risk_monitor.estimators.profit import HourlyPnl
from actors.risk_monitor.estimators.realised_volatility import RealisedVolatility, annualised
from actors.risk_monitor.open_orders import OpenOrders
from configs.schema import Indicator, RiskSettings
from protocols.arithmetic.volatility import EwmaVolatility
from protocols.messages.inventory import PnlChanged
from protocols.messages.market import BookTop, FeedStatus, MarkPrice
from protocols.messages.orders import (
    AnyOrderEvent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
)
from protocols.values import Instrument

ORDERS_JUDGED_MIN = 20
"""Ratios of fewer orders, and markouts of fewer fills, are shown and not judged."""

_MS = 1_000_000
_MARK_GAP_BPS = 1e4
_STILL_MOVE = 2e-4
"""Part of the mid that it must have moved by since the mark last did, before a mark that stands still means anything."""


class SymbolWatch:
    """Indicators of one symbol. `limit` is its position limit in quote currency, `equity` the account's: the units of its shares."""

    def __init__(self, instrument: Instrument, settings: RiskSettings, orders: OpenOrders) -> None:
        windows, guard = settings.estimators, settings.behaviour
        self.instrument = instrument
        self.board = Board(settings.indicators)
        self.limit = 0.0
        self.equity = 0.0
        self.open_orders_max = 0
        self.exposure = 0.0
        self.worst_long = self.worst_short = 0.0
        self.mid_ticks = 0.0
        self.behaviour = Behaviour(guard.window_ms * _MS, guard.life_ms * _MS)
        self._guard = guard
        self._orders = orders
        self._lot_value = float(instrument.lot_size)
        self._tick_value = float(instrument.tick_size)
        self._mark = 0.0
        self._funding_rate = 0.0
        self._lots = 0
        self.book_ns = 0
        """When the last book came that was not one said again."""
        self._book_id = 0
        self._confirmed_ns = self._mark_ns = 0
        self._mark_changed_ns = 0
        self._mid_at_change = 0.0
        self._worst = (0, 0)
        self._sampled_mid = 0.0
        self._sampled_ns = 0
        self._sample_ns = windows.sample_ms * _MS
        self.open_return = self.open_share = 0.0
        """Log return of the mid since the last sample, and the share (0 to 1) of the sampling period that has passed."""
        self._ewma = EwmaVolatility(windows.volatility_halflife_ms * _MS)
        self._volatility = RealisedVolatility(
            windows.sample_ms, windows.volatility_short_ms, windows.volatility_long_ms
        )
        self._liquidity = Liquidity(windows.usual_halflife_ms * _MS, windows.warm_up_ms * _MS)
        self._markout = Markout(windows.markout_ms * _MS, windows.markout_fills)
        self._flow = OrderFlow(windows.flow_window_ms * _MS)
        self._hourly = HourlyPnl()

    def take_book(self, top: BookTop, now_ns: int) -> None:
        """A new book moves mid, spread, depth, volatility, the gap to the mark and due markouts."""
        bids, asks = top.bids, top.asks
        if top.update_id != self._book_id:
            self._book_id, self.book_ns = top.update_id, now_ns
        if not bids or not asks or not 0 < bids[0][0] < asks[0][0]:
            self.board.put(Indicator.SPREAD_RATIO, math.nan)
            return
        put = self.board.put
        mid = self.mid_ticks = (bids[0][0] + asks[0][0]) / 2
        if self._mid_at_change == 0.0:
            self._mid_at_change = mid
        self._ewma.observe(mid, min(top.received_ns, now_ns))
        put(Indicator.VOLATILITY_EWMA, annualised(self._ewma.bps_per_root_second()), self._volatility.is_warm)
        if self._sampled_mid > 0:
            self.open_return = math.log(mid / self._sampled_mid)
            self.open_share = min((now_ns - self._sampled_ns) / self._sample_ns, 1.0)
            self._volatility.move(self.open_return, self.open_share)
            self._put_volatility()
        liquidity = self._liquidity
        liquidity.observe(bids, asks, now_ns)
        put(Indicator.SPREAD_RATIO, liquidity.spread_ratio, liquidity.is_warm)
        put(Indicator.DEPTH_RATIO, liquidity.depth_ratio, liquidity.is_warm)
        self._put_gap()
        if self._markout.observe(mid * self._tick_value, now_ns):
            put(Indicator.ADVERSE_SELECTION, self._markout.mean_bps(), self._markout.count >= ORDERS_JUDGED_MIN)

    @property
    def knows_depth(self) -> bool:
        """Whether enough was seen to know which depth is usual."""
        return self._liquidity.is_warm

    @property
    def depth_ratio(self) -> float:
        """Depth of the book against its usual."""
        return self._liquidity.depth_ratio

    @property
    def usual_return(self) -> float:
        """Standard deviation of the return of one sampling period, over the long window; 0 before it is known."""
        return self._volatility.usual_return() if self._volatility.is_warm else 0.0

    def take_mark(self, mark: MarkPrice, now_ns: int) -> None:
        """A new mark moves everything that is valued by it."""
        before, self._mark = self._mark, float(mark.mark_price)
        if self._mark != before:
            self._mark_changed_ns, self._mid_at_change = now_ns, self.mid_ticks
        self._funding_rate = float(mark.funding_rate)
        self._mark_ns = min(mark.received_ns, now_ns)
        self._put_exposure()
        self._put_gap()

    def take_position(self, lots: int) -> None:
        """A new position moves exposure and worst cases."""
        self._lots = lots
        self._worst = self._orders.worst_case_lots(lots)
        self._put_exposure()

    def take_feed(self, status: FeedStatus, now_ns: int) -> None:
        """The last sign of life of the feed: never later than now, and a feed that begins anew makes nothing younger."""
        self._confirmed_ns = max(self._confirmed_ns, min(status.confirmed_ns, now_ns))

    def take_pnl(self, pnl: PnlChanged, now_ns: int) -> None:
        """Realised, unrealised and hourly PnL, as shares of equity."""
        net = float(pnl.net)
        self._hourly.value(net, now_ns)
        self.put_share(Indicator.REALISED_PNL, float(pnl.realised - pnl.fees + pnl.funding))
        self.put_share(Indicator.UNREALISED_PNL, float(pnl.unrealised))
        self.put_share(Indicator.HOURLY_PNL, self._hourly.change())

    def take_event(self, event: AnyOrderEvent, now_ns: int) -> None:
        """An order event, after the picture of open orders took it: it moves worst cases, ratios and markouts."""
        match event:
            case OrderAccepted():
                self._flow.accepted(event.client_order_id, now_ns)
                notional = event.price_ticks * event.quantity_lots * self._tick_value * self._lot_value
                is_dust = notional < self._guard.dust_notional
                self.behaviour.placed(event.client_order_id, event.quantity_lots, is_dust, now_ns)
            case OrderRejected():
                self._flow.rejected(event.venue_code, now_ns)
            case OrderFilled():
                self._flow.filled(event.client_order_id, now_ns)
                self.behaviour.filled(event.client_order_id, event.quantity_lots)
                if event.ours and event.maker:
                    self._markout.filled(event.side.sign, event.price_ticks * self._tick_value, now_ns)
            case OrderCanceled():
                self._flow.ended(event.client_order_id)
                self.behaviour.canceled(event.client_order_id, now_ns)
            case OrderExpired():
                self._flow.ended(event.client_order_id)
            case _:
                self._follow_orders()
                return
        self._follow_orders()
        self._put_flow(now_ns)

    def _follow_orders(self) -> None:
        self._worst = self._orders.worst_case_lots(self._lots)
        self._put_worst()

    def tick(self, now_ns: int) -> None:
        """What moves with time alone: ages, and windows that go on."""
        self.board.put(Indicator.BOOK_AGE, max(now_ns - self._confirmed_ns, 0) / 1e9, self._confirmed_ns > 0)
        self.board.put(Indicator.MARK_AGE, max(now_ns - self._mark_ns, 0) / 1e9, self._mark_ns > 0)
        if self._mark_changed_ns and self._mid_at_change > 0:
            has_moved = abs(self.mid_ticks - self._mid_at_change) > self._mid_at_change * _STILL_MOVE
            self.board.put(Indicator.MARK_STILL, (now_ns - self._mark_changed_ns) / 1e9, has_moved)
        self._put_flow(now_ns)

    def sample(self, at_ns: int) -> float:
        """Take the mid of now as the end of a sampling period; its log return, not a number where there is none."""
        before, self._sampled_mid, self._sampled_ns = self._sampled_mid, self.mid_ticks, at_ns
        self.open_return = self.open_share = 0.0
        if before <= 0 or self.mid_ticks <= 0:
            return math.nan
        change = math.log(self.mid_ticks / before)
        self._volatility.sample(change)
        self._put_volatility()
        return change

    def rescale(self, limit: Decimal, equity: Decimal, open_orders_max: int) -> None:
        """The limits in quote currency changed."""
        self.limit, self.equity, self.open_orders_max = float(limit), float(equity), open_orders_max
        self._put_exposure()

    def put_share(self, indicator: Indicator, amount: float) -> None:
        """Put an amount of quote currency as a share of equity; without equity it cannot be judged."""
        if self.equity > 0:
            self.board.put(indicator, amount / self.equity)
        else:
            self.board.clear(indicator)

    def _put_volatility(self) -> None:
        put, volatility, warm = self.board.put, self._volatility, self._volatility.is_warm
        put(Indicator.VOLATILITY_SHORT, volatility.short(), warm)
        put(Indicator.VOLATILITY_LONG, volatility.long(), warm)
        put(Indicator.VOLATILITY_RATIO, volatility.ratio(), warm)

    def _put_exposure(self) -> None:
        unit = self._mark * self._lot_value
        self.exposure = self._lots * unit
        if self.limit > 0:
            self.board.put(Indicator.POSITION, abs(self.exposure) / self.limit)
        self.put_share(Indicator.FUNDING_AHEAD, funding_ahead(self.exposure, self._funding_rate))
        self._put_worst()

    def _put_worst(self) -> None:
        unit = self._mark * self._lot_value
        self.worst_long, self.worst_short = max(self._worst[0], 0) * unit, max(-self._worst[1], 0) * unit
        if self.limit > 0:
            self.board.put(Indicator.WORST_LONG, self.worst_long / self.limit)
            self.board.put(Indicator.WORST_SHORT, self.worst_short / self.limit)
        if self.open_orders_max:
            self.board.put(Indicator.OPEN_ORDERS, self._orders.count() / self.open_orders_max)

    def _put_gap(self) -> None:
        if self._mark > 0 and self.mid_ticks > 0:
            mid = self.mid_ticks * self._tick_value
            self.board.put(Indicator.MARK_GAP, abs(self._mark - mid) / mid * _MARK_GAP_BPS)

    def _put_flow(self, now_ns: int) -> None:
        put, flow, behaviour, guard = self.board.put, self._flow, self.behaviour, self._guard
        ratios = flow.ratios(now_ns)
        is_judged = ratios.asked >= ORDERS_JUDGED_MIN
        put(Indicator.REJECT_RATIO, ratios.reject_ratio, is_judged)
        put(Indicator.INVALID_RATIO, ratios.invalid_ratio, is_judged)
        put(Indicator.FILL_RATE, ratios.fill_rate)
        took_s = flow.time_to_fill_s()
        if took_s is not None:
            put(Indicator.TIME_TO_FILL, took_s, ratios.fills >= ORDERS_JUDGED_MIN)
        behaviour.forget_before(now_ns)
        orders = behaviour.orders
        put(Indicator.CANCEL_RATIO, behaviour.cancel_ratio, orders >= guard.cancel_orders_min)
        put(Indicator.UNFILLED_RATIO, behaviour.unfilled_ratio, orders >= guard.orders_min)
        put(Indicator.DUST_RATIO, behaviour.dust_ratio, orders >= guard.orders_min)
