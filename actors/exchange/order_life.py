"""The life of orders: accepted, traded, canceled, expired; each step books, records and tells, in this order."""

from __future__ import annotations

from decimal import Decimal

from actors.exchange import ledger
from actors.exchange.accounts import Account
from actors.exchange.fee_schedule import Commission
from actors.exchange.frames import PrintFrame
from actors.exchange.market import Market
from actors.exchange.matching import Execution, TakePlan
from actors.exchange.orders import Order, OrderRequest
from actors.exchange.state import VenueState
from actors.exchange.user_stream import LastFill, account_update, trade_lite


class OrderLife:
    """Carries out what matching found."""

    def __init__(self, state: VenueState) -> None:
        self._state = state

    def accept(self, market: Market, order: Order, request: OrderRequest) -> None:
        contract = market.contract
        side = market.book.side(bids=order.is_buy)
        self._state.record(
            ledger.OrderAccepted(
                t=self._state.now_ns,
                account=order.account,
                symbol=order.symbol,
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                side=order.side,
                type=order.type,
                time_in_force=order.time_in_force,
                price=contract.price(order.price_ticks),
                quantity=contract.quantity(order.lots),
                reduce_only=order.reduce_only,
                timestamp_ms=request.timestamp_ms,
                recv_window_ms=request.recv_window_ms,
                best_bid=_price(market, market.book.bids.best()),
                best_ask=_price(market, market.book.asks.best()),
                queue_ahead=contract.quantity(side.lots(order.price_ticks)),
                stp_mode=order.stp_mode,
                good_till_ms=order.good_till_ms,
            )
        )
        self.tell(market, order, "NEW")

    def carry_out(self, account: Account, market: Market, order: Order, plan: TakePlan) -> None:
        """Trade what the plan says, then rest or expire the remainder; that of a forced order is its maker's business."""
        for step in plan.steps:
            if step.maker is not None and step.expires:
                if step.maker.is_live:
                    self.expire(step.maker, "1", market)
                continue
            lots = step.lots
            if step.maker is not None:
                lots = self._fill_resting(market, Execution(step.maker, lots, other_lots=lots), publish=False)
            if lots == 0:
                continue
            if step.maker is None:
                market.matcher.took_recorded(step.price_ticks, lots, bids=not order.is_buy)
            trade_id = market.trades[-1].trade_id if step.maker is not None else market.next_trade_id()
            self._fill(account, market, order, step.price_ticks, lots, maker=False, trade_id=trade_id)
            if step.maker is None:
                market.publish_trade(
                    step.price_ticks,
                    lots,
                    buyer_is_maker=not order.is_buy,
                    trade_id=trade_id,
                    now_ns=self._state.now_ns,
                )
        if not order.is_live or order.is_forced:
            return
        if plan.stopped_by_self:
            self.expire(order, "1", market)
        elif order.type == "MARKET":
            self.expire(order, "9", market)
        elif order.time_in_force in ("IOC", "FOK"):
            self.expire(order, "2", market)
        elif order.reduce_only and self._state.reducible_lots(account, order) == 0:
            self.expire(order, "4", market)
        else:
            market.matcher.rest(order)

    def apply_print(self, market: Market, frame: PrintFrame) -> None:
        executions = market.matcher.on_print(
            frame.price_ticks, frame.lots, buyer_is_maker=frame.buyer_is_maker, market_ns=frame.market_ns
        )
        filled = self.execute(market, executions)
        if frame.lots > filled:
            market.publish_trade(
                frame.price_ticks,
                frame.lots - filled,
                buyer_is_maker=frame.buyer_is_maker,
                trade_id=market.next_trade_id(),
                now_ns=self._state.now_ns,
            )

    def execute(self, market: Market, executions: list[Execution]) -> int:
        return sum(self._fill_resting(market, execution, publish=True) for execution in executions)

    def _follow_other_model(self, market: Market, execution: Execution) -> None:
        """Keep what the other queue model would have given, for the report."""
        order = execution.order
        given = order.lots if execution.certain else min(order.lots, order.other_lots + execution.other_lots)
        if given > order.other_lots:
            self._state.record(
                ledger.OtherModelFilled(
                    t=self._state.now_ns,
                    account=order.account,
                    symbol=order.symbol,
                    order_id=order.order_id,
                    side=order.side,
                    price=market.contract.price(order.price_ticks),
                    quantity=market.contract.quantity(given - order.other_lots),
                )
            )
            order.other_lots = given

    def _fill_resting(self, market: Market, execution: Execution, *, publish: bool) -> int:
        """Fill a resting order at its own price; a reduce-only order is cut at the position. Returns the lots that traded."""
        order, lots = execution.order, execution.lots
        if not order.is_live:
            return 0
        self._follow_other_model(market, execution)
        account = self._state.accounts[order.account]
        if order.reduce_only:
            lots = min(lots, self._state.reducible_lots(account, order))
        if lots:
            trade_id = market.next_trade_id()
            market.publish_trade(
                order.price_ticks, lots, buyer_is_maker=order.is_buy, trade_id=trade_id, now_ns=self._state.now_ns
            )
            self._fill(account, market, order, order.price_ticks, lots, maker=True, trade_id=trade_id)
        if order.is_live and order.reduce_only and self._state.reducible_lots(account, order) == 0:
            self.expire(order, "4", market)
        return lots

    def fill_forced(
        self, account: Account, market: Market, order: Order, price_ticks: int, lots: int, *, execution: str = "TRADE"
    ) -> None:
        """Fill an order of the venue's own at a price that no market gave."""
        self._fill(
            account,
            market,
            order,
            price_ticks,
            lots,
            maker=False,
            trade_id=market.next_trade_id(),
            execution=execution,
        )

    def _fill(
        self,
        account: Account,
        market: Market,
        order: Order,
        price_ticks: int,
        lots: int,
        *,
        maker: bool,
        trade_id: int,
        execution: str = "TRADE",
    ) -> None:
        contract = market.contract
        price, quantity = contract.price(price_ticks), contract.quantity(lots)
        commission, commission_asset = self._commission(account, market, order, price * quantity, maker=maker)
        realized = account.book_fill(
            contract, order, price, quantity, commission, commission_asset, maker, trade_id, self._state.now_ms
        )
        order.executed_lots += lots
        order.executed_quote += price * quantity
        order.updated_ms = self._state.now_ms
        order.status = "FILLED" if order.remaining_lots == 0 else "PARTIALLY_FILLED"
        if maker:
            market.book.side(bids=order.is_buy).changed.add(order.price_ticks)
        if order.status == "FILLED":
            market.matcher.remove(order)
            account.ended(order)
        position = account.position(order.symbol)
        wallet = account.wallets.get(contract.margin_asset, Decimal(0))
        self._state.record(
            ledger.OrderFilled(
                t=self._state.now_ns,
                account=account.name,
                symbol=order.symbol,
                trade_id=trade_id,
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                side=order.side,
                price=price,
                quantity=quantity,
                executed=contract.quantity(order.executed_lots),
                maker=maker,
                commission=commission,
                commission_asset=commission_asset,
                realized_pnl=realized,
                position_after=position.amount,
                entry_price_after=position.entry_price,
                entry_cost_after=position.cost,
                wallet_after=wallet,
                bnb_after=None if commission_asset == contract.margin_asset else account.wallets[commission_asset],
            )
        )
        fill = LastFill(
            lots=lots,
            price_ticks=price_ticks,
            trade_id=trade_id,
            maker=maker,
            commission=commission,
            commission_asset=commission_asset,
            realized_pnl=realized,
        )
        self._state.tell(trade_lite(order, market.numbers, fill, self._state.now_ms))
        self.tell_account(account, market, "ORDER", Decimal(0))
        self.tell(market, order, execution, fill=fill)
        self._knock_out_reduce_only(account, market)

    def _commission(
        self, account: Account, market: Market, order: Order, notional: Decimal, *, maker: bool
    ) -> Commission:
        """The charge for a fill; orders that the venue placed itself are free."""
        if order.is_forced:
            return Commission(Decimal(0), market.contract.margin_asset)
        return self._state.fee_schedule.commission(account, market.contract, notional, maker=maker)

    def _knock_out_reduce_only(self, account: Account, market: Market) -> None:
        """Reduce-only orders that can reduce nothing any more expire."""
        for other in account.live_orders(market.contract.symbol):
            if other.reduce_only and self._state.reducible_lots(account, other) == 0:
                self.expire(other, "4", market)

    def cancel(self, order: Order, reason: str) -> None:
        market = self._state.markets[order.symbol]
        self._end(ledger.OrderCanceled, order, market, "CANCELED", reason)
        self.tell(market, order, "CANCELED")

    def expire(self, order: Order, reason: str, market: Market) -> None:
        self._end(ledger.OrderExpired, order, market, "EXPIRED_IN_MATCH" if reason == "1" else "EXPIRED", reason)
        self.tell(market, order, "EXPIRED", expire_reason=reason if reason.isdigit() else "0")

    def _end(
        self,
        record: type[ledger.OrderCanceled] | type[ledger.OrderExpired],
        order: Order,
        market: Market,
        status: str,
        reason: str,
    ) -> None:
        market.matcher.remove(order)
        order.status = status
        order.updated_ms = self._state.now_ms
        self._state.accounts[order.account].ended(order)
        self._state.record(
            record(
                t=self._state.now_ns,
                account=order.account,
                symbol=order.symbol,
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                side=order.side,
                executed=market.contract.quantity(order.executed_lots),
                reason=reason,
            )
        )

    def tell(
        self,
        market: Market,
        order: Order,
        execution: str,
        *,
        fill: LastFill | None = None,
        expire_reason: str = "0",
        modify_id: int | None = None,
    ) -> None:
        self._state.tell(
            self._state.voice.order_event(
                order,
                market.contract,
                market.numbers,
                execution,
                self._state.now_ms,
                fill=fill,
                expire_reason=expire_reason,
                modify_id=modify_id,
            )
        )

    def tell_account(self, account: Account, market: Market, reason: str, change: Decimal) -> None:
        asset = market.contract.margin_asset
        self._state.tell(
            account_update(
                account.name,
                reason,
                asset,
                account.wallets.get(asset, Decimal(0)),
                change,
                self._state.now_ms,
                position=account.position(market.contract.symbol),
                mark_price=market.mark_price,
            )
        )


def new_order(account: Account, request: OrderRequest, state: VenueState) -> Order:
    """An order as it would be accepted now, under the next id."""
    return Order(
        account=account.name,
        symbol=request.symbol,
        order_id=state.order_id + 1,
        client_order_id=request.client_order_id,
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        price_ticks=request.price_ticks,
        lots=request.lots,
        reduce_only=request.reduce_only,
        stp_mode=request.stp_mode,
        good_till_ms=request.good_till_ms,
        created_ms=state.now_ms,
        updated_ms=state.now_ms,
        price_match=request.price_match,
    )


def best_prices(market: Market) -> tuple[Decimal | None, Decimal | None]:
    """Best bid and ask of the recorded market, for the record."""
    return _price(market, market.book.bids.best()), _price(market, market.book.asks.best())


def _price(market: Market, price_ticks: int | None) -> Decimal | None:
    return None if price_ticks is None else market.contract.price(price_ticks)
