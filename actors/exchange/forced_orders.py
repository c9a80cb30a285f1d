"""Orders that the venue itself places on an account: liquidation, deleveraging, settlement. They carry no fee and no recvWindow."""

from __future__ import annotations

from decimal import Decimal

from actors.exchange.accounts import Account
from actors.exchange.market import Market
from actors.exchange.order_life import OrderLife, new_order
from actors.exchange.orders import Order, OrderRequest
from actors.exchange.state import VenueState

ADL = "adl_autoclose"


class ForcedOrders:
    """Opens and fills the venue's own orders."""

    def __init__(self, state: VenueState, life: OrderLife) -> None:
        self._state = state
        self._life = life

    def settle(self, account: Account, market: Market) -> None:
        """Close a position of a delisted contract at the mark, rounded against its owner."""
        lots = position_lots(account, market)
        if lots == 0:
            return
        closes_long = account.position(market.contract.symbol).amount > 0
        price_ticks = round_against(market.mark_price, market, closes_long=closes_long)
        order = self.open(account, market, "settlement_autoclose", "MARKET", "GTC", price_ticks, lots)
        self._life.fill_forced(account, market, order, price_ticks, lots)

    def open(
        self,
        account: Account,
        market: Market,
        name: str,
        order_type: str,
        time_in_force: str,
        price_ticks: int,
        lots: int,
    ) -> Order:
        """Accept an order that closes (part of) the account's position, under `name` and, but for deleveraging, a number."""
        symbol = market.contract.symbol
        request = OrderRequest(
            symbol=symbol,
            side="SELL" if account.position(symbol).amount > 0 else "BUY",
            type=order_type,
            time_in_force=time_in_force,
            price_ticks=price_ticks,
            lots=lots,
            reduce_only=False,
            client_order_id=name
            if name == ADL
            else f"{name}-{self._state.now_ms}{self._state.next_order_id % 1_000_000:06d}",
            stp_mode="NONE",
        )
        order = new_order(account, request, self._state)
        self._state.order_id = order.order_id
        account.opened(order)
        self._life.accept(market, order, request)
        return order


def position_lots(account: Account, market: Market) -> int:
    """The size of a position in lots."""
    contract = market.contract
    return int(abs(account.position(contract.symbol).amount) / contract.lot_size)


def round_against(price: Decimal, market: Market, *, closes_long: bool) -> int:
    """A price in ticks at which a position closes: a long one rounds down, a short one up."""
    ticks = price / market.contract.tick_size
    return int(ticks) if closes_long or ticks == int(ticks) else int(ticks) + 1
