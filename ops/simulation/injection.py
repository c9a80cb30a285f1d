"""Carries out the faults of a schedule on a house."""

from __future__ import annotations

from collections import Counter

from ops.simulation.faults import Fault, FaultKind
from ops.simulation.house import House
from ops.simulation.wire_faults import Rule, WireTrouble

_MS = 1_000_000

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


def plan(house: House, fault: Fault, injected: Counter[str]) -> None:
    """Let a fault strike at its time, counted from now; `injected` counts those that have."""

    def strike() -> None:
        injected[fault.kind.value] += 1
        inject(house, fault)

    house.world.at(house.world.now_ns + fault.at_ms * _MS, strike)


def inject(house: House, fault: Fault) -> None:
    """Let a fault strike now."""
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
