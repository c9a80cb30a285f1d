"""Carries out the faults of a schedule on a house."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from actors.exchange.faults import Fault as VenueFault
from actors.exchange.faults import FaultKind as VenueKind
from actors.runtime.world import Disk
from actors.runtime.world_links import LinkTrouble
from ops.simulation.faults import LOOKED_AT, MARKETS, VENUES_OWN, Fault, FaultKind
from ops.simulation.house import House
from ops.simulation.market_faults import phases_of
from ops.simulation.venue_acts import Bound
from ops.simulation.wire_faults import Rule, WireTrouble

COARSE = 10
"""So many times larger is a tick that has changed."""

_MS = 1_000_000

_WIRE: dict[FaultKind, WireTrouble] = {
    FaultKind.REQUESTS_LOST: WireTrouble.REQUEST_LOST,
    FaultKind.ANSWERS_LOST: WireTrouble.ANSWER_LOST,
    FaultKind.REQUESTS_DELAYED: WireTrouble.REQUEST_DELAYED,
    FaultKind.ANSWERS_DELAYED: WireTrouble.ANSWER_DELAYED,
    FaultKind.SLOW_READS: WireTrouble.SLOW_READS,
    FaultKind.OVERLOADED: WireTrouble.OVERLOADED,
    FaultKind.UNCLEAR: WireTrouble.UNCLEAR,
    FaultKind.REFUSED: WireTrouble.REFUSED,
    FaultKind.THROTTLED: WireTrouble.THROTTLED,
    FaultKind.THROTTLED_BARE: WireTrouble.THROTTLED_BARE,
    FaultKind.ORDERS_THROTTLED: WireTrouble.ORDERS_THROTTLED,
    FaultKind.BANNED: WireTrouble.BANNED,
    FaultKind.FORBIDDEN: WireTrouble.FORBIDDEN,
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
    if fault.kind in LOOKED_AT:
        world.at(world.now_ns + (fault.ends_ms - fault.at_ms) * _MS, house.person.resume)
    match fault.kind:
        case FaultKind.CRASH | FaultKind.CRASH_SEVERAL | FaultKind.CRASH_ALL:
            for name in fault.actors:
                house.crash_for(name, lasts_s)
        case FaultKind.CRASH_AT_MESSAGE:
            name = fault.actors[0]
            world.doom(name, fault.count, fault.share, lambda: house.crash_for(name, lasts_s))
        case FaultKind.RESTART:
            house.restart(fault.actors[0])
        case FaultKind.CUT_LINK:
            writer, reader = fault.actors
            house.cut_for(writer, reader, lasts_s)
        case FaultKind.PARTITION:
            house.part_for(fault.actors, lasts_s)
        case FaultKind.LINK_DELAYED | FaultKind.LINKS_SHUFFLED | FaultKind.LINK_REPEATS:
            trouble = LinkTrouble(
                until_ns=world.now_ns + fault.lasts_ms * _MS,
                delay_ns=fault.size_ms * _MS,
                repeat_share=fault.share if fault.kind is FaultKind.LINK_REPEATS else 0.0,
            )
            for writer, reader in house.links if fault.kind is FaultKind.LINKS_SHUFFLED else (fault.actors,):
                world.link(writer, reader).trouble = trouble
        case FaultKind.LINK_DROPS:
            writer, reader = fault.actors
            house.drop_for(writer, reader, lasts_s, fault.size_ms / 1_000)
        case FaultKind.DISK_SLOW | FaultKind.DISK_FAILS:
            until_ns = world.now_ns + fault.lasts_ms * _MS
            fails = fault.kind is FaultKind.DISK_FAILS
            world.spoil_disk(fault.actors[0], Disk(until_ns=until_ns, stall_ns=fault.size_ms * _MS, fails=fails))
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
            world.at(world.now_ns + fault.lasts_ms * _MS, house.person.resume)
        case FaultKind.FOREIGN_TRADE:
            venue.trade_foreign(fault.count)
        case FaultKind.FOREIGN_ORDER:
            venue.order_foreign(fault.count, fault.lasts_ms * _MS)
        case FaultKind.JOURNAL_LOST:
            house.lose_journal(fault.actors[0], lasts_s)
        case FaultKind.SUPERVISOR_CRASH:
            house.lose_supervisor(lasts_s)
        case FaultKind.STRATEGY_MAD:
            house.drive_mad(fault.actors[0], lasts_s)
        case FaultKind.FEES_CHANGED:
            venue.acts.change_fees(Decimal(2))
            world.at(world.now_ns + fault.lasts_ms * _MS, venue.acts.change_fees, Decimal(1))
        case FaultKind.FUNDING_SPIKE:
            venue.acts.spike_funding(fault.count, fault.size_ms * _MS)
        case FaultKind.FILTERS_CHANGED:
            _change_filters(house, Bound(fault.count), fault.lasts_ms * _MS)
        case FaultKind.MARGIN_CALL:
            venue.acts.call_margin()
        case FaultKind.LIQUIDATED:
            venue.acts.liquidate()
        case FaultKind.DELEVERAGED:
            venue.acts.deleverage(fault.share)
        case kind if kind in MARKETS:
            venue.impose(phases_of(fault), 1 if kind is FaultKind.SYMBOL_HALTED else None)
        case kind if kind in VENUES_OWN:
            venue.exchange.inject(_of_the_venue(fault))
        case _:
            if fault.kind is FaultKind.BANNED:
                venue.note_ban(fault.actors[0])
            venue.faults.add(_on_the_wire(fault, world.now_ns))


def _change_filters(house: House, bound: Bound, lasts_ns: int) -> None:
    """A bound stays as it is now; a tick is back after a while, for there is nobody who would start the system anew."""
    acts = house.venue.acts
    if bound is Bound.TICK:
        acts.change_tick(COARSE)
        house.world.at(house.world.now_ns + lasts_ns, acts.change_tick, 1)
    else:
        acts.change_bound(bound)


def _of_the_venue(fault: Fault) -> VenueFault:
    return VenueFault(
        kind=VenueKind(fault.kind.value),
        duration_ms=max(fault.lasts_ms, 1),
        share=max(fault.share, 0.01),
        delay_ms=fault.size_ms,
        lag_ms=fault.size_ms,
    )


def _on_the_wire(fault: Fault, now_ns: int) -> Rule:
    return Rule(
        trouble=_WIRE[fault.kind],
        actor=fault.actors[0],
        until_ns=now_ns + fault.lasts_ms * _MS,
        share=fault.share,
        size_ns=fault.size_ms * _MS,
        code=fault.code,
        done=fault.done,
    )
