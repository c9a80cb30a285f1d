"""Memory of every actor's process against its bound: told from the warning share on, above the bound ended in order and started anew.

A leak must not wait for the kernel, which would end whomever it likes.
"""

from __future__ import annotations

from actors.supervisor.child import Child, Phase
from actors.supervisor.commands import SELF, EndSelf, NodeBeaten
from actors.supervisor.lifecycle import Lifecycle
from actors.supervisor.system_state import SystemState
from protocols.messages.alerts import AlertCode, Severity

CALM_SHARE = 0.9
"""Told again only after it has fallen below this share of the warning's threshold."""

KILL_SHARE = 1.5
"""Of the bound: a child that grows on while it is being ended in order is killed."""

MB = 1_000_000


class Memory:
    """Judges what the nodes' agents measured with each beat."""

    def __init__(self, state: SystemState, lifecycle: Lifecycle) -> None:
        self._state = state
        self._lifecycle = lifecycle
        self._told: set[str] = set()
        self.own_bytes = 0
        self.own_bytes_max = state.settings.memory_bytes_max(SELF, SELF)

    def note_beaten(self, message: NodeBeaten) -> None:
        """Take the measurements of one node."""
        for name, memory_bytes in message.memory_bytes.items():
            if name == SELF:
                self._note_own(memory_bytes)
                continue
            child = self._state.children.get(name)
            if child is not None and child.pid and self._state.placement.node_of(name) == message.node:
                self._note_child(child, memory_bytes)

    def bytes_max(self, child: Child) -> int:
        """The bound of one child."""
        return self._state.settings.memory_bytes_max(child.name, child.role)

    def _note_child(self, child: Child, memory_bytes: int) -> None:
        child.memory_bytes = memory_bytes
        bytes_max = self.bytes_max(child)
        self._warn(child.name, memory_bytes, bytes_max)
        if memory_bytes <= bytes_max or self._state.desired.shutting_down:
            return
        text = _text(memory_bytes, bytes_max)
        if child.phase is Phase.UP and child.plan.replaceable:
            self._lifecycle.note_memory_exceeded(child, f"{text}: it is ended in order and started anew")
        elif child.phase is Phase.DRAINING and memory_bytes > KILL_SHARE * bytes_max:
            self._lifecycle.kill(child, f"{text}, and it grows on")

    def _note_own(self, memory_bytes: int) -> None:
        self.own_bytes = memory_bytes
        self._warn(SELF, memory_bytes, self.own_bytes_max)
        if memory_bytes > self.own_bytes_max:
            text = f"{_text(memory_bytes, self.own_bytes_max)}: the supervisor ends itself, its successor goes on"
            self._state.alert(AlertCode.MEMORY_EXCEEDED, Severity.CRITICAL, SELF, text)
            self._state.request(EndSelf())

    def _warn(self, name: str, memory_bytes: int, bytes_max: int) -> None:
        warning_bytes = self._state.settings.memory_warning_share * bytes_max
        if memory_bytes > warning_bytes and name not in self._told:
            self._told.add(name)
            text = f"{_text(memory_bytes, bytes_max)}: above it the actor is restarted"
            self._state.alert(AlertCode.MEMORY_HIGH, Severity.WARNING, name, text)
        elif memory_bytes < CALM_SHARE * warning_bytes:
            self._told.discard(name)


def _text(memory_bytes: int, bytes_max: int) -> str:
    return f"{memory_bytes // MB} MB of memory, the bound is {bytes_max // MB}"
