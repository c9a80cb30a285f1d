"""Checks about positions and money: I3 (positions agree), I6 (limits hold), I13 (fees and fills counted once)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from actors.exchange.ledger import (
    LedgerRecord,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    SeamClosed,
)
from ops.invariants.history import Checker, Findings, History, Scene, Verdict, signed
from ops.invariants.units import Units
from protocols.envelope import Message
from protocols.messages.journal import AmendIntended, OrderIntended, PositionAdopted
from protocols.messages.orders import InstrumentTaken
from protocols.messages.orders import OrderFilled as FillEvent
from protocols.values import Instrument, symbol_of

MOTION_NS = 2_000_000_000
"""An execution is told within this. What a fault keeps from the private stream is found by comparison, later (`History.hidden_ns_max`)."""


def check_positions_agree(history: History) -> Verdict:
    """I3 at rest: opening record + all trades in our journals = the venue's position = what inventory claims.

    In motion: no symbol has quoted on while its position differed from the venue's for longer than 2 s, or than a comparison takes where
    a fault hides executions.
    """
    findings = Findings("I3")
    venue: dict[str, Decimal] = {}
    for record in history.ledger:
        if isinstance(record, OrderFilled | SeamClosed):
            venue[record.symbol] = record.position_after
    journaled = _journaled_positions(history)
    for symbol, instrument in sorted(history.instruments.items()):
        at_venue = venue.get(symbol, Decimal(0))
        ours = journaled.get(symbol, Decimal(0))
        findings.check(ours == at_venue, f"{symbol}: journals say {ours}, the venue {at_venue}")
        if symbol in history.claimed_positions:
            claimed = instrument.quantity(history.claimed_positions[symbol])
            findings.check(claimed == at_venue, f"{symbol}: inventory says {claimed}, the venue {at_venue}")
    for seen in history.differences or ():
        findings.check(
            seen.lasted_ns <= MOTION_NS + history.hidden_ns_max,
            f"{seen.symbol}: quoted on for {seen.lasted_ns / 1e9:.1f} s with {seen.ours} lots where the venue had {seen.theirs}",
        )
    return findings.verdict()


def _journaled_positions(history: History) -> dict[str, Decimal]:
    """Signed quantities by symbol, as the journals have them at their end."""
    positions = JournaledPositions(history.instruments)
    for _, record in history.journaled():
        positions.take(record)
    return positions.now()


class JournaledPositions:
    """The newest adopted position of each symbol, plus each trade after it once, in base units whatever the records count in."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self.units = Units(instruments)
        self._adopted: dict[str, Decimal] = {}
        self._trade_id_adopted: dict[str, int] = {}
        self._traded: dict[str, Decimal] = defaultdict(Decimal)
        self._trades: dict[str, set[tuple[int, int]]] = defaultdict(set)

    def take(self, record: Message) -> None:
        """Take the next record."""
        self.units.take(record)
        if isinstance(record, PositionAdopted):
            symbol = symbol_of(record.instrument_id)
            self._adopted[symbol] = self.units.of(record.instrument_id).quantity(record.position_lots)
            self._trade_id_adopted[symbol] = record.trade_id_last
            self._traded[symbol] = Decimal(0)
            self._trades[symbol].clear()
        elif isinstance(record, FillEvent):
            symbol = symbol_of(record.instrument_id)
            trade = (record.trade_id, record.venue_order_id)
            if record.trade_id > self._trade_id_adopted.get(symbol, 0) and trade not in self._trades[symbol]:
                self._trades[symbol].add(trade)
                quantity = self.units.of(record.instrument_id).quantity(record.quantity_lots)
                self._traded[symbol] += record.side.sign * quantity

    def of(self, symbol: str) -> Decimal | None:
        """The position of a symbol now; None where none was adopted yet."""
        adopted = self._adopted.get(symbol)
        return None if adopted is None else adopted + self._traded[symbol]

    def now(self) -> dict[str, Decimal]:
        """Every position that is known."""
        return {
            symbol: self._adopted.get(symbol, Decimal(0)) + self._traded[symbol]
            for symbol in (*self._adopted, *self._traded)
        }


class LimitsHeld(Checker):
    """I6: at the venue no order or amendment of ours lifts the worst case of its side above the limit in force at its write.

    Worst case long = position + remaining buys of ours, short = position - remaining sells, never netted (DESIGN.md section 4). What
    somebody else has traded counts from when the order manager has heard of it: before that it is a breach by something else.
    """

    name = "I6"
    ledger_kinds = (OrderAccepted, OrderAmended, OrderFilled, OrderCanceled, OrderExpired, SeamClosed)
    journal_kinds = (OrderIntended, AmendIntended, FillEvent, PositionAdopted)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._exposure = VenueExposure(scene)
        self._heard: dict[tuple[int, str], Heard] = defaultdict(Heard)
        self._writes: dict[tuple[str, Decimal, Decimal], list[_Write]] = defaultdict(list)

    def journal(self, shard: int, record: Message) -> None:
        match record:
            case OrderIntended() | AmendIntended():
                key = (record.client_order_id, record.price, record.quantity)
                limit = record.quantity / record.quantity_lots * record.limit_lots
                self._writes[key].append(_Write(limit, self._heard[shard, record.instrument_id]))
            case FillEvent() if not record.ours:
                known = self._heard[shard, record.instrument_id]
                heard = known._replace(trade_ids=known.trade_ids | {record.trade_id})
                self._heard[shard, record.instrument_id] = heard
            case PositionAdopted():
                known = self._heard[shard, record.instrument_id]
                heard = known._replace(up_to=max(known.up_to, record.trade_id_last))
                self._heard[shard, record.instrument_id] = heard
            case _:
                pass

    def ledger(self, record: LedgerRecord) -> None:
        exposure = self._exposure
        exposure.apply(record)
        if not isinstance(record, OrderAccepted | OrderAmended) or not self.scene.is_ours(record.client_order_id):
            return
        written = self._writes.get((record.client_order_id, record.price, record.quantity), [])
        if not written:
            return
        is_free = record.reduce_only if isinstance(record, OrderAccepted) else record.quantity <= record.quantity_before
        seen = [(exposure.worst_case(record.symbol, record.side, write.heard), write.limit) for write in written]
        worst, limit = min(seen, key=lambda pair: pair[0] - pair[1])
        self.findings.check(
            is_free or worst <= limit,
            lambda: (
                f"{record.symbol}: {record.client_order_id} made the {record.side} worst case {worst}, limit {limit}"
            ),
        )


class _Write(NamedTuple):
    """What held when an order or an amendment was written: the limit, and which trades of strangers the journal had."""

    limit: Decimal
    heard: Heard


class Heard(NamedTuple):
    """Trades of strangers on a symbol that an order manager knew of: these, and all up to one that it adopted a position with."""

    trade_ids: frozenset[int] = frozenset()
    up_to: int = 0

    def has(self, trade_id: int) -> bool:
        """Whether a trade was known."""
        return trade_id <= self.up_to or trade_id in self.trade_ids


class VenueExposure:
    """Position and our remaining orders by symbol, rebuilt from the ledger."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._positions: dict[str, Decimal] = defaultdict(Decimal)
        self._resting: dict[tuple[str, str], dict[int, Decimal]] = defaultdict(dict)
        """What our orders still ask for, by symbol and side."""
        self._quantities: dict[int, Decimal] = {}
        self._strangers: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)

    def apply(self, record: LedgerRecord) -> None:
        """Take the next record."""
        match record:
            case OrderAccepted() if self._scene.is_ours(record.client_order_id):
                self._resting[record.symbol, record.side][record.order_id] = record.quantity
                self._quantities[record.order_id] = record.quantity
            case OrderAmended() if record.order_id in self._resting[record.symbol, record.side]:
                self._resting[record.symbol, record.side][record.order_id] = record.quantity - record.executed
                self._quantities[record.order_id] = record.quantity
            case OrderFilled():
                self._positions[record.symbol] = record.position_after
                if not self._scene.is_ours(record.client_order_id):
                    traded = (record.trade_id, signed(record.side, record.quantity))
                    self._strangers[record.symbol].append(traded)
                remaining = self._quantities.get(record.order_id, record.executed) - record.executed
                if remaining > 0:
                    self._resting[record.symbol, record.side][record.order_id] = remaining
                else:
                    self._resting[record.symbol, record.side].pop(record.order_id, None)
            case OrderCanceled() | OrderExpired():
                self._resting[record.symbol, record.side].pop(record.order_id, None)
            case SeamClosed():
                self._positions[record.symbol] = record.position_after
            case _:
                pass

    def worst_case(self, symbol: str, side: str, heard: Heard) -> Decimal:
        """How far the position could go towards `side`, as a positive number; what was not heard of is left out."""
        resting = sum(self._resting[symbol, side].values(), Decimal(0))
        unheard = sum((q for trade_id, q in self._strangers[symbol] if not heard.has(trade_id)), Decimal(0))
        return signed(side, self._positions[symbol] - unheard) + resting


class CountedOnce(Checker):
    """I13: every fill of ours is in the journals exactly once, with the venue's quantity, price and fee.

    A fill of a journal that is lost may be in the next one again, for it had not reached inventory's copy.
    """

    name = "I13"
    ledger_kinds = (OrderFilled,)
    journal_kinds = (InstrumentTaken, FillEvent)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._units = Units(scene.instruments)
        self._booked: dict[_FillKey, tuple[_Terms, int]] = {}
        self._lives: dict[int, int] = defaultdict(int)
        self._fills: dict[_FillKey, OrderFilled] = {}

    def journal_lost(self, shard: int) -> None:
        self._lives[shard] += 1

    def journal(self, shard: int, record: Message) -> None:
        self._units.take(record)
        if not isinstance(record, FillEvent):
            return
        key = (symbol_of(record.instrument_id), record.trade_id, record.venue_order_id)
        instrument = self._units.of(record.instrument_id)
        terms = (instrument.price(record.price_ticks), instrument.quantity(record.quantity_lots), record.fee)
        before = self._booked.get(key)
        if before is not None:
            self.findings.check(before[1] < self._lives[shard], f"{_name_of(key)} is booked a second time")
        self._booked[key] = (terms, self._lives[shard])
        self._compare(key)

    def ledger(self, record: LedgerRecord) -> None:
        if isinstance(record, OrderFilled) and self.scene.is_ours(record.client_order_id):
            key = (record.symbol, record.trade_id, record.order_id)
            self._fills[key] = record
            self._compare(key)

    def finish(self) -> None:
        for key in self._fills:
            self.findings.check(key in self._booked, f"{_name_of(key)} is booked 0 times")

    def _compare(self, key: _FillKey) -> None:
        if key not in self._fills or key not in self._booked:
            return
        fill, ours = self._fills[key], self._booked[key][0]
        theirs = (fill.price, fill.quantity, fill.commission)
        self.findings.check(ours == theirs, lambda: f"{_name_of(key)}: we booked {ours}, the venue {theirs}")


_FillKey = tuple[str, int, int]
"""Symbol, trade and order of a fill."""

_Terms = tuple[Decimal, Decimal, Decimal]
"""Price, quantity and fee of a fill."""


def _name_of(key: _FillKey) -> str:
    return f"{key[0]}: trade {key[1]} of order {key[2]}"
