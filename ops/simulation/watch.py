"""Looks at a house all through a run: at every record of the ledger and of the journals as it comes, how full everything is (I11), how
long positions differ while symbols quote (I3 in motion), and how long orders rest that nobody knows (I8 in motion)."""

from __future__ import annotations

import msgspec

from actors.order_manager.core import OrderManagerCore
from actors.runtime.timers import TIMERS_MAX
from ops.invariants.history import Difference, History, Scene, Untended
from ops.invariants.referee import Referee
from ops.simulation.house import SECOND_NS, START_NS, House
from protocols.envelope import Message

LOOK_NS = 4 * SECOND_NS

POSITIONS_NS = 500_000_000
"""Positions are looked at more often: they may differ for two seconds."""


class Watch:
    """A look every few seconds of virtual time, at positions twice a second; it changes nothing."""

    def __init__(self, house: House) -> None:
        self._house = house
        settings = house.settings
        self._links_max = settings.links.ordered_messages_max
        self._bounds = {
            "requests in flight": settings.order_manager.requests_in_flight_max,
            "live orders": settings.order_manager.live_orders_max,
        }
        self._peaks: dict[str, tuple[int, int]] = {}
        self._since_ns: dict[str, int] = {}
        self._differences: dict[str, Difference] = {}
        self._untended_since_ns: dict[str, dict[str, int]] = {}
        self._untended: dict[str, Untended] = {}
        instruments = {one.symbol: one for one in house.venue.instruments}
        self._scene = Scene(instruments, settings.install, house.stops, self._instant, house.venue.untold)
        self.referee = Referee(self._scene)
        self._shards = {name: house.specs[name].shard for name in house.order_managers}
        house.world.journal_observers.append(self._journaled)
        house.venue.recorded = self.referee.ledger
        house.journal_lost = self.referee.journal_lost
        for record in house.venue.ledger:
            self.referee.ledger(record)

    def begin(self) -> None:
        """Look now, and again and again."""
        self._look_again()
        self._look_at_positions_again()

    def _look_again(self) -> None:
        self._look()
        self._house.world.at(self._house.world.now_ns + LOOK_NS, self._look_again)

    def _look_at_positions_again(self) -> None:
        world = self._house.world
        for name in self._house.order_managers:
            core = world.core_of(name)
            if isinstance(core, OrderManagerCore):
                self._look_at_positions(core)
        world.at(world.now_ns + POSITIONS_NS, self._look_at_positions_again)

    def complete(self, history: History) -> History:
        """The history with what was seen."""
        return msgspec.structs.replace(
            history,
            peaks=dict(self._peaks),
            differences=tuple(self._differences[name] for name in sorted(self._differences)),
            untended=tuple(self._untended[name] for name in sorted(self._untended)),
        )

    def _journaled(self, name: str, record: Message) -> None:
        shard = self._shards.get(name)
        if shard is not None:
            self.referee.journal(shard, record)

    def _instant(self) -> str:
        return f" (at {(self._house.world.now_ns - START_NS) / SECOND_NS:.6f} s)"

    def _look(self) -> None:
        house = self._house
        for backlog in house.world.backlogs():
            self._note(f"link {backlog.writer} to {backlog.reader}", backlog.messages, self._links_max)
        for name, count in house.world.timer_counts().items():
            self._note(f"timers of {name}", count, TIMERS_MAX)
        for name in house.order_managers:
            core = house.world.core_of(name)
            if isinstance(core, OrderManagerCore):
                self._look_at(name, core)

    def _look_at(self, name: str, core: OrderManagerCore) -> None:
        shard = core.shard
        self._note(f"requests in flight of {name}", len(shard.desk.in_flight), self._bounds["requests in flight"])
        self._note(f"live orders of {name}", shard.live_orders, self._bounds["live orders"])
        known = {order.client_order_id for each in shard.symbols.values() for order in each.table.live.values()}
        for each in shard.symbols.values():
            self._look_for_untended(each.name, known, quotes=each.gate_open)

    def _look_at_positions(self, core: OrderManagerCore) -> None:
        now_ns = self._house.world.now_ns
        for each in core.shard.symbols.values():
            symbol, ours = each.name, each.table.position_lots
            theirs = self._house.venue.position_lots(symbol)
            if not each.gate_open or ours == theirs:
                self._since_ns.pop(symbol, None)
                continue
            lasted_ns = now_ns - self._since_ns.setdefault(symbol, now_ns)
            worst = self._differences.get(symbol)
            if worst is None or worst.lasted_ns < lasted_ns:
                self._differences[symbol] = Difference(symbol=symbol, ours=ours, theirs=theirs, lasted_ns=lasted_ns)

    def _look_for_untended(self, symbol: str, known: set[str], *, quotes: bool) -> None:
        """Orders of ours that rest and are in no table, while the symbol quotes."""
        now_ns = self._house.world.now_ns
        resting = self._house.venue.resting_ids(symbol) if quotes else []
        lost = {name for name in resting if name not in known and self._scene.is_ours(name)}
        since = self._untended_since_ns.setdefault(symbol, {})
        for name in [name for name in since if name not in lost]:
            del since[name]
        for name in lost:
            lasted_ns = now_ns - since.setdefault(name, now_ns)
            worst = self._untended.get(symbol)
            if worst is None or worst.lasted_ns < lasted_ns:
                self._untended[symbol] = Untended(symbol=symbol, client_order_id=name, lasted_ns=lasted_ns)

    def _note(self, name: str, count: int, bound: int) -> None:
        if count > self._peaks.get(name, (-1, 0))[0]:
            self._peaks[name] = (count, bound)
