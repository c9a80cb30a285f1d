"""The command line's way to the supervisor: questions are repeated while it is being replaced, orders never."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import msgspec

from actors.runtime.ray_cluster import NotRunning, running_cluster
from actors.runtime.ray_host import (
    ActorGone,
    ActorRef,
    CallFailed,
    RayHostError,
    at_head_now,
    attach,
    check_head,
    detach,
    find,
)
from actors.runtime.state_dir import StateDir
from protocols.messages.control import Answer, AnyAnswer, AnyCommand, GetStatus, SystemStatus

RETRY_PAUSE_S = 0.1
JOIN_AGAIN_S = 5.0
"""A client that was not answered for so long joins Ray anew."""


class SupervisorClient:
    """The command line's way to the supervisor."""

    def __init__(self, name: str, state: StateDir, marker: str) -> None:
        """Args: state: of the system; marker: of the Ray that it leads to."""
        self._name = name
        self._state = state
        self._found: ActorRef | None = None
        self._silent_since_s: float | None = None
        self._is_attached = True
        self.marker = marker

    def ask(self, command: AnyCommand, timeout_s: float = 30.0) -> AnyAnswer:
        """Give one command and return its answer. Questions are repeated while the supervisor is being restarted; orders never.

        Raises:
            NotRunning: there is no supervisor.
            CallFailed: no answer in time; the command may or may not have been carried out.
            CallRefused: the supervisor refused it.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                reply = self._ask_once(command, max(0.1, deadline - time.monotonic()))
                self._silent_since_s = None
                return msgspec.msgpack.decode(reply, type=SystemStatus | Answer)
            except CallFailed:
                if not isinstance(command, GetStatus) or time.monotonic() + RETRY_PAUSE_S >= deadline:
                    raise
                self._join_again()
                time.sleep(RETRY_PAUSE_S)

    def _join_again(self) -> None:
        """A client hears nothing of a supervisor that was replaced while the head was away: only a new one finds the successor."""
        now_s = time.monotonic()
        self._silent_since_s = self._silent_since_s or now_s
        if now_s - self._silent_since_s < JOIN_AGAIN_S:
            return
        self._silent_since_s = now_s
        with contextlib.suppress(RayHostError, NotRunning):
            check_head(running_cluster(self._state).address)
            self._found, self._is_attached = None, False
            detach()
            self._attached()

    def _attached(self) -> None:
        if not self._is_attached:
            attach(self._state)
            self._is_attached = True

    def close(self) -> None:
        """Leave; the system goes on."""
        detach()

    def _ask_once(self, command: AnyCommand, timeout_s: float) -> bytes:
        """By the name's first finding: later the head may be away, where a supervisor that is there needs none."""
        self._attached()
        self._found = self._found or at_head_now(lambda: find(self._name))
        if self._found is None:
            raise NotRunning("Ray runs but the supervisor does not: run `raymaker down`, then `raymaker up`")
        try:
            return self._found.ask(msgspec.msgpack.encode(command), timeout_s)
        except ActorGone:
            self._found = None
            raise


def connect(state_dir: Path | str, supervisor: str = "supervisor") -> SupervisorClient:
    """Join the system that runs on a state directory; takes about a second.

    Raises:
        NotRunning: nothing runs there.
        RayHostError: it runs and does not answer.
    """
    state = StateDir(state_dir)
    return SupervisorClient(supervisor, state, attach(state).marker)
