"""NautilusTrader's own Binance futures adapter, unmodified, through a round on a venue: `python nautilus_round.py PORT KEY SECRET`."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from decimal import Decimal
from typing import Any

from nautilus_trader.adapters.binance import (
    BINANCE,
    BinanceAccountType,
    BinanceDataClientConfig,
    BinanceExecClientConfig,
    BinanceLiveDataClientFactory,
    BinanceLiveExecClientFactory,
)
from nautilus_trader.adapters.binance.common.symbol import BinanceSymbol
from nautilus_trader.config import InstrumentProviderConfig, LiveExecEngineConfig, LoggingConfig, TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import BookType, OrderSide, TimeInForce
from nautilus_trader.model.identifiers import InstrumentId, TraderId
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.trading.strategy import Strategy

INSTRUMENT = InstrumentId.from_str("BTCUSDC-PERP.BINANCE")


class Round(Strategy):
    """Quotes, amends, cancels, trades, and stops when it has seen everything."""

    def __init__(self, stop: Any) -> None:
        super().__init__()
        self.seen: dict[str, int] = {}
        self.stop_node = stop
        self.resting: Any = None
        self.several: list[Any] = []
        self.step = 0

    def note(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1

    def on_start(self) -> None:
        self.note("started")
        self.subscribe_quote_ticks(INSTRUMENT)
        self.subscribe_trade_ticks(INSTRUMENT)
        self.subscribe_order_book_deltas(INSTRUMENT, book_type=BookType.L2_MBP)
        self.subscribe_mark_prices(INSTRUMENT)
        self.subscribe_bars(BarType.from_str("BTCUSDC-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL"))
        self.clock.set_timer("end", interval=__import__("pandas").Timedelta(seconds=1), callback=self.on_second)

    def on_quote_tick(self, tick: Any) -> None:
        self.note("quote")
        if self.step == 0:
            self.step = 1
            price = Price(float(tick.bid_price) * 0.98, tick.bid_price.precision)
            self.resting = self.order_factory.limit(
                INSTRUMENT, OrderSide.BUY, Quantity.from_str("0.010"), price, TimeInForce.GTC, post_only=True
            )
            self.submit_order(self.resting)

    def on_trade_tick(self, tick: Any) -> None:
        self.note("trade")

    def on_order_book_deltas(self, deltas: Any) -> None:
        self.note("book")

    def on_mark_price(self, mark: Any) -> None:
        self.note("mark")

    def on_bar(self, bar: Any) -> None:
        self.note("bar")

    def on_event(self, event: Any) -> None:
        self.note(type(event).__name__)
        if self.step == 8:
            self.step = 9
            self.several = [self.limit(TimeInForce.GTC), self.limit(TimeInForce.GTC)]
            for order in self.several:
                self.submit_order(order)
        elif self.step == 9 and all(order.is_open for order in self.several):
            self.step = 10
            self.cancel_orders(self.several)
        elif self.step == 10 and all(order.is_closed for order in self.several):
            self.step = 11
            self.several = [self.limit(TimeInForce.IOC), self.limit(TimeInForce.FOK)]
            for order in self.several:
                self.submit_order(order)
        elif self.step == 11 and all(order.is_closed for order in self.several):
            self.step = 12

    def limit(self, time_in_force: TimeInForce) -> Any:
        """A small buy far below the market."""
        quantity = Quantity.from_str("0.010")
        return self.order_factory.limit(INSTRUMENT, OrderSide.BUY, quantity, self.resting.price, time_in_force)

    def on_order_accepted(self, event: Any) -> None:
        if self.step == 6:
            self.step = 7
            self.cancel_all_orders(INSTRUMENT)
        if self.step == 1:
            self.step = 2
            order = self.cache.order(event.client_order_id)
            self.modify_order(order, quantity=Quantity.from_str("0.020"), price=order.price)

    def on_order_updated(self, event: Any) -> None:
        if self.step == 2:
            self.step = 3
            self.cancel_order(self.cache.order(event.client_order_id))

    def on_order_canceled(self, event: Any) -> None:
        if self.step == 3:
            self.step = 4
            self.submit_order(self.order_factory.market(INSTRUMENT, OrderSide.BUY, Quantity.from_str("0.010")))
        elif self.step == 7:
            self.step = 8

    def on_position_opened(self, event: Any) -> None:
        if self.step == 4:
            self.step = 5
            self.submit_order(
                self.order_factory.market(INSTRUMENT, OrderSide.SELL, Quantity.from_str("0.010"), reduce_only=True)
            )

    def on_position_closed(self, event: Any) -> None:
        if self.step == 5:
            self.step = 6
            self.submit_order(
                self.order_factory.limit(
                    INSTRUMENT,
                    OrderSide.BUY,
                    Quantity.from_str("0.010"),
                    self.resting.price,
                    TimeInForce.GTD,
                    expire_time=self.clock.utc_now() + timedelta(minutes=12),
                )
            )

    def on_second(self, event: Any) -> None:
        wanted = {"quote", "trade", "book", "mark"}
        self.note("second")
        if (self.step == 12 and wanted <= set(self.seen)) or self.seen["second"] > 25:
            self.stop_node()


def main(port: str, key: str, secret: str) -> None:
    http, ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
    provider = InstrumentProviderConfig(load_ids=frozenset({INSTRUMENT}))
    shared = {
        "api_key": key,
        "api_secret": secret,
        "account_type": BinanceAccountType.USDT_FUTURES,
        "base_url_http": http,
        "base_url_ws": ws,
        "instrument_provider": provider,
    }
    config = TradingNodeConfig(
        trader_id=TraderId("TESTER-001"),
        logging=LoggingConfig(log_level=sys.argv[4] if len(sys.argv) > 4 else "ERROR"),
        exec_engine=LiveExecEngineConfig(reconciliation=True),
        data_clients={BINANCE: BinanceDataClientConfig(**shared)},
        exec_clients={BINANCE: BinanceExecClientConfig(**shared, futures_leverages={BinanceSymbol("BTCUSDC"): 10})},
        timeout_connection=20.0,
        timeout_reconciliation=10.0,
        timeout_portfolio=10.0,
        timeout_disconnection=3.0,
        timeout_post_stop=1.0,
    )
    node = TradingNode(config=config)
    strategy = Round(stop=lambda: node.stop())
    node.trader.add_strategy(strategy)
    node.add_data_client_factory(BINANCE, BinanceLiveDataClientFactory)
    node.add_exec_client_factory(BINANCE, BinanceLiveExecClientFactory)
    node.build()
    balance = Decimal(0)
    try:
        node.run()
        account = node.cache.account_for_venue(INSTRUMENT.venue)
        balance = account.balance_total().as_decimal() if account and len(account.balances()) == 1 else Decimal(0)
        orders = sorted(
            (order.order_type.name, order.time_in_force.name, order.status.name) for order in node.cache.orders()
        )
    finally:
        node.dispose()
    print(
        "RESULT "
        + json.dumps({"step": strategy.step, "seen": strategy.seen, "orders": orders, "balance": str(balance)})
    )


main(*sys.argv[1:4])
