"""Accounts in Decimal: wallets, one-way positions, realized PnL, fees, funding and margin (facts sections 9.4 to 9.7).

This arithmetic is the referee's own: it shares nothing with inventory. A position keeps the exact sum of price times quantity of what is
open, so realized PnL and open cost always add up; amounts of money have 8 decimals.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import NamedTuple

from actors.exchange.contracts import Contract
from actors.exchange.ledger import OrderAmended
from actors.exchange.orders import Order

CENT = Decimal("0.00000001")
DEFAULT_LEVERAGE = 20
TRADES_KEPT_MAX = 20_000
AMENDMENTS_KEPT_MAX = 20_000
INCOME_KEPT_MAX = 50_000
CLOSED_ORDERS_KEPT_MAX = 10_000
FORCED_KEPT_MAX = 1_000
ZERO = Decimal(0)


class Trade(NamedTuple):
    """One fill as `userTrades` shows it."""

    symbol: str
    trade_id: int
    order_id: int
    side: str
    price: Decimal
    quantity: Decimal
    realized_pnl: Decimal
    commission: Decimal
    commission_asset: str
    maker: bool
    time_ms: int


class Amendment(NamedTuple):
    """One change of an order as `orderAmendment` shows it; `number` says the order's how-manieth it is."""

    amendment_id: int
    number: int
    record: OrderAmended
    modify_id: int | None


class Income(NamedTuple):
    """One row of `income`."""

    symbol: str
    kind: str
    amount: Decimal
    asset: str
    time_ms: int
    tran_id: int
    trade_id: str


@dataclass(slots=True)
class Position:
    """A signed position: `amount` in base currency, `cost` = sum of price times quantity of the open part (>= 0)."""

    symbol: str
    amount: Decimal = ZERO
    cost: Decimal = ZERO
    realized_total: Decimal = ZERO
    leverage: int = DEFAULT_LEVERAGE
    margin_type: str = "CROSSED"
    updated_ms: int = 0

    @property
    def entry_price(self) -> Decimal:
        """Average price of the open part, 0 when flat; at most 11 decimals, as the venue shows it."""
        if self.amount == 0:
            return ZERO
        price = (self.cost / abs(self.amount)).quantize(Decimal("0.00000000001"), ROUND_HALF_UP)
        return price.normalize() if price == price.to_integral() else price

    def unrealized(self, mark_price: Decimal) -> Decimal:
        """PnL of the open part at a mark price."""
        if self.amount == 0:
            return ZERO
        value = self.amount * mark_price
        return (value - self.cost if self.amount > 0 else value + self.cost).quantize(CENT, ROUND_HALF_UP)

    def trade(self, signed_quantity: Decimal, price: Decimal) -> Decimal:
        """Change the position by a fill and return the realized PnL (before fees)."""
        quantity = abs(signed_quantity)
        realized = ZERO
        if self.amount != 0 and (self.amount > 0) != (signed_quantity > 0):
            closed = min(quantity, abs(self.amount))
            closed_cost = self.cost if closed == abs(self.amount) else _money(self.cost * closed / abs(self.amount))
            realized = closed * price - closed_cost if self.amount > 0 else closed_cost - closed * price
            self.cost -= closed_cost
            self.amount += closed if signed_quantity > 0 else -closed
            quantity -= closed
        if quantity:
            self.cost += quantity * price
            self.amount += quantity if signed_quantity > 0 else -quantity
        self.realized_total += realized
        return realized


@dataclass(slots=True)
class Account:
    """One account: what it owns, what it has open, and what it did lately (bounded)."""

    name: str
    wallets: dict[str, Decimal]
    positions: dict[str, Position] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    live: dict[tuple[str, str], Order] = field(default_factory=dict)
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=TRADES_KEPT_MAX))
    amendments: deque[Amendment] = field(default_factory=lambda: deque(maxlen=AMENDMENTS_KEPT_MAX))
    income: deque[Income] = field(default_factory=lambda: deque(maxlen=INCOME_KEPT_MAX))
    closed: deque[int] = field(default_factory=deque)
    updated_ms: int = 0
    fee_burn: bool = False
    forced: deque[int] = field(default_factory=lambda: deque(maxlen=FORCED_KEPT_MAX))
    """Ids of orders that the venue placed to liquidate or to deleverage."""

    def position(self, symbol: str) -> Position:
        """The position of a symbol, created flat."""
        found = self.positions.get(symbol)
        if found is None:
            found = self.positions[symbol] = Position(symbol)
        return found

    def live_orders(self, symbol: str | None = None) -> list[Order]:
        """Open orders, oldest first."""
        if symbol is None:
            return list(self.live.values())
        return [order for order in self.live.values() if order.symbol == symbol]

    def find_order(self, symbol: str, order_id: int | None, client_order_id: str | None) -> Order | None:
        """An order by id, or by client id: the live one, else the newest of that id."""
        if order_id is not None:
            order = self.orders.get(order_id)
            return order if order is not None and order.symbol == symbol else None
        live = self.live.get((symbol, client_order_id or ""))
        if live is not None:
            return live
        for order in reversed(self.orders.values()):
            if order.symbol == symbol and order.client_order_id == client_order_id:
                return order
        return None

    def opened(self, order: Order) -> None:
        """Remember a live order."""
        self.orders[order.order_id] = order
        self.live[(order.symbol, order.client_order_id)] = order

    def ended(self, order: Order) -> None:
        """The order is not live any more; the oldest ended ones are forgotten."""
        self.live.pop((order.symbol, order.client_order_id), None)
        self.closed.append(order.order_id)
        if len(self.closed) > CLOSED_ORDERS_KEPT_MAX:
            self.orders.pop(self.closed.popleft(), None)

    def book_fill(
        self,
        contract: Contract,
        order: Order,
        price: Decimal,
        quantity: Decimal,
        commission: Decimal,
        commission_asset: str,
        maker: bool,
        trade_id: int,
        time_ms: int,
    ) -> Decimal:
        """Book one execution into position, wallets, trades and income; returns the realized PnL."""
        signed = quantity if order.is_buy else -quantity
        realized = self.position(contract.symbol).trade(signed, price)
        trade = Trade(
            contract.symbol,
            trade_id,
            order.order_id,
            order.side,
            price,
            quantity,
            realized,
            commission,
            commission_asset,
            maker,
            time_ms,
        )
        self.record_fill(contract, trade)
        self.change_wallet(contract.margin_asset, realized)
        self.change_wallet(commission_asset, -commission)
        return realized

    def change_wallet(self, asset: str, amount: Decimal) -> None:
        """Add to (or take from) a wallet."""
        if amount:
            self.wallets[asset] = self.wallets.get(asset, ZERO) + amount

    def record_fill(self, contract: Contract, trade: Trade) -> None:
        """Write a fill into trades and income; position and wallets are the caller's."""
        symbol, time_ms, name = contract.symbol, trade.time_ms, str(trade.trade_id)
        self.trades.append(trade)
        if trade.commission:
            self.income.append(
                Income(symbol, "COMMISSION", -trade.commission, trade.commission_asset, time_ms, trade.trade_id, name)
            )
        if trade.realized_pnl:
            self.income.append(
                Income(symbol, "REALIZED_PNL", trade.realized_pnl, contract.margin_asset, time_ms, trade.trade_id, name)
            )
        self.position(symbol).updated_ms = time_ms
        self.updated_ms = time_ms

    def record_amendment(self, record: OrderAmended, number: int, modify_id: int | None = None) -> None:
        """Remember a change of an order."""
        newest_id = self.amendments[-1].amendment_id if self.amendments else 0
        self.amendments.append(Amendment(newest_id + 1, number, record, modify_id))

    def book_funding(
        self, contract: Contract, rate: Decimal, mark_price: Decimal, tran_id: int, time_ms: int
    ) -> Decimal:
        """Pay or receive funding for the position open now; returns the change of the wallet (0 when flat)."""
        amount = _money(-self.position(contract.symbol).amount * mark_price * rate)
        if amount:
            self.record_funding(contract, amount, tran_id, time_ms)
            self.change_wallet(contract.margin_asset, amount)
        return amount

    def record_insurance(self, contract: Contract, amount: Decimal, tran_id: int, time_ms: int) -> None:
        """Write what the insurance fund took or gave into income; the wallet is the caller's."""
        asset = contract.margin_asset
        self.income.append(Income(contract.symbol, "INSURANCE_CLEAR", amount, asset, time_ms, tran_id, ""))
        self.updated_ms = time_ms

    def record_funding(self, contract: Contract, amount: Decimal, tran_id: int, time_ms: int) -> None:
        """Write funding into income; the wallet is the caller's."""
        self.income.append(Income(contract.symbol, "FUNDING_FEE", amount, contract.margin_asset, time_ms, tran_id, ""))
        self.updated_ms = time_ms


class SymbolMargin(NamedTuple):
    """Margin of one symbol: at the position alone, and in the worst case of its open orders."""

    position: Decimal
    worst: Decimal


def worst_quantity(account: Account, contract: Contract, extra: Order | None = None) -> Decimal:
    """The largest position (>= 0) that all open buys, or all open sells, would make; reduce-only orders do not count."""
    position = account.positions.get(contract.symbol)
    amount = position.amount if position is not None else ZERO
    buys = sells = 0
    orders = account.live_orders(contract.symbol)
    if extra is not None:
        orders.append(extra)
    for order in orders:
        if not order.reduce_only:
            if order.side == "BUY":
                buys += order.lots - order.executed_lots
            else:
                sells += order.lots - order.executed_lots
    if not amount:
        return contract.quantity(max(buys, sells))
    return max(abs(amount + contract.quantity(buys)), abs(amount - contract.quantity(sells)), abs(amount))


def symbol_margin(
    account: Account, contract: Contract, mark_price: Decimal, extra: Order | None = None
) -> SymbolMargin:
    """Initial margin of a symbol at the mark; orders count by the worse of all buys or all sells filled."""
    position = account.positions.get(contract.symbol)
    at_position = ZERO
    if position is not None:
        at_position = (abs(position.amount) * mark_price / position.leverage).quantize(CENT, ROUND_DOWN)
    return SymbolMargin(at_position, worst_margin(account, contract, mark_price, extra))


def worst_margin(account: Account, contract: Contract, mark_price: Decimal, extra: Order | None = None) -> Decimal:
    """The worst case of `symbol_margin` alone: what an order is admitted by."""
    position = account.positions.get(contract.symbol)
    leverage = position.leverage if position is not None else DEFAULT_LEVERAGE
    worst = worst_quantity(account, contract, extra)
    return (worst * mark_price / leverage).quantize(CENT, ROUND_DOWN) if worst else ZERO


def _money(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)
