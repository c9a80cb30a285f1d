"""Checks about what is written down: I4 (nothing acknowledged is lost) and I15 (units hold)."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from ops.invariants.history import Checker, Findings, History, Scene, Verdict
from ops.invariants.positions import JournaledPositions
from protocols.arithmetic.sequences import era_of
from protocols.envelope import Message
from protocols.messages.journal import AmendIntended, OrderIntended, PositionAdopted
from protocols.messages.orders import AnyAccountEvent, InstrumentTaken, OrderEvent, OrderFilled

Numbered = OrderEvent | AnyAccountEvent
"""What an order manager tells under a number."""


def check_nothing_acknowledged_is_lost(history: History) -> Verdict:
    """I4: every event that inventory has booked is in the journal of its shard, the same to the letter and under the same number."""
    findings = Findings("I4")
    written: dict[int, dict[int, Numbered]] = {}
    for shard, records in history.written().items():
        events = {r.event_seq: r for r in records if isinstance(r, Numbered)}
        count = sum(isinstance(r, Numbered) for r in records)
        findings.check(len(events) == count, f"shard {shard}: {count - len(events)} numbers were given twice")
        written[shard] = events
    for event in history.copied or ():
        if isinstance(event, Numbered) and event.shard in written:
            ours = written[event.shard].get(event.event_seq)
            findings.check(ours == event, partial(_differs, event, ours))
    return findings.verdict()


def _differs(booked: Numbered, ours: Numbered | None) -> str:
    return f"shard {booked.shard}: inventory has booked event {booked.event_seq}, the journal has {ours}"


class UnitsHold(Checker):
    """I15: in every version of an instrument a tick is worth the same in all records, and a lot is; and a position is the same in base
    units before and after others are taken.
    """

    name = "I15"
    ledger_kinds = ()
    journal_kinds = (InstrumentTaken, PositionAdopted, OrderFilled, OrderIntended, AmendIntended)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._units: dict[tuple[str, int], tuple[Decimal, Decimal]] = {}
        self._positions = JournaledPositions(scene.instruments)
        self._eras: dict[str, int] = {}

    def journal(self, shard: int, record: Message) -> None:
        if isinstance(record, InstrumentTaken):
            goes_on = self._eras.get(record.instrument_id) == era_of(record.event_seq)
            self._eras[record.instrument_id] = era_of(record.event_seq)
            # A life that lost its journal begins anew: what it did not know then is found by comparison, and is I3's matter.
            before = self._positions.of(record.instrument.symbol) if goes_on else None
            after = record.instrument.quantity(record.position_lots)
            self.findings.check(
                before is None or before == after or not record.instrument.is_whole(before),
                f"{record.instrument.symbol}: a position of {before} became {after} with version {record.instrument.version}",
            )
        self._positions.take(record)
        if isinstance(record, OrderIntended | AmendIntended) and record.price_ticks and record.quantity_lots:
            tick, lot = record.price / record.price_ticks, record.quantity / record.quantity_lots
            known = self._units.setdefault((record.instrument_id, record.instrument_version), (tick, lot))
            self.findings.check(
                known == (tick, lot),
                lambda: (
                    f"{record.client_order_id}: a tick of {tick} and a lot of {lot}, before in this version {known[0]} and {known[1]}"
                ),
            )
