"""A whole raymaker in the deterministic world: every core of a plan, joined to a simulated venue, under one seed.

The supervisor's part is played by the house: it announces epochs, starts actors in order, brings back what a test crashes, and keeps
the stop file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from actors.alerting.core import AlertingCore
from actors.exchange.contracts import known_contract
from actors.exchange.synthetic import Flow
from actors.inventory.core import InventoryCore
from actors.market_data.core import MarketDataCore
from actors.order_manager.core import OrderManagerCore
from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.memory import RiskMemory
from actors.runtime.state_dir import StateDir
from actors.runtime.world import Inhabitant, World
from actors.runtime.world_links import Delays
from actors.strategy.core import StrategyCore
from configs.schema import ExchangeSettings, Settings
from ops.invariants.history import History
from ops.invariants.journals import Numbered
from ops.simulation.allowances import told_s
from ops.simulation.madness import MadStrategy
from ops.simulation.person import Person
from ops.simulation.venue_port import VenuePort
from ops.system import build_plan
from protocols import mailboxes
from protocols.effects import Core
from protocols.envelope import Envelope, Message
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import (
    ActorSpec,
    ActorState,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    Resume,
    StopFileSeen,
)

START_NS = 1_000_000_000_000
VENUE_OFFSET_NS = 1_790_000_000_000_000_000 - START_NS
SECOND_NS = 1_000_000_000
KEY_CHECK_NS = 1_000_000_000
DRAIN_LOOK_NS = 250_000_000
RESTART_S = 0.2
JOURNAL_RESTART_S = 0.5
LINK_BACK_NS = 20_000_000
_DONE_BY_THE_VENUE = ("margin call: ", "the venue closed ")
"""How the reasons begin of what the risk monitor latches when the venue has acted on our positions."""

STOP_REASON = "a person stopped"

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

    def __init__(
        self,
        settings: Settings,
        seed: int,
        delays: Delays | None = None,
        flow: Flow | None = None,
        *,
        by_wire: bool = True,
    ) -> None:
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
        self.venue = VenuePort(
            self.world,
            exchange,
            contracts,
            VENUE_OFFSET_NS,
            request_timeout_ns=settings.venue.request_timeout_ms * 1_000_000,
            silence_ns_max=2 * settings.market_data.stale_after_ms * 1_000_000,
            flow=flow,
            by_wire=by_wire,
        )
        self.alerts: Counter[AlertCode] = Counter()
        self.raised: list[Alert] = []
        """Every alert that an actor has raised."""
        self.raised_t: list[int] = []
        """When each of them was, in the venue's time."""
        self.told_ns_max = int(told_s(settings, ()) * SECOND_NS)
        """How long after an incident its alert may be raised; longer where faults come between."""
        self.hidden_ns_max = 0
        """How much longer than in motion positions may differ."""
        self.stops: list[tuple[int, int]] = []
        """Every emergency stop so far as (shut, lifted) in the venue's time; 0 for one that holds."""
        self.journal_lost: Callable[[int], None] = lambda shard: None
        """Told of a shard whose journal is gone."""
        self.person = Person(self.world, self._is_supervised, self.resume)
        self._resume_owed: set[str] = set()
        self._supervisor_back_ns = 0
        self._lost: dict[str, list[Message]] = {}
        self._copies: dict[str, bytes] = {}
        self.world.observers.append(self._observe)
        self.world.on_shut = lambda name, reason: self.emergency_stop()
        self.world.journal_failed = self._journal_failed
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
        if self.venue.stop_file:
            self.world.tell(name, StopFileSeen(present=True))
            self.world.tell(name, EmergencyStop(reason=STOP_REASON))
        elif name in self._resume_owed:
            self.world.tell(name, Resume(reason="resumed while it was away"))
        self._resume_owed.discard(name)
        symbols = [instrument.symbol for instrument in spec.instruments]
        if spec.role == "market_data":
            self.venue.connect_market_data(name, symbols, self.settings.venue.book_stream)
        elif spec.role == "order_manager":
            self.venue.connect_orders(name, symbols)
            self.venue.pass_on_silence(name)
            self._watch_key(name, epoch)
        elif spec.role == "risk_monitor":
            self.venue.connect_eyes(name, symbols)
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

    def crash_for(self, name: str, seconds: float) -> None:
        """Kill an actor, and start its successor after a while."""
        if self.world.core_of(name) is None:
            return
        self.crash(name)
        epoch = self.world.epoch_of(name)
        self.world.at(self.world.now_ns + int(seconds * SECOND_NS), self._bring_back, name, epoch)

    def restart(self, name: str) -> None:
        """Drain an actor, stop it when it is done or its time is over, and start its successor."""
        if self.world.core_of(name) is None:
            return
        self.tell(name, Drain())
        epoch = self.world.epoch_of(name)
        ends_ns = self.world.now_ns + self.settings.supervision.drain_timeout_ms * 1_000_000
        self.world.at(self.world.now_ns + DRAIN_LOOK_NS, self._stop_drained, name, epoch, ends_ns)

    def lose_journal(self, name: str, seconds: float) -> None:
        """Kill an order manager and its disk; its successor begins from inventory's copy of its events."""
        self.crash_for(name, seconds)
        journal = self.world.journal_of(name)
        self._lost.setdefault(name, []).extend(journal)
        journal.clear()
        self._copies[name] = b""
        self.journal_lost(self.specs[name].shard)

    def lose_supervisor(self, seconds: float) -> None:
        """Nobody is started for a while. A supervisor that is back says again which epochs hold."""
        back_ns = self.world.now_ns + int(seconds * SECOND_NS)
        self._supervisor_back_ns = max(self._supervisor_back_ns, back_ns)
        self.world.at(back_ns, self._announce_again)

    def drive_mad(self, name: str, seconds: float) -> None:
        """Let a strategy want nonsense for a while."""
        core = self.world.core_of(name)
        if core is None or isinstance(core, MadStrategy):
            return
        versions = {str(one.instrument_id): one.version for one in self.specs[name].instruments}
        mad = MadStrategy(core, versions, f"mad {self.world.epoch_of(name)} {self.world.now_ns}")
        self.world.replace_core(name, mad)
        self.world.at(self.world.now_ns + int(seconds * SECOND_NS), self._calm, name, mad)

    def _calm(self, name: str, mad: MadStrategy) -> None:
        if self.world.core_of(name) is mad:
            self.world.replace_core(name, mad.sane)

    def _announce_again(self) -> None:
        for about in self._order:
            spec, epoch = self.specs[about], self.world.epoch_of(about)
            announced = EpochAnnounced(name=about, shard=spec.shard, epoch=epoch, announced_ns=self.world.now_ns)
            for other in self._order:
                if epoch and self.world.core_of(other) is not None:
                    self.world.tell(other, announced)

    def cut_for(self, writer: str, reader: str, seconds: float) -> None:
        """Cut the link between two actors for a while."""
        self.world.cut(writer, reader)
        self.world.at(self.world.now_ns + int(seconds * SECOND_NS), self.world.mend, writer, reader)

    def part_for(self, some: tuple[str, ...], seconds: float) -> None:
        """Cut every link between these actors and all others for a while."""
        for writer, reader in self.links:
            if (writer in some) != (reader in some):
                self.cut_for(writer, reader, seconds)

    def drop_for(self, writer: str, reader: str, seconds: float, every_s: float) -> None:
        """Let a link break, and stand again a moment later, again and again for a while."""
        ends_ns = self.world.now_ns + int(seconds * SECOND_NS)
        self._drop(writer, reader, ends_ns, int(every_s * SECOND_NS))

    def _drop(self, writer: str, reader: str, ends_ns: int, every_ns: int) -> None:
        self.world.cut(writer, reader)
        self.world.at(self.world.now_ns + LINK_BACK_NS, self.world.mend, writer, reader)
        next_ns = self.world.now_ns + every_ns
        if next_ns < ends_ns:
            self.world.at(next_ns, self._drop, writer, reader, ends_ns, every_ns)

    def emergency_stop(self) -> None:
        """Write the stop file and tell everybody."""
        if not self.venue.stop_file:
            self.stops.append((self.venue.now_ns, 0))
            self.person.stop()
        self._resume_owed.clear()
        self.venue.stop_file = True
        for name in self._order:
            if self.world.core_of(name) is not None:
                self.tell(name, StopFileSeen(present=True))
                self.tell(name, EmergencyStop(reason=STOP_REASON))

    def resume(self) -> bool:
        """Remove the stop file and lift every stop and halt; whether the risk monitor has heard it, which may be away."""
        if self.venue.stop_file:
            self.stops[-1] = (self.stops[-1][0], self.venue.now_ns)
        self.venue.stop_file = False
        self._resume_owed = {name for name in self._order if self.world.core_of(name) is None}
        for name in self._order:
            if self.world.core_of(name) is not None:
                self.tell(name, StopFileSeen(present=False))
                self.tell(name, Resume(reason="a person resumed"))
        return self.world.core_of("risk_monitor") is not None

    def drain(self) -> None:
        """Drain every order manager."""
        for name in self.order_managers:
            if self.world.core_of(name) is not None:
                self.tell(name, Drain())

    @property
    def order_managers(self) -> list[str]:
        """Names of the order managers."""
        return [name for name in self._order if self.specs[name].role == "order_manager"]

    @property
    def links(self) -> list[tuple[str, str]]:
        """Every link as (writer, reader)."""
        return [(writer, spec.name) for spec in self.specs.values() for writer in spec.peers if writer in self.specs]

    def tell(self, name: str, message: Message) -> None:
        """Give an actor a message of the control plane."""
        self.world.tell(name, message)

    def run_s(self, seconds: float) -> None:
        """Move virtual time."""
        self.world.run_until(self.world.now_ns + int(seconds * SECOND_NS))

    def history(self) -> History:
        """What the invariants look at."""
        return History(
            ledger=tuple(self.venue.ledger),
            journals={
                spec.shard: tuple(self.world.journal_of(name))
                for name, spec in self.specs.items()
                if spec.role == "order_manager"
            },
            instruments={instrument.symbol: instrument for instrument in self.venue.instruments},
            lost={self.specs[name].shard: tuple(records) for name, records in self._lost.items()},
            install=self.settings.install,
            claimed_positions=self.claimed_positions(),
            claimed_wallets=self.claimed_wallets(),
            stops=tuple(self.stops),
            copied=tuple(self.world.journal_of("inventory")),
            raised=tuple(self.raised),
            raised_t=tuple(self.raised_t),
            told_ns_max=self.told_ns_max,
            untold=frozenset(self.venue.untold),
            hidden_ns_max=self.hidden_ns_max,
            told=tuple(record for record in self.world.journal_of("alerting") if isinstance(record, Alert)),
        )

    def claimed_positions(self) -> dict[str, int]:
        """Inventory's position of each symbol (signed lots); nothing while it is away."""
        inventory = self.world.core_of("inventory")
        if not isinstance(inventory, InventoryCore):
            return {}
        return {symbol: view.position_lots for symbol, view in inventory.snapshot().symbols.items()}

    def claimed_wallets(self) -> dict[str, Decimal]:
        """Inventory's balance of each asset; nothing while it is away."""
        inventory = self.world.core_of("inventory")
        if not isinstance(inventory, InventoryCore):
            return {}
        return {asset: Decimal(balance) for asset, balance in inventory.snapshot().wallets.items()}

    def read_twice(self, name: str) -> tuple[bytes, bytes]:
        """The checkpoint of an order manager made from its journal, and that after the same core has read it all once more."""
        journal = self.world.journal_of(name)
        core = self._make_core(self.specs[name], self.world.epoch_of(name), journal)
        assert isinstance(core, OrderManagerCore)
        once = core.checkpoint()
        for record in journal:
            core.restore(record)
        return once, core.checkpoint()

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
                return self._order_manager(spec, journal)
            case "risk_monitor":
                memory = next((record for record in reversed(journal) if isinstance(record, RiskMemory)), None)
                return RiskMonitorCore(spec, self.settings, memory)
            case "inventory":
                return InventoryCore(spec, self.settings, journal)  # type: ignore[arg-type]
            case "alerting":
                return AlertingCore(spec, self.settings)
            case _:
                raise ValueError(f"{spec.role} has no core in the simulation")

    def _order_manager(self, spec: ActorSpec, journal: list[Message]) -> OrderManagerCore:
        """As its shell makes one: from its journal, or from inventory's copy where that is gone."""
        core = OrderManagerCore(spec, self.settings)
        copy = self._copies.get(spec.name)
        if copy == b"" and not journal:
            kept = (record for record in self.world.journal_of("inventory") if isinstance(record, Numbered))
            if core.restore_copy([event for event in kept if event.shard == spec.shard]):
                self._copies[spec.name] = core.checkpoint()
        elif copy:
            core.load(copy)
        for record in journal:
            core.restore(record)
        return core

    def _journal_failed(self, name: str) -> None:
        """What the host does: nothing more is sent but a cancel for what may rest, an alert is raised, and the process ends.

        The node is shut by it, as in a live system: everything is stopped until a person resumes.
        """
        core = self.world.core_of(name)
        now_ns = self.world.now_ns
        if isinstance(core, OrderManagerCore):
            for request in core.farewell(now_ns):
                self.venue.call(name, now_ns, request)
        self.world.say(
            name,
            Alert(
                code=AlertCode.JOURNAL_FAILED,
                severity=Severity.CRITICAL,
                subject=name,
                text="a record could not be written",
                raised_ns=now_ns,
                source=name,
            ),
        )
        self.crash_for(name, JOURNAL_RESTART_S)
        self.emergency_stop()

    def _bring_back(self, name: str, epoch: int) -> None:
        """Start the successor of an incarnation, unless somebody did; later where nobody supervises."""
        if self._waits_for_supervisor(self._bring_back, name, epoch):
            return
        if self.world.core_of(name) is None and self.world.epoch_of(name) == epoch:
            self.begin(name)

    def _waits_for_supervisor(self, act: Callable[..., None], *arguments: Any) -> bool:
        """Whether the supervisor is away; the act follows when it is back."""
        if self._is_supervised():
            return False
        self.world.at(self._supervisor_back_ns, act, *arguments)
        return True

    def _is_supervised(self) -> bool:
        return self.world.now_ns >= self._supervisor_back_ns

    def _stop_drained(self, name: str, epoch: int, ends_ns: int) -> None:
        if self._waits_for_supervisor(self._stop_drained, name, epoch, ends_ns):
            return
        core: Any = self.world.core_of(name)
        if core is None or self.world.epoch_of(name) != epoch:
            return
        state = getattr(core, "state", ActorState.STOPPED)
        state = state() if callable(state) else state
        if state is ActorState.STOPPED or self.world.now_ns >= ends_ns:
            self.crash_for(name, RESTART_S)
        else:
            self.world.at(self.world.now_ns + DRAIN_LOOK_NS, self._stop_drained, name, epoch, ends_ns)

    def _observe(self, name: str, body: Message) -> None:
        if isinstance(body, Alert):
            self.alerts[body.code] += 1
            self.raised.append(body)
            self.raised_t.append(self.venue.now_ns)
            if name == "risk_monitor" and body.severity is Severity.CRITICAL:
                self.person.told(self._is_restricted)

    def _is_restricted(self) -> bool:
        """Whether the risk monitor keeps up what the venue did with our positions by itself, until a person resumes."""
        core = self.world.core_of("risk_monitor")
        return isinstance(core, RiskMonitorCore) and any(
            text.startswith(_DONE_BY_THE_VENUE) for text in core.snapshot().latches.values()
        )

    def _watch_key(self, name: str, epoch: int) -> None:
        """The gateway's part: open the private stream with the newest key that the core has learned."""
        core = self.world.core_of(name)
        if not isinstance(core, OrderManagerCore | RiskMonitorCore) or self.world.epoch_of(name) != epoch:
            return
        if core.listen_key:
            self.venue.user_stream_key(name, core.listen_key)
        self.world.at(self.world.now_ns + KEY_CHECK_NS, self._watch_key, name, epoch)
