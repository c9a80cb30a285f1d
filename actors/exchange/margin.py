"""Cross margin of one asset: what an account owns, what its positions need, and where they would be liquidated (facts section 9.6)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from actors.exchange.accounts import CENT, Account
from actors.exchange.market import Market

ZERO = Decimal(0)
Markets = Mapping[str, Market]


def equity(account: Account, markets: Markets, asset: str) -> Decimal:
    """Wallet and unrealized PnL at the mark."""
    total = account.wallets.get(asset, ZERO)
    for symbol, position in account.positions.items():
        market = markets.get(symbol)
        if position.amount and market is not None and market.contract.margin_asset == asset:
            total += position.unrealized(market.mark_price)
    return total


def maintenance_of(account: Account, market: Market) -> Decimal:
    """Maintenance margin of one position, by the tier of its notional at the mark."""
    position = account.positions.get(market.contract.symbol)
    if position is None or not position.amount:
        return ZERO
    notional = abs(position.amount) * market.mark_price
    return market.brackets.maintenance(notional).quantize(CENT, ROUND_HALF_UP)


def maintenance(account: Account, markets: Markets, asset: str) -> Decimal:
    """Maintenance margin of all positions in an asset."""
    return sum(
        (
            maintenance_of(account, markets[symbol])
            for symbol, position in account.positions.items()
            if position.amount and symbol in markets and markets[symbol].contract.margin_asset == asset
        ),
        ZERO,
    )


def liquidation_price(account: Account, markets: Markets, market: Market) -> Decimal:
    """The mark at which the account would be liquidated if only this market moved; 0 where there is none."""
    contract = market.contract
    position = account.positions.get(contract.symbol)
    if position is None or not position.amount:
        return ZERO
    asset = contract.margin_asset
    others = equity(account, markets, asset) - position.unrealized(market.mark_price)
    others -= maintenance(account, markets, asset) - maintenance_of(account, market)
    size = abs(position.amount)
    bracket = market.brackets.at(size * market.mark_price)
    side = 1 if position.amount > 0 else -1
    below = size * bracket.maintenance_rate - side * size
    price = (others + bracket.cumulative - side * position.cost) / below
    return max(ZERO, price.quantize(CENT, ROUND_HALF_UP))
