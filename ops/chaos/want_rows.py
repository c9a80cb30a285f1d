"""Rows in which a process lives and cannot do its work: it hangs, or wants disk, memory, a processor, files."""

from __future__ import annotations

from configs.schema import Settings
from ops.chaos.rows import (
    HANG_S,
    HUNG,
    OTHER_S,
    QUOTING_S,
    Bounds,
    Injection,
    Row,
    Safe,
    fence_s,
)
from protocols.messages.alerts import AlertCode
from protocols.messages.control import Role

LEAK_MB_PER_S = 50
LEAK_MB_MAX = 300
"""Bound of an actor's memory in the rows of a leak: it is reached after some seconds."""


def want_rows(settings: Settings) -> tuple[Row, ...]:
    """The rows, with the bounds that follow from the settings."""
    fenced_s = fence_s(settings) + QUOTING_S
    return (
        Row(
            key="9b",
            fault="supervisor SIGSTOP, SIGCONT after 10 s",
            injection=Injection.FREEZE,
            victims=("supervisor",),
            alerts=HUNG,
            safe=Safe.TENDED,
            bounds=Bounds(detected_s=HANG_S, safe_s=OTHER_S, quoting_s=QUOTING_S),
        ),
        _hung("13", "order manager's main loop blocked for 30 s", Injection.BLOCK, fenced_s),
        _hung("14", "order manager SIGSTOP, SIGCONT after 10 s", Injection.FREEZE, fenced_s),
        _hung("15", "order manager in C code that keeps the interpreter", Injection.HOG, fenced_s),
        Row(
            key="54",
            fault="disk full under the order manager: everything stops; then resume",
            injection=Injection.FULL_DISK,
            victims=("order_manager",),
            alerts=(AlertCode.JOURNAL_FAILED,),
            safe=Safe.EMPTY,
            bounds=Bounds(detected_s=2.0, safe_s=2.0, quoting_s=fenced_s),
        ),
        _leaking("56", "strategy", QUOTING_S),
        _leaking("56b", "order_manager", fenced_s),
        Row(
            key="57",
            fault="two busy processes on every core for 8 s",
            injection=Injection.STARVE,
            safe=Safe.TENDED,
            bounds=Bounds(safe_s=OTHER_S, quoting_s=8.0 + QUOTING_S),
        ),
        Row(
            key="58",
            fault="order manager can open no file, its private socket is reset; for 4 s",
            injection=Injection.NO_FILES,
            victims=("order_manager",),
            alerts=(AlertCode.USER_STREAM_LOST,),
            safe=Safe.EMPTY,
            bounds=Bounds(safe_s=OTHER_S, quoting_s=QUOTING_S),
        ),
    )


def _hung(key: str, fault: str, injection: Injection, quoting_s: float) -> Row:
    return Row(
        key=key,
        fault=fault,
        injection=injection,
        victims=("order_manager",),
        alerts=HUNG,
        safe=Safe.GONE,
        restarted="order_manager",
        bounds=Bounds(detected_s=HANG_S, safe_s=HANG_S + OTHER_S, quoting_s=HANG_S + quoting_s),
    )


def _leaking(key: str, role: Role, quoting_s: float) -> Row:
    """Counted from the first byte; nobody can know of it before the bound is reached."""
    reached_s = LEAK_MB_MAX / LEAK_MB_PER_S
    return Row(
        key=key,
        fault=f"{role.replace('_', ' ')} grows by {LEAK_MB_PER_S} MB a second, its bound is {LEAK_MB_MAX}",
        injection=Injection.LEAK,
        victims=(role,),
        alerts=(AlertCode.MEMORY_EXCEEDED,),
        safe=Safe.GONE,
        restarted=role,
        bounds=Bounds(
            detected_s=reached_s + HANG_S, safe_s=reached_s + HANG_S + OTHER_S, quoting_s=reached_s + HANG_S + quoting_s
        ),
    )
