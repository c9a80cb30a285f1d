"""One seed, one run: draws a configuration and a schedule of faults, runs the whole system under it, and judges what happened."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import msgspec

from actors.order_manager.core import OrderManagerCore
from configs.schema import Settings
from ops.invariants.all import check_all
from ops.report import live_order_ids
from ops.simulation.draws import draw_flow, draw_settings
from ops.simulation.faults import Cast, Fault, FaultKind, draw_schedule
from ops.simulation.house import SECOND_NS, House
from ops.simulation.wire_faults import Rule, WireTrouble
from protocols.messages.alerts import AlertCode
from protocols.messages.control import ActorState, Drain

WARM_UP_S = 10.0
"""Longest time until everything quotes for the first time."""

QUOTING_AGAIN_S = 10.0
"""After the last fault everything quotes again, or is halted with an alert, within this."""

STEADY_S = 3.0
"""Everything quotes only when it has done so at each look for this long."""

TRADING_S = 60.0
"""A run that is not drained amid its faults trades at least this long."""

DRAIN_S = 15.0
"""A drained order manager has stopped within this."""

DRAIN_AMID_SHARE = 0.15
"""Part of the runs that are drained in the middle of their faults."""

LOOK_S = 0.25

WIRE_EVERY = 20
"""One seed in so many sends its requests as signed bytes. Answers, market frames and events are bytes in every run."""

_MS = 1_000_000

_HALT_ALERTS = frozenset(
    {
        AlertCode.ORDER_ZOMBIE,
        AlertCode.BAD_DATA,
        AlertCode.LIMIT_BREACHED,
        AlertCode.DAILY_LOSS,
        AlertCode.KEY_REFUSED,
        AlertCode.MARGIN_CALL,
    }
)

_WIRE: dict[FaultKind, WireTrouble] = {
    FaultKind.REQUESTS_LOST: WireTrouble.REQUEST_LOST,
    FaultKind.ANSWERS_LOST: WireTrouble.ANSWER_LOST,
    FaultKind.REQUESTS_DELAYED: WireTrouble.REQUEST_DELAYED,
    FaultKind.ANSWERS_DELAYED: WireTrouble.ANSWER_DELAYED,
    FaultKind.SLOW_READS: WireTrouble.SLOW_READS,
    FaultKind.OVERLOADED: WireTrouble.OVERLOADED,
    FaultKind.UNCLEAR: WireTrouble.UNCLEAR,
    FaultKind.THROTTLED: WireTrouble.THROTTLED,
    FaultKind.READS_LAG: WireTrouble.READS_LAG,
    FaultKind.EVENTS_DROPPED: WireTrouble.EVENT_DROPPED,
    FaultKind.EVENTS_REPEATED: WireTrouble.EVENT_REPEATED,
    FaultKind.EVENTS_REORDERED: WireTrouble.EVENT_REORDERED,
}

_STREAMS: dict[FaultKind, str] = {
    FaultKind.LOSE_PUBLIC: "public",
    FaultKind.LOSE_MARKET: "market",
    FaultKind.LOSE_PRIVATE: "private",
    FaultKind.LOSE_ORDERS: "orders",
    FaultKind.SILENT_PUBLIC: "public",
    FaultKind.SILENT_PRIVATE: "private",
}


class SeedResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did, and every rule that it broke. `recovered_s` is the time from the last fault to quoting everywhere."""

    seed: int
    shards: int
    schedule: tuple[Fault, ...]
    violations: tuple[str, ...]
    checked: dict[str, int]
    messages: int
    accepted: int
    fills: int
    virtual_s: float
    recovered_s: float
    alerts: dict[str, int]

    def faults_by_kind(self) -> Counter[str]:
        """How often each kind was injected."""
        return Counter(fault.kind.value for fault in self.schedule)


def run_seed(
    seed: int,
    settings: Settings,
    *,
    kinds: Sequence[FaultKind] = tuple(FaultKind),
    schedule: tuple[Fault, ...] | None = None,
) -> SeedResult:
    """Run one seed; `schedule` replaces the one that the seed would draw."""
    chance = random.Random(f"run {seed}")
    settings = draw_settings(chance, settings)
    house = House(settings, seed, flow=draw_flow(chance), by_wire=seed % WIRE_EVERY == 0)
    cast = Cast(actors=tuple(house.specs), links=tuple(house.links))
    drawn = draw_schedule(seed, cast, kinds) if schedule is None else schedule
    drained_amid = chance.random() < DRAIN_AMID_SHARE
    run = _Run(house)
    house.start()
    began_ns = house.world.now_ns
    run.until_quoting(WARM_UP_S, "the start")
    for fault in drawn:
        _plan(house, fault)
    last_ms = max((fault.ends_ms for fault in drawn), default=0)
    recovered_s = 0.0
    if drained_amid:
        house.run_s(chance.uniform(0, last_ms / 1_000))
    else:
        house.run_s(last_ms / 1_000)
        house.venue.faults.clear()
        recovered_s = run.until_quoting(QUOTING_AGAIN_S, "the last fault")
        house.run_s(max(TRADING_S - (house.world.now_ns - began_ns) / SECOND_NS, 0.0))
    run.drain()
    history = house.history()
    verdicts = check_all(history)
    for verdict in verdicts:
        run.violations.extend(f"{verdict.name}: {text}" for text in verdict.violations[:3])
    live = live_order_ids(history.ledger)
    if live:
        run.violations.append(f"{len(live)} orders live at the end: {sorted(live)[:5]}")
    return SeedResult(
        seed=seed,
        shards=settings.shards,
        schedule=drawn,
        violations=tuple(run.violations),
        checked={verdict.name: verdict.checked for verdict in verdicts},
        messages=house.world.delivered,
        accepted=sum(1 for _ in history.our_accepted()),
        fills=sum(1 for _ in history.our_fills()),
        virtual_s=(house.world.now_ns - began_ns) / SECOND_NS,
        recovered_s=recovered_s,
        alerts={code.value: count for code, count in sorted(house.alerts.items())},
    )


class _Run:
    """A house under observation."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.violations: list[str] = []

    def until_quoting(self, bound_s: float, since: str) -> float:
        """Run until every symbol quotes steadily or is halted with an alert; the seconds that it took. Too late is a violation."""
        house = self._house
        took_s = steady_since_s = 0.0
        while took_s < bound_s + STEADY_S:
            house.run_s(LOOK_S)
            took_s += LOOK_S
            if self._idle():
                steady_since_s = took_s
            elif took_s - steady_since_s >= STEADY_S:
                return steady_since_s
        for symbol, why in self._idle().items():
            self.violations.append(f"I9: {symbol} does not quote {bound_s:g} s after {since}: {why}")
        return took_s

    def drain(self) -> None:
        """Drain every order manager and wait until it has stopped; a successor that comes meanwhile is drained too."""
        house = self._house
        took_s = 0.0
        left: list[str] = []
        drained: dict[str, int] = {}
        while took_s < DRAIN_S + (house.settings.supervision.drain_timeout_ms / 1_000):
            for name in house.order_managers:
                if house.world.core_of(name) is not None and drained.get(name) != house.world.epoch_of(name):
                    drained[name] = house.world.epoch_of(name)
                    house.tell(name, Drain())
            house.run_s(LOOK_S)
            took_s += LOOK_S
            left = self._not_stopped()
            if not left:
                break
        else:
            self.violations.append(f"not drained after {took_s:g} s: {', '.join(left)}")
        house.run_s(3.0)

    def _not_stopped(self) -> list[str]:
        found = []
        for name in self._house.order_managers:
            core = self._house.world.core_of(name)
            if not isinstance(core, OrderManagerCore) or core.state is not ActorState.STOPPED:
                found.append(name)
        return found

    def _idle(self) -> dict[str, str]:
        """Symbols that neither quote nor are halted with an alert, and why."""
        idle: dict[str, str] = {}
        for name in self._house.order_managers:
            core = self._house.world.core_of(name)
            if not isinstance(core, OrderManagerCore):
                idle[name] = "it is dead"
                continue
            for symbol, view in core.snapshot().symbols.items():
                is_halted = bool(view.halted) and bool(_HALT_ALERTS & self._house.alerts.keys())
                if not is_halted and not (view.gate_open and view.open_orders):
                    idle[symbol] = ", ".join(view.gate_reasons) or f"gate open, {view.open_orders} orders"
        return idle


def _plan(house: House, fault: Fault) -> None:
    due_ns = house.world.now_ns + fault.at_ms * _MS
    house.world.at(due_ns, lambda: _inject(house, fault))


def _inject(house: House, fault: Fault) -> None:
    world, venue = house.world, house.venue
    lasts_s = fault.lasts_ms / 1_000
    match fault.kind:
        case FaultKind.CRASH | FaultKind.CRASH_SEVERAL | FaultKind.CRASH_ALL:
            for name in fault.actors:
                house.crash_for(name, lasts_s)
        case FaultKind.RESTART:
            house.restart(fault.actors[0])
        case FaultKind.CUT_LINK:
            writer, reader = fault.actors
            house.cut_for(writer, reader, lasts_s)
        case FaultKind.LOSE_PUBLIC | FaultKind.LOSE_MARKET | FaultKind.LOSE_PRIVATE | FaultKind.LOSE_ORDERS:
            venue.sockets.lose(fault.actors[0], _STREAMS[fault.kind], fault.lasts_ms * _MS)
        case FaultKind.SILENT_PUBLIC | FaultKind.SILENT_PRIVATE:
            venue.sockets.silence(fault.actors[0], _STREAMS[fault.kind], fault.lasts_ms * _MS)
        case FaultKind.DEPTH_GAP:
            venue.sockets.lose_frames(fault.actors[0], "public", fault.size_ms)
        case FaultKind.KEY_EXPIRED:
            venue.expire_key()
        case FaultKind.CLOCK_STEP:
            venue.step_clock(fault.size_ms * _MS)
        case FaultKind.STOP_AND_RESUME:
            house.emergency_stop()
            world.at(world.now_ns + fault.lasts_ms * _MS, house.resume)
        case _:
            venue.faults.add(
                Rule(
                    trouble=_WIRE[fault.kind],
                    actor=fault.actors[0],
                    until_ns=world.now_ns + fault.lasts_ms * _MS,
                    share=fault.share,
                    size_ns=fault.size_ms * _MS,
                )
            )
