"""Trades and mark prices: what the market socket tells of one symbol."""

from __future__ import annotations

from protocols.messages.market import MarkPrice, TradeFlow
from protocols.values import InstrumentId, symbol_of
from protocols.venue import PublicTrade, VenueMark


class TradeTotals:
    """Totals of public trades since this incarnation began; a trade id counts once."""

    def __init__(self, instrument_id: InstrumentId) -> None:
        self.symbol = symbol_of(instrument_id)
        self.trades_total = self.refused = self.ignored = 0
        self._instrument_id = instrument_id
        self._trade_id = -1
        self._bought = self._sold = self._price_ticks = self._received_ns = 0
        self._changed = False

    def reconnected(self) -> None:
        """A new socket, perhaps to a venue that numbers anew."""
        self._trade_id = -1

    def take(self, trade: PublicTrade) -> str:
        """Count a trade; returns why it was refused, or nothing."""
        if trade.price_ticks <= 0 or trade.quantity_lots <= 0:
            self.refused += 1
            return f"trade {trade.trade_id} of {trade.quantity_lots} lots at {trade.price_ticks} ticks"
        if trade.trade_id <= self._trade_id:
            self.ignored += 1
            return ""
        self._trade_id = trade.trade_id
        if trade.buyer_is_maker:
            self._sold += trade.quantity_lots
        else:
            self._bought += trade.quantity_lots
        self.trades_total += 1
        self._price_ticks, self._received_ns = trade.price_ticks, trade.received_ns
        self._changed = True
        return ""

    def changed(self) -> TradeFlow | None:
        """The totals, when they grew since the last call."""
        if not self._changed:
            return None
        self._changed = False
        return TradeFlow(
            instrument_id=self._instrument_id,
            received_ns=self._received_ns,
            price_ticks_last=self._price_ticks,
            bought_lots_total=self._bought,
            sold_lots_total=self._sold,
            trades_total=self.trades_total,
        )


class MarkTracker:
    """The newest mark price; `price` is None before the first."""

    def __init__(self, instrument_id: InstrumentId) -> None:
        self.symbol = symbol_of(instrument_id)
        self.price: MarkPrice | None = None
        self.refused = 0
        self._instrument_id = instrument_id

    def take(self, mark: VenueMark) -> str:
        """Remember a mark; returns why it was refused, or nothing."""
        if not mark.mark_price > 0 or not mark.index_price > 0:
            self.refused += 1
            return f"mark price {mark.mark_price}, index {mark.index_price}"
        self.price = MarkPrice(
            instrument_id=self._instrument_id,
            mark_price=mark.mark_price,
            index_price=mark.index_price,
            funding_rate=mark.funding_rate,
            next_funding_venue_ms=mark.next_funding_venue_ms,
            venue_time_ns=mark.venue_time_ns,
            received_ns=mark.received_ns,
        )
        return ""
