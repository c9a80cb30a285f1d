"""Signs of life: who hangs is killed; when nobody answers it is the node that starves, and nobody is."""

from __future__ import annotations

from actors.supervisor.child import Child, Phase
from actors.supervisor.commands import ChildProbed, ChildRead, NodeBeaten, ProbeChild, ReadChild
from actors.supervisor.lifecycle import Lifecycle
from actors.supervisor.system_state import SystemState
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import PullQuotes

READ_WAIT_MS = 2_000

PULL_MS = 3_000
"""How long no order manager quotes after a sign of starvation; said again while it lasts."""

STARVED_NS = 1_000_000_000
"""For so long the agent's word that a child is starved counts."""

STARVED_MISSES_MAX = 8
"""So many probes in a row are forgiven a starved child; then it is replaced all the same."""

PULL_REPEAT_NS = 1_000_000_000
"""It is said again no sooner than this."""


class Health:
    """Probes every living child each tick, and judges the answers together."""

    def __init__(self, state: SystemState, lifecycle: Lifecycle) -> None:
        self._state = state
        self._lifecycle = lifecycle
        self._read_ns = 0
        self._pulled_ns: dict[str, int] = {}

    def tick(self, late_ns: int) -> None:
        """Ask for signs of life and, less often, for snapshots. `late_ns` is how late this tick is."""
        state = self._state
        if late_ns > state.settings.health_timeout_ms * 1_000_000:
            text = f"the supervisor itself was {late_ns // 1_000_000} ms late"
            self._note_starved(state.placement.home, list(state.children.values()), text, misses_left=0)
        reading = state.now_ns - self._read_ns >= state.settings.snapshot_period_ms * 1_000_000
        if reading:
            self._read_ns = state.now_ns
        for child in state.reachable():
            if not child.probing:
                self._probe(child)
            if reading and not child.reading:
                child.reading = True
                state.request(ReadChild(name=child.name, epoch=child.epoch, wait_ms=READ_WAIT_MS))

    def note_probed(self, message: ChildProbed) -> None:
        """Count a miss; kill a child that missed too many while others answered."""
        state = self._state
        child = state.current(message.name, message.epoch)
        if child is None or not child.is_reachable:
            return
        child.probing = False
        if message.vitals is not None:
            child.vitals = message.vitals
            child.misses = child.starved_misses = 0
            state.starved.discard(state.placement.node_of(child.name))
            return
        child.misses += 1
        if child.misses < state.settings.health_misses_max:
            self._probe(child)
        elif self._nobody_answers(child):
            node = state.placement.node_of(child.name)
            self._note_starved(node, state.on_node(node), "no child of this node shows a sign of life", misses_left=1)
        elif self._is_starved(child):
            self._forgive(child, "it waits for a processor or a disk")
        elif not child.plan.replaceable:
            self._forgive(child, "nothing could take its place")
        else:
            self._lifecycle.note_unexpected_hang(child, f"{child.misses} probes without an answer: {message.text}")

    def note_beaten(self, message: NodeBeaten) -> None:
        """Who does not answer because it has no processor is not to blame."""
        for name in message.starved:
            child = self._state.children.get(name)
            if child is not None and self._state.placement.node_of(name) == message.node:
                child.starved_ns = self._state.now_ns

    def note_read(self, message: ChildRead) -> None:
        """Keep the newest snapshot."""
        child = self._state.current(message.name, message.epoch)
        if child is None:
            return
        child.reading = False
        if message.snapshot is not None:
            child.snapshot, child.io = message.snapshot, message.io

    def _is_starved(self, child: Child) -> bool:
        told_ns = self._state.now_ns - child.starved_ns
        return child.starved_ns > 0 and told_ns < STARVED_NS and child.starved_misses < STARVED_MISSES_MAX

    def _forgive(self, child: Child, why: str) -> None:
        """It is asked again; its readers judge its silence by themselves."""
        if not child.starved_misses:
            text = f"{child.misses} probes without an answer, but {why}: it is not killed"
            self._state.alert(AlertCode.ACTOR_HUNG, Severity.WARNING, child.name, text)
        child.starved_misses += 1
        child.misses -= 1
        self._probe(child)

    def _probe(self, child: Child) -> None:
        child.probing = True
        child.probed_ns = self._state.now_ns
        wait_ms = self._state.settings.health_timeout_ms
        self._state.request(ProbeChild(name=child.name, epoch=child.epoch, wait_ms=wait_ms))

    def _nobody_answers(self, child: Child) -> bool:
        beside = self._state.on_node(self._state.placement.node_of(child.name))
        others = [other for other in beside if other.phase is Phase.UP and other is not child]
        return len(others) > 0 and all(other.misses for other in others)

    def _note_starved(self, node: str, children: list[Child], text: str, misses_left: int) -> None:
        """Nobody is blamed, but nobody quotes: of what `children` missed so far at most `misses_left` counts on."""
        state = self._state
        pulled_ns = self._pulled_ns.get(node, 0)
        if not pulled_ns or state.now_ns - pulled_ns >= PULL_REPEAT_NS:
            self._pulled_ns[node] = state.now_ns
            managers = [child for child in children if child.role == "order_manager"]
            state.tell_all(PullQuotes(reason=f"the node is starved: {text}", hold_ms=PULL_MS), managers)
        for child in children:
            child.misses = min(child.misses, misses_left)
        if node not in state.starved:
            state.starved.add(node)
            state.alert(
                AlertCode.ACTOR_HUNG,
                Severity.CRITICAL,
                f"node {node}".rstrip(),
                f"the node is starved: {text}; quotes are pulled, nobody is killed",
            )
