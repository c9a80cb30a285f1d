"""The rows of the fault matrix that are faults of processes: what is broken, what has to be seen, and within which bounds."""

from __future__ import annotations

import enum

import msgspec

from configs.schema import Settings
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
    VENUE = "venue killed and restarted"


class Safe(enum.StrEnum):
    """What ends the danger of a fault."""

    GONE = "every quote from before the replacement left the venue's book"
    LEASED = "quotes are gone, or an order was accepted that only a lease given after the fault allows"
    TENDED = "quotes are gone, or an order was accepted after the fault: the gate's conditions held, so they are tended"
    NONE = "nothing becomes unsafe"


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds after the fault; None where nothing is promised."""

    detected_s: float | None = None
    safe_s: float | None = None
    quoting_s: float | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `victims` are the roles that are hurt; `alerts` the codes of which one must name each victim or, without victims, be raised.

    `quotes_again` says whether the system has to quote after the fault. `restarted` is the role whose replacement gives quotes a
    new reason (None: none is replaced).
    """

    number: int
    fault: str
    injection: Injection
    bounds: Bounds
    safe: Safe
    victims: tuple[Role, ...] = ()
    alerts: tuple[AlertCode, ...] = ()
    restarted: Role | None = None
    quotes_again: bool = True


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


def rows(settings: Settings) -> dict[int, Row]:
    """Every row that can be run, by its number in the matrix, with the bounds that follow from the settings."""
    fenced_s = fence_s(settings) + QUOTING_S
    countdown_s = settings.order_manager.countdown_ms / 1_000 + 1.0
    listed = (
        _killed(1, "market_data", BOOK_S, QUOTING_S, Safe.GONE),
        _killed(2, "order_manager", OTHER_S, fenced_s, Safe.GONE),
        _killed(5, "risk_monitor", OTHER_S, QUOTING_S, Safe.LEASED),
        _killed(6, "strategy", BOOK_S, QUOTING_S, Safe.GONE),
        _killed(7, "inventory", OTHER_S, QUOTING_S, Safe.TENDED),
        _killed(8, "alerting", OTHER_S, QUOTING_S, Safe.TENDED),
        Row(
            number=9,
            fault="SIGKILL supervisor",
            injection=Injection.KILL,
            victims=("supervisor",),
            alerts=DIED,
            safe=Safe.TENDED,
            bounds=Bounds(detected_s=SUPERVISOR_S, safe_s=OTHER_S, quoting_s=QUOTING_S),
        ),
        Row(
            number=10,
            fault="SIGKILL supervisor and order manager",
            injection=Injection.KILL,
            victims=("supervisor", "order_manager"),
            alerts=DIED,
            safe=Safe.GONE,
            restarted="order_manager",
            bounds=Bounds(detected_s=SUPERVISOR_S, safe_s=SUPERVISOR_S + OTHER_S, quoting_s=SUPERVISOR_S + fenced_s),
        ),
        Row(
            number=11,
            fault="SIGKILL supervisor and every actor at once",
            injection=Injection.KILL,
            victims=EVERYBODY,
            alerts=DIED,
            safe=Safe.GONE,
            restarted="order_manager",
            bounds=Bounds(detected_s=SUPERVISOR_S, safe_s=countdown_s, quoting_s=15.0),
        ),
        _hung(13, "order manager's main loop blocked for 30 s", Injection.BLOCK, fenced_s),
        _hung(14, "order manager SIGSTOP, SIGCONT after 10 s", Injection.FREEZE, fenced_s),
        Row(
            number=23,
            fault="Ctrl-C: ordered shutdown",
            injection=Injection.INTERRUPT,
            safe=Safe.GONE,
            quotes_again=False,
            bounds=Bounds(safe_s=10.0),
        ),
        Row(
            number=25,
            fault="emergency stop while quoting, then resume",
            injection=Injection.STOP,
            alerts=(AlertCode.EMERGENCY_STOP,),
            safe=Safe.GONE,
            bounds=Bounds(detected_s=0.2, safe_s=2.0),
        ),
        Row(
            number=27,
            fault="second start on the same state directory",
            injection=Injection.SECOND_START,
            safe=Safe.NONE,
            bounds=Bounds(detected_s=1.0),
        ),
        Row(
            number=45,
            fault="venue SIGKILL, restarted after 2 s",
            injection=Injection.VENUE,
            alerts=(AlertCode.USER_STREAM_LOST, AlertCode.FEED_LOST, AlertCode.FEED_STALE),
            safe=Safe.GONE,
            bounds=Bounds(detected_s=HANG_S, safe_s=15.0, quoting_s=15.0),
        ),
    )
    return {row.number: row for row in listed}


NOT_RUN = {
    3: "no hook between write and answer; raymaker simulate crashes there",
    4: "no hook at the journal's points; raymaker simulate crashes there",
    16: "needs a second Ray node",
    17: "needs a second Ray node",
    19: "needs a head that survives its store",
    28: "needs a fault proxy",
    29: "needs a fault proxy",
    33: "needs a fault proxy",
    36: "needs a fault proxy",
    37: "needs a fault proxy",
    38: "needs a fault proxy",
    41: "needs a fault proxy",
    54: "needs a small disk",
    60: "needs a webhook that fails",
}
"""Rows of the minimum set that are not injected on live processes yet, and why. They are never counted as passed."""


def _killed(number: int, role: Role, safe_s: float, quoting_s: float, safe: Safe) -> Row:
    return Row(
        number=number,
        fault=f"SIGKILL {role.replace('_', ' ')}",
        injection=Injection.KILL,
        victims=(role,),
        alerts=DIED,
        safe=safe,
        restarted=role if safe is Safe.GONE else None,
        bounds=Bounds(detected_s=NOTICED_S, safe_s=safe_s, quoting_s=quoting_s),
    )


def _hung(number: int, fault: str, injection: Injection, quoting_s: float) -> Row:
    return Row(
        number=number,
        fault=fault,
        injection=injection,
        victims=("order_manager",),
        alerts=HUNG,
        safe=Safe.GONE,
        restarted="order_manager",
        bounds=Bounds(detected_s=HANG_S, safe_s=HANG_S + OTHER_S, quoting_s=HANG_S + quoting_s),
    )
