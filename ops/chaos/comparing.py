"""How often comparisons with the venue found that our side had missed something: counted from the journals and the ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from actors.exchange.ledger import (
    LedgerRecord,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
)
from protocols.envelope import Message
from protocols.messages.journal import EpochBegan, Reconciled

RECOVERY = "recovery "
EVENT_NS = 250_000_000
"""An event that left the venue so shortly before a comparison began may be on its way still."""


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """What comparisons with the venue found, against what there was to differ: every order, amendment and fill of ours.

    `found`: updates that a living order manager had missed. Not among them, and told apart: `caught_up`, what the venue did after the
    last word of an order manager that had died (nobody was there to miss it), and `raced`, what it did so shortly before the comparison
    began that the event cannot have been there yet.
    """

    found: int
    caught_up: int
    raced: int
    comparisons: int
    things: int

    @property
    def rate(self) -> float:
        """Differences for each thing; 0 where there was none."""
        return self.found / self.things if self.things else 0.0

    @property
    def text(self) -> str:
        """One sentence."""
        return (
            f"{self.found} differences in {self.comparisons:,} comparisons, {self.rate:.3%} of "
            f"{self.things:,} orders, amendments and fills; besides {self.caught_up} of what happened while an order manager was dead, "
            f"{self.raced} asked for before their event can have come"
        )


def differences(ledger: Sequence[LedgerRecord], journals: Mapping[int, Sequence[Message]]) -> Differences:
    """Count what every comparison of the run found; `journals` by shard, each in its order."""
    ended_t = {
        record.client_order_id: record.t
        for record in ledger
        if isinstance(record, OrderCanceled | OrderExpired | OrderFilled)
    }
    counts = {"found": 0, "caught_up": 0, "raced": 0}
    comparisons = 0
    for records in journals.values():
        heard_t = absent_t = 0
        for record in records:
            if isinstance(record, EpochBegan):
                absent_t = heard_t
            if isinstance(record, Reconciled):
                comparisons += 1
                for text in record.differences:
                    counts[_kind(record, ended_t.get(text.partition(" ")[0]), absent_t)] += 1
            heard_t = max(heard_t, getattr(record, "venue_time_ns", 0))
    things = sum(isinstance(record, OrderAccepted | OrderAmended | OrderFilled) for record in ledger)
    return Differences(**counts, comparisons=comparisons, things=things)


def _kind(comparison: Reconciled, ended_t: int | None, absent_t: int) -> str:
    """Args: ended_t: when the venue ended the order that the difference is about; None where it is about no order, or it lives."""
    if ended_t is None:
        return "found"
    if comparison.cause.startswith(RECOVERY) and absent_t and ended_t >= absent_t:
        return "caught_up"
    began_t = comparison.venue_time_ns - comparison.took_ns
    return "raced" if ended_t >= began_t - EVENT_NS else "found"
