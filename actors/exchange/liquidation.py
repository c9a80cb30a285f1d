"""Margin calls, liquidation, the insurance fund and deleveraging of cross-margined accounts.

The order of things is the venue's: open orders expire, an immediate-or-cancel LIQUIDATION order at the bankruptcy price goes through the
book (NEW, then for each fill ACCOUNT_UPDATE and TRADE), what the book does not take is taken over at that price, and the insurance fund
takes its fee from what is left (ACCOUNT_UPDATE with INSURANCE_CLEAR), or pays for what is missing. A position in a higher tier is closed
tier by tier: first down to the tier below, then, where that did not free enough margin, on to the next; in the lowest it is closed whole.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from actors.exchange import ledger
from actors.exchange.accounts import CENT, Account
from actors.exchange.forced_orders import ForcedOrders, position_lots, round_against
from actors.exchange.margin import equity, maintenance, maintenance_of
from actors.exchange.market import Market
from actors.exchange.order_life import OrderLife
from actors.exchange.orders import Order
from actors.exchange.state import VenueState
from actors.exchange.user_stream import account_update, margin_call, plain

MARGIN_CALL_RATIO = Decimal("0.8")
ZERO = Decimal(0)


class Liquidations:
    """Watches margins and acts."""

    def __init__(self, state: VenueState, life: OrderLife, forced: ForcedOrders) -> None:
        self._state = state
        self._life = life
        self._forced = forced
        self._called: set[tuple[str, str]] = set()

    def check(self) -> list[Market]:
        """Look at every account with a position; returns the markets in which something was liquidated."""
        touched: list[Market] = []
        for account in list(self._state.accounts.values()):
            assets = {
                market.contract.margin_asset
                for symbol, position in account.positions.items()
                if position.amount
                and (market := self._state.markets.get(symbol)) is not None
                and market.is_open
                and not market.stale
            }
            for asset in assets:
                touched += self._check_asset(account, asset)
        return touched

    def _check_asset(self, account: Account, asset: str) -> list[Market]:
        needed, owned = maintenance(account, self._state.markets, asset), equity(account, self._state.markets, asset)
        key = (account.name, asset)
        if needed < owned * MARGIN_CALL_RATIO:
            self._called.discard(key)
            return []
        if needed < owned:
            if key not in self._called:
                self._called.add(key)
                self.call(account, asset)
            return []
        return self.liquidate(account, asset)

    def call(self, account: Account, asset: str) -> None:
        """Tell an account that its margin runs short."""
        rows = []
        for market in self._held(account, asset):
            position, mark = account.position(market.contract.symbol), market.mark_price
            rows.append(
                {
                    "s": position.symbol,
                    "ps": "BOTH",
                    "pa": plain(position.amount),
                    "mt": "CROSSED",
                    "iw": "0",
                    "mp": plain(mark),
                    "up": plain(position.unrealized(mark)),
                    "mm": plain(maintenance_of(account, market)),
                }
            )
        self._state.tell(margin_call(account.name, account.wallets.get(asset, ZERO), rows, self._state.now_ms))

    def liquidate(self, account: Account, asset: str) -> list[Market]:
        """Expire an account's orders and close its positions, the greatest loss first, until its margin suffices."""
        markets = self._state.markets
        for order in account.live_orders():
            market = markets[order.symbol]
            if market.contract.margin_asset == asset:
                self._life.expire(order, "5", market)
        touched = []
        held = self._held(account, asset)
        held.sort(key=lambda market: account.position(market.contract.symbol).unrealized(market.mark_price))
        for market in held:
            touched.append(market)
            while lots := position_lots(account, market):
                self._close(account, market, asset, _above_the_tier_below(market, lots))
                if maintenance(account, markets, asset) < equity(account, markets, asset):
                    return touched
        return touched

    def _held(self, account: Account, asset: str) -> list[Market]:
        return [
            market
            for market in self._state.markets.values()
            if market.contract.margin_asset == asset and account.position(market.contract.symbol).amount
        ]

    def _close(self, account: Account, market: Market, asset: str, lots: int) -> None:
        contract = market.contract
        position = account.position(contract.symbol)
        closes_long = position.amount > 0
        # At this price nothing of the account's worth is left.
        rest = equity(account, self._state.markets, asset) - position.unrealized(market.mark_price)
        signed_cost = position.cost if closes_long else -position.cost
        bankruptcy = max((signed_cost - rest) / position.amount, contract.tick_size)
        price_ticks = round_against(bankruptcy, market, closes_long=not closes_long)
        order = self._forced.open(account, market, "autoclose", "LIQUIDATION", "IOC", price_ticks, lots)
        account.forced.append(order.order_id)
        plan = market.matcher.plan(order, limit_ticks=price_ticks, lots=lots)
        self._life.carry_out(account, market, order, plan)
        notional = order.executed_quote
        if order.remaining_lots:
            self._take_over(account, market, order, price_ticks, closes_long=closes_long)
        self._report(market, order)
        self._clear(account, market, notional * contract.liquidation_fee)

    def _take_over(
        self, account: Account, market: Market, order: Order, price_ticks: int, *, closes_long: bool
    ) -> None:
        """What the book did not take: opposite positions give way where the fund cannot pay, and the fund takes the rest."""
        contract = market.contract
        lots, price = order.remaining_lots, contract.price(price_ticks)
        difference = price - market.mark_price if closes_long else market.mark_price - price
        cost = max(ZERO, difference) * contract.quantity(lots)
        fund = self._fund(contract.margin_asset)
        if cost > fund:
            self.deleverage(market, price_ticks, lots, against_long=closes_long)
        else:
            self._state.insurance_funds[contract.margin_asset] = fund - cost
        self._life.fill_forced(account, market, order, price_ticks, lots, execution="CALCULATED")

    def deleverage(self, market: Market, price_ticks: int, lots: int, *, against_long: bool) -> None:
        """Close opposite positions at the bankruptcy price, the most profitable and leveraged first."""
        symbol = market.contract.symbol
        opposite = [
            account
            for account in self._state.accounts.values()
            if account.position(symbol).amount and (account.position(symbol).amount < 0) == against_long
        ]
        opposite.sort(key=lambda account: adl_score(account, market), reverse=True)
        for account in opposite:
            part = min(lots, position_lots(account, market))
            if part == 0:
                break
            order = self._forced.open(account, market, "adl_autoclose", "LIMIT", "GTC", price_ticks, part)
            account.forced.append(order.order_id)
            self._life.fill_forced(account, market, order, price_ticks, part, execution="CALCULATED")
            lots -= part

    def _clear(self, account: Account, market: Market, fee: Decimal) -> None:
        """The fund's fee from what is left, or its payment for what is missing."""
        contract = market.contract
        asset = contract.margin_asset
        wallet = account.wallets.get(asset, ZERO)
        amount = -min(fee.quantize(CENT, ROUND_HALF_UP), wallet) if wallet > 0 else -wallet
        if amount == 0:
            return
        self._state.insurance_funds[asset] = self._fund(asset) - amount
        account.change_wallet(asset, amount)
        tran_id, now_ms = self._state.next_tran_id(), self._state.now_ms
        account.record_insurance(contract, amount, tran_id, now_ms)
        self._state.record(
            ledger.InsuranceCleared(
                t=self._state.now_ns,
                account=account.name,
                symbol=contract.symbol,
                tran_id=tran_id,
                amount=amount,
                asset=asset,
                wallet_after=account.wallets[asset],
            )
        )
        self._state.tell(
            account_update(
                account.name,
                "INSURANCE_CLEAR",
                asset,
                account.wallets[asset],
                amount,
                now_ms,
                position=account.position(contract.symbol),
                mark_price=market.mark_price,
            )
        )

    def _fund(self, asset: str) -> Decimal:
        return self._state.insurance_funds.get(asset, self._state.settings.insurance_fund)

    def _report(self, market: Market, order: Order) -> None:
        """For the streams of liquidations."""
        numbers = market.numbers
        quantity = numbers.quantity_text(order.executed_lots)
        average = order.executed_quote / market.contract.quantity(order.executed_lots)
        market.liquidations.append(
            {
                "s": order.symbol,
                "S": order.side,
                "o": "LIMIT",
                "f": "IOC",
                "q": quantity,
                "p": numbers.price_text(order.price_ticks),
                "ap": plain(average.quantize(CENT, ROUND_HALF_UP)),
                "X": order.status,
                "l": quantity,
                "z": quantity,
                "T": self._state.now_ms,
            }
        )


def _above_the_tier_below(market: Market, lots: int) -> int:
    """What must go for the position to reach the tier below; all of it in the lowest tier."""
    contract, tier = market.contract, market.brackets.at(market.contract.quantity(lots) * market.mark_price)
    kept = int(tier.notional_floor / market.mark_price / contract.lot_size)
    return max(1, lots - kept)


def adl_score(account: Account, market: Market) -> Decimal:
    """How soon a position is deleveraged: profit as a part of its cost, times leverage where it has a profit."""
    position = account.position(market.contract.symbol)
    if not position.cost:
        return ZERO
    profit = position.unrealized(market.mark_price) / position.cost
    return profit * position.leverage if profit > 0 else profit / position.leverage


def adl_quantile(account: Account, market: Market, accounts: list[Account]) -> int:
    """0 without a position, else 1 to 4: the part of the same side's positions that would be deleveraged later."""
    symbol = market.contract.symbol
    amount = account.position(symbol).amount
    if not amount:
        return 0
    same = [
        other
        for other in accounts
        if other.position(symbol).amount and (other.position(symbol).amount > 0) == (amount > 0)
    ]
    if len(same) < 2:
        return 1
    mine = adl_score(account, market)
    later = sum(adl_score(other, market) < mine for other in same)
    return 1 + 3 * later // (len(same) - 1)
