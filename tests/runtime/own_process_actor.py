"""Shells for actors that own their process."""

from __future__ import annotations

import os
import signal
from typing import Any

from runtime.fake_actor import ScriptedCore, ScriptedShell

from configs.schema import Settings
from protocols.effects import Effect, Log, LogLevel, SetTimer
from protocols.mailboxes import MarketDataMailbox
from protocols.messages.control import ActorSpec, ActorState, Drain


class SelfEnding(ScriptedShell):
    """Logs a line, sends itself SIGTERM, and is stopped once it has drained."""

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        super().__init__(MarketDataMailbox, ScriptedCore(self.react))
        self.core.begin = [SetTimer("end", 1)]
        self.drained = False

    def react(self, message: Any) -> list[Effect]:
        if isinstance(message, Drain):
            self.drained = True
            return []
        os.kill(os.getpid(), signal.SIGTERM)
        return [Log(LogLevel.INFO, "hello from the core {braces}")]

    def state(self) -> ActorState:
        return ActorState.STOPPED if self.drained else ActorState.RUNNING


class Failing(ScriptedShell):
    """Its core raises at the first timer."""

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        super().__init__(MarketDataMailbox, ScriptedCore(self.react))
        self.core.begin = [SetTimer("fail", 1)]

    def react(self, message: Any) -> list[Effect]:
        raise AssertionError("torn")
