"""Checks about positions and money: I3 (positions agree), I6 (limits hold), I13 (fees and fills counted once)."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from actors.exchange.ledger import (
    LedgerRecord,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    SeamClosed,
)
from ops.invariants.history import Findings, History, Verdict, signed
from protocols.messages.journal import AmendIntended, OrderIntended, PositionAdopted
from protocols.messages.orders import OrderFilled as FillEvent
from protocols.values import symbol_of


def check_positions_agree(history: History) -> Verdict:
    """I3 at rest: opening record + all trades in our journals = the venue's position = what inventory claims."""
    findings = Findings("I3")
    venue: dict[str, Decimal] = {}
    for record in history.ledger:
        if isinstance(record, OrderFilled | SeamClosed):
            venue[record.symbol] = record.position_after
    journaled = _journaled_positions(history)
    for symbol, instrument in sorted(history.instruments.items()):
        at_venue = venue.get(symbol, Decimal(0))
        ours = instrument.quantity(journaled.get(symbol, 0))
        findings.check(ours == at_venue, f"{symbol}: journals say {ours}, the venue {at_venue}")
        if symbol in history.claimed_positions:
            claimed = instrument.quantity(history.claimed_positions[symbol])
            findings.check(claimed == at_venue, f"{symbol}: inventory says {claimed}, the venue {at_venue}")
    return findings.verdict()


def _journaled_positions(history: History) -> dict[str, int]:
    """Signed lots by symbol: the newest adopted position, plus each trade after it once."""
    positions: dict[str, int] = {}
    trade_id_adopted: dict[str, int] = {}
    trades: dict[str, dict[tuple[int, int], int]] = defaultdict(dict)
    for _, record in history.journaled():
        if isinstance(record, PositionAdopted):
            symbol = symbol_of(record.instrument_id)
            positions[symbol] = record.position_lots
            trade_id_adopted[symbol] = record.trade_id_last
            trades[symbol].clear()
        elif isinstance(record, FillEvent):
            symbol = symbol_of(record.instrument_id)
            if record.trade_id > trade_id_adopted.get(symbol, 0):
                trades[symbol][(record.trade_id, record.venue_order_id)] = record.side.sign * record.quantity_lots
    for symbol, by_trade in trades.items():
        positions[symbol] = positions.get(symbol, 0) + sum(by_trade.values())
    return positions


def check_limits_held(history: History) -> Verdict:
    """I6: at the venue no order or amendment of ours lifted the worst case of its side above the limit in force at its write.

    Worst case long = position + remaining buys, short = position - remaining sells, never netted (DESIGN.md section 4).
    """
    findings = Findings("I6")
    limits = {r.client_order_id: r.limit_lots for _, r in history.journaled() if isinstance(r, OrderIntended)}
    amend_limits = _amend_limits(history)
    book = _VenueExposure()
    for record in history.ledger:
        grew = isinstance(record, OrderAmended) and record.quantity > record.quantity_before
        book.apply(record)
        if isinstance(record, OrderAccepted | OrderAmended) and history.is_ours(record.client_order_id):
            instrument = history.instruments.get(record.symbol)
            if instrument is None:
                continue
            if isinstance(record, OrderAccepted):
                limit_lots = limits.get(record.client_order_id)
                is_free = record.reduce_only
            else:
                terms = (record.client_order_id, record.price, record.quantity)
                limit_lots = max(amend_limits.get(terms, ()), default=None)
                is_free = not grew
            if limit_lots is None:
                continue
            worst = book.worst_case(record.symbol, record.side)
            limit = instrument.quantity(limit_lots)
            findings.check(
                is_free or worst <= limit,
                f"{record.symbol}: {record.client_order_id} made the {record.side} worst case {worst}, limit {limit}",
            )
    return findings.verdict()


def _amend_limits(history: History) -> dict[tuple[str, Decimal, Decimal], list[int]]:
    """Limits at the write of each amendment, by order, price and total quantity; the same terms may have been asked for twice."""
    limits: dict[tuple[str, Decimal, Decimal], list[int]] = defaultdict(list)
    for _, record in history.journaled():
        if isinstance(record, AmendIntended):
            limits[record.client_order_id, record.price, record.quantity].append(record.limit_lots)
    return limits


class _VenueExposure:
    """Position and remaining orders by symbol, rebuilt from the ledger."""

    def __init__(self) -> None:
        self._positions: dict[str, Decimal] = defaultdict(Decimal)
        self._live: dict[int, tuple[str, str, Decimal]] = {}
        self._quantities: dict[int, Decimal] = {}

    def apply(self, record: LedgerRecord) -> None:
        match record:
            case OrderAccepted():
                self._live[record.order_id] = (record.symbol, record.side, record.quantity)
                self._quantities[record.order_id] = record.quantity
            case OrderAmended():
                self._live[record.order_id] = (record.symbol, record.side, record.quantity - record.executed)
                self._quantities[record.order_id] = record.quantity
            case OrderFilled():
                self._positions[record.symbol] = record.position_after
                remaining = self._quantities.get(record.order_id, record.executed) - record.executed
                if remaining > 0:
                    self._live[record.order_id] = (record.symbol, record.side, remaining)
                else:
                    self._live.pop(record.order_id, None)
            case OrderCanceled() | OrderExpired():
                self._live.pop(record.order_id, None)
            case SeamClosed():
                self._positions[record.symbol] = record.position_after
            case _:
                pass

    def worst_case(self, symbol: str, side: str) -> Decimal:
        """How far the position could go towards `side`, as a positive number."""
        resting = sum((q for s, d, q in self._live.values() if s == symbol and d == side), Decimal(0))
        return signed(side, self._positions[symbol]) + resting


def check_counted_once(history: History) -> Verdict:
    """I13: every fill of ours is in the journals exactly once, with the venue's quantity, price and fee."""
    findings = Findings("I13")
    booked: dict[tuple[str, int, int], list[FillEvent]] = defaultdict(list)
    for _, record in history.journaled():
        if isinstance(record, FillEvent):
            booked[symbol_of(record.instrument_id), record.trade_id, record.venue_order_id].append(record)
    for fill in history.our_fills():
        events = booked.get((fill.symbol, fill.trade_id, fill.order_id), [])
        name = f"{fill.symbol}: trade {fill.trade_id} of order {fill.order_id}"
        findings.check(len(events) == 1, f"{name} is booked {len(events)} times")
        for event in events[:1]:
            instrument = history.instruments[fill.symbol]
            ours = (instrument.price(event.price_ticks), instrument.quantity(event.quantity_lots), event.fee)
            theirs = (fill.price, fill.quantity, fill.commission)
            findings.check(ours == theirs, f"{name}: we booked {ours}, the venue {theirs}")
    return findings.verdict()
