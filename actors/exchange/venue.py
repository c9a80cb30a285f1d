"""The venue's core: accounts, orders, matching, funding and timers. Pure: it is told the time and returns records, frames and events.

What happened is collected in `outcome` until the host drains it; the ledger's records of a drain must be on file before anything else of
it leaves. Requests are plain method calls that raise `VenueRefusal`; the wire around them is api.py and exchange.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from actors.exchange import errors, ledger
from actors.exchange.accounts import Account, worst_quantity
from actors.exchange.agenda import Agenda
from actors.exchange.contracts import Contract
from actors.exchange.forced_orders import ForcedOrders
from actors.exchange.frames import (
    BookFrame,
    ContractFrame,
    DepthFrame,
    Frame,
    MarkFrame,
    PrintFrame,
    SeamFrame,
    StaleFrame,
    TermsFrame,
    TickerFrame,
)
from actors.exchange.liquidation import Liquidations
from actors.exchange.market import Market
from actors.exchange.matching import Execution, TakePlan
from actors.exchange.order_life import OrderLife, best_prices, new_order
from actors.exchange.orders import Order, OrderRequest
from actors.exchange.scenarios import CLOSED, REDUCE_ONLY, SETTLING, TRADING
from actors.exchange.settlement import Settlement
from actors.exchange.state import VenueState
from actors.exchange.user_stream import leverage_update
from actors.exchange.voice import WIRE, WireVoice
from configs.schema import ExchangeSettings

SAMPLE_NS = 100_000_000
MARK_NS = 1_000_000_000
CATCH_UP_NS_MAX = 1_000_000_000
AMENDMENTS_MAX = 10_000


class _Timer(msgspec.Struct, frozen=True):
    kind: str
    account: str = ""
    symbol: str = ""
    order_id: int = 0


class Venue(VenueState):
    """One simulated venue."""

    def __init__(
        self, settings: ExchangeSettings, contracts: Iterable[Contract], now_ns: int, voice: WireVoice = WIRE
    ) -> None:
        super().__init__(settings, contracts, now_ns, voice)
        self.countdowns: dict[tuple[str, str], int] = {}
        self._life = OrderLife(self)
        forced = ForcedOrders(self, self._life)
        self._settlement = Settlement(self, self._life, forced)
        self._liquidations = Liquidations(self, self._life, forced)
        self.timers: Agenda[_Timer] = Agenda()
        self._tick_ns = settings.tick_ms * 1_000_000
        self._ticks = now_ns // self._tick_ns
        self.timers.add((self._ticks + 1) * self._tick_ns, _Timer("tick"))
        for market in self.markets.values():
            self._plan_funding(market)

    @property
    def next_due_ns(self) -> int | None:
        """When `advance` has something to do next."""
        return self.timers.next_ns

    def announce(self, source: str, *, restart: bool) -> None:
        """Write the records that begin a run."""
        self._settlement.announce(source, restart=restart)

    def advance(self, now_ns: int) -> None:
        """Do what has become due by `now_ns`, in order of time."""
        timers = self.timers
        while timers.due_ns <= now_ns and (due := timers.pop_due(now_ns)) is not None:
            due_ns, timer = due
            self.now_ns = max(self.now_ns, due_ns)
            match timer.kind:
                case "tick":
                    self._tick()
                case "flush":
                    self.markets[timer.symbol].flush_direct(self.now_ns)
                case "funding":
                    self._fund(self.markets[timer.symbol])
                case "countdown":
                    self._count_down(timer.account, timer.symbol)
                case "good_till":
                    order = self.accounts[timer.account].orders.get(timer.order_id)
                    if order is not None and order.is_live:
                        self._life.expire(order, "0", self.markets[timer.symbol])
                        self._publish(self.markets[timer.symbol])
        self.now_ns = max(self.now_ns, now_ns)

    def apply(self, frame: Frame) -> None:
        """Apply one frame of the market source."""
        self.advance(frame.at_ns)
        if isinstance(frame, SeamFrame):
            self._settlement.close_seam(frame.loop)
            for each in self.markets.values():
                self._publish(each)
            return
        market = self.markets.get(frame.symbol)
        if market is None:
            return
        match frame:
            case TickerFrame():
                if market.book.apply_ticker(
                    frame.update_id, frame.bid, frame.bid_lots, frame.ask, frame.ask_lots, frame.market_ns
                ):
                    self._life.execute(market, market.matcher.on_book())
                self._publish(market)
            case DepthFrame():
                market.book.apply_depth(frame.bids, frame.asks, frame.update_id, frame.market_ns)
                self._life.execute(market, market.matcher.on_book())
                self._publish(market, flush=True)
            case PrintFrame():
                self._life.apply_print(market, frame)
                self._publish(market)
            case MarkFrame():
                before_ns = market.next_funding_ns
                market.apply_mark(frame)
                if market.next_funding_ns != before_ns:
                    self._plan_funding(market)
            case ContractFrame():
                self._change_contract(market, frame)
            case TermsFrame():
                market.change_terms(frame.contract, frame.brackets, frame.at_ns)
            case StaleFrame():
                market.stale = True
            case BookFrame():
                was_open, market.stale = market.is_open, False
                market.book.replace(frame.bids, frame.asks, frame.market_ns)
                market.matcher.knows_queues = frame.knows_queues
                self._life.execute(market, market.matcher.on_book())
                if not was_open and market.is_open:
                    self._rest_restored(market)
                    self._settlement.sample(market)
                self._publish(market, flush=True)
            case _:
                assert_never(frame)

    def place(self, account: Account, request: OrderRequest) -> Order:
        """Accept a new order and match it.

        Raises:
            VenueRefusal: -4140, -4141, -4116, -2025, -2022, -2019, -2027, -5022, -5021, -4131; nothing is recorded then.
        """
        market = self.market(request.symbol)
        self._check_status(market, reduces=request.reduce_only)
        if (request.symbol, request.client_order_id) in account.live:
            raise errors.VenueRefusal(-4116, "ClientOrderId is duplicated.")
        if len(account.live_orders(request.symbol)) >= market.contract.open_orders_max:
            raise errors.VenueRefusal(-2025, "Reach max open order limit.")
        order = new_order(account, request, self)
        if request.reduce_only:
            self._check_reduce_only(account, order)
        elif not self._only_reduces(account, order):
            self._check_margin(account, market, order)
            self._check_position_limit(account, market, order)
        plan = self._admit_to_match(account, market, order)
        self.order_id = order.order_id
        account.opened(order)
        self._life.accept(market, order, request)
        self._life.carry_out(account, market, order, plan)
        if order.is_live:
            self._plan_good_till(order)
        self._publish(market)
        return order

    def amend(
        self,
        account: Account,
        order: Order,
        price_ticks: int,
        lots: int,
        modify_id: int | None,
        timestamp_ms: int,
        window_ms: int,
    ) -> Order:
        """Change price and total quantity of a live order; it goes to the back of the queue (facts section 2.6).

        Raises:
            VenueRefusal: -5024, -5026, -5027, -2019, -2027.
        """
        market = self.market(order.symbol)
        if market.status != TRADING or market.stale:
            raise errors.VenueRefusal(-5024, "Symbol is not in trading status. Order amendment is not permitted.")
        if order.amendments >= AMENDMENTS_MAX:
            raise errors.VenueRefusal(-5026, "Exceed maximum modify order limit.")
        if (price_ticks, lots) == (order.price_ticks, order.lots):
            raise errors.VenueRefusal(-5027, "No need to modify the order.")
        if lots <= order.executed_lots:
            self._life.cancel(order, "amend")
            self._publish(market)
            return order
        if order.time_in_force == "GTX" and market.matcher.would_take(is_buy=order.is_buy, price_ticks=price_ticks):
            self._life.cancel(order, "amend")
            self._publish(market)
            return order
        before_ticks, before_lots = order.price_ticks, order.lots
        market.matcher.remove(order)
        order.price_ticks, order.lots = price_ticks, lots
        try:
            if not order.reduce_only:
                self._check_margin(account, market, None)
                self._check_position_limit(account, market, None)
        except errors.VenueRefusal:
            order.price_ticks, order.lots = before_ticks, before_lots
            market.matcher.rest(order)
            raise
        order.amendments += 1
        order.updated_ms = self.now_ms
        best_bid, best_ask = best_prices(market)
        record = ledger.OrderAmended(
            t=self.now_ns,
            account=order.account,
            symbol=order.symbol,
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            side=order.side,
            price=market.contract.price(price_ticks),
            quantity=market.contract.quantity(lots),
            price_before=market.contract.price(before_ticks),
            quantity_before=market.contract.quantity(before_lots),
            executed=market.contract.quantity(order.executed_lots),
            timestamp_ms=timestamp_ms,
            recv_window_ms=window_ms,
            best_bid=best_bid,
            best_ask=best_ask,
        )
        self.record(record)
        account.record_amendment(record, order.amendments, modify_id)
        self._life.tell(market, order, "AMENDMENT", modify_id=modify_id)
        plan = market.matcher.plan(order, limit_ticks=price_ticks, lots=order.remaining_lots)
        self._life.carry_out(account, market, order, plan)
        self._publish(market)
        return order

    def cancel(self, order: Order, reason: str = "request") -> Order:
        """End a live order at its owner's request."""
        self._life.cancel(order, reason)
        self._publish(self.markets[order.symbol])
        return order

    def cancel_all(self, account: Account, symbol: str, reason: str = "cancel_all") -> int:
        """End all live orders of a symbol; returns how many there were."""
        market = self.market(symbol)
        orders = account.live_orders(symbol)
        for order in orders:
            self._life.cancel(order, reason)
        self._publish(market)
        return len(orders)

    def fill_now(self, order: Order, lots: int) -> None:
        """Fill a live order at its own price though no print reached it: only a fault on demand asks for this."""
        market = self.markets[order.symbol]
        self._life.execute(market, [Execution(order, min(lots, order.remaining_lots))])
        self._publish(market)

    def set_countdown(self, account: Account, symbol: str, countdown_ms: int) -> None:
        """Cancel all orders of the symbol in `countdown_ms` unless renewed; 0 disarms."""
        self.market(symbol)
        deadline_ns = self.now_ns + countdown_ms * 1_000_000 if countdown_ms else 0
        self.arm_countdown(account.name, symbol, deadline_ns)
        self.record(ledger.CountdownSet(t=self.now_ns, account=account.name, symbol=symbol, deadline_ns=deadline_ns))

    def arm_countdown(self, account: str, symbol: str, deadline_ns: int) -> None:
        """Set a countdown without a record, as when loading a ledger."""
        if deadline_ns:
            self.countdowns[(account, symbol)] = deadline_ns
            self.timers.add(deadline_ns, _Timer("countdown", account=account, symbol=symbol))
        else:
            self.countdowns.pop((account, symbol), None)

    def set_leverage(self, account: Account, symbol: str, leverage: int) -> None:
        """Change the leverage of a symbol.

        Raises:
            VenueRefusal: -2027 when the position is too large for it, -2028 when there is too little margin for it.
        """
        market, position = self.market(symbol), account.position(symbol)
        if abs(position.amount) * market.mark_price > market.brackets.notional_max(leverage):
            raise errors.VenueRefusal(-2027, "Exceeded the maximum allowable position at current leverage.")
        before, position.leverage = position.leverage, leverage
        if leverage < before and self.available(account, market.contract.margin_asset) < 0:
            position.leverage = before
            raise errors.VenueRefusal(-2028, "Leverage is smaller than permitted: insufficient margin balance.")
        self.record(ledger.LeverageSet(t=self.now_ns, account=account.name, symbol=symbol, leverage=leverage))
        self.tell(leverage_update(account.name, symbol, leverage, self.now_ms))

    def set_fee_burn(self, account: Account, *, fee_burn: bool) -> None:
        """Whether the account pays its fees in BNB."""
        account.fee_burn = fee_burn
        self.record(ledger.FeeBurnSet(t=self.now_ns, account=account.name, fee_burn=fee_burn))

    def restore_order(self, account: Account, order: Order) -> None:
        """Bring back an order of an earlier run; it joins the back of its level with the first book."""
        self.order_id = max(self.order_id, order.order_id)
        account.opened(order)
        self._plan_good_till(order)

    def continue_after(self, t_ns: int, order_id: int, tran_id: int) -> None:
        """Times and ids go on after those of an earlier run."""
        self.now_ns = max(self.now_ns, t_ns)
        self.order_id = max(self.order_id, order_id)
        self.tran_id = max(self.tran_id, tran_id)

    def _rest_restored(self, market: Market) -> None:
        """Live orders of an earlier run join the back of their levels once there is a book, and fill if it has gone through them."""
        for account in self.accounts.values():
            for order in account.live_orders(market.contract.symbol):
                market.matcher.rest(order)
        self._life.execute(market, market.matcher.on_book())

    def _plan_good_till(self, order: Order) -> None:
        if order.good_till_ms:
            timer = _Timer("good_till", order.account, order.symbol, order.order_id)
            self.timers.add(order.good_till_ms * 1_000_000, timer)

    def _fund(self, market: Market) -> None:
        before_ns = market.next_funding_ns
        self._settlement.pay_funding(market)
        if market.next_funding_ns != before_ns:
            self._plan_funding(market)

    def _plan_funding(self, market: Market) -> None:
        self.timers.add(market.next_funding_ns, _Timer("funding", symbol=market.contract.symbol))

    def _change_contract(self, market: Market, frame: ContractFrame) -> None:
        market.change_contract(frame.status, frame.tick_multiple, self.now_ns)
        contract = market.contract
        self.record(
            ledger.ContractChanged(
                t=self.now_ns,
                symbol=contract.symbol,
                status=frame.status,
                tick_size=contract.tick_size * frame.tick_multiple,
            )
        )
        if frame.status == SETTLING:
            self._settlement.delist(market)
            self._publish(market)

    def wipe_orders(self, account: str, symbol: str, reason: str) -> None:
        """Open orders (an empty name: of each) expire, and their owners are not told; the ledger is."""
        for owner in self.accounts.values():
            if account not in ("", owner.name):
                continue
            for market in self.markets.values():
                if symbol in ("", market.contract.symbol):
                    for order in list(owner.live_orders(market.contract.symbol)):
                        self._life.expire(order, reason, market)
                    self._publish(market)
        self.outcome.events.clear()

    def _check_status(self, market: Market, *, reduces: bool) -> None:
        if market.status == CLOSED:
            raise errors.VenueRefusal(-4141, "Symbol is closed.")
        reducing = market.status == REDUCE_ONLY and reduces
        if not market.is_open or market.stale or (market.status != TRADING and not reducing):
            raise errors.VenueRefusal(-4140, "Invalid symbol status for opening position.")

    def _check_reduce_only(self, account: Account, order: Order) -> None:
        held = self.reducible_lots(account, order)
        waiting = sum(
            other.remaining_lots
            for other in account.live_orders(order.symbol)
            if other.reduce_only and other.side == order.side
        )
        if held == 0 or waiting >= held:
            raise errors.reduce_only_rejected()

    def _check_margin(self, account: Account, market: Market, order: Order | None) -> None:
        if self.available(account, market.contract.margin_asset, order) < 0:
            raise errors.margin_insufficient()

    def _check_position_limit(self, account: Account, market: Market, order: Order | None) -> None:
        """The position with all open orders of its worse side must fit the leverage."""
        most = market.brackets.notional_max(account.position(market.contract.symbol).leverage)
        if worst_quantity(account, market.contract, order) * market.mark_price > most:
            raise errors.VenueRefusal(-2027, "Exceeded the maximum allowable position at current leverage.")

    def _only_reduces(self, account: Account, order: Order) -> bool:
        reducible = self.reducible_lots(account, order)
        if not reducible:
            return False
        same_side = sum(other.remaining_lots for other in account.live_orders(order.symbol) if other.side == order.side)
        return same_side + order.lots <= reducible

    def _admit_to_match(self, account: Account, market: Market, order: Order) -> TakePlan:
        matcher = market.matcher
        if order.time_in_force == "GTX":
            if matcher.would_take(is_buy=order.is_buy, price_ticks=order.price_ticks):
                raise errors.post_only_would_take()
            return TakePlan([], 0, False)
        limit: int | None = order.price_ticks
        if order.type == "MARKET":
            limit = self._market_limit(market, order)
        lots = min(order.lots, self.reducible_lots(account, order)) if order.reduce_only else order.lots
        plan = matcher.plan(order, limit_ticks=limit, lots=lots)
        if order.type == "MARKET" and plan.lots == 0 and not plan.steps:
            raise errors.VenueRefusal(
                -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."
            )
        if order.time_in_force == "FOK" and plan.lots < order.lots:
            raise errors.fill_or_kill_unfillable()
        return plan

    def _market_limit(self, market: Market, order: Order) -> int:
        bound = market.contract.market_take_bound
        factor = 1 + bound if order.is_buy else 1 - bound
        return int(market.mark_price * factor / market.contract.tick_size)

    def call_margin(self, account: Account, asset: str) -> None:
        """A margin call at the venue's own pleasure, whatever the margin is."""
        self._liquidations.call(account, asset)

    def liquidate(self, account: Account, asset: str) -> None:
        """A liquidation at the venue's own pleasure: the position with the greatest loss, and more while the margin does not suffice."""
        for market in self._liquidations.liquidate(account, asset):
            self._publish(market)

    def deleverage(self, account: Account, symbol: str, lots: int) -> None:
        """Close so many lots of an account's position at the mark, as against the position of somebody who is bankrupt."""
        market = self.market(symbol)
        is_short = account.position(symbol).amount < 0
        price_ticks = int(market.mark_price / market.contract.tick_size)
        self._liquidations.deleverage(market, price_ticks, lots, against_long=is_short)
        self._publish(market)

    def _tick(self) -> None:
        """Every `tick_ms`: interval streams, samples of the top, mark price."""
        behind = self.now_ns - CATCH_UP_NS_MAX
        self._ticks = max(self._ticks + 1, behind // self._tick_ns)
        self.timers.add((self._ticks + 1) * self._tick_ns, _Timer("tick"))
        elapsed_ns = self._ticks * self._tick_ns
        for market in self.markets.values():
            market.publish_interval(self.now_ns, elapsed_ns // 1_000_000)
            if elapsed_ns % SAMPLE_NS == 0 and not market.stale:
                self._settlement.sample(market)
        if elapsed_ns % SAMPLE_NS == 0:
            for market in self._liquidations.check():
                self._publish(market)
        if elapsed_ns % MARK_NS == 0:
            self.flush_refusals()
            self._settlement.publish_marks(every_third=elapsed_ns % (3 * MARK_NS) == 0)

    def _count_down(self, account: str, symbol: str) -> None:
        deadline_ns = self.countdowns.get((account, symbol))
        if deadline_ns is None or deadline_ns > self.now_ns:
            return
        del self.countdowns[(account, symbol)]
        self.record(ledger.CountdownSet(t=self.now_ns, account=account, symbol=symbol, deadline_ns=0))
        self.cancel_all(self.accounts[account], symbol, "countdown")

    def _publish(self, market: Market, *, flush: bool = False) -> None:
        due_before = market.flush_due_ns
        market.publish_changes(self.now_ns, flush=flush)
        if market.flush_due_ns and market.flush_due_ns != due_before:
            self.timers.add(market.flush_due_ns, _Timer("flush", symbol=market.contract.symbol))

    def _record(self, record: ledger.LedgerRecord) -> None:
        self.outcome.records.append(record)
