"""Rows in which a process lives and cannot do its work: it hangs, or wants disk, memory, a processor, files."""

from __future__ import annotations

from configs.schema import Settings
from ops.chaos.rows import (
    BOOK_S,
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

BLOCKED = "in a loop that is blocked for 30 s"
FROZEN = "SIGSTOP, SIGCONT after 10 s or when it was killed"
HOGGED = "in C code that keeps the interpreter"
LEAK_MB_PER_S = 50
LEAK_MB_MAX = 300
"""Bound of an actor's memory in the rows of a leak: it is reached after some seconds."""


def want_rows(settings: Settings) -> tuple[Row, ...]:
    """The rows, with the bounds that follow from the settings."""
    fenced_s = fence_s(settings) + QUOTING_S
    return (
        Row(
            key="9b",
            fault=f"supervisor {FROZEN}",
            injection=Injection.FREEZE,
            victims=("supervisor",),
            alerts=HUNG,
            safe=Safe.TENDED,
            bounds=Bounds(detected_s=HANG_S, safe_s=OTHER_S, quoting_s=QUOTING_S),
        ),
        _hung("13", "order_manager", BLOCKED, Injection.BLOCK, OTHER_S, fenced_s),
        _hung("13b", "strategy", BLOCKED, Injection.BLOCK, BOOK_S, QUOTING_S),
        _hung("14", "order_manager", FROZEN, Injection.FREEZE, OTHER_S, fenced_s),
        _hung("14b", "market_data", FROZEN, Injection.FREEZE, BOOK_S, QUOTING_S),
        _hung("14c", "risk_monitor", FROZEN, Injection.FREEZE, OTHER_S, QUOTING_S, Safe.LEASED),
        _hung("15", "order_manager", HOGGED, Injection.HOG, OTHER_S, fenced_s),
        _hung("15b", "inventory", HOGGED, Injection.HOG, OTHER_S, QUOTING_S, Safe.TENDED),
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


def _hung(
    key: str, role: Role, how: str, injection: Injection, safe_s: float, quoting_s: float, safe: Safe = Safe.GONE
) -> Row:
    return Row(
        key=key,
        fault=f"{role.replace('_', ' ')} {how}",
        injection=injection,
        victims=(role,),
        alerts=HUNG,
        safe=safe,
        restarted=role if safe is Safe.GONE else None,
        bounds=Bounds(detected_s=HANG_S, safe_s=HANG_S + safe_s, quoting_s=HANG_S + quoting_s),
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
