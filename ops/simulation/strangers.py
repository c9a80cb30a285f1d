"""Somebody else on our account: orders and trades that no order manager of ours has sent."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from actors.exchange.errors import VenueRefusal
from actors.exchange.exchange import Exchange
from actors.exchange.orders import Order, OrderRequest

AWAY_TICKS = 500
"""So far from the touch a stranger's order rests."""


class Stranger:
    """Trades on an account by the venue's own hand. `acted` is called after each deed, so that its news go out."""

    def __init__(self, exchange: Exchange, account: str, symbol: str, acted: Callable[[], None]) -> None:
        self._exchange = exchange
        self._account = account
        self._market = exchange.venue.markets[symbol]
        self._acted = acted

    def trade(self, hundredths: int) -> None:
        """Take some hundredths of a coin from the market: bought, or sold where it is negative."""
        self._place("MARKET", 0, hundredths)

    def order(self, sign: int) -> Order | None:
        """Let a hundredth of a coin rest far from the touch."""
        best = self._market.book.side(bids=sign > 0).best()
        return None if best is None else self._place("LIMIT", best - sign * AWAY_TICKS, sign)

    def withdraw(self, order: Order) -> None:
        """Cancel an order that still lives."""
        if order.is_live:
            self._exchange.venue.cancel(order)
            self._told()

    def _place(self, kind: str, price_ticks: int, hundredths: int) -> Order | None:
        venue = self._exchange.venue
        request = OrderRequest(
            symbol=self._market.contract.symbol,
            side="BUY" if hundredths > 0 else "SELL",
            type=kind,
            time_in_force="GTC",
            price_ticks=price_ticks,
            lots=int(Decimal(abs(hundredths)) / 100 / self._market.contract.lot_size),
            reduce_only=False,
            client_order_id=f"stranger-{venue.next_order_id}",
        )
        try:
            return venue.place(venue.account(self._account), request)
        except VenueRefusal:
            return None
        finally:
            self._told()

    def _told(self) -> None:
        self._exchange.collect()
        self._acted()
