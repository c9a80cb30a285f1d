"""Values of the order path: sides, instruments, and rounding with the side named.

On the order path prices and quantities are integers, `price_ticks` and `quantity_lots`; they mean something only together
with the `version` of the `Instrument` that converts them. `Decimal` is for the venue's and the configuration's border.
"""

from __future__ import annotations

import enum
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NewType

import msgspec

InstrumentId = NewType("InstrumentId", str)
"""`venue:account:symbol`, e.g. `binance_usdm:main:BTCUSDC`."""

Level = tuple[int, int]
"""One price level: (price_ticks, quantity_lots)."""


class Side(enum.StrEnum):
    """Side of an order or fill."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL: the sign of the change of position."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class TimeInForce(enum.StrEnum):
    """How long an order may rest. POST_ONLY (Binance: GTX) is refused rather than take liquidity."""

    POST_ONLY = "POST_ONLY"
    GOOD_TILL_CANCEL = "GOOD_TILL_CANCEL"
    IMMEDIATE_OR_CANCEL = "IMMEDIATE_OR_CANCEL"


class RateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue lets an account (orders) and an address (weight) ask of it. The defaults are Binance's of 2026."""

    weight_1m: int = 2_400
    orders_10s: int = 300
    orders_1m: int = 1_200


def make_instrument_id(venue: str, account: str, symbol: str) -> InstrumentId:
    """Join the parts of an instrument id."""
    return InstrumentId(f"{venue}:{account}:{symbol}")


def symbol_of(instrument_id: InstrumentId) -> str:
    """The venue's symbol inside an instrument id."""
    return instrument_id.rsplit(":", 1)[1]


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says of one contract: units, bounds and bands.

    `version` grows when the venue changes a filter; integers of different versions are never mixed.
    Multipliers are those of Binance's PERCENT_PRICE filter: a buy may not be above mark * up, a sell not below mark * down.
    """

    instrument_id: InstrumentId
    version: int
    base_asset: str
    quote_asset: str
    margin_asset: str
    tick_size: Decimal
    lot_size: Decimal
    price_ticks_min: int
    price_ticks_max: int
    quantity_lots_min: int
    quantity_lots_max: int
    notional_min: Decimal
    price_multiplier_up: Decimal
    price_multiplier_down: Decimal
    open_orders_max: int

    @property
    def symbol(self) -> str:
        """The venue's symbol."""
        return symbol_of(self.instrument_id)

    def counts_as(self, other: Instrument) -> bool:
        """Whether ticks and lots of both mean the same."""
        return (self.tick_size, self.lot_size) == (other.tick_size, other.lot_size)

    def price(self, price_ticks: int) -> Decimal:
        """Ticks to quote currency."""
        return self.tick_size * price_ticks

    def quantity(self, quantity_lots: int) -> Decimal:
        """Lots to base currency."""
        return self.lot_size * quantity_lots

    def notional(self, price_ticks: int, quantity_lots: int) -> Decimal:
        """Price times quantity in quote currency."""
        return self.tick_size * self.lot_size * (price_ticks * quantity_lots)

    def ticks_down(self, price: Decimal) -> int:
        """The highest whole number of ticks not above `price` (the side of a bid)."""
        return int((price / self.tick_size).to_integral_value(ROUND_FLOOR))

    def ticks_up(self, price: Decimal) -> int:
        """The lowest whole number of ticks not below `price` (the side of an ask)."""
        return int((price / self.tick_size).to_integral_value(ROUND_CEILING))

    def lots_down(self, quantity: Decimal) -> int:
        """The highest whole number of lots not above `quantity`."""
        return int((quantity / self.lot_size).to_integral_value(ROUND_FLOOR))

    def lots_up(self, quantity: Decimal) -> int:
        """The lowest whole number of lots not below `quantity`."""
        return int((quantity / self.lot_size).to_integral_value(ROUND_CEILING))

    def exact_ticks(self, price: Decimal) -> int:
        """Ticks of a price that must be a multiple of the tick.

        Raises:
            ValueError: the price is not a multiple of the tick.
        """
        ticks = price / self.tick_size
        if ticks != ticks.to_integral_value():
            raise ValueError(f"{self.symbol}: price {price} is not a multiple of the tick {self.tick_size}")
        return int(ticks)

    def is_whole(self, quantity: Decimal) -> bool:
        """Whether a quantity is a whole number of lots."""
        return quantity % self.lot_size == 0

    def exact_lots(self, quantity: Decimal) -> int:
        """Lots of a quantity that must be a multiple of the lot.

        Raises:
            ValueError: the quantity is not a multiple of the lot.
        """
        lots = quantity / self.lot_size
        if lots != lots.to_integral_value():
            raise ValueError(f"{self.symbol}: quantity {quantity} is not a multiple of the lot {self.lot_size}")
        return int(lots)
