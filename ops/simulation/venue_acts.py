"""What the venue does to an account or to its rules at its own pleasure: funding, fees, margin calls, liquidation, deleveraging."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from actors.exchange.accounts import Account
from actors.exchange.exchange import Exchange
from actors.exchange.fee_schedule import FeeSchedule
from actors.exchange.frames import MarkFrame
from actors.exchange.market import Market
from configs.schema import FeeSettings
from ops.simulation.strangers import Stranger

FUNDING_RATE = Decimal("0.003")

STRANGERS_HUNDREDTHS = 2
"""Where there is no position to close by force, a stranger opens one of so many hundredths of a coin."""


class VenueActs:
    """Acts on the first symbol of an account. `acted` is called after each, so that its news go out."""

    def __init__(self, exchange: Exchange, account: str, symbol: str, acted: Callable[[], None]) -> None:
        self._exchange = exchange
        self._stranger = Stranger(exchange, account, symbol, acted)
        self._acted = acted
        self._account_name = account
        self._market: Market = exchange.venue.markets[symbol]

    def spike_funding(self, sign: int, in_ns: int) -> None:
        """Funding at a high rate falls due soon."""
        now_ns = self._exchange.venue.now_ns
        symbol, rate = self._market.contract.symbol, sign * FUNDING_RATE
        self._exchange.apply(MarkFrame(symbol, now_ns, None, None, rate, now_ns + in_ns))
        self._acted()

    def change_fees(self, factor: Decimal) -> None:
        """Every fee is so many times what the configuration says from now on, and a maker pays at least a basis point of it."""
        venue = self._exchange.venue
        fees = {
            asset: FeeSettings(
                maker=max(fee.maker, Decimal("0.0001")) * factor if factor != 1 else fee.maker, taker=fee.taker * factor
            )
            for asset, fee in venue.settings.fees.items()
        }
        venue.fee_schedule = FeeSchedule(venue.settings.model_copy(update={"fees": fees}))

    def call_margin(self) -> None:
        """A margin call."""
        self._exchange.venue.call_margin(self._with_position(), self._market.contract.margin_asset)
        self._told()

    def liquidate(self) -> None:
        """A liquidation."""
        self._exchange.venue.liquidate(self._with_position(), self._market.contract.margin_asset)
        self._told()

    def deleverage(self, share: float) -> None:
        """A part of the position is closed against somebody who is bankrupt."""
        account, contract = self._with_position(), self._market.contract
        lots = int(abs(account.position(contract.symbol).amount) / contract.lot_size)
        self._exchange.venue.deleverage(account, contract.symbol, max(int(lots * share), 1))
        self._told()

    def _with_position(self) -> Account:
        account = self._exchange.venue.account(self._account_name)
        if not account.position(self._market.contract.symbol).amount:
            self._stranger.trade(STRANGERS_HUNDREDTHS)
        return account

    def _told(self) -> None:
        self._exchange.collect()
        self._acted()
