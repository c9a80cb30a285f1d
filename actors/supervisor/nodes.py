"""The nodes of a cluster in the supervisor's eyes: who is lost, who came, the beat of each, and the stop file on all of them."""

from __future__ import annotations

from actors.supervisor.commands import SELF, Beat, HeadSilent, LookAtNodes, NodeBeaten, NodeLatched, NodesSeen
from actors.supervisor.halting import Halting
from actors.supervisor.lifecycle import Lifecycle
from actors.supervisor.system_state import SystemState
from protocols.messages.alerts import AlertCode, Severity

HEAD_SILENT_NS = 2_000_000_000
"""A head that is silent for longer is told: its keeper has had the time to start it anew, or nearly so."""


class Nodes:
    """Looks at the nodes each tick. A system on one machine has one node without a name, which is always there."""

    def __init__(self, state: SystemState, lifecycle: Lifecycle, halting: Halting) -> None:
        self._state = state
        self._lifecycle = lifecycle
        self._halting = halting
        self._looking = False
        self._asked_ns = 0
        self._silent_since_ns = 0
        self._silence_told = False
        self._hang_told = False

    def tick(self) -> None:
        """Beat every node's agent, see that the stop file is where it has to be, and look who is alive."""
        state = self._state
        placement = state.placement
        for node in sorted(placement.alive) if placement.nodes else [""]:
            pids = {
                child.name: child.pid
                for child in state.children.values()
                if child.pid and placement.node_of(child.name) == node
            }
            doubted = tuple(name for name in pids if state.children[name].is_doubted(state.now_ns))
            state.request(Beat(pids=pids, node=node, doubted=doubted))
        if placement.nodes:
            self._halting.latch_nodes()
            if not self._looking:
                self._looking = True
                self._asked_ns = state.now_ns
                state.request(LookAtNodes())

    def note_seen(self, message: NodesSeen) -> None:
        """Take the living nodes; what ran on a lost one counts as dead, whatever its process does."""
        state = self._state
        self._looking = False
        self._silent_since_ns = 0
        if self._silence_told:
            self._silence_told = False
            state.alert(AlertCode.NODE_JOINED, Severity.INFO, "head", "Ray's head answers again")
        alive = frozenset(message.alive) & state.placement.nodes.keys()
        lost, joined = state.placement.alive - alive, alive - state.placement.alive
        state.placement.alive = alive
        for node in sorted(joined):
            state.alert(AlertCode.NODE_JOINED, Severity.INFO, node, "the node is there")
        for node in sorted(lost):
            state.latched.discard(node)
            state.alert(AlertCode.NODE_LOST, Severity.CRITICAL, node, "the node is lost: its shards move, fenced")
            self._lifecycle.note_node_lost(node)

    def note_silent(self, message: HeadSilent) -> None:
        """Running actors go on; none can be placed until the head is back. It is silent since it was first asked in vain."""
        state = self._state
        self._looking = False
        if not self._silent_since_ns:
            self._silent_since_ns = self._asked_ns
        if not self._silence_told and state.now_ns - self._silent_since_ns >= HEAD_SILENT_NS:
            self._silence_told = True
            text = f"{message.text}: actors go on, but none can be started until it is back"
            state.alert(AlertCode.HEAD_LOST, Severity.CRITICAL, "head", text)

    def note_beaten(self, message: NodeBeaten) -> None:
        """A stop file that somebody wrote on another node stops the whole system."""
        state = self._state
        if message.predecessor_hung and not self._hang_told:
            self._hang_told = True
            text = "the supervisor before this one gave no sign of life and was killed by its node's agent"
            state.alert(AlertCode.ACTOR_HUNG, Severity.WARNING, SELF, text)
        if message.node == state.placement.home or not message.stop_file or message.node in state.desired.lift_owed:
            return
        state.latched.add(message.node)
        if not state.desired.stopped:
            self._halting.stop(f"the stop file of node {message.node} exists")

    def note_latched(self, message: NodeLatched) -> None:
        """The stop file of a node is as it has to be."""
        if message.present:
            self._state.latched.add(message.node)
        else:
            self._halting.note_lifted(message.node)
