"""What the venue does by the clock: samples, mark prices, funding, and the seam of a looping capture."""

from __future__ import annotations

from decimal import Decimal

from actors.exchange import ledger
from actors.exchange.accounts import Account
from actors.exchange.forced_orders import ForcedOrders, position_lots, round_against
from actors.exchange.latencies import described
from actors.exchange.market import Market
from actors.exchange.order_life import OrderLife, best_prices, new_order
from actors.exchange.orders import OrderRequest
from actors.exchange.state import VenueState
from actors.exchange.user_stream import LastFill, account_update


class Settlement:
    """The venue's own acts."""

    def __init__(self, state: VenueState, life: OrderLife, forced: ForcedOrders) -> None:
        self._state = state
        self._life = life
        self._forced = forced

    def sample(self, market: Market) -> None:
        """Record the top of the recorded book."""
        bids, asks = market.book.bids, market.book.asks
        bid, ask = bids.best(), asks.best()
        if bid is None and ask is None:
            return
        contract = market.contract
        bid_price, ask_price = best_prices(market)
        self._state.record(
            ledger.TopSampled(
                t=self._state.now_ns,
                symbol=contract.symbol,
                bid=bid_price,
                bid_quantity=contract.quantity(bids.lots(bid) if bid is not None else 0),
                ask=ask_price,
                ask_quantity=contract.quantity(asks.lots(ask) if ask is not None else 0),
                mark=market.mark_price,
            )
        )

    def pay_funding(self, market: Market) -> None:
        """Book funding to every open position, when it is due."""
        if self._state.now_ns < market.next_funding_ns:
            return
        contract = market.contract
        _, rate, mark = market.fund(self._state.now_ns)
        for account in self._state.accounts.values():
            position = account.position(contract.symbol).amount
            amount = account.book_funding(contract, rate, mark, self._state.tran_id + 1, self._state.now_ms)
            if amount == 0:
                continue
            self._state.tran_id += 1
            wallet = account.wallets[contract.margin_asset]
            self._state.record(
                ledger.FundingPaid(
                    t=self._state.now_ns,
                    account=account.name,
                    symbol=contract.symbol,
                    tran_id=self._state.tran_id,
                    amount=amount,
                    asset=contract.margin_asset,
                    rate=rate,
                    mark_price=mark,
                    position=position,
                    wallet_after=wallet,
                )
            )
            self._state.tell(
                account_update(
                    account.name,
                    "FUNDING_FEE",
                    contract.margin_asset,
                    wallet,
                    amount,
                    self._state.now_ms,
                    funding_symbol=contract.symbol,
                )
            )

    def delist(self, market: Market) -> None:
        """The contract ends: open orders expire and positions are settled at the mark."""
        for account in self._state.accounts.values():
            for order in account.live_orders(market.contract.symbol):
                self._life.expire(order, "7", market)
            self._forced.settle(account, market)

    def close_seam(self, loop: int) -> None:
        """The capture starts again: orders expire and positions are closed at the last mid, rounded against their owner.

        Then the market is shut until its new book comes, so that nothing can trade on both sides of the jump.
        """
        for market in self._state.markets.values():
            for account in self._state.accounts.values():
                for order in account.live_orders(market.contract.symbol):
                    self._life.expire(order, "replay_seam", market)
                self._close_position_at_seam(account, market, loop)
            market.book.replace([], [], market.book.market_ns)

    def _close_position_at_seam(self, account: Account, market: Market, loop: int) -> None:
        contract = market.contract
        position = account.position(contract.symbol)
        lots = position_lots(account, market)
        if lots == 0:
            return
        closes_long = position.amount > 0
        price_ticks = round_against(market.mid_price, market, closes_long=closes_long)
        request = OrderRequest(
            symbol=contract.symbol,
            side="SELL" if closes_long else "BUY",
            type="MARKET",
            time_in_force="GTC",
            price_ticks=price_ticks,
            lots=lots,
            reduce_only=True,
            client_order_id=f"replay_seam-{loop}-{self._state.order_id + 1}",
        )
        order = new_order(account, request, self._state)
        self._state.order_id = order.order_id
        account.opened(order)
        self._life.tell(market, order, "NEW")
        trade_id, price, quantity = market.next_trade_id(), contract.price(price_ticks), contract.quantity(lots)
        asset = contract.margin_asset
        realized = account.book_fill(
            contract, order, price, quantity, Decimal(0), asset, False, trade_id, self._state.now_ms
        )
        order.executed_lots, order.executed_quote, order.status = lots, price * quantity, "FILLED"
        account.ended(order)
        self._state.record(
            ledger.SeamClosed(
                t=self._state.now_ns,
                account=account.name,
                symbol=contract.symbol,
                loop=loop,
                trade_id=trade_id,
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                side=order.side,
                price=price,
                quantity=quantity,
                realized_pnl=realized,
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
            realized_pnl=realized,
        )
        self._life.tell_account(account, market, "ORDER", Decimal(0))
        self._life.tell(market, order, "TRADE", fill=fill)

    def publish_marks(self, *, every_third: bool) -> None:
        """Derive prices anew and send the mark price streams, and the second's largest liquidation."""
        for market in self._state.markets.values():
            market.sample_prices(self._state.now_ns)
            market.publish_liquidations(self._state.now_ms)
        publisher = self._state.publisher
        for_all = publisher.wants("!markPrice@arr@1s") or (every_third and publisher.wants("!markPrice@arr"))
        payloads = [
            payload
            for market in self._state.markets.values()
            if market.is_open
            and (payload := market.publish_mark(self._state.now_ns, every_third=every_third, for_all=for_all))
        ]
        if for_all:
            everything = f"[{','.join(payloads)}]"
            publisher.publish_if_wanted("!markPrice@arr@1s", everything)
            if every_third:
                publisher.publish_if_wanted("!markPrice@arr", everything)

    def announce(self, source: str, *, restart: bool) -> None:
        """Write the records that begin a run."""
        settings = self._state.settings
        self._state.record(
            ledger.VenueStarted(
                t=self._state.now_ns,
                source=source,
                seed=settings.seed,
                speed=Decimal(str(settings.speed)),
                order_latency_ms=Decimal(str(settings.order_latency_ms)),
                feed_latency_ms=Decimal(str(settings.feed_latency_ms)),
                restart=restart,
                queue_model=settings.queue_model,
                latency=described(settings),
            )
        )
        for market in self._state.markets.values():
            contract, fees = market.contract, self._state.fees(market.contract)
            self._state.record(
                ledger.SymbolListed(
                    t=self._state.now_ns,
                    symbol=contract.symbol,
                    margin_asset=contract.margin_asset,
                    tick_size=contract.tick_size,
                    lot_size=contract.lot_size,
                    maker_rate=fees.maker,
                    taker_rate=fees.taker,
                )
            )
