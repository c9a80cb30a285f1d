"""What the requests are answered with that come most often: rows of the wire's JSON, or what another host makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from actors.exchange.accounts import Account
from actors.exchange.market import Market
from actors.exchange.orders import Order
from actors.exchange.shapes import account_body, order_row, position_row, queried_order_row
from actors.exchange.venue import Venue


class Answers(Protocol):
    """Bodies of success. One that is no JSON comes as `endpoint.Told`."""

    def placed(self, order: Order, market: Market, *, as_new: bool) -> Any:
        """A new order; `as_new` says nothing of what it traded at once."""
        ...

    def amended(self, order: Order, market: Market, modify_id: int | None) -> Any:
        """An order after its amendment."""
        ...

    def canceled(self, order: Order, market: Market) -> Any:
        """An order after its cancel."""
        ...

    def queried(self, order: Order, market: Market) -> Any:
        """An order that was asked for."""
        ...

    def listed(self, orders: Iterable[Order], venue: Venue) -> Any:
        """Open orders."""
        ...

    def positions(self, account: Account, venue: Venue, markets: Iterable[Market]) -> Any:
        """positionRisk v3 of these markets."""
        ...

    def margins(self, account: Account, venue: Venue) -> Any:
        """account v3."""
        ...


class WireAnswers:
    """Binance's own rows."""

    def placed(self, order: Order, market: Market, *, as_new: bool) -> Any:
        row = order_row(order, market)
        if as_new:
            none = market.numbers.quantity_text(0)
            row |= {"status": "NEW", "avgPrice": "0.00", "executedQty": none, "cumQty": none, "cumQuote": "0.00000"}
        return row

    def amended(self, order: Order, market: Market, modify_id: int | None) -> Any:
        row = order_row(order, market)
        row |= {"pair": order.symbol, "cumBase": row["executedQty"]}
        return row if modify_id is None else row | {"modifyId": modify_id}

    def canceled(self, order: Order, market: Market) -> Any:
        return order_row(order, market)

    def queried(self, order: Order, market: Market) -> Any:
        return queried_order_row(order, market)

    def listed(self, orders: Iterable[Order], venue: Venue) -> Any:
        return [queried_order_row(order, venue.market(order.symbol)) for order in orders]

    def positions(self, account: Account, venue: Venue, markets: Iterable[Market]) -> Any:
        return [position_row(account, venue, market, version=3) for market in markets]

    def margins(self, account: Account, venue: Venue) -> Any:
        return account_body(account, venue, version=3)


WIRE_ANSWERS = WireAnswers()
