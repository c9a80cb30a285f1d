"""A whole raymaker in the deterministic world: every core of a plan, joined to a simulated venue, under one seed.

The supervisor's part is played by the house: it announces epochs, starts actors in order, and brings back what a test crashes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from actors.alerting.core import AlertingCore
from actors.exchange.contracts import known_contract
from actors.inventory.core import InventoryCore
from actors.market_data.core import MarketDataCore
from actors.order_manager.core import OrderManagerCore
from actors.risk_monitor.core import RiskMonitorCore
from actors.runtime.state_dir import StateDir
from actors.runtime.world import Delays, Inhabitant, World
from actors.strategy.core import StrategyCore
from configs.schema import ExchangeSettings, Settings
from ops.invariants.history import History
from ops.simulation.venue_port import VenuePort
from ops.system import build_plan
from protocols import mailboxes
from protocols.effects import Core
from protocols.envelope import Envelope, Message
from protocols.messages.control import ActorSpec, EpochAnnounced

START_NS = 1_000_000_000_000
VENUE_OFFSET_NS = 1_790_000_000_000_000_000 - START_NS
SECOND_NS = 1_000_000_000
KEY_CHECK_NS = 50_000_000

_MAILBOXES: dict[str, Any] = {
    "market_data": mailboxes.MarketDataMailbox,
    "strategy": mailboxes.StrategyMailbox,
    "order_manager": mailboxes.OrderManagerMailbox,
    "risk_monitor": mailboxes.RiskMonitorMailbox,
    "inventory": mailboxes.InventoryMailbox,
    "alerting": mailboxes.AlertingMailbox,
}


class House:
    """One system under one seed; `run_s` moves its time."""

    def __init__(self, settings: Settings, seed: int, delays: Delays | None = None) -> None:
        self.settings = settings
        self.world = World(seed, START_NS, delays)
        exchange = settings.exchange or ExchangeSettings(symbols=settings.symbols)
        exchange = exchange.model_copy(update={"seed": seed, "symbols": settings.symbols})
        contracts = []
        for symbol in settings.symbols:
            contract = known_contract(symbol, exchange.open_orders_max)
            if contract is None:
                raise ValueError(f"{symbol}: the synthetic market has no such contract")
            contracts.append(contract)
        self.venue = VenuePort(self.world, exchange, contracts, VENUE_OFFSET_NS)
        instruments = {instrument.symbol: instrument for instrument in self.venue.instruments}
        without_venue = settings.model_copy(update={"exchange": None})
        state = StateDir(Path("simulated"))
        plan = build_plan(without_venue, instruments, 0, state, self.venue.rate_limits)
        self.specs = {child.spec.name: child.spec for child in plan.children}
        self._order = [child.spec.name for child in sorted(plan.children, key=lambda child: child.start_order)]
        for name in self._order:
            self._inhabit(self.specs[name])

    def start(self) -> None:
        """Start every actor in order."""
        for name in self._order:
            self.begin(name)

    def begin(self, name: str) -> None:
        """Announce and start an actor's next epoch, and connect it to the venue."""
        spec = self.specs[name]
        epoch = self.world.begin(name)
        announced = EpochAnnounced(name=name, shard=spec.shard, epoch=epoch, announced_ns=self.world.now_ns)
        for other in self._order:
            if self.world.core_of(other) is not None:
                self.world.tell(other, announced)
        if spec.role == "risk_monitor":
            self._repeat_announcements(name)
        symbols = [instrument.symbol for instrument in spec.instruments]
        if spec.role == "market_data":
            self.venue.connect_market_data(name, symbols, self.settings.venue.book_stream)
        elif spec.role == "order_manager":
            self.venue.connect_orders(name, symbols)
            self._watch_key(name, epoch)

    def _repeat_announcements(self, name: str) -> None:
        """A new risk monitor must know the newest epoch of every order manager."""
        for other in self._order:
            epoch = self.world.epoch_of(other)
            if self.specs[other].role == "order_manager" and epoch:
                shard = self.specs[other].shard
                known = EpochAnnounced(name=other, shard=shard, epoch=epoch, announced_ns=self.world.now_ns)
                self.world.tell(name, known)

    def crash(self, name: str) -> None:
        """Kill an actor; nothing of it survives but its journal."""
        self.world.crash(name)
        self.venue.drop_connections(name)

    def tell(self, name: str, message: Message) -> None:
        """Give an actor a message of the control plane."""
        self.world.tell(name, message)

    def run_s(self, seconds: float) -> None:
        """Move virtual time."""
        self.world.run_until(self.world.now_ns + int(seconds * SECOND_NS))

    def history(self) -> History:
        """What the invariants look at."""
        positions: dict[str, int] = {}
        inventory = self.world.core_of("inventory")
        if isinstance(inventory, InventoryCore):
            snapshot = msgspec.to_builtins(inventory.snapshot())
            positions = {symbol: row["position_lots"] for symbol, row in snapshot["symbols"].items()}
        return History(
            ledger=tuple(self.venue.ledger),
            journals={
                spec.shard: tuple(self.world.journal_of(name))
                for name, spec in self.specs.items()
                if spec.role == "order_manager"
            },
            instruments={instrument.symbol: instrument for instrument in self.venue.instruments},
            install=self.settings.install,
            claimed_positions=positions,
        )

    def _inhabit(self, spec: ActorSpec) -> None:
        envelope: Any = Envelope
        self.world.inhabit(
            Inhabitant(
                name=spec.name,
                role=spec.role,
                reads=tuple(spec.peers),
                make_core=lambda epoch, journal: self._make_core(spec, epoch, journal),
                decoder=msgspec.msgpack.Decoder(envelope[_MAILBOXES[spec.role]]),
                call=self.venue.call,
                journal=[],
            )
        )

    def _make_core(self, spec: ActorSpec, epoch: int, journal: list[Message]) -> Core:
        spec = msgspec.structs.replace(spec, epoch=epoch, started_ns=self.world.now_ns)
        match spec.role:
            case "market_data":
                return MarketDataCore(spec, self.settings)
            case "strategy":
                return StrategyCore(spec, self.settings)
            case "order_manager":
                core = OrderManagerCore(spec, self.settings)
                for record in journal:
                    core.restore(record)
                return core
            case "risk_monitor":
                return RiskMonitorCore(spec, self.settings)
            case "inventory":
                return InventoryCore(spec, self.settings, journal)  # type: ignore[arg-type]
            case "alerting":
                return AlertingCore(spec, self.settings)
            case _:
                raise ValueError(f"{spec.role} has no core in the simulation")

    def _watch_key(self, name: str, epoch: int) -> None:
        """The gateway's part: open the private stream with the newest key that the core has learned."""
        core = self.world.core_of(name)
        if not isinstance(core, OrderManagerCore) or self.world.epoch_of(name) != epoch:
            return
        if core.listen_key:
            self.venue.user_stream_key(name, core.listen_key)
        self.world.at(self.world.now_ns + KEY_CHECK_NS, lambda: self._watch_key(name, epoch))
