"""One run of a system from the command line: start, watch until it is over, stop with orders confirmed gone.

SIGINT and SIGTERM end the watching; a start is abandoned by them after its current step, and a stop is not disturbed.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType

from actors.runtime.ray_cluster import has_head, was_stopped
from actors.runtime.state_dir import StateDir
from configs.schema import Settings
from ops.cli.table import Watch
from ops.launch import (
    Ending,
    LaunchFailed,
    RayHostError,
    SupervisorClient,
    launch,
    shut_down,
    status_of,
    wait_until_quoting,
)
from protocols.messages.control import SystemStatus

STATUS_PERIOD_S = 1.0
SILENCE_S_MAX = 30.0
HEADLESS_S_MAX = 11.0
"""Longer than another command takes between the end of Ray and the word that it has stopped it."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Session:
    """A system that this command started. As a context manager it stops the system on the way out, unless it is left running."""

    def __init__(
        self,
        settings: Settings,
        state: StateDir,
        say: Callable[[str], None],
        ends_with_us: bool = False,
        config_file: str = "",
        new_state: bool = False,
    ) -> None:
        """Describe the run; `start` begins it.

        Args:
            settings: prepared (ops/preparation.py).
            config_file: an edit of it applies while the system runs; empty where there is none.
            new_state: the state directory may be a new one although our orders are known at a live venue.
            ends_with_us: nothing of the system outlives this process, not even a SIGKILL of it.
        """
        self.settings = settings
        self.state = state
        self.ending: Ending | None = None
        self.status: SystemStatus | None = None
        self.ended_elsewhere = False
        """Another command stopped the system while this one watched it."""
        self._say = say
        self._ends_with_us = ends_with_us
        self._config_file = config_file
        self._new_state = new_state
        self._client: SupervisorClient | None = None
        self._interrupted = False
        self._former: dict[int, object] = {}

    def __enter__(self) -> Session:
        self._catch_signals()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._client is not None and not self.ended_elsewhere:
                self.ending = shut_down(self._client, self.state, self.settings, self._say)
        finally:
            self._release_signals()

    def start(self) -> None:
        """Bring the system up and wait until its books are synchronised, or a signal came.

        Raises:
            AlreadyRunning: a system runs on this state directory.
            StartAbandoned: a signal came before there was a supervisor.
            LaunchFailed: it did not come up.
        """
        self._client = launch(
            self.settings,
            self.state,
            self._say,
            go_on=self._go_on,
            ends_with_us=self._ends_with_us,
            config_file=self._config_file,
            new_state=self._new_state,
        )
        self._catch_signals()
        try:
            self.status = wait_until_quoting(self._client, self.settings, self._say, lambda: self._interrupted)
        except RayHostError as error:
            raise LaunchFailed(str(error)) from error

    def leave_running(self) -> None:
        """Let go of the system; it goes on after this command."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def watch(self, duration_s: float | None) -> None:
        """Show the system once a second until `duration_s` is over, a signal comes, or another command has stopped it.

        Raises:
            LaunchFailed: the supervisor has not answered for SILENCE_S_MAX, or Ray is gone.
        """
        assert self._client is not None
        began = heard = time.monotonic()
        with Watch(self.settings, began, duration_s) as shown:
            while not self._interrupted and (duration_s is None or time.monotonic() - began < duration_s):
                asked = time.monotonic()
                try:
                    self.status = status_of(self._client)
                    heard = time.monotonic()
                except RayHostError as error:
                    if was_stopped(self.state):
                        self.ended_elsewhere = True
                        return
                    if time.monotonic() - heard > HEADLESS_S_MAX and not has_head(self.state):
                        raise LaunchFailed("Ray ended by itself, and with it every actor here") from error
                    if time.monotonic() - heard > SILENCE_S_MAX:
                        raise LaunchFailed(f"no status for {SILENCE_S_MAX:.0f} s: {error}") from error
                    self._say(str(error))
                else:
                    shown.show(self.status)
                end = (
                    asked + STATUS_PERIOD_S if duration_s is None else min(asked + STATUS_PERIOD_S, began + duration_s)
                )
                self._pause_until(end)

    def _pause_until(self, end: float) -> None:
        while not self._interrupted and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))

    def _catch_signals(self) -> None:
        for number in _SIGNALS:
            former = signal.signal(number, self._on_signal)
            self._former.setdefault(number, former)

    def _release_signals(self) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)  # type: ignore[arg-type]
        self._former.clear()

    def _go_on(self) -> bool:
        self._catch_signals()  # Ray puts handlers of its own in place
        return not self._interrupted

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
