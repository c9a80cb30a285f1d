"""Everything that the supervisor knows, and the effects that it has decided on so far in the current turn."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from actors.supervisor.child import Child, Phase, RestartHistory
from actors.supervisor.commands import Desired, SupervisorRecord, SupervisorRequest, TellChild
from actors.supervisor.placement import Placement
from configs.schema import SupervisionSettings
from protocols.effects import Append, Call, Effect, Log, LogLevel, Publish
from protocols.mailboxes import AnyControl
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import SystemPlan

TELL_WAIT_MS = 500
"""How long a child has to take a control message before it is tried again at the next tick."""


class SystemState:
    """The plan, the wishes on file, the children, and the effects of this turn."""

    def __init__(self, plan: SystemPlan, settings: SupervisionSettings, desired: Desired) -> None:
        self.plan = plan
        self.settings = settings
        self.desired = desired
        self.now_ns = 0
        self.found = False
        """Whether the living children have been looked for; nothing is started before."""
        self.starved: set[str] = set()
        """Nodes (by name, empty on one machine) none of whose children shows a sign of life."""
        self.placement = Placement(plan, desired.assigned)
        self.latched: set[str] = set()
        """Nodes of which it is known that their stop file is there."""
        self.children: dict[str, Child] = {}
        for spec in plan.children:
            child = Child(plan=spec, history=RestartHistory(settings))
            child.wanted = child.name not in desired.unwanted
            child.epoch = desired.epochs.get(child.name, 0)
            child.tried = desired.booted
            child.stopped = not child.wanted
            child.restarts = desired.restarts.get(child.name, 0)
            child.given_up = child.shard in desired.halted_shards and child.shard is not None
            self.children[child.name] = child
        self._out: list[Effect] = []

    @property
    def settings_json(self) -> str:
        """The settings that hold now."""
        return self.desired.settings_json or self.plan.settings_json

    def take_effects(self) -> list[Effect]:
        """The effects decided on since the last call, in order."""
        effects, self._out = self._out, []
        return effects

    def request(self, request: SupervisorRequest) -> None:
        """Ask the shell for something."""
        self._out.append(Call(request))

    def record(self, record: SupervisorRecord) -> None:
        """Put something on the disk before any later effect."""
        self._out.append(Append(record))

    def change_desired(self, **changes: object) -> None:
        """Change the wishes, on file before they are acted upon."""
        changed = msgspec.structs.replace(self.desired, **changes)
        if changed != self.desired:
            self.desired = changed
            self.record(changed)

    def alert(self, code: AlertCode, severity: Severity, subject: str, text: str) -> None:
        """Tell people, and the log."""
        alert = Alert(
            code=code, severity=severity, subject=subject, text=text, raised_ns=self.now_ns, source="supervisor"
        )
        self._out.append(Publish(alert))
        self.log(LogLevel.INFO if severity is Severity.INFO else LogLevel.WARNING, f"{subject}: {text}")

    def log(self, level: LogLevel, text: str) -> None:
        """Write a line to the log."""
        self._out.append(Log(level, text))

    def tell(self, child: Child, message: AnyControl) -> None:
        """Give a control message to a child; who needs to know asks for its outcome by ChildTold."""
        self.request(TellChild(name=child.name, epoch=child.epoch, message=message, wait_ms=TELL_WAIT_MS))

    def tell_all(self, message: AnyControl, children: Iterable[Child] | None = None) -> set[str]:
        """Give a message to every reachable child (of those named); returns their names."""
        among = self.children.values() if children is None else children
        reachable = [child for child in among if child.is_reachable]
        for child in reachable:
            self.tell(child, message)
        return {child.name for child in reachable}

    def current(self, name: str, epoch: int) -> Child | None:
        """The child, if `epoch` is still its incarnation."""
        child = self.children.get(name)
        return child if child is not None and child.epoch == epoch else None

    def named(self, name_or_role: str) -> list[Child]:
        """The children of that name or role."""
        return [child for child in self.children.values() if name_or_role in (child.name, child.role)]

    def of_shard(self, shard: int) -> list[Child]:
        """Who must know what happens to a shard: its own actors, and those that serve every shard."""
        return [child for child in self.children.values() if child.shard in (shard, None)]

    def order_managers(self) -> list[Child]:
        """Every child that can have orders at the venue."""
        return [child for child in self.children.values() if child.role == "order_manager"]

    def on_node(self, node: str) -> list[Child]:
        """The children that are placed on a node."""
        return [child for child in self.children.values() if self.placement.node_of(child.name) == node]

    def symbols(self, shard: int | None) -> tuple[str, ...]:
        """The symbols of a shard, or of all."""
        managers = [child for child in self.order_managers() if shard in (None, child.plan.spec.shard)]
        return tuple(instrument.symbol for child in managers for instrument in child.plan.spec.instruments)

    def shards(self) -> list[int]:
        """Every shard that has an order manager."""
        return sorted({child.plan.spec.shard for child in self.order_managers()})

    def reachable(self) -> list[Child]:
        """Children that control messages can be given to."""
        return [child for child in self.children.values() if child.is_reachable]

    def all_absent(self) -> bool:
        """Whether no process of any child is left."""
        return all(child.phase is Phase.ABSENT for child in self.children.values())
