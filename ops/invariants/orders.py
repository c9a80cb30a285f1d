"""Checks about orders: I1 (one intent, one order), I5 (fencing), I7 (reason to quote), I8 (no orphan)."""

from __future__ import annotations

from collections import Counter

from actors.exchange.ledger import LedgerRecord, OrderAccepted
from ops.invariants.history import Checker, Findings, History, Scene, Verdict
from protocols.envelope import Message
from protocols.messages.journal import AmendIntended, GateChanged, OrderIntended


class OneIntentOneOrder(Checker):
    """I1: an intent is accepted at most once, every id is intended at most once, and so is every request."""

    name = "I1"
    ledger_kinds = (OrderAccepted,)
    journal_kinds = (OrderIntended,)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._accepted: Counter[str] = Counter()
        self._intended: Counter[str] = Counter()
        self._requested: Counter[str] = Counter()

    def ledger(self, record: LedgerRecord) -> None:
        if isinstance(record, OrderAccepted) and self.scene.is_ours(record.client_order_id):
            self._accepted[record.client_order_id] += 1
            self._check(record.client_order_id)

    def journal(self, shard: int, record: Message) -> None:
        if isinstance(record, OrderIntended):
            self._intended[record.client_order_id] += 1
            self._check(record.client_order_id)
            if record.intent_id:
                self._requested[record.intent_id] += 1
                count = self._requested[record.intent_id]
                self.findings.check(count == 1, f"request {record.intent_id} was sent {count} times")

    def _check(self, name: str) -> None:
        intended, accepted = self._intended[name], self._accepted[name]
        self.findings.check(
            accepted <= 1 and intended <= 1, lambda: f"{name}: intended {intended} times, accepted {accepted} times"
        )


class NoOlderEpoch(Checker):
    """I5: per symbol, after the first accepted order of an epoch none of an older epoch is accepted."""

    name = "I5"
    ledger_kinds = (OrderAccepted,)
    journal_kinds = ()

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._newest: dict[str, int] = {}

    def ledger(self, record: LedgerRecord) -> None:
        if not isinstance(record, OrderAccepted):
            return
        parsed = self.scene.ours(record.client_order_id)
        if parsed is None:
            return
        seen = self._newest.get(record.symbol, 0)
        self.findings.check(
            parsed.epoch >= seen,
            lambda: (
                f"{record.symbol}: {record.client_order_id} of epoch {parsed.epoch} accepted after one of epoch {seen}"
            ),
        )
        self._newest[record.symbol] = max(seen, parsed.epoch)


class EveryQuoteHadAReason(Checker):
    """I7: no intent (order or amendment) from a book too old, crossed, empty or unnumbered, and none while its symbol's gate is shut.

    The answer to a request needs no ladder, whose age shuts the gate too; what else shuts it denies the request.
    """

    name = "I7"
    ledger_kinds = ()
    journal_kinds = (GateChanged, OrderIntended, AmendIntended)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._open: dict[tuple[int, str], bool] = {}

    def journal(self, shard: int, record: Message) -> None:
        if isinstance(record, GateChanged):
            self._open[shard, record.instrument_id] = record.open
        elif isinstance(record, OrderIntended | AmendIntended):
            faults = _faults_of(record, self._open.get((shard, record.instrument_id), False))
            self.findings.check(not faults, lambda: f"shard {shard}, {record.client_order_id}: " + "; ".join(faults))


def _faults_of(intent: OrderIntended | AmendIntended, gate_open: bool) -> list[str]:
    faults = []
    if not gate_open and not (isinstance(intent, OrderIntended) and intent.intent_id):
        faults.append("the gate was shut")
    if intent.book_update_id <= 0:
        faults.append("no book behind it")
    if not 0 <= intent.book_age_ns <= intent.book_age_ns_max:
        faults.append(f"book {intent.book_age_ns} ns old, at most {intent.book_age_ns_max}")
    if not 0 < intent.best_bid_ticks < intent.best_ask_ticks:
        faults.append(f"book crossed or empty: {intent.best_bid_ticks} / {intent.best_ask_ticks}")
    return faults


class NoOrphan(Checker):
    """I8: every order with our prefix that the venue accepts is an intent in a journal by then."""

    name = "I8"
    ledger_kinds = (OrderAccepted,)
    journal_kinds = (OrderIntended,)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._intended: set[str] = set()

    def ledger(self, record: LedgerRecord) -> None:
        if isinstance(record, OrderAccepted) and self.scene.is_ours(record.client_order_id):
            self.findings.check(
                record.client_order_id in self._intended,
                lambda: f"{record.symbol}: {record.client_order_id} is in no journal of ours",
            )

    def journal(self, shard: int, record: Message) -> None:
        if isinstance(record, OrderIntended):
            self._intended.add(record.client_order_id)


ORPHAN_NS = 12_000_000_000
"""An order that its order manager has lost is found by comparison within 10 s (the audit), and ended within 2 s more."""


def check_every_order_is_tended(history: History) -> Verdict:
    """I8 in motion: no order of ours outlives a comparison beside an order manager that quotes and does not know it."""
    findings = Findings("I8")
    for seen in history.untended or ():
        findings.check(
            seen.lasted_ns <= ORPHAN_NS,
            f"{seen.symbol}: {seen.client_order_id} rested for {seen.lasted_ns / 1e9:.1f} s and was in no table of ours",
        )
    return findings.verdict()
