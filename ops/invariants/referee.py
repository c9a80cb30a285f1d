"""Every check that goes record by record, fed together: while a run goes on, or with all of it afterwards."""

from __future__ import annotations

from actors.exchange.ledger import LedgerRecord
from ops.invariants import journals, orders, positions, stops
from ops.invariants.history import Checker, Scene, Verdict
from protocols.envelope import Message

CHECKERS: tuple[type[Checker], ...] = (
    orders.OneIntentOneOrder,
    stops.NothingAfterShut,
    orders.NoOlderEpoch,
    positions.LimitsHeld,
    orders.EveryQuoteHadAReason,
    orders.NoOrphan,
    stops.RetryAfterObeyed,
    positions.CountedOnce,
    stops.CountdownGuards,
    journals.UnitsHold,
)
"""What ledger and journals alone can show."""


class Referee:
    """Takes the records of a run in the order of events, each once."""

    def __init__(self, scene: Scene) -> None:
        self._checkers = [kind(scene) for kind in CHECKERS]
        self._of_ledger: dict[type, list[Checker]] = {}
        self._of_journal: dict[type, list[Checker]] = {}

    @property
    def is_content(self) -> bool:
        """Whether no rule has been broken so far."""
        return all(checker.findings.holds for checker in self._checkers)

    def ledger(self, record: LedgerRecord) -> None:
        """Take the next record of the venue's ledger."""
        kind = type(record)
        lookers = self._of_ledger.get(kind)
        if lookers is None:
            lookers = [checker for checker in self._checkers if issubclass(kind, checker.ledger_kinds)]
            self._of_ledger[kind] = lookers
        for checker in lookers:
            checker.ledger(record)

    def journal(self, shard: int, record: Message) -> None:
        """Take the next record of a shard's journal."""
        kind = type(record)
        lookers = self._of_journal.get(kind)
        if lookers is None:
            lookers = [checker for checker in self._checkers if issubclass(kind, checker.journal_kinds)]
            self._of_journal[kind] = lookers
        for checker in lookers:
            checker.journal(shard, record)

    def journal_lost(self, shard: int) -> None:
        """The journal of a shard is no more; what comes now is another one."""
        for checker in self._checkers:
            checker.journal_lost(shard)

    def verdicts(self) -> list[Verdict]:
        """The run is over: the outcome of every check. Asked for once."""
        for checker in self._checkers:
            checker.finish()
        return [checker.findings.verdict() for checker in self._checkers]
