"""Rows that are deaths of processes: one or all, at a bad moment, again and again."""

from __future__ import annotations

import msgspec

from configs.schema import Settings
from ops.chaos.rows import (
    BOOK_S,
    DAMAGED,
    DIED,
    EVERYBODY,
    NEW_START_S,
    NOTICED_S,
    OTHER_S,
    QUOTING_S,
    SUPERVISOR_S,
    Bounds,
    Injection,
    Row,
    Safe,
    countdown_s,
    fence_s,
)
from protocols.messages.control import Role

ANSWERS, REQUESTS = "answers", "requests"
GIVEN_UP_S = 30.0


def death_rows(settings: Settings) -> tuple[Row, ...]:
    """The rows, with the bounds that follow from the settings."""
    fenced_s = fence_s(settings) + QUOTING_S
    return (
        _killed("1", "market_data", BOOK_S, QUOTING_S, Safe.GONE),
        _killed("2", "order_manager", OTHER_S, fenced_s, Safe.GONE),
        _in_flight("3", "while orders were taken and their answers are on their way", ANSWERS, fenced_s),
        _in_flight("3b", "while its orders are on their way, and arrive after it", REQUESTS, fenced_s),
        _died_at("4", "before its intent is journaled", "before", fenced_s),
        _died_at("4b", "after its intent, before the send", "after", fenced_s),
        _died_at("4c", "after the send", "sent", fenced_s),
        _killed("5", "risk_monitor", OTHER_S, QUOTING_S, Safe.LEASED),
        _killed("6", "strategy", BOOK_S, QUOTING_S, Safe.GONE),
        _killed("7", "inventory", OTHER_S, QUOTING_S, Safe.TENDED),
        _killed("8", "alerting", OTHER_S, QUOTING_S, Safe.TENDED),
        *_with_the_supervisor(settings, fenced_s),
        Row(
            key="11b",
            fault="SIGKILL of everything, Ray too; then a new start",
            injection=Injection.TOTAL_DEATH,
            safe=Safe.EMPTY,
            bounds=Bounds(safe_s=countdown_s(settings), quoting_s=NEW_START_S),
            watch_s=60.0,
        ),
        _looping("12", "SIGKILL of every strategy that starts", Injection.KILL_ALWAYS, "strategy", fenced_s),
        _looping(
            "12b",
            "order manager cannot start: its journal is locked",
            Injection.NO_START,
            "order_manager",
            fenced_s,
        ),
        msgspec.structs.replace(
            _looping(
                "55",
                "order manager SIGKILL, and the middle of its journal is overwritten; then moved away by hand",
                Injection.NO_START,
                "order_manager",
                fenced_s,
            ),
            variant=DAMAGED,
        ),
        _webhook("60", "webhook answers 500 for 8 s while strategy is killed", "failing"),
        _webhook("60b", "webhook hangs for 8 s while strategy is killed", "hanging"),
    )


def _with_the_supervisor(settings: Settings, fenced_s: float) -> tuple[Row, ...]:
    return (
        Row(
            key="9",
            fault="SIGKILL supervisor",
            injection=Injection.KILL,
            victims=("supervisor",),
            alerts=DIED,
            safe=Safe.TENDED,
            bounds=Bounds(detected_s=SUPERVISOR_S, safe_s=OTHER_S, quoting_s=QUOTING_S),
        ),
        Row(
            key="10",
            fault="SIGKILL supervisor and order manager",
            injection=Injection.KILL,
            victims=("supervisor", "order_manager"),
            alerts=DIED,
            safe=Safe.GONE,
            restarted="order_manager",
            bounds=Bounds(detected_s=SUPERVISOR_S, safe_s=SUPERVISOR_S + OTHER_S, quoting_s=SUPERVISOR_S + fenced_s),
        ),
        Row(
            key="11",
            fault="SIGKILL supervisor and every actor at once",
            injection=Injection.KILL,
            victims=EVERYBODY,
            alerts=DIED,
            safe=Safe.GONE,
            restarted="order_manager",
            bounds=Bounds(detected_s=SUPERVISOR_S, safe_s=countdown_s(settings), quoting_s=15.0),
        ),
    )


def _killed(key: str, role: Role, safe_s: float, quoting_s: float, safe: Safe) -> Row:
    return Row(
        key=key,
        fault=f"SIGKILL {role.replace('_', ' ')}",
        injection=Injection.KILL,
        victims=(role,),
        alerts=DIED,
        safe=safe,
        restarted=role if safe is Safe.GONE else None,
        bounds=Bounds(detected_s=NOTICED_S, safe_s=safe_s, quoting_s=quoting_s),
    )


def _in_flight(key: str, when: str, held: str, fenced_s: float) -> Row:
    return Row(
        key=key,
        fault=f"order manager SIGKILL {when}",
        injection=Injection.KILL_IN_FLIGHT,
        variant=held,
        victims=("order_manager",),
        alerts=DIED,
        safe=Safe.RESOLVED,
        bounds=Bounds(detected_s=NOTICED_S, safe_s=fenced_s, quoting_s=fenced_s),
    )


def _died_at(key: str, where: str, point: str, fenced_s: float) -> Row:
    return Row(
        key=key,
        fault=f"order manager SIGKILL {where}",
        injection=Injection.DIE_AT,
        variant=point,
        victims=("order_manager",),
        alerts=DIED,
        safe=Safe.GONE,
        restarted="order_manager",
        bounds=Bounds(detected_s=NOTICED_S, safe_s=OTHER_S, quoting_s=fenced_s),
    )


def _looping(key: str, fault: str, injection: Injection, role: Role, fenced_s: float) -> Row:
    return Row(
        key=key,
        fault=fault,
        injection=injection,
        victims=(role,),
        alerts=DIED,
        safe=Safe.EMPTY,
        bounds=Bounds(detected_s=NOTICED_S, safe_s=GIVEN_UP_S, quoting_s=fenced_s),
    )


def _webhook(key: str, fault: str, mood: str) -> Row:
    return Row(
        key=key,
        fault=fault,
        injection=Injection.WEBHOOK,
        variant=mood,
        victims=("strategy",),
        alerts=DIED,
        safe=Safe.GONE,
        restarted="strategy",
        bounds=Bounds(detected_s=NOTICED_S, safe_s=BOOK_S, quoting_s=QUOTING_S),
    )
