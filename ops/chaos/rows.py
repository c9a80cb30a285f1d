"""What a row of the fault matrix is: what is broken, what has to be seen, and within which bounds."""

from __future__ import annotations

import enum

import msgspec

from configs.schema import Settings
from ops.chaos.proxy.rules import Rule, Way
from protocols.messages.alerts import AlertCode
from protocols.messages.control import Role


class Injection(enum.StrEnum):
    """How a fault gets into a running system."""

    KILL = "SIGKILL"
    FREEZE = "SIGSTOP, SIGCONT after 10 s"
    BLOCK = "blocked main loop"
    INTERRUPT = "SIGINT to the command"
    STOP = "emergency stop"
    SECOND_START = "second start"
    BAD_SETTINGS = "an edit of the configuration that cannot be"
    SLOW_SCRAPE = "metrics asked for and never read"
    VENUE = "venue killed and restarted"
    NETWORK = "what the proxy does to the bytes"
    OUTLAST = "what the proxy does to the bytes, until everything of ours has stopped"
    KILL_IN_FLIGHT = "SIGKILL while the proxy holds answers or requests"
    DIE_AT = "SIGKILL from inside at a point of the journal"
    KILL_ALWAYS = "SIGKILL of every new process of the role"
    NO_START = "SIGKILL, and the journal locked by somebody else"
    HOG = "C code that keeps the interpreter"
    STOP_HURT = "emergency stop of a system without a working order manager"
    TOTAL_DEATH = "SIGKILL of every process of ours, Ray's too"
    FULL_DISK = "RLIMIT_FSIZE on the live process"
    STARVE = "busy processes on every core"
    LEAK = "memory that grows inside a living actor"
    NO_FILES = "RLIMIT_NOFILE on the live process, its private socket reset"
    NODE = "a node, or the head, of a system on two local nodes"
    WEBHOOK = "a local webhook that fails"
    ASKED = "a fault that the venue is asked for"
    STRANGER = "another program with the same key"


NO_HEAD, DEAD_HEAD, DIRECT = "no head", "dead head", "direct"
"""Variants of commands: of a system whose head is away, whose head dies, and of the stop that needs neither."""

TRADES = "trades"
"""Variant of a stranger that leaves an order behind: a symbol on which it rests is not quoted by a new order manager."""

RESUMED = "resumed"
"""Variant of a fault after which a person has to resume."""

DAMAGED = "damaged"
"""Variant of an order manager that cannot start: its journal is no journal any more."""

STORE, HOME = "gcs", "home"
"""Variants of a total death: of Ray's store, which takes everything with it, and of the first of two nodes."""


class Safe(enum.StrEnum):
    """What ends the danger of a fault."""

    GONE = "every quote from before the replacement left the venue's book"
    EMPTY = "no quote of ours rests, symbol by symbol"
    LEASED = "quotes are gone, or an order was taken that only a lease given after the fault allows"
    TENDED = (
        "quotes are gone, or an order was taken after the fault, or each order manager shows an open gate whose book, targets and lease "
        "are all younger than the fault: the gate's conditions held, so they are tended"
    )
    RESOLVED = "what the fault touched is in the journal as the venue has it"
    NONE = "nothing becomes unsafe"


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds after the fault; None where nothing is promised."""

    detected_s: float | None = None
    safe_s: float | None = None
    quoting_s: float | None = None


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A fault of the network: rules of the proxy for a time, RSTs at its beginning.

    The rules end after `for_s`, or as soon as they have treated `touched` units (then the fault began with the first of them).
    `returns`: the fault lasts until the rules end, and quoting again is counted from there.
    """

    rules: tuple[Rule, ...] = ()
    reset: tuple[Way, ...] = ()
    for_s: float = 0.0
    touched: int = 0
    returns: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `victims` are the roles that are hurt; `alerts` the codes of which one must name each victim or, without victims, be raised.

    `key` is the number in the matrix, with a letter for a variant of it. `quotes_again` says whether the system has to quote after the
    fault. `restarted` is the role whose replacement gives quotes a new reason (None: none is replaced). `asked` is what the venue is
    asked to do wrong (actors/exchange/README.md), `variant` is for the injection to understand. `watch_s` is how long at most is waited
    for what has to be seen.
    """

    key: str
    fault: str
    injection: Injection
    bounds: Bounds
    safe: Safe
    victims: tuple[Role, ...] = ()
    alerts: tuple[AlertCode, ...] = ()
    restarted: Role | None = None
    quotes_again: bool = True
    network: Network | None = None
    asked: dict[str, object] = {}
    variant: str = ""
    watch_s: float = 25.0

    @property
    def needs_two_nodes(self) -> bool:
        """Whether it is played on two local nodes."""
        return self.injection is Injection.NODE or self.variant in (NO_HEAD, DIRECT, HOME)


DIED = (AlertCode.ACTOR_DIED, AlertCode.ACTOR_HUNG)
HUNG = (AlertCode.ACTOR_HUNG, AlertCode.ACTOR_DIED)
NOTICED_S = 0.5
"""No bar is named for noticing a death; this one is ten times what Ray needs, and less than any bound that rests on it."""

HANG_S = 1.5
BOOK_S = 0.6
OTHER_S = 2.5
QUOTING_S = 5.0
SUPERVISOR_S = 2.0
"""The supervisor's own return, before it can replace anybody (fault matrix, row 9)."""

NEW_START_S = 30.0
"""From the command of a new start to quotes: Ray, the checks of the venue, the actors, the fence."""

EVERYBODY: tuple[Role, ...] = (
    "supervisor",
    "alerting",
    "inventory",
    "risk_monitor",
    "order_manager",
    "market_data",
    "strategy",
)


def fence_s(settings: Settings) -> float:
    """How long a replaced order manager waits before it may place: lease, window, clock error and slack (DESIGN.md section 6)."""
    own = settings.order_manager
    return (settings.risk.lease_ms + own.window_ms + own.clock_error_ms_max + own.dead_slack_ms) / 1_000


def countdown_s(settings: Settings) -> float:
    """When the venue's own countdown has cleared everything, at the latest."""
    return settings.order_manager.countdown_ms / 1_000 + 1.0


def resolved_s(settings: Settings) -> float:
    """When an order without an answer is resolved, while the venue's reads are fresh."""
    return settings.order_manager.window_ms / 1_000 + 3.0


def order_of(key: str) -> tuple[int, str]:
    """For sorting keys: by number, then by variant."""
    digits = key.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits), key[len(digits) :]
