"""One seed, one run: what it draws is a case; the case runs the whole system under its faults and is judged by what happened."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence

import msgspec

from actors.exchange.synthetic import Flow
from actors.runtime.world import WorldError
from configs.schema import Settings
from ops.invariants.all import check_all
from ops.report import live_order_ids
from ops.simulation.allowances import hidden_s, quoting_again_s, told_s, warm_up_s
from ops.simulation.draws import cast_of, draw_flow, draw_settings
from ops.simulation.fault_draws import certain_kinds, draw_schedule
from ops.simulation.faults import Fault, FaultKind
from ops.simulation.house import SECOND_NS, START_NS, House
from ops.simulation.injection import plan
from ops.simulation.observation import Observation, replayed_twice
from ops.simulation.watch import Watch

TRADING_MS = 60_000
"""Every run trades at least this long, from the first actor's start to the drain."""

DRAIN_AMID_SHARE = 0.15
"""Part of the runs that are drained in the middle of their faults."""

WIRE_EVERY = 20
"""One seed in so many has everything pass between actors and venue in the bytes of the wire, its requests signed. In the others only
what is rare or may be damaged does (`ops.simulation.plain_voice`)."""

FAILED = "FAILED"
"""Rule that a run breaks in which a core fails."""

VIOLATIONS_TOLD_MAX = 3
"""Violations of one invariant that a result carries."""


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run that can be repeated: the seed gives configuration, market and dice, the rest what is done to them.

    `drain_ms` of 0 drains when everything has recovered; else the order managers are drained then, whatever is going on. Both times
    count from the end of the warm-up; a run trades at least `trading_ms` from its start.
    """

    seed: int
    schedule: tuple[Fault, ...]
    drain_ms: int = 0
    trading_ms: int = TRADING_MS


class SeedResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did, and every rule that it broke.

    `recovered_s` is the time from the last fault to quoting everywhere; `history` is a digest of the ledger and every journal.
    """

    case: Case
    shards: int
    violations: tuple[str, ...]
    checked: dict[str, int]
    injected: dict[str, int]
    messages: int
    accepted: int
    fills: int
    virtual_s: float
    recovered_s: float
    alerts: dict[str, int]
    history: str

    @property
    def broken(self) -> frozenset[str]:
        """Names of the rules that were broken."""
        return frozenset(violation.partition(":")[0] for violation in self.violations)


def draw_case(seed: int, settings: Settings, kinds: Sequence[FaultKind] = tuple(FaultKind)) -> Case:
    """What a seed does to the system that it draws; the same arguments give the same case. A drain amid the faults leaves out none that
    it has for certain."""
    schedule = draw_schedule(seed, cast_of(_drawn(seed, settings)[0].shards), kinds)
    chance = random.Random(f"drain {seed}")
    last_ms = max(fault.ends_ms for fault in schedule)
    if chance.random() >= DRAIN_AMID_SHARE:
        return Case(seed=seed, schedule=schedule)
    certain = certain_kinds(seed, kinds)
    struck_ms = max(min(fault.at_ms for fault in schedule if fault.kind is kind) for kind in certain)
    drain_ms = struck_ms + chance.randrange(max(last_ms - struck_ms, 1)) + 1
    later_ms = max(TRADING_MS - drain_ms, 0)
    moved = tuple(msgspec.structs.replace(fault, at_ms=fault.at_ms + later_ms) for fault in schedule)
    return Case(seed=seed, schedule=moved, drain_ms=drain_ms + later_ms)


def run_seed(seed: int, settings: Settings, kinds: Sequence[FaultKind] = tuple(FaultKind)) -> SeedResult:
    """Run what a seed draws."""
    return run_case(draw_case(seed, settings, kinds), settings)


def run_case(case: Case, settings: Settings, *, by_wire: bool | None = None) -> SeedResult:
    """Run a case and judge it. A core that fails ends the run, which is then a failure like any other.

    Whether it goes by the wire changes nothing that happens; the seed says unless it is asked for.
    """
    drawn, flow = _drawn(case.seed, settings)
    house = House(drawn, case.seed, flow=flow, by_wire=case.seed % WIRE_EVERY == 0 if by_wire is None else by_wire)
    house.told_ns_max = int(told_s(drawn, case.schedule) * SECOND_NS)
    house.hidden_ns_max = int(hidden_s(drawn, case.schedule) * SECOND_NS)
    run = _Run(case, house)
    try:
        run.trade()
    except WorldError as error:
        run.violations.append(f"{FAILED}: {error}")
    return run.result()


class _Run:
    """One case on its house."""

    def __init__(self, case: Case, house: House) -> None:
        self.violations: list[str] = []
        self._case = case
        self._house = house
        self._observed, self._watch = Observation(house), Watch(house)
        self._injected: Counter[str] = Counter()
        self._recovered_s = 0.0

    def trade(self) -> None:
        """Start, let the faults strike, wait until everything quotes again, and drain."""
        house, case, observed = self._house, self._case, self._observed
        house.start()
        self._watch.begin()
        observed.until_quoting(warm_up_s(house.settings), "the start")
        for fault in case.schedule:
            plan(house, fault, self._injected)
        faults_s = max((fault.ends_ms for fault in case.schedule), default=0) / 1_000
        over_s = self._elapsed_s() + faults_s
        if case.drain_ms:
            house.run_s(case.drain_ms / 1_000)
        else:
            house.run_s(faults_s)
            house.venue.clear_faults()
            observed.until_resumed()
            self._recovered_s = observed.until_quoting(quoting_again_s(house.settings), "the last fault")
            house.run_s(max(case.trading_ms / 1_000 - self._elapsed_s(), 0.0))
        observed.drain(over_s - self._elapsed_s())
        self.violations += replayed_twice(house)

    def result(self) -> SeedResult:
        """What was seen, judged."""
        house = self._house
        history = self._watch.complete(house.history())
        verdicts = check_all(history, self._watch.referee)
        violations = [*self.violations, *self._observed.violations]
        for verdict in verdicts:
            violations += [f"{verdict.name}: {text}" for text in verdict.violations[:VIOLATIONS_TOLD_MAX]]
        live = live_order_ids(history.our_ledger())
        if live and not self.violations:
            violations.append(f"END: {len(live)} orders live at the end: {sorted(live)[:5]}")
        return SeedResult(
            case=self._case,
            shards=house.settings.shards,
            violations=tuple(violations),
            checked={verdict.name: verdict.checked for verdict in verdicts} | self._observed.checked,
            injected=dict(sorted(self._injected.items())),
            messages=house.world.delivered,
            accepted=sum(1 for _ in history.our_accepted()),
            fills=sum(1 for _ in history.our_fills()),
            virtual_s=self._elapsed_s(),
            recovered_s=self._recovered_s,
            alerts={code.value: count for code, count in sorted(house.alerts.items())},
            history=_digest(house),
        )

    def _elapsed_s(self) -> float:
        return (self._house.world.now_ns - START_NS) / SECOND_NS


def _drawn(seed: int, settings: Settings) -> tuple[Settings, Flow]:
    chance = random.Random(f"run {seed}")
    return draw_settings(chance, settings), draw_flow(chance)


def _digest(house: House) -> str:
    """One number for all that happened: equal digests, equal histories to the byte."""
    digest = hashlib.blake2b(msgspec.msgpack.encode(house.venue.ledger), digest_size=16)
    for name in sorted(house.specs):
        digest.update(msgspec.msgpack.encode(house.world.journal_of(name)))
    digest.update(str(house.world.delivered).encode())
    return digest.hexdigest()
