"""How often comparisons with the venue found that our side had missed something: counted from the journals and the ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from actors.exchange.fault_acts import WIPED
from actors.exchange.ledger import (
    LedgerRecord,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
)
from protocols.envelope import Message
from protocols.messages import orders
from protocols.messages.journal import EpochBegan, GateChanged, OrderIntended, Reconciled

MS = 1_000_000
OrderEnds = orders.OrderCanceled | orders.OrderExpired | orders.OrderFilled
EVENT_NS = 250_000_000
"""An event that left the venue so shortly before a comparison began may be on its way still."""

MUTE_NS = 6_000_000_000
"""A private stream that was lost may have been mute for so long before that was noticed: five seconds, and the lateness of a loop."""

NO_STREAM = "USER_STREAM"
"""Among the reasons of a shut gate: there is no private stream."""


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """What comparisons with the venue found, against what there was to differ: every order, amendment and fill of ours.

    `found`: updates that an order manager missed though it lived and heard its private stream. Not among them, and told apart:
    `caught_up`, what the venue did while no order manager lived or its private stream was away (nobody could hear of it, and the gate is
    shut until it is caught up), `raced`, what it did while the comparison ran, or so shortly before that the event cannot have been there,
    `doubted`, what the journal held already and was asked about because of another request without an answer, and `withheld`, what the
    faults themselves kept from us though the stream lived: events that were dropped or damaged, orders that vanished without a word.
    """

    found: int
    caught_up: int
    raced: int
    doubted: int
    withheld: int
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
            f"{self.found} differences in {self.comparisons:,} comparisons, {self.rate:.3%} of {self.things:,} orders, amendments "
            f"and fills; besides {self.caught_up} caught up of what happened without an order manager or its private stream, "
            f"{self.raced} of what happened while the comparison ran or just before it, {self.doubted} that the journal held already, "
            f"{self.withheld} that a fault withheld by itself"
        )


def differences(
    ledger: Sequence[LedgerRecord], journals: Mapping[int, Sequence[Message]], withheld: Iterable[str] = ()
) -> Differences:
    """Count what every comparison of the run found.

    Args:
        journals: by shard, each in its order.
        withheld: orders by id, and `trade N`, whose event a fault kept from us.
    """
    happened_t = dict(_happened(ledger))
    unsaid = {*withheld, *(r.client_order_id for r in ledger if isinstance(r, OrderExpired) and r.reason == WIPED)}
    counts = {"found": 0, "caught_up": 0, "raced": 0, "doubted": 0, "withheld": 0}
    comparisons = 0
    for records in journals.values():
        deaf, journaled = _deaf_spells(records), _Journaled()
        for record in records:
            journaled.take(record)
            if isinstance(record, Reconciled):
                comparisons += 1
                for text in record.differences:
                    thing = _thing(text)
                    did_t = happened_t.get(thing)
                    is_known = did_t is not None and journaled.before(_began_t(record), thing, did_t)
                    kind = "doubted" if is_known else _kind(record, did_t, deaf)
                    counts["withheld" if kind == "found" and thing in unsaid else kind] += 1
    things = sum(isinstance(record, OrderAccepted | OrderAmended | OrderFilled) for record in ledger)
    return Differences(**counts, comparisons=comparisons, things=things)


class _Journaled:
    """Which ends of orders were on file, and when at the latest: by the next record that tells its own time."""

    def __init__(self) -> None:
        self._fresh: list[tuple[str, int]] = []
        self._latest_t: dict[tuple[str, int], int] = {}

    def take(self, record: Message) -> None:
        """In the order of the journal."""
        if isinstance(record, OrderEnds):
            self._fresh.append((record.client_order_id, record.venue_time_ns // MS))
        elif isinstance(record, EpochBegan | OrderIntended):
            at_t = (
                0 if isinstance(record, EpochBegan) else record.venue_time_ns
            )  # an earlier incarnation's was before everything
            for each in self._fresh:
                self._latest_t.setdefault(each, at_t)
            self._fresh.clear()

    def before(self, began_t: int, client_order_id: str, ended_t: int) -> bool:
        """Whether that end of an order was on file when something began."""
        latest_t = self._latest_t.get((client_order_id, ended_t // MS))
        return latest_t is not None and latest_t <= began_t


def _happened(ledger: Sequence[LedgerRecord]) -> Iterator[tuple[str, int]]:
    """When the venue last did something to an order, or made a trade of ours."""
    for record in ledger:
        if isinstance(record, OrderCanceled | OrderExpired | OrderFilled):
            yield record.client_order_id, record.t
        if isinstance(record, OrderFilled):
            yield f"trade {record.trade_id}", record.t


def _thing(text: str) -> str:
    """What a difference is about: an order by its id, or a trade."""
    words = text.split()
    return " ".join(words[:2]) if words[:1] == ["trade"] else words[0]


def _deaf_spells(records: Sequence[Message]) -> list[tuple[int, int]]:
    """From when to when no event could be heard, in the venue's time: between two incarnations, and while the private stream was away."""
    offset_ns = next((r.venue_time_ns - r.decided_ns for r in records if isinstance(r, OrderIntended)), 0)
    spells = []
    began: dict[str, int] = {}
    heard_t = absent_t = 0
    for record in records:
        if isinstance(record, EpochBegan):
            absent_t = heard_t
        elif isinstance(record, GateChanged):
            changed_t = record.changed_ns + offset_ns
            if NO_STREAM in record.reason and record.instrument_id not in began:
                began[record.instrument_id] = min((absent_t or changed_t) - EVENT_NS, changed_t - MUTE_NS)
            elif record.open and record.instrument_id in began:
                spells.append((began.pop(record.instrument_id), changed_t))
                absent_t = 0
        heard_t = max(heard_t, getattr(record, "venue_time_ns", 0))
    return spells + [(since_t, max(heard_t, since_t)) for since_t in began.values()]


def _kind(comparison: Reconciled, happened_t: int | None, deaf: Sequence[tuple[int, int]]) -> str:
    """Args: happened_t: when the venue did what the difference is about; None where it did nothing of the kind."""
    if happened_t is None:
        return "found"
    if any(from_t <= happened_t <= to_t for from_t, to_t in deaf):
        return "caught_up"
    return "raced" if happened_t >= _began_t(comparison) - EVENT_NS else "found"


def _began_t(comparison: Reconciled) -> int:
    return comparison.venue_time_ns - comparison.took_ns
