"""What the venue does to an account or to its rules at its own pleasure: funding, fees, margin calls, liquidation, deleveraging."""

from __future__ import annotations

import enum
from collections.abc import Callable
from decimal import Decimal
from typing import Any, assert_never

import msgspec

from actors.exchange.accounts import Account
from actors.exchange.contracts import Contract
from actors.exchange.exchange import Exchange
from actors.exchange.fee_schedule import FeeSchedule
from actors.exchange.frames import ContractFrame, MarkFrame
from actors.exchange.market import Market
from configs.schema import FeeSettings
from ops.simulation.strangers import Stranger

FUNDING_RATE = Decimal("0.003")

SMALL_ORDER = Decimal(300)
"""Where the largest quantity shrinks it is worth so much of the quote currency."""

NARROW_BAND = Decimal("0.002")
"""Where the price bands shrink orders may be this part of the mark away from it."""

STRANGERS_HUNDREDTHS = 2
"""Where there is no position to close by force, a stranger opens one of so many hundredths of a coin."""


class Bound(enum.IntEnum):
    """Which filter changes; `TICK` is no bound but the unit of prices."""

    NOTIONAL_MIN = 0
    QUANTITY_MAX = 1
    PRICE_BAND = 2
    TICK = 3


class VenueActs:
    """Acts on the first symbol of an account. `acted` is called after each, so that its news go out."""

    def __init__(self, exchange: Exchange, account: str, symbol: str, acted: Callable[[], None]) -> None:
        self._exchange = exchange
        self._stranger = Stranger(exchange, account, symbol, acted)
        self._acted = acted
        self._account_name = account
        self._market: Market = exchange.venue.markets[symbol]
        self._first_contracts: dict[str, Contract] = {}

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

    def change_bound(self, bound: Bound) -> None:
        """Change a bound of every symbol, or bring it back to what it was."""
        for symbol, market in self._exchange.venue.markets.items():
            first = self._first_contracts.setdefault(symbol, market.contract)
            changed = _changed(market, bound)
            now = {name: getattr(market.contract, name) for name in changed}
            was = {name: getattr(first, name) for name in changed}
            contract = msgspec.structs.replace(market.contract, **(changed if now == was else was))
            market.change_terms(contract, None, self._exchange.venue.now_ns)
        self._acted()

    def change_tick(self, multiple: int) -> None:
        """The tick of the first symbol is so many times what it was at first."""
        frame = ContractFrame(self._market.contract.symbol, self._exchange.venue.now_ns, self._market.status, multiple)
        self._exchange.apply(frame)
        self._acted()

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


def _changed(market: Market, bound: Bound) -> dict[str, Any]:
    contract = market.contract
    match bound:
        case Bound.NOTIONAL_MIN:
            return {"notional_min": contract.notional_min * 2}
        case Bound.QUANTITY_MAX:
            return {"quantity_lots_max": int(SMALL_ORDER / market.mid_price / contract.lot_size)}
        case Bound.PRICE_BAND:
            return {"multiplier_up": 1 + NARROW_BAND, "multiplier_down": 1 - NARROW_BAND}
        case Bound.TICK:
            raise ValueError("a tick is no bound")
        case _:
            assert_never(bound)
