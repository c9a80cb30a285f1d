"""Putting the fault of a row into a live system, and what is seen while it lasts."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from ops.chaos import commands_hurt, network_hurt, node_hurt, process_hurt
from ops.chaos.live import Live, Told
from ops.chaos.rows import Injection, Row
from protocols.messages.control import ActorStatus, SystemStatus

Inject = Callable[[Row, Live, list[ActorStatus], Told], None]

PROXIED = (Injection.NETWORK, Injection.OUTLAST, Injection.KILL_IN_FLIGHT, Injection.NO_FILES, Injection.ASKED)
"""Injections that need the proxy between us and the venue."""

NOTES = ("blocked", "hogged", "died", "leaking")
"""Files by which a fault inside an actor tells that it began."""

_INJECTIONS: dict[Injection, Inject] = {
    Injection.KILL: process_hurt.kill,
    Injection.FREEZE: process_hurt.freeze,
    Injection.BLOCK: process_hurt.block,
    Injection.HOG: process_hurt.hog,
    Injection.DIE_AT: process_hurt.die_at,
    Injection.KILL_ALWAYS: process_hurt.kill_always,
    Injection.NO_START: process_hurt.no_start,
    Injection.LEAK: process_hurt.leak,
    Injection.FULL_DISK: process_hurt.full_disk,
    Injection.STARVE: process_hurt.starve,
    Injection.STOP: commands_hurt.stop,
    Injection.STOP_HURT: commands_hurt.stop_hurt,
    Injection.SECOND_START: commands_hurt.start_again,
    Injection.BAD_SETTINGS: commands_hurt.edit_badly,
    Injection.SLOW_SCRAPE: commands_hurt.scrape_slowly,
    Injection.VENUE: network_hurt.venue,
    Injection.NETWORK: network_hurt.network,
    Injection.OUTLAST: network_hurt.outlast,
    Injection.NODE: node_hurt.node,
    Injection.KILL_IN_FLIGHT: network_hurt.kill_in_flight,
    Injection.NO_FILES: network_hurt.no_files,
    Injection.ASKED: network_hurt.asked,
    Injection.WEBHOOK: network_hurt.webhook,
    Injection.STRANGER: network_hurt.stranger,
}
"""Those of INTERRUPT and TOTAL_DEATH end the system itself: ops/chaos/run.py plays them."""


def inject(row: Row, live: Live, status: SystemStatus) -> Told:
    """Hurt the system; returns when the fault itself is over (or, where it stays, when it is in)."""
    victims = [actor for actor in status.actors if actor.role in row.victims and actor.pid]
    live.hear()
    for note in NOTES:
        (live.state.path / note).unlink(missing_ok=True)
    told = Told(scene=live.scene(row, tuple(actor.name for actor in victims)), checks=[], notes=[])
    _INJECTIONS[row.injection](row, live, victims, told)
    told.scene = msgspec.structs.replace(told.scene, over_t=told.scene.back_t or time.time_ns())
    return told
