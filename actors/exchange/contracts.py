"""Contracts of the venue: units, filters, and how their numbers are written on the wire.

Inside the venue a price is a whole number of ticks and a quantity a whole number of lots; Decimal appears where money is computed.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import msgspec

QUOTE_ASSETS = ("USDC", "USDT")
TEXTS_MAX = 20_000
"""Prices and quantities of a contract kept as text."""

CONTRACTS_MAX = 64
"""Contracts whose texts are kept for the next venue in the same process."""


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """One perpetual contract. `price_decimals` and `quantity_decimals` are what the wire shows, not the tick and the step."""

    symbol: str
    base_asset: str
    quote_asset: str
    tick_size: Decimal
    lot_size: Decimal
    price_decimals: int
    quantity_decimals: int
    price_ticks_max: int
    quantity_lots_max: int
    market_lots_max: int
    notional_min: Decimal
    multiplier_up: Decimal = Decimal("1.0500")
    multiplier_down: Decimal = Decimal("0.9500")
    market_take_bound: Decimal = Decimal("0.05")
    liquidation_fee: Decimal = Decimal("0.0125")
    open_orders_max: int = 200

    @property
    def margin_asset(self) -> str:
        """The asset of margin, PnL and fees: the quote asset."""
        return self.quote_asset

    def price(self, price_ticks: int) -> Decimal:
        """Ticks to quote currency."""
        return self.tick_size * price_ticks

    def quantity(self, lots: int) -> Decimal:
        """Lots to base currency."""
        return self.lot_size * lots


class WireNumbers:
    """Writes ticks and lots of one contract as the venue does, and reads them back.

    `tick_units` and `lot_units` are a tick and a lot in units of the last decimal that the wire shows.
    """

    def __init__(self, contract: Contract) -> None:
        self.tick_units = int(contract.tick_size.scaleb(contract.price_decimals))
        self.lot_units = int(contract.lot_size.scaleb(contract.quantity_decimals))
        self._price_decimals = contract.price_decimals
        self._quantity_decimals = contract.quantity_decimals
        self._price_texts: dict[int, str] = {}
        self._quantity_texts: dict[int, str] = {}

    def price_text(self, price_ticks: int) -> str:
        """A price with exactly the contract's decimals."""
        found = self._price_texts.get(price_ticks)
        if found is None:
            found = _fixed(price_ticks * self.tick_units, self._price_decimals)
            _keep(self._price_texts, price_ticks, found)
        return found

    def quantity_text(self, lots: int) -> str:
        """A quantity with exactly the contract's decimals."""
        found = self._quantity_texts.get(lots)
        if found is None:
            found = _fixed(lots * self.lot_units, self._quantity_decimals)
            _keep(self._quantity_texts, lots, found)
        return found

    def ticks(self, text: str) -> int:
        """Ticks of a recorded price; a part below one tick is cut off.

        Raises:
            ValueError: the text is no plain decimal number.
        """
        return _units(text, self._price_decimals) // self.tick_units

    def lots(self, text: str) -> int:
        """Lots of a recorded quantity; a part below one lot is cut off.

        Raises:
            ValueError: the text is no plain decimal number.
        """
        return _units(text, self._quantity_decimals) // self.lot_units


@lru_cache(maxsize=CONTRACTS_MAX)
def numbers_of(contract: Contract) -> WireNumbers:
    """What every venue with this contract in this process shares: texts of numbers that were written once."""
    return WireNumbers(contract)


def _keep(texts: dict[int, str], units: int, text: str) -> None:
    """Remember a text, for books repeat themselves; a full memory begins anew."""
    if len(texts) >= TEXTS_MAX:
        texts.clear()
    texts[units] = text


def _fixed(units: int, decimals: int) -> str:
    """Units of the last decimal as text."""
    digits = str(units)
    if not decimals:
        return digits
    if len(digits) <= decimals:
        digits = digits.zfill(decimals + 1)
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def known_contract(symbol: str, open_orders_max: int) -> Contract | None:
    """The contract as the venue lists it, or None for a symbol without an entry (facts section 2.1)."""
    row = _KNOWN.get(symbol)
    if row is None:
        return None
    tick, lot, price_decimals, quantity_decimals, price_max, quantity_max, market_max, notional = row
    tick_size, lot_size = Decimal(tick), Decimal(lot)
    return Contract(
        symbol=symbol,
        base_asset=symbol[:-4],
        quote_asset=symbol[-4:],
        tick_size=tick_size,
        lot_size=lot_size,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        price_ticks_max=int(Decimal(price_max) / tick_size),
        quantity_lots_max=int(Decimal(quantity_max) / lot_size),
        market_lots_max=int(Decimal(market_max) / lot_size),
        notional_min=Decimal(notional),
        open_orders_max=open_orders_max,
    )


def inferred_contract(symbol: str, prices: list[str], quantities: list[str], open_orders_max: int) -> Contract:
    """A contract whose tick and lot are the greatest steps that explain all recorded prices and quantities.

    Raises:
        ValueError: there is nothing to infer from, or the symbol has no known quote asset.
    """
    quote = next((asset for asset in QUOTE_ASSETS if symbol.endswith(asset)), None)
    if quote is None:
        raise ValueError(f"{symbol}: quote asset is none of {', '.join(QUOTE_ASSETS)}")
    tick_size, price_decimals = _step(prices)
    lot_size, quantity_decimals = _step(quantities)
    return Contract(
        symbol=symbol,
        base_asset=symbol[: -len(quote)],
        quote_asset=quote,
        tick_size=tick_size,
        lot_size=lot_size,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        price_ticks_max=int(max(Decimal(text) for text in prices) * 20 / tick_size),
        quantity_lots_max=10_000_000,
        market_lots_max=1_000_000,
        notional_min=Decimal(5),
        open_orders_max=open_orders_max,
    )


# symbol: tick, lot, shown price decimals, shown quantity decimals, price max, quantity max, market quantity max, least notional
_KNOWN: dict[str, tuple[str, str, int, int, str, str, str, str]] = {
    "BTCUSDC": ("0.1", "0.001", 1, 3, "1000000", "1000", "120", "50"),
    "ETHUSDC": ("0.01", "0.001", 2, 3, "100000", "8000", "700", "20"),
    "BTCUSDT": ("0.10", "0.001", 2, 3, "4529764", "1000", "120", "50"),
    "ETHUSDT": ("0.01", "0.001", 2, 3, "306177", "10000", "2000", "20"),
}


def _units(text: str, decimals: int) -> int:
    whole, _, part = text.partition(".")
    if not (whole + part).isdigit():
        raise ValueError(f"{text[:40]!r} is no plain positive number")
    if len(part) > decimals:
        part = part[:decimals]
    return int(whole + part.ljust(decimals, "0"))


def _step(texts: list[str]) -> tuple[Decimal, int]:
    """Greatest common step of the numbers and the decimals in which they are shown."""
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    step = 0
    for text in texts:
        units = _units(text, decimals)
        while units:
            step, units = units, step % units
    if step == 0:
        raise ValueError("no numbers to infer a step from")
    return Decimal(step).scaleb(-decimals), decimals
