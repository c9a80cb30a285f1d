"""What a core is, and what it may ask its host to do.

A core is told the time and returns effects; the host carries them out strictly in the order given. Cores know no clock, no
randomness of their own, no log, no socket and no Ray, so the same core runs live, simulated and replayed.
"""

from __future__ import annotations

import enum
from typing import Any, Protocol

import msgspec

from protocols.envelope import Message


class LogLevel(enum.StrEnum):
    """Severity of a log line."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Publish(msgspec.Struct, frozen=True, gc=False):
    """Give `body` to every connected reader whose route accepts it (protocols/mailboxes.py, ROUTES)."""

    body: Message


class Send(msgspec.Struct, frozen=True, gc=False):
    """Give `body` to the one reader named `to` (an actor name such as `order_manager-1`)."""

    to: str
    body: Message


class Append(msgspec.Struct, frozen=True, gc=False):
    """Write `record` to the actor's journal before any later effect of the same list."""

    record: Message


class Call(msgspec.Struct, frozen=True, gc=False):
    """Send a request (protocols/venue) to the venue; its outcome comes back as a message."""

    request: Message


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Deliver `TimerFired(name)` at `at_ns`. Setting a name again moves it; `at_ns=0` removes it."""

    name: str
    at_ns: int


class ShutNode(msgspec.Struct, frozen=True, gc=False):
    """Stop everything, at once and until a person resumes: the host writes the node's stop file, and the supervisor latches it."""

    reason: str


class Log(msgspec.Struct, frozen=True, gc=False):
    """Write a line to the actor's log after the list has been carried out."""

    level: LogLevel
    text: str


Effect = Publish | Send | Append | Call | SetTimer | ShutNode | Log


class Core(Protocol):
    """A pure decision maker.

    `start` gives the effects of coming to life (first timers, first requests). `handle` takes one message of the mailbox.
    `snapshot` returns a msgspec.Struct of builtins: the one view that status, reports and metrics read.
    """

    def start(self, now_ns: int) -> list[Effect]: ...

    def handle(self, message: Any, now_ns: int) -> list[Effect]: ...

    def snapshot(self) -> msgspec.Struct: ...


class TimerFired(Message, frozen=True, kw_only=True):
    """A timer set by the core is due."""

    name: str


class LinkChanged(Message, frozen=True, kw_only=True):
    """The link from `peer` (an actor name) came up or went down. `backlog` is what waits for it, in messages."""

    peer: str
    up: bool
    epoch: int = 0


class JournalStalled(Message, frozen=True, kw_only=True):
    """A sync of the actor's journal has been under way for too long, or (`stalled` false) has ended after all: what is written since is
    not on file for certain.
    """

    stalled: bool
    age_ns: int


class OutboxFull(Message, frozen=True, kw_only=True):
    """An ordered link to `reader` holds its limit of unacknowledged messages: stop quoting until `full` is false."""

    reader: str
    full: bool
