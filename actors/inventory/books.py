"""The book of one symbol: position by average cost and first in first out, fees, funding, and what the day has changed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from protocols.arithmetic.positions import AverageCost, FirstInFirstOut, exact_arithmetic
from protocols.messages.orders import OrderFilled
from protocols.values import Instrument, InstrumentId

TRADES_REMEMBERED_MAX = 5_000
"""Trades of a symbol of which we know that they are booked; an older one is known by its number, which only grows."""

_ZERO = Decimal(0)
_NO_RATES: Mapping[str, Decimal] = MappingProxyType({})


class Booked(NamedTuple):
    """What a fill did to the wallets: realised PnL in the margin asset, the fee in its own asset (positive when paid)."""

    realised: Decimal
    fee: Decimal
    fee_asset: str


class DayPnl(NamedTuple):
    """What changed since the start of the day, in quote currency.

    `net = realised + unrealised - fees + funding`; `unrealised_now` is of the whole open position, whenever it was opened.
    """

    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    funding: Decimal
    net: Decimal
    unrealised_now: Decimal


class SymbolBook(msgspec.Struct, kw_only=True):
    """Everything that is known of one symbol. Totals count from the opening record; `day_` amounts are the totals at the day's start.

    `fees` are those paid in the margin asset. `fees_elsewhere` is what those paid in other assets were worth in it at the venue's own rate
    when they were booked, `fees_unvalued` the amounts by asset that still wait for a rate: they leave wallets of their own.
    The adopted position contains what was executed up to `adopted_trade_id`, or where that is 0 up to `adopted_venue_ns`.
    """

    instrument_id: InstrumentId
    average: AverageCost = AverageCost()
    fifo: FirstInFirstOut = FirstInFirstOut()
    realised: Decimal = _ZERO
    realised_fifo: Decimal = _ZERO
    fees: Decimal = _ZERO
    fees_elsewhere: Decimal = _ZERO
    fees_unvalued: dict[str, Decimal] = msgspec.field(default_factory=dict)
    funding: Decimal = _ZERO
    fills: int = 0
    volume: Decimal = _ZERO
    day_realised: Decimal = _ZERO
    day_unrealised: Decimal = _ZERO
    day_fees: Decimal = _ZERO
    day_funding: Decimal = _ZERO
    adopted: bool = False
    adopted_venue_ns: int = 0
    adopted_trade_id: int = 0
    last_fill_venue_ns: int = 0
    trade_id_floor: int = 0
    trades: dict[int, list[int]] = msgspec.field(default_factory=dict)

    def knows(self, fill: OrderFilled) -> bool:
        """Whether this execution has been booked, by (trade id, venue order id)."""
        if fill.trade_id <= self.trade_id_floor:
            return True
        return fill.venue_order_id in self.trades.get(fill.trade_id, ())

    def book(self, fill: OrderFilled, instrument: Instrument, rates: Mapping[str, Decimal] = _NO_RATES) -> Booked:
        """Book an execution that `knows` does not. One that the adopted position already contains changes no position.

        Args:
            rates: what one unit of an asset is worth in the margin asset.
        """
        self._remember(fill)
        price, quantity = instrument.price(fill.price_ticks), instrument.quantity(fill.quantity_lots)
        realised = _ZERO
        self.fills += 1
        with exact_arithmetic():
            self.volume += price * quantity
            if not self._contains(fill):
                signed = quantity * fill.side.sign
                self.average, trade = self.average.traded(signed, price)
                self.fifo, trade_fifo = self.fifo.traded(signed, price)
                realised = trade.realised
                self.realised += realised
                self.realised_fifo += trade_fifo.realised
            if fill.fee_asset in (instrument.margin_asset, "") or not fill.fee:
                self.fees += fill.fee
            elif fill.fee_asset in rates:
                self.fees_elsewhere += fill.fee * rates[fill.fee_asset]
            else:
                self.fees_unvalued[fill.fee_asset] = self.fees_unvalued.get(fill.fee_asset, _ZERO) + fill.fee
        self.last_fill_venue_ns = max(self.last_fill_venue_ns, fill.venue_time_ns)
        return Booked(realised, fill.fee, fill.fee_asset or instrument.margin_asset)

    @property
    def fees_all(self) -> Decimal:
        """Fees in every asset, in quote currency, but for those that still wait for a rate."""
        with exact_arithmetic():
            return self.fees + self.fees_elsewhere

    def value_fees(self, rates: Mapping[str, Decimal]) -> None:
        """Value the fees that waited for a rate."""
        with exact_arithmetic():
            for asset in [asset for asset in self.fees_unvalued if asset in rates]:
                self.fees_elsewhere += self.fees_unvalued.pop(asset) * rates[asset]

    def fund(self, amount: Decimal) -> None:
        """Book funding, positive when received."""
        with exact_arithmetic():
            self.funding += amount

    def adopt(self, quantity: Decimal, entry_price: Decimal, venue_time_ns: int, trade_id_last: int = 0) -> None:
        """Take the venue's position for ours; fills up to `trade_id_last` are inside it, or (0) those up to `venue_time_ns`."""
        self.average = AverageCost.opened(quantity, entry_price)
        self.fifo = FirstInFirstOut.opened(quantity, entry_price)
        self.adopted = True
        self.adopted_venue_ns = max(venue_time_ns, self.adopted_venue_ns)
        self.adopted_trade_id = trade_id_last

    def begin_day(self, unrealised: Decimal) -> None:
        """Measure the day from here."""
        self.day_realised, self.day_fees, self.day_funding = self.realised, self.fees_all, self.funding
        self.day_unrealised = unrealised

    def day_pnl(self, mark_price: Decimal | None) -> DayPnl | None:
        """What the day has changed at `mark_price`; None for an open position without a mark."""
        unrealised = self.unrealised(mark_price)
        if unrealised is None:
            return None
        with exact_arithmetic():
            realised, changed = self.realised - self.day_realised, unrealised - self.day_unrealised
            fees = self.fees + self.fees_elsewhere - self.day_fees
            funding = self.funding - self.day_funding
            return DayPnl(realised, changed, fees, funding, realised + changed - fees + funding, unrealised)

    def unrealised(self, mark_price: Decimal | None) -> Decimal | None:
        """PnL of the open position; None without a mark, 0 when flat."""
        if self.average.quantity == 0:
            return _ZERO
        return None if mark_price is None else self.average.unrealised(mark_price)

    def _contains(self, fill: OrderFilled) -> bool:
        """Whether the adopted position has an execution in it already."""
        if not self.adopted:
            return False
        if self.adopted_trade_id:
            return fill.trade_id <= self.adopted_trade_id
        return fill.venue_time_ns <= self.adopted_venue_ns

    def _remember(self, fill: OrderFilled) -> None:
        self.trades.setdefault(fill.trade_id, []).append(fill.venue_order_id)
        if len(self.trades) > TRADES_REMEMBERED_MAX:
            oldest = min(self.trades)
            del self.trades[oldest]
            self.trade_id_floor = max(self.trade_id_floor, oldest)
