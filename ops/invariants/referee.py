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


def _overrides(checker: Checker, method: str) -> bool:
    return getattr(type(checker), method) is not getattr(Checker, method)


class Referee:
    """Takes the records of a run in the order of events, each once."""

    def __init__(self, scene: Scene) -> None:
        self._checkers = [kind(scene) for kind in CHECKERS]
        self._of_ledger = [checker for checker in self._checkers if _overrides(checker, "ledger")]
        self._of_journal = [checker for checker in self._checkers if _overrides(checker, "journal")]

    @property
    def is_content(self) -> bool:
        """Whether no rule has been broken so far."""
        return all(checker.findings.holds for checker in self._checkers)

    def ledger(self, record: LedgerRecord) -> None:
        """Take the next record of the venue's ledger."""
        for checker in self._of_ledger:
            checker.ledger(record)

    def journal(self, shard: int, record: Message) -> None:
        """Take the next record of a shard's journal."""
        for checker in self._of_journal:
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
