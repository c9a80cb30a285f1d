"""A world of pretended processes around the supervisor's core: it carries out requests at once, in virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from actors.supervisor import commands as c
from actors.supervisor.core import TICK, Self, SupervisorCore
from configs.schema import SupervisionSettings
from protocols.effects import Append, Call, Log, Publish, SetTimer, TimerFired
from protocols.messages.alerts import Alert, AlertCode
from protocols.messages.control import (
    ActorSpec,
    ActorState,
    AnyAnswer,
    AnyCommand,
    ChildSpec,
    Drain,
    EpochAnnounced,
    Role,
    SystemPlan,
    Vitals,
)
from protocols.values import Instrument, make_instrument_id

MS = 1_000_000
LOOK_NS = 1_000 * MS
"""How long a question to a silent head hangs."""
ROLES: tuple[Role, ...] = ("alerting", "inventory", "risk_monitor", "order_manager", "market_data", "strategy")
SHARDED = ("order_manager", "market_data", "strategy")
SYMBOLS = ("BTCUSDC", "ETHUSDC")


def instrument(symbol: str) -> Instrument:
    return Instrument(
        instrument_id=make_instrument_id("binance_usdm", "main", symbol),
        version=1,
        base_asset=symbol[:3],
        quote_asset="USDC",
        margin_asset="USDC",
        tick_size=Decimal("0.1"),
        lot_size=Decimal("0.001"),
        price_ticks_min=1,
        price_ticks_max=10**9,
        quantity_lots_min=1,
        quantity_lots_max=10**9,
        notional_min=Decimal(5),
        price_multiplier_up=Decimal("1.1"),
        price_multiplier_down=Decimal("0.9"),
        open_orders_max=200,
    )


def child_spec(role: Role, shard: int, order: int, sharded: bool = True) -> ChildSpec:
    name = f"{role}-{shard}" if sharded else role
    spec = ActorSpec(
        name=name,
        role=role,
        shard=shard,
        epoch=0,
        install="1",
        account="main",
        address="",
        peers={},
        instruments=(instrument(SYMBOLS[shard]),) if sharded else (),
        symbol_codes={},
        shards=(),
        state_dir="",
        config_json="",
    )
    return ChildSpec(spec=spec, shell=f"actors.{role}.actor:Shell", start_order=order, replaceable=role != "exchange")


def system_plan(shards: int = 1, with_exchange: bool = False) -> SystemPlan:
    children = [child_spec("exchange", 0, 0, sharded=False)] if with_exchange else []
    for order, role in enumerate(ROLES, start=1):
        for shard in range(shards if role in SHARDED else 1):
            children.append(child_spec(role, shard, order, sharded=role in SHARDED))
    return SystemPlan(children=tuple(children), settings_json="", epoch_floor=10, state_dir="")


@dataclass
class Process:
    """A pretended process of a child."""

    pid: int
    epoch: int
    state: ActorState = ActorState.RUNNING
    hung: bool = False
    started: bool = True
    told: list[Any] = field(default_factory=list)


class SupervisedWorld:
    """Runs one core. `journal` holds, in order, every record and request as (kind, name) and the alerts."""

    def __init__(
        self,
        plan: SystemPlan | None = None,
        desired: c.Desired | None = None,
        processes: dict[str, Process] | None = None,
        settings: SupervisionSettings | None = None,
        epoch: int = 10,
        now_ns: int = 1_000_000_000,
        hook: Callable[[c.SupervisorRequest], bool] = lambda request: False,
        failing: frozenset[str] = frozenset(),
    ) -> None:
        self.plan = plan or system_plan()
        self.settings = settings or SupervisionSettings()
        self.desired = desired or c.Desired(system="run")
        self.processes = processes if processes is not None else {}
        self.epoch = epoch
        self.now_ns = now_ns
        self.stop_file: str | None = None
        self.requests: list[c.SupervisorRequest] = []
        self.history: list[str] = []
        self.alerts: list[Alert] = []
        self.answers: dict[int, AnyAnswer] = {}
        self.drains = True
        self.unkillable: set[str] = set()
        self.failing: set[str] | frozenset[str] = failing
        self.deaf: set[str] = set()
        self.epochs_refused = 0
        self.alive: set[str] | None = {node.name for node in self.plan.nodes}
        """Living nodes; None while the head does not answer."""
        self.stop_files: set[str] = set()
        self.specs: dict[str, ActorSpec] = {}
        self.arm_clears = True
        self.starved: set[str] = set()
        """Who waits for a processor, by the agents' word."""
        self.memory_mb: dict[str, int] = {}
        """What the agents measure, by actor."""
        self.hook = hook
        self._queue: deque[Any] = deque()
        self._silences: list[tuple[int, c.ChildProbed | c.HeadSilent]] = []
        self._pid = 100
        self._tick_ns = 0
        self.core = SupervisorCore(self.plan, self.settings, self.desired, Self(name="supervisor", pid=1, epoch=epoch))
        self._carry_out(self.core.start(self.now_ns))
        self._settle()

    def run(self, milliseconds: int) -> None:
        """Let virtual time pass, tick by tick."""
        end_ns = self.now_ns + milliseconds * MS
        while True:
            silent_ns = min((at_ns for at_ns, _ in self._silences), default=end_ns + 1)
            if min(silent_ns, self._tick_ns) > end_ns:
                break
            self.now_ns = max(self.now_ns, min(silent_ns, self._tick_ns))
            if silent_ns <= self._tick_ns:
                due = [message for at_ns, message in self._silences if at_ns <= silent_ns]
                self._silences = [(at_ns, message) for at_ns, message in self._silences if at_ns > silent_ns]
                self._queue.extend(due)
                self._settle()
            else:
                self.give(TimerFired(name=TICK))
        self.now_ns = end_ns

    def give(self, message: Any) -> None:
        """Give the core one message and carry out everything that follows from it."""
        self._queue.append(message)
        self._settle()

    def ask(self, command: AnyCommand, ask_id: int = 1) -> AnyAnswer | None:
        """Give a command; its answer when it was given at once."""
        self.give(c.CommandGiven(ask_id=ask_id, command=command))
        return self.answers.get(ask_id)

    def die(self, name: str) -> None:
        """SIGKILL from outside."""
        process = self.processes.pop(name)
        self.give(c.ChildDied(name=name, epoch=process.epoch, text="killed"))

    def state_of(self, name: str) -> ActorState:
        return next(actor.state for actor in self.core.status().actors if actor.name == name)

    def starts(self) -> list[str]:
        return [line.removeprefix("start ") for line in self.history if line.startswith("start ")]

    def alert_codes(self) -> list[AlertCode]:
        return [alert.code for alert in self.alerts]

    def told(self, name: str, kind: type[Any]) -> list[Any]:
        return [message for message in self.processes[name].told if isinstance(message, kind)]

    def _settle(self) -> None:
        for _ in range(100_000):
            if not self._queue:
                return
            self._carry_out(self.core.handle(self._queue.popleft(), self.now_ns))
        raise AssertionError("the supervisor's world does not come to rest")

    def _carry_out(self, effects: list[Any]) -> None:
        for effect in effects:
            match effect:
                case Call(request=request):
                    self.requests.append(request)
                    if not self.hook(request):
                        self._do(request)
                case Append(record=c.Desired() as desired):
                    assert msgspec.msgpack.decode(msgspec.msgpack.encode(desired), type=c.Desired) == desired
                    self.desired = desired
                    self.history.append("desired")
                case Append(record=c.StopLatch(present=present, reason=reason)):
                    self.stop_file = reason if present else None
                    self.history.append(f"stop file {'present' if present else 'absent'}")
                case Append(record=c.SettingsJournaled()):
                    self.history.append("settings journaled")
                case SetTimer(name=name, at_ns=at_ns):
                    assert name == TICK
                    self._tick_ns = at_ns
                case Publish(body=alert):
                    self.alerts.append(alert)
                case Log():
                    pass
                case _:
                    raise AssertionError(f"not an effect of the supervisor: {effect}")

    def _do(self, request: c.SupervisorRequest) -> None:
        match request:
            case c.FindChildren(names=names):
                found = tuple(self._found(name) for name in names if name in self.processes)
                self._queue.append(c.ChildrenFound(found=found))
            case c.AllocateEpoch(name=name, floor=floor):
                self._allocate(name, floor)
            case c.TellChild():
                self._tell(request)
            case c.StartChild(child=child):
                self._start(child)
            case c.WatchChild(name=name, epoch=epoch):
                if name not in self.processes:
                    self._queue.append(c.ChildDied(name=name, epoch=epoch, text="gone"))
            case c.ProbeChild(name=name, epoch=epoch, wait_ms=wait_ms):
                probed = c.ChildProbed(name=name, epoch=epoch, vitals=self._vitals(name), text="silent")
                if probed.vitals is None:
                    self._silences.append((self.now_ns + wait_ms * MS, probed))
                else:
                    self._queue.append(probed)
            case c.ReadChild(name=name, epoch=epoch):
                snapshot = {"position": 3} if name in self.processes else None
                self._queue.append(c.ChildRead(name=name, epoch=epoch, snapshot=snapshot, io={}))
            case c.StopChild(name=name, epoch=epoch) | c.KillChild(name=name, epoch=epoch):
                self.history.append(f"{'stop' if isinstance(request, c.StopChild) else 'kill'} {name}")
                gone = name not in self.unkillable
                if gone:
                    self.processes.pop(name, None)
                self._queue.append(c.ChildGone(name=name, epoch=epoch, gone=gone))
            case c.ClearVenue(shard=shard, symbols=symbols):
                self.history.append(f"clear {','.join(symbols)}")
                self._queue.append(c.VenueCleared(shard=shard, cleared=self.arm_clears, text="the arm ran"))
            case c.FlattenVenue():
                self.history.append("flatten")
            case c.GiveAnswer(ask_id=ask_id, answer=answer):
                self.answers[ask_id] = answer
            case c.Beat(node=node, pids=pids, doubted=doubted):
                memory = {name: self.memory_mb[name] * 1_000_000 for name in pids if name in self.memory_mb}
                if node == self.core.status().actors[0].node and c.SELF in self.memory_mb:
                    memory[c.SELF] = self.memory_mb[c.SELF] * 1_000_000
                starved = tuple(name for name in doubted if name in self.starved)
                beaten = c.NodeBeaten(
                    node=node, stop_file=node in self.stop_files, memory_bytes=memory, starved=starved
                )
                self._queue.append(beaten)
            case c.EndSelf():
                self.history.append("end self")
            case c.LatchNode(node=node, present=present):
                self.history.append(f"{'latch' if present else 'lift'} {node}")
                if present:
                    self.stop_files.add(node)
                else:
                    self.stop_files.discard(node)
                self._queue.append(c.NodeLatched(node=node, present=present))
            case c.LookAtNodes():
                if self.alive is None:
                    self._silences.append((self.now_ns + LOOK_NS, c.HeadSilent(text="the head is away")))
                else:
                    self._queue.append(c.NodesSeen(alive=tuple(sorted(self.alive))))

    def _found(self, name: str) -> c.FoundChild:
        process = self.processes[name]
        answered = not process.hung
        epoch = process.epoch if answered else 0
        return c.FoundChild(name=name, pid=process.pid, epoch=epoch, answered=answered, started=process.started)

    def _allocate(self, name: str, floor: int) -> None:
        if self.epochs_refused:
            self.epochs_refused -= 1
            self._queue.append(c.EpochRefused(name=name, text="the epoch file is damaged"))
            return
        self.epoch = max(self.epoch, floor) + 1
        self._queue.append(c.EpochAllocated(name=name, epoch=self.epoch))

    def _tell(self, request: c.TellChild) -> None:
        process = self.processes.get(request.name)
        reached = process is not None and not process.hung and request.name not in self.deaf
        if process is not None and reached:
            process.told.append(request.message)
            subject = f" of {request.message.name}" if isinstance(request.message, EpochAnnounced) else ""
            self.history.append(f"tell {request.name} {type(request.message).__name__}{subject}")
            if isinstance(request.message, Drain) and self.drains:
                process.state = ActorState.STOPPED
        told = c.ChildTold(name=request.name, epoch=request.epoch, message=request.message, reached=reached)
        self._queue.append(told)

    def _start(self, child: ChildSpec) -> None:
        spec = child.spec
        assert spec.name not in self.processes, f"{spec.name} is started while its last process lives"
        self.history.append(f"start {spec.name}")
        self.specs[spec.name] = spec
        if spec.name in self.failing:
            self._queue.append(c.ChildFailed(name=spec.name, epoch=spec.epoch, text="no key"))
            return
        self._pid += 1
        self.processes[spec.name] = Process(pid=self._pid, epoch=spec.epoch)
        self._queue.append(c.ChildStarted(name=spec.name, epoch=spec.epoch, pid=self._pid))

    def _vitals(self, name: str) -> Vitals | None:
        process = self.processes.get(name)
        if process is None or process.hung:
            return None
        return Vitals(
            name=name,
            pid=process.pid,
            epoch=process.epoch,
            state=process.state,
            loop_lag_ns=0,
            messages_in=0,
            messages_out=0,
            refused=0,
            link_ages_ns={},
            queue_depths={},
            gc_pause_ns_max=0,
        )
