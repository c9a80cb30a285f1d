"""The venue's core: accounts, orders, matching, funding and timers. Pure: it is told the time and returns records, frames and events.

What happened is collected in `outcome` until the host drains it; the ledger's records of a drain must be on file before anything else of
it leaves. Requests are plain method calls that raise `VenueRefusal`; the wire around them is api.py and exchange.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import assert_never

from actors.exchange import errors, ledger
from actors.exchange.accounts import Account, symbol_margin
from actors.exchange.agenda import Agenda
from actors.exchange.contracts import Contract
from actors.exchange.frames import BookFrame, DepthFrame, Frame, MarkFrame, PrintFrame, SeamFrame, TickerFrame
from actors.exchange.market import FUNDING_INTERVAL_NS, Funding, Market, UpdateIds
from actors.exchange.matching import Execution, TakePlan
from actors.exchange.orders import Order, OrderRequest
from actors.exchange.streams import Publisher
from actors.exchange.user_stream import LastFill, UserEvent, account_update, leverage_update, order_event, trade_lite
from configs.schema import ExchangeSettings, FeeSettings

TICK_NS = 50_000_000
SAMPLE_TICKS = 2
MARK_TICKS = 20
CATCH_UP_NS_MAX = 1_000_000_000
AMENDMENTS_MAX = 10_000
REFUSAL_KINDS_MAX = 1_000
NO_FEES = FeeSettings(maker=Decimal(0), taker=Decimal(0))


@dataclass(slots=True)
class Outcome:
    """What the venue did since the last drain, in order."""

    records: list[ledger.LedgerRecord] = field(default_factory=list)
    events: list[UserEvent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Timer:
    kind: str
    account: str = ""
    symbol: str = ""
    order_id: int = 0


class Venue:
    """One simulated venue. Times are the venue's own, in ns since 1970, and never go back."""

    def __init__(self, settings: ExchangeSettings, contracts: Iterable[Contract], now_ns: int) -> None:
        now_ms = now_ns // 1_000_000
        self.settings = settings
        self.publisher = Publisher()
        self.outcome = Outcome()
        self.accounts: dict[str, Account] = {}
        self.now_ns = now_ns
        ids = UpdateIds(now_ms * 8)
        self.markets = {
            contract.symbol: Market(contract, self.publisher, ids, now_ms * 4, now_ns) for contract in contracts
        }
        self.countdowns: dict[tuple[str, str], int] = {}
        self._order_id = now_ms
        self._tran_id = now_ms
        self._timers: Agenda[_Timer] = Agenda()
        self._refusals: dict[tuple[str, str, str, int], tuple[int, str]] = {}
        self._ticks = now_ns // TICK_NS
        self._timers.add((self._ticks + 1) * TICK_NS, _Timer("tick"))
        for market in self.markets.values():
            self._timers.add(market.next_funding_ns, _Timer("funding", symbol=market.contract.symbol))

    @property
    def now_ms(self) -> int:
        """The venue's time in milliseconds."""
        return self.now_ns // 1_000_000

    @property
    def next_order_id(self) -> int:
        """The id that the next accepted order gets."""
        return self._order_id + 1

    @property
    def next_due_ns(self) -> int | None:
        """When `advance` has something to do next."""
        return self._timers.next_ns

    def drain(self) -> Outcome:
        """Take what happened since the last call."""
        outcome, self.outcome = self.outcome, Outcome()
        return outcome

    def market(self, symbol: str) -> Market:
        """The market of a symbol; an unknown one is refused with -1121."""
        found = self.markets.get(symbol)
        if found is None:
            raise errors.invalid_symbol()
        return found

    def account(self, name: str) -> Account:
        """The account of a name; opened with the configured balances when it is new."""
        found = self.accounts.get(name)
        if found is None:
            found = self.accounts[name] = Account(name, dict(self.settings.balances))
            self._record(ledger.AccountOpened(t=self.now_ns, account=name, balances=dict(self.settings.balances)))
        return found

    def fees(self, contract: Contract) -> FeeSettings:
        """Maker and taker rate of a contract."""
        return self.settings.fees.get(contract.margin_asset, NO_FEES)

    def announce(self, source: str, *, restart: bool) -> None:
        """Write the records that begin a run."""
        settings = self.settings
        self._record(
            ledger.VenueStarted(
                t=self.now_ns,
                source=source,
                seed=settings.seed,
                speed=Decimal(str(settings.speed)),
                order_latency_ms=Decimal(str(settings.order_latency_ms)),
                feed_latency_ms=Decimal(str(settings.feed_latency_ms)),
                restart=restart,
            )
        )
        for market in self.markets.values():
            contract, fees = market.contract, self.fees(market.contract)
            self._record(
                ledger.SymbolListed(
                    t=self.now_ns,
                    symbol=contract.symbol,
                    margin_asset=contract.margin_asset,
                    tick_size=contract.tick_size,
                    lot_size=contract.lot_size,
                    maker_rate=fees.maker,
                    taker_rate=fees.taker,
                )
            )

    # ---- time and the market ----

    def advance(self, now_ns: int) -> None:
        """Do what has become due by `now_ns`, in order of time."""
        while (due := self._timers.pop_due(now_ns)) is not None:
            due_ns, timer = due
            self.now_ns = max(self.now_ns, due_ns)
            match timer.kind:
                case "tick":
                    self._tick()
                case "flush":
                    self.markets[timer.symbol].flush_direct(self.now_ns)
                case "funding":
                    self._pay_funding(self.markets[timer.symbol])
                case "countdown":
                    self._count_down(timer.account, timer.symbol)
                case "good_till":
                    order = self.accounts[timer.account].orders.get(timer.order_id)
                    if order is not None and order.is_live:
                        self._expire(order, "0", self.markets[timer.symbol])
                        self._publish(self.markets[timer.symbol])
        self.now_ns = max(self.now_ns, now_ns)

    def apply(self, frame: Frame) -> None:
        """Apply one frame of the market source."""
        self.advance(frame.at_ns)
        if isinstance(frame, SeamFrame):
            self._close_seam(frame.loop)
            return
        market = self.markets.get(frame.symbol)
        if market is None:
            return
        match frame:
            case TickerFrame():
                if market.book.apply_ticker(
                    frame.update_id, frame.bid, frame.bid_lots, frame.ask, frame.ask_lots, frame.market_ns
                ):
                    self._execute(market, market.matcher.on_book())
                self._publish(market)
            case DepthFrame():
                market.book.apply_depth(frame.bids, frame.asks, frame.update_id, frame.market_ns)
                self._execute(market, market.matcher.on_book())
                self._publish(market, flush=True)
            case PrintFrame():
                self._apply_print(market, frame)
                self._publish(market)
            case MarkFrame():
                before = market.next_funding_ns
                market.apply_mark(frame)
                if market.next_funding_ns != before:
                    self._timers.add(market.next_funding_ns, _Timer("funding", symbol=frame.symbol))
            case BookFrame():
                was_open = market.is_open
                market.book.replace(frame.bids, frame.asks, frame.market_ns)
                self._execute(market, market.matcher.on_book())
                if not was_open and market.is_open:
                    self._rest_restored(market)
                    self._sample(market)
                self._publish(market, flush=True)
            case _:
                assert_never(frame)

    # ---- requests ----

    def place(self, account: Account, request: OrderRequest) -> Order:
        """Accept a new order and match it.

        Raises:
            VenueRefusal: -4140, -4116, -2025, -2022, -2019, -5022, -5021, -4131; nothing is recorded then.
        """
        market = self.market(request.symbol)
        if not market.is_open:
            raise errors.VenueRefusal(-4140, "Invalid symbol status for opening position.")
        if (request.symbol, request.client_order_id) in account.live:
            raise errors.VenueRefusal(-4116, "ClientOrderId is duplicated.")
        if len(account.live_orders(request.symbol)) >= market.contract.open_orders_max:
            raise errors.VenueRefusal(-2025, "Reach max open order limit.")
        order = self._new_order(account, request)
        if request.reduce_only:
            self._check_reduce_only(account, order)
        else:
            self._check_margin(account, market, order)
        plan = self._admit_to_match(account, market, order)
        self._order_id = order.order_id
        account.opened(order)
        self._accepted(market, order, request)
        self._carry_out(account, market, order, plan)
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
            VenueRefusal: -5026, -5027, -2019.
        """
        market = self.market(order.symbol)
        if order.amendments >= AMENDMENTS_MAX:
            raise errors.VenueRefusal(-5026, "Exceed maximum modify order limit.")
        if (price_ticks, lots) == (order.price_ticks, order.lots):
            raise errors.VenueRefusal(-5027, "No need to modify the order.")
        if lots <= order.executed_lots:
            self._cancel(order, "amend")
            self._publish(market)
            return order
        if order.time_in_force == "GTX" and market.matcher.would_take(is_buy=order.is_buy, price_ticks=price_ticks):
            self._cancel(order, "amend")
            self._publish(market)
            return order
        before_ticks, before_lots = order.price_ticks, order.lots
        market.matcher.remove(order)
        order.price_ticks, order.lots = price_ticks, lots
        try:
            if not order.reduce_only:
                self._check_margin(account, market, None)
        except errors.VenueRefusal:
            order.price_ticks, order.lots = before_ticks, before_lots
            market.matcher.rest(order)
            raise
        order.amendments += 1
        order.updated_ms = self.now_ms
        self._record(
            ledger.OrderAmended(
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
                best_bid=self._price(market, market.book.bids.best()),
                best_ask=self._price(market, market.book.asks.best()),
            )
        )
        self._tell(market, order, "AMENDMENT", modify_id=modify_id)
        plan = market.matcher.plan(order, limit_ticks=price_ticks, lots=order.remaining_lots)
        self._carry_out(account, market, order, plan)
        self._publish(market)
        return order

    def cancel(self, order: Order, reason: str = "request") -> Order:
        """End a live order at its owner's request."""
        self._cancel(order, reason)
        self._publish(self.markets[order.symbol])
        return order

    def cancel_all(self, account: Account, symbol: str, reason: str = "cancel_all") -> int:
        """End all live orders of a symbol; returns how many there were."""
        market = self.market(symbol)
        orders = account.live_orders(symbol)
        for order in orders:
            self._cancel(order, reason)
        self._publish(market)
        return len(orders)

    def set_countdown(self, account: Account, symbol: str, countdown_ms: int) -> None:
        """Cancel all orders of the symbol in `countdown_ms` unless renewed; 0 disarms."""
        self.market(symbol)
        deadline_ns = self.now_ns + countdown_ms * 1_000_000 if countdown_ms else 0
        self.arm_countdown(account.name, symbol, deadline_ns)
        self._record(ledger.CountdownSet(t=self.now_ns, account=account.name, symbol=symbol, deadline_ns=deadline_ns))

    def arm_countdown(self, account: str, symbol: str, deadline_ns: int) -> None:
        """Set a countdown without a record, as when loading a ledger."""
        if deadline_ns:
            self.countdowns[(account, symbol)] = deadline_ns
            self._timers.add(deadline_ns, _Timer("countdown", account=account, symbol=symbol))
        else:
            self.countdowns.pop((account, symbol), None)

    def set_leverage(self, account: Account, symbol: str, leverage: int) -> None:
        """Change the leverage of a symbol."""
        self.market(symbol)
        account.position(symbol).leverage = leverage
        self._record(ledger.LeverageSet(t=self.now_ns, account=account.name, symbol=symbol, leverage=leverage))
        self.outcome.events.append(leverage_update(account.name, symbol, leverage, self.now_ms))

    def refuse(self, account: str, symbol: str, method: str, code: int, client_order_id: str) -> None:
        """Count a refused trading request for the ledger."""
        key = (account, symbol, method, code)
        count, first_id = self._refusals.get(key, (0, client_order_id))
        if count or len(self._refusals) < REFUSAL_KINDS_MAX:
            self._refusals[key] = (count + 1, first_id)

    def flush_refusals(self) -> None:
        """Write the counted refusals."""
        for (account, symbol, method, code), (count, client_order_id) in self._refusals.items():
            self._record(
                ledger.RequestRefused(
                    t=self.now_ns,
                    account=account,
                    symbol=symbol,
                    method=method,
                    code=code,
                    count=count,
                    client_order_id=client_order_id,
                )
            )
        self._refusals.clear()

    def available(self, account: Account, asset: str, extra: Order | None = None) -> Decimal:
        """Margin left in an asset: wallet and unrealized PnL less the initial margin of positions and open orders."""
        free = account.wallets.get(asset, Decimal(0))
        symbols = {order.symbol for order in account.live.values()} | set(account.positions)
        if extra is not None:
            symbols.add(extra.symbol)
        for symbol in symbols:
            market = self.markets.get(symbol)
            if market is None or market.contract.margin_asset != asset:
                continue
            mark = market.mark_price
            free += account.position(symbol).unrealized(mark)
            mine = extra if extra is not None and extra.symbol == symbol else None
            free -= symbol_margin(account, market.contract, mark, mine).worst
        return free

    # ---- restoring ----

    def restore_order(self, account: Account, order: Order) -> None:
        """Bring back an order of an earlier run; it joins the back of its level with the first book."""
        self._order_id = max(self._order_id, order.order_id)
        account.opened(order)
        if order.good_till_ms:
            self._timers.add(
                order.good_till_ms * 1_000_000, _Timer("good_till", account.name, order.symbol, order.order_id)
            )

    def continue_after(self, t_ns: int, order_id: int, tran_id: int) -> None:
        """Times and ids go on after those of an earlier run."""
        self.now_ns = max(self.now_ns, t_ns)
        self._order_id = max(self._order_id, order_id)
        self._tran_id = max(self._tran_id, tran_id)

    # ---- inside ----

    def _rest_restored(self, market: Market) -> None:
        """Live orders of an earlier run join the back of their levels once there is a book, and fill if it has gone through them."""
        for account in self.accounts.values():
            for order in account.live_orders(market.contract.symbol):
                market.matcher.rest(order)
        self._execute(market, market.matcher.on_book())

    def _new_order(self, account: Account, request: OrderRequest) -> Order:
        return Order(
            account=account.name,
            symbol=request.symbol,
            order_id=self._order_id + 1,
            client_order_id=request.client_order_id,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            price_ticks=request.price_ticks,
            lots=request.lots,
            reduce_only=request.reduce_only,
            stp_mode=request.stp_mode,
            good_till_ms=request.good_till_ms,
            created_ms=self.now_ms,
            updated_ms=self.now_ms,
            price_match=request.price_match,
        )

    def _check_reduce_only(self, account: Account, order: Order) -> None:
        held = self._reducible_lots(account, order)
        waiting = sum(
            other.remaining_lots
            for other in account.live_orders(order.symbol)
            if other.reduce_only and other.side == order.side
        )
        if held == 0 or waiting >= held:
            raise errors.reduce_only_rejected()

    def _check_margin(self, account: Account, market: Market, order: Order | None) -> None:
        if order is not None and self._only_reduces(account, order):
            return
        if self.available(account, market.contract.margin_asset, order) < 0:
            raise errors.margin_insufficient()

    def _only_reduces(self, account: Account, order: Order) -> bool:
        same_side = sum(other.remaining_lots for other in account.live_orders(order.symbol) if other.side == order.side)
        return same_side + order.lots <= self._reducible_lots(account, order)

    def _reducible_lots(self, account: Account, order: Order) -> int:
        """Lots of the position that an order of this side can close."""
        amount = account.position(order.symbol).amount
        if amount == 0 or (amount > 0) == order.is_buy:
            return 0
        return int(abs(amount) / self.markets[order.symbol].contract.lot_size)

    def _admit_to_match(self, account: Account, market: Market, order: Order) -> TakePlan:
        matcher = market.matcher
        if order.time_in_force == "GTX":
            if matcher.would_take(is_buy=order.is_buy, price_ticks=order.price_ticks):
                raise errors.post_only_would_take()
            return TakePlan([], 0, False)
        limit: int | None = order.price_ticks
        if order.type == "MARKET":
            limit = self._market_limit(market, order)
        lots = min(order.lots, self._reducible_lots(account, order)) if order.reduce_only else order.lots
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

    def _accepted(self, market: Market, order: Order, request: OrderRequest) -> None:
        contract = market.contract
        side = market.book.side(bids=order.is_buy)
        self._record(
            ledger.OrderAccepted(
                t=self.now_ns,
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
                best_bid=self._price(market, market.book.bids.best()),
                best_ask=self._price(market, market.book.asks.best()),
                queue_ahead=contract.quantity(side.lots(order.price_ticks)),
                stp_mode=order.stp_mode,
                good_till_ms=order.good_till_ms,
            )
        )
        self._tell(market, order, "NEW")

    def _carry_out(self, account: Account, market: Market, order: Order, plan: TakePlan) -> None:
        """Trade what the plan says, then rest or expire the remainder."""
        for step in plan.steps:
            if step.maker is not None and step.expires:
                if step.maker.is_live:
                    self._expire(step.maker, "1", market)
                continue
            lots = step.lots
            if step.maker is not None:
                lots = self._fill_resting(market, Execution(step.maker, lots), publish=False)
            if lots == 0:
                continue
            if step.maker is None:
                market.matcher.took_recorded(step.price_ticks, lots, bids=not order.is_buy)
            trade_id = market.trades[-1].trade_id if step.maker is not None else market.next_trade_id()
            self._fill(account, market, order, step.price_ticks, lots, maker=False, trade_id=trade_id)
            if step.maker is None:
                market.publish_trade(
                    step.price_ticks, lots, buyer_is_maker=not order.is_buy, trade_id=trade_id, now_ns=self.now_ns
                )
        if not order.is_live:
            return
        if plan.stopped_by_self:
            self._expire(order, "1", market)
        elif order.type == "MARKET":
            self._expire(order, "9", market)
        elif order.time_in_force in ("IOC", "FOK"):
            self._expire(order, "2", market)
        elif order.reduce_only and self._reducible_lots(account, order) == 0:
            self._expire(order, "4", market)
        else:
            market.matcher.rest(order)
            if order.good_till_ms:
                self._timers.add(
                    order.good_till_ms * 1_000_000, _Timer("good_till", account.name, order.symbol, order.order_id)
                )

    def _apply_print(self, market: Market, frame: PrintFrame) -> None:
        executions = market.matcher.on_print(
            frame.price_ticks, frame.lots, buyer_is_maker=frame.buyer_is_maker, market_ns=frame.market_ns
        )
        filled = self._execute(market, executions)
        if frame.lots > filled:
            market.publish_trade(
                frame.price_ticks,
                frame.lots - filled,
                buyer_is_maker=frame.buyer_is_maker,
                trade_id=market.next_trade_id(),
                now_ns=self.now_ns,
            )

    def _execute(self, market: Market, executions: list[Execution]) -> int:
        return sum(self._fill_resting(market, execution, publish=True) for execution in executions)

    def _fill_resting(self, market: Market, execution: Execution, *, publish: bool) -> int:
        """Fill a resting order at its own price; a reduce-only order is cut at the position. Returns the lots that traded."""
        order, lots = execution
        if not order.is_live:
            return 0
        account = self.accounts[order.account]
        if order.reduce_only:
            lots = min(lots, self._reducible_lots(account, order))
        if lots:
            trade_id = market.next_trade_id()
            market.publish_trade(
                order.price_ticks, lots, buyer_is_maker=order.is_buy, trade_id=trade_id, now_ns=self.now_ns
            )
            self._fill(account, market, order, order.price_ticks, lots, maker=True, trade_id=trade_id)
        if order.is_live and order.reduce_only and self._reducible_lots(account, order) == 0:
            self._expire(order, "4", market)
        return lots

    def _fill(
        self, account: Account, market: Market, order: Order, price_ticks: int, lots: int, *, maker: bool, trade_id: int
    ) -> None:
        contract, fees = market.contract, self.fees(market.contract)
        price, quantity = contract.price(price_ticks), contract.quantity(lots)
        booking = account.book_fill(
            contract, order, price, quantity, fees.maker if maker else fees.taker, maker, trade_id, self.now_ms
        )
        order.executed_lots += lots
        order.executed_quote += price * quantity
        order.updated_ms = self.now_ms
        order.status = "FILLED" if order.remaining_lots == 0 else "PARTIALLY_FILLED"
        market.book.side(bids=order.is_buy).changed.add(order.price_ticks)
        if order.status == "FILLED":
            market.matcher.remove(order)
            account.ended(order)
        position = account.position(order.symbol)
        wallet = account.wallets[contract.margin_asset]
        self._record(
            ledger.OrderFilled(
                t=self.now_ns,
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
                commission=booking.commission,
                commission_asset=contract.margin_asset,
                realized_pnl=booking.realized_pnl,
                position_after=position.amount,
                entry_price_after=position.entry_price,
                entry_cost_after=position.cost,
                wallet_after=wallet,
            )
        )
        fill = LastFill(
            lots=lots,
            price_ticks=price_ticks,
            trade_id=trade_id,
            maker=maker,
            commission=booking.commission,
            commission_asset=contract.margin_asset,
            realized_pnl=booking.realized_pnl,
        )
        self.outcome.events.append(trade_lite(order, market.numbers, fill, self.now_ms))
        self._tell_account(account, market, "ORDER", Decimal(0))
        self._tell(market, order, "TRADE", fill=fill)
        self._knock_out_reduce_only(account, market)

    def _knock_out_reduce_only(self, account: Account, market: Market) -> None:
        """Reduce-only orders that can reduce nothing any more expire."""
        for other in account.live_orders(market.contract.symbol):
            if other.reduce_only and self._reducible_lots(account, other) == 0:
                self._expire(other, "4", market)

    def _cancel(self, order: Order, reason: str) -> None:
        market = self.markets[order.symbol]
        self._end(order, market, "CANCELED")
        self._record(
            ledger.OrderCanceled(
                t=self.now_ns,
                account=order.account,
                symbol=order.symbol,
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                side=order.side,
                executed=market.contract.quantity(order.executed_lots),
                reason=reason,
            )
        )
        self._tell(market, order, "CANCELED")

    def _expire(self, order: Order, reason: str, market: Market) -> None:
        self._end(order, market, "EXPIRED_IN_MATCH" if reason == "1" else "EXPIRED")
        self._record(
            ledger.OrderExpired(
                t=self.now_ns,
                account=order.account,
                symbol=order.symbol,
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                side=order.side,
                executed=market.contract.quantity(order.executed_lots),
                reason=reason,
            )
        )
        self._tell(market, order, "EXPIRED", expire_reason=reason if reason.isdigit() else "0")

    def _end(self, order: Order, market: Market, status: str) -> None:
        market.matcher.remove(order)
        order.status = status
        order.updated_ms = self.now_ms
        self.accounts[order.account].ended(order)

    def _tick(self) -> None:
        """Every 50 ms: interval streams, samples of the top, mark price."""
        behind = self.now_ns - CATCH_UP_NS_MAX
        self._ticks = max(self._ticks + 1, behind // TICK_NS)
        self._timers.add((self._ticks + 1) * TICK_NS, _Timer("tick"))
        elapsed_ms = self._ticks * (TICK_NS // 1_000_000)
        for market in self.markets.values():
            market.publish_interval(self.now_ns, elapsed_ms)
            if self._ticks % SAMPLE_TICKS == 0:
                self._sample(market)
        if self._ticks % MARK_TICKS == 0:
            self.flush_refusals()
            self._publish_marks(every_third=(self._ticks // MARK_TICKS) % 3 == 0)

    def _publish_marks(self, *, every_third: bool) -> None:
        payloads = [
            payload
            for market in self.markets.values()
            if market.is_open and (payload := market.publish_mark(self.now_ns, every_third=every_third))
        ]
        everything = f"[{','.join(payloads)}]"
        self.publisher.publish_if_wanted("!markPrice@arr@1s", everything)
        if every_third:
            self.publisher.publish_if_wanted("!markPrice@arr", everything)

    def _sample(self, market: Market) -> None:
        bids, asks = market.book.bids, market.book.asks
        bid, ask = bids.best(), asks.best()
        if bid is None and ask is None:
            return
        contract = market.contract
        self._record(
            ledger.TopSampled(
                t=self.now_ns,
                symbol=contract.symbol,
                bid=self._price(market, bid),
                bid_quantity=contract.quantity(bids.lots(bid) if bid is not None else 0),
                ask=self._price(market, ask),
                ask_quantity=contract.quantity(asks.lots(ask) if ask is not None else 0),
                mark=market.mark_price,
            )
        )

    def _pay_funding(self, market: Market) -> None:
        if self.now_ns < market.next_funding_ns:
            return
        contract, rate, mark = market.contract, market.funding_rate, market.mark_price
        market.fundings.append(Funding(self.now_ms, rate, mark))
        market.next_funding_ns += FUNDING_INTERVAL_NS
        self._timers.add(market.next_funding_ns, _Timer("funding", symbol=contract.symbol))
        for account in self.accounts.values():
            position = account.position(contract.symbol).amount
            amount = account.book_funding(contract, rate, mark, self._tran_id + 1, self.now_ms)
            if amount == 0:
                continue
            self._tran_id += 1
            wallet = account.wallets[contract.margin_asset]
            self._record(
                ledger.FundingPaid(
                    t=self.now_ns,
                    account=account.name,
                    symbol=contract.symbol,
                    tran_id=self._tran_id,
                    amount=amount,
                    asset=contract.margin_asset,
                    rate=rate,
                    mark_price=mark,
                    position=position,
                    wallet_after=wallet,
                )
            )
            self.outcome.events.append(
                account_update(
                    account.name,
                    "FUNDING_FEE",
                    contract.margin_asset,
                    wallet,
                    amount,
                    self.now_ms,
                    funding_symbol=contract.symbol,
                )
            )

    def _count_down(self, account: str, symbol: str) -> None:
        deadline_ns = self.countdowns.get((account, symbol))
        if deadline_ns is None or deadline_ns > self.now_ns:
            return
        del self.countdowns[(account, symbol)]
        self._record(ledger.CountdownSet(t=self.now_ns, account=account, symbol=symbol, deadline_ns=0))
        self.cancel_all(self.accounts[account], symbol, "countdown")

    def _close_seam(self, loop: int) -> None:
        """The capture starts again: orders expire and positions are closed at the last mid, rounded against their owner."""
        for market in self.markets.values():
            for account in self.accounts.values():
                for order in account.live_orders(market.contract.symbol):
                    self._expire(order, "replay_seam", market)
                self._close_position_at_seam(account, market, loop)
            self._publish(market)

    def _close_position_at_seam(self, account: Account, market: Market, loop: int) -> None:
        contract = market.contract
        position = account.position(contract.symbol)
        lots = int(abs(position.amount) / contract.lot_size)
        if lots == 0:
            return
        closes_long = position.amount > 0
        mark_ticks = market.mark_price / contract.tick_size
        price_ticks = int(mark_ticks) if closes_long or mark_ticks == int(mark_ticks) else int(mark_ticks) + 1
        request = OrderRequest(
            symbol=contract.symbol,
            side="SELL" if closes_long else "BUY",
            type="MARKET",
            time_in_force="GTC",
            price_ticks=price_ticks,
            lots=lots,
            reduce_only=True,
            client_order_id=f"replay_seam-{loop}-{self._order_id + 1}",
        )
        order = self._new_order(account, request)
        self._order_id = order.order_id
        account.opened(order)
        self._tell(market, order, "NEW")
        trade_id, price, quantity = market.next_trade_id(), contract.price(price_ticks), contract.quantity(lots)
        booking = account.book_fill(contract, order, price, quantity, Decimal(0), False, trade_id, self.now_ms)
        order.executed_lots, order.executed_quote, order.status = lots, price * quantity, "FILLED"
        account.ended(order)
        self._record(
            ledger.SeamClosed(
                t=self.now_ns,
                account=account.name,
                symbol=contract.symbol,
                loop=loop,
                trade_id=trade_id,
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                side=order.side,
                price=price,
                quantity=quantity,
                realized_pnl=booking.realized_pnl,
                commission_asset=contract.margin_asset,
                position_after=position.amount,
                wallet_after=account.wallets[contract.margin_asset],
            )
        )
        fill = LastFill(
            lots=lots,
            price_ticks=price_ticks,
            trade_id=trade_id,
            maker=False,
            commission=Decimal(0),
            commission_asset=contract.margin_asset,
            realized_pnl=booking.realized_pnl,
        )
        self._tell_account(account, market, "ORDER", Decimal(0))
        self._tell(market, order, "TRADE", fill=fill)

    def _publish(self, market: Market, *, flush: bool = False) -> None:
        due_before = market.flush_due_ns
        market.publish_changes(self.now_ns, flush=flush)
        if market.flush_due_ns and market.flush_due_ns != due_before:
            self._timers.add(market.flush_due_ns, _Timer("flush", symbol=market.contract.symbol))

    def _tell(
        self,
        market: Market,
        order: Order,
        execution: str,
        *,
        fill: LastFill | None = None,
        expire_reason: str = "0",
        modify_id: int | None = None,
    ) -> None:
        self.outcome.events.append(
            order_event(
                order,
                market.contract,
                market.numbers,
                execution,
                self.now_ms,
                fill=fill,
                expire_reason=expire_reason,
                modify_id=modify_id,
            )
        )

    def _tell_account(self, account: Account, market: Market, reason: str, change: Decimal) -> None:
        asset = market.contract.margin_asset
        self.outcome.events.append(
            account_update(
                account.name,
                reason,
                asset,
                account.wallets[asset],
                change,
                self.now_ms,
                position=account.position(market.contract.symbol),
                mark_price=market.mark_price,
            )
        )

    def _record(self, record: ledger.LedgerRecord) -> None:
        self.outcome.records.append(record)

    def _price(self, market: Market, price_ticks: int | None) -> Decimal | None:
        return None if price_ticks is None else market.contract.price(price_ticks)
