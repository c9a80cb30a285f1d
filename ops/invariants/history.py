"""What the checks look at: the venue's ledger and every journal of ours, in their own order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from decimal import Decimal

import msgspec

from actors.exchange.ledger import LedgerRecord, OrderAccepted, OrderFilled
from protocols import client_order_id as ids
from protocols.envelope import Message
from protocols.messages.alerts import Alert
from protocols.values import Instrument

VIOLATIONS_SHOWN_MAX = 20


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of one check. `checked` counts what was looked at: a check that looked at nothing proves nothing."""

    name: str
    held: bool
    checked: int
    violations: tuple[str, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that quoted while its order manager's position (signed lots) was not the venue's, and for how long at the longest."""

    symbol: str
    ours: int
    theirs: int
    lasted_ns: int


class Untended(msgspec.Struct, frozen=True, kw_only=True):
    """An order of ours that rested at the venue while its symbol quoted and its order manager did not know it, and for how long."""

    symbol: str
    client_order_id: str
    lasted_ns: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `journals` maps a shard to its records in order; `claimed_positions` and `claimed_wallets` (by asset; None where nobody
    looked) are what inventory says at the end.

    `lost` are the records of journals that are no more, by shard. `stops` are the emergency stops as (shut, lifted) in the venue's time;
    lifted is 0 for one that still holds. `untold` are refusals for the rate, by address and instant, that nobody has lived to read. What
    follows is None where nobody looked: `copied` is inventory's journal, `raised` every alert of an actor, with `raised_t` as the
    instants of them in the venue's time and `told_ns_max` as how long after an incident at most, and `told` those that alerting has
    recorded, `peaks` the highest count of each queue with its bound, `differences` how long each symbol quoted on a position that was
    not the venue's (a fault that hides executions allows `hidden_ns_max` more), `untended` the orders that nobody knew of.
    """

    ledger: tuple[LedgerRecord, ...]
    journals: dict[int, tuple[Message, ...]]
    instruments: dict[str, Instrument]
    install: str
    lost: dict[int, tuple[Message, ...]] = {}
    claimed_positions: dict[str, int] = {}
    claimed_wallets: dict[str, Decimal] | None = None
    stops: tuple[tuple[int, int], ...] = ()
    copied: tuple[Message, ...] | None = None
    raised: tuple[Alert, ...] | None = None
    raised_t: tuple[int, ...] = ()
    told_ns_max: int = 0
    untold: frozenset[tuple[str, int]] = frozenset()
    told: tuple[Alert, ...] | None = None
    peaks: dict[str, tuple[int, int]] | None = None
    differences: tuple[Difference, ...] | None = None
    hidden_ns_max: int = 0
    untended: tuple[Untended, ...] | None = None

    def scene(self) -> Scene:
        """What checks must know before the records."""
        return Scene(self.instruments, self.install, self.stops, untold=self.untold)

    def is_ours(self, client_order_id: str) -> bool:
        """Whether an order at the venue carries an id of this installation."""
        parsed = ids.parse_client_order_id(client_order_id)
        return parsed is not None and parsed.install == self.install

    def our_ledger(self) -> Iterator[LedgerRecord]:
        """The ledger without the orders of others."""
        for record in self.ledger:
            client_order_id = getattr(record, "client_order_id", None)
            if client_order_id is None or self.is_ours(client_order_id):
                yield record

    def our_accepted(self) -> Iterator[OrderAccepted]:
        """Orders of ours that the venue accepted, in the venue's order."""
        for record in self.ledger:
            if isinstance(record, OrderAccepted) and self.is_ours(record.client_order_id):
                yield record

    def our_fills(self) -> Iterator[OrderFilled]:
        """Executions of our orders, in the venue's order."""
        for record in self.ledger:
            if isinstance(record, OrderFilled) and self.is_ours(record.client_order_id):
                yield record

    def written(self) -> dict[int, tuple[Message, ...]]:
        """Everything that was ever journaled, by shard in order."""
        return {shard: (*self.lost.get(shard, ()), *records) for shard, records in sorted(self.journals.items())}

    def journaled(self) -> Iterator[tuple[int, Message]]:
        """Every journal record with its shard, those of lost journals first."""
        for shard, records in self.written().items():
            for record in records:
                yield shard, record


class Findings:
    """Collects what a check sees; the texts kept are bounded, the count is not. `instant` says when something was found, for its text."""

    def __init__(self, name: str, instant: Callable[[], str] = str) -> None:
        self._name = name
        self._instant = instant
        self._checked = 0
        self._broken = 0
        self._violations: list[str] = []

    def check(self, holds: bool, violation: str | Callable[[], str]) -> None:
        """Count one look; `violation` says what is wrong when it does not hold (it is called then, where looks are many)."""
        self._checked += 1
        if not holds:
            self._broken += 1
            if len(self._violations) < VIOLATIONS_SHOWN_MAX:
                text = violation if isinstance(violation, str) else violation()
                self._violations.append(text + self._instant())

    @property
    def holds(self) -> bool:
        """Whether nothing was wrong so far."""
        return not self._broken

    def verdict(self) -> Verdict:
        """The outcome so far."""
        return Verdict(
            name=self._name, held=self._broken == 0, checked=self._checked, violations=tuple(self._violations)
        )


class Scene:
    """What the checks must know beforehand. `stops` (shut, lifted) and `untold` (refusals, by address and instant, whose answer nobody
    has read) may grow while a run is watched; `instant` says how far it is."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        install: str,
        stops: Sequence[tuple[int, int]] = (),
        instant: Callable[[], str] = str,
        untold: Set[tuple[str, int]] = frozenset(),
    ) -> None:
        self.untold = untold
        self.instruments = instruments
        self.stops = stops
        self.instant = instant
        self._install = install
        self._parsed: dict[str, ids.ClientOrderId | None] = {}

    def is_ours(self, client_order_id: str) -> bool:
        """Whether an order at the venue carries an id of this installation."""
        return self.ours(client_order_id) is not None

    def ours(self, client_order_id: str) -> ids.ClientOrderId | None:
        """The parts of an id of this installation; None for another."""
        if client_order_id not in self._parsed:
            parsed = ids.parse_client_order_id(client_order_id)
            self._parsed[client_order_id] = parsed if parsed and parsed.install == self._install else None
        return self._parsed[client_order_id]


class Checker:
    """One invariant that ledger and journals alone can show, checked record by record as they come.

    A journal may come before the ledger whole (a finished run) or in the order of events; an intent always comes before what follows
    from it at the venue.
    """

    name = ""
    ledger_kinds: tuple[type, ...] = (object,)
    """Records of the ledger that it looks at; all unless it says otherwise."""
    journal_kinds: tuple[type, ...] = (object,)
    """Records of the journals that it looks at; all unless it says otherwise."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.findings = Findings(self.name, scene.instant)

    def ledger(self, record: LedgerRecord) -> None:
        """Take the next record of the venue's ledger, of a kind that it looks at."""

    def journal(self, shard: int, record: Message) -> None:
        """Take the next record of a shard's journal, of a kind that it looks at."""

    def journal_lost(self, shard: int) -> None:
        """The journal of a shard is no more; what comes now is another one."""

    def finish(self) -> None:
        """The run is over."""


def signed(side: str, quantity: Decimal) -> Decimal:
    """Positive for a buy, negative for a sell."""
    return quantity if side == "BUY" else -quantity
