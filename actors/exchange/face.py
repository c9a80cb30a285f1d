"""The venue as an actor among actors: it decides nothing for the others and shows what it holds."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.exchange.exchange import Exchange
from protocols.effects import Effect


class MarketView(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol: prices in quote currency, our orders included; empty where a side is."""

    bid: str
    ask: str
    mark_price: str
    crossings: int
    stale: bool = False
    """The followed venue does not tell this market just now."""


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """One account: open orders and positions by symbol, wallets by asset."""

    live_orders: dict[str, int]
    positions: dict[str, str]
    wallets: dict[str, str]


class ExchangeSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue holds."""

    markets: dict[str, MarketView]
    accounts: dict[str, AccountView]


class ExchangeFace:
    """The core that the host sees."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None

    def start(self, now_ns: int) -> list[Effect]:
        """The venue runs on its own clock and needs nothing of the host."""
        return []

    def handle(self, message: Any, now_ns: int) -> list[Effect]:
        """Control messages change nothing: the venue ends when its process does."""
        return []

    def snapshot(self) -> ExchangeSnapshot:
        """Books, orders, positions and wallets."""
        if self.exchange is None:
            return ExchangeSnapshot(markets={}, accounts={})
        return snapshot_of(self.exchange)


def snapshot_of(exchange: Exchange) -> ExchangeSnapshot:
    """What a venue holds now."""
    venue = exchange.venue
    markets = {}
    for symbol, market in venue.markets.items():
        bid, ask = market.matcher.best(bids=True), market.matcher.best(bids=False)
        markets[symbol] = MarketView(
            bid=market.numbers.price_text(bid) if bid is not None else "",
            ask=market.numbers.price_text(ask) if ask is not None else "",
            mark_price=str(market.mark_price),
            crossings=market.book.crossings,
            stale=market.stale,
        )
    accounts = {
        account.name: AccountView(
            live_orders={symbol: len(account.live_orders(symbol)) for symbol in venue.markets},
            positions={symbol: str(position.amount) for symbol, position in account.positions.items()},
            wallets={asset: str(wallet) for asset, wallet in account.wallets.items()},
        )
        for account in venue.accounts.values()
    }
    return ExchangeSnapshot(markets=markets, accounts=accounts)
