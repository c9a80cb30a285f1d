"""Rows that are faults of processes: deaths, hangs, stops, second starts."""

from __future__ import annotations

from configs.schema import Settings
from ops.chaos.rows import (
    BOOK_S,
    DIED,
    EVERYBODY,
    HANG_S,
    HUNG,
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
from protocols.messages.alerts import AlertCode
from protocols.messages.control import Role

ANSWERS, REQUESTS = "answers", "requests"
NEW_START_S = 30.0
"""From the command of a new start to quotes: Ray, the checks of the venue, the actors, the fence."""


def process_rows(settings: Settings) -> tuple[Row, ...]:
    """The rows, with the bounds that follow from the settings."""
    fenced_s = fence_s(settings) + QUOTING_S
    return (
        _killed("1", "market_data", BOOK_S, QUOTING_S, Safe.GONE),
        _killed("2", "order_manager", OTHER_S, fenced_s, Safe.GONE),
        _killed("5", "risk_monitor", OTHER_S, QUOTING_S, Safe.LEASED),
        _killed("6", "strategy", BOOK_S, QUOTING_S, Safe.GONE),
        _killed("7", "inventory", OTHER_S, QUOTING_S, Safe.TENDED),
        _killed("8", "alerting", OTHER_S, QUOTING_S, Safe.TENDED),
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
        Row(
            key="3",
            fault="order manager SIGKILL while orders were taken and their answers are on their way",
            injection=Injection.KILL_IN_FLIGHT,
            variant=ANSWERS,
            victims=("order_manager",),
            alerts=DIED,
            safe=Safe.RESOLVED,
            bounds=Bounds(detected_s=NOTICED_S, safe_s=fenced_s, quoting_s=fenced_s),
        ),
        Row(
            key="3b",
            fault="order manager SIGKILL while its orders are on their way, and arrive after it",
            injection=Injection.KILL_IN_FLIGHT,
            variant=REQUESTS,
            victims=("order_manager",),
            alerts=DIED,
            safe=Safe.RESOLVED,
            bounds=Bounds(detected_s=NOTICED_S, safe_s=fenced_s, quoting_s=fenced_s),
        ),
        _died_at("4", "before its intent is journaled", "before", fenced_s),
        _died_at("4b", "after its intent, before the send", "after", fenced_s),
        _died_at("4c", "after the send", "sent", fenced_s),
        Row(
            key="11b",
            fault="SIGKILL of everything, Ray too; then a new start",
            injection=Injection.TOTAL_DEATH,
            safe=Safe.EMPTY,
            bounds=Bounds(safe_s=countdown_s(settings), quoting_s=NEW_START_S),
            watch_s=60.0,
        ),
        Row(
            key="12",
            fault="SIGKILL of every strategy that starts",
            injection=Injection.KILL_ALWAYS,
            victims=("strategy",),
            alerts=DIED,
            safe=Safe.EMPTY,
            bounds=Bounds(detected_s=NOTICED_S, safe_s=30.0, quoting_s=fenced_s),
        ),
        Row(
            key="12b",
            fault="order manager cannot start: its journal is locked",
            injection=Injection.NO_START,
            victims=("order_manager",),
            alerts=DIED,
            safe=Safe.EMPTY,
            bounds=Bounds(detected_s=NOTICED_S, safe_s=30.0, quoting_s=fenced_s),
        ),
        Row(
            key="26",
            fault="emergency stop while the order manager is frozen, then resume",
            injection=Injection.STOP_HURT,
            variant="frozen",
            victims=("order_manager",),
            alerts=(AlertCode.ACTOR_HUNG, AlertCode.ACTOR_DIED),
            safe=Safe.EMPTY,
            bounds=Bounds(detected_s=HANG_S, safe_s=3.0),
        ),
        Row(
            key="26b",
            fault="emergency stop right after the order manager's death, then resume",
            injection=Injection.STOP_HURT,
            variant="dead",
            victims=("order_manager",),
            alerts=DIED,
            safe=Safe.EMPTY,
            bounds=Bounds(detected_s=NOTICED_S, safe_s=3.0),
        ),
        _hung("15", "order manager in C code that keeps the interpreter", Injection.HOG, fenced_s),
        Row(
            key="48",
            fault="the listen key ended by somebody else",
            injection=Injection.STRANGER,
            variant="listen key",
            alerts=(AlertCode.USER_STREAM_LOST,),
            safe=Safe.EMPTY,
            bounds=Bounds(detected_s=QUOTING_S, safe_s=QUOTING_S + HANG_S, quoting_s=2 * QUOTING_S),
        ),
        Row(
            key="54",
            fault="disk full under the order manager: everything stops; then resume",
            injection=Injection.FULL_DISK,
            victims=("order_manager",),
            alerts=(AlertCode.JOURNAL_FAILED,),
            safe=Safe.EMPTY,
            bounds=Bounds(detected_s=2.0, safe_s=2.0, quoting_s=fenced_s),
        ),
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
        _webhook("60", "webhook answers 500 for 8 s while strategy is killed", "failing"),
        _webhook("60b", "webhook hangs for 8 s while strategy is killed", "hanging"),
        Row(
            key="65",
            fault="another program with our key: an order that rests, and a purchase",
            injection=Injection.STRANGER,
            variant="trades",
            alerts=(AlertCode.FOREIGN_FILL,),
            safe=Safe.TENDED,
            bounds=Bounds(detected_s=10.0, safe_s=OTHER_S, quoting_s=QUOTING_S),
        ),
        _hung("13", "order manager's main loop blocked for 30 s", Injection.BLOCK, fenced_s),
        _hung("14", "order manager SIGSTOP, SIGCONT after 10 s", Injection.FREEZE, fenced_s),
        Row(
            key="23",
            fault="Ctrl-C: ordered shutdown",
            injection=Injection.INTERRUPT,
            safe=Safe.GONE,
            quotes_again=False,
            bounds=Bounds(safe_s=10.0),
        ),
        Row(
            key="25",
            fault="emergency stop while quoting, then resume",
            injection=Injection.STOP,
            alerts=(AlertCode.EMERGENCY_STOP,),
            safe=Safe.GONE,
            bounds=Bounds(detected_s=0.2, safe_s=2.0),
        ),
        Row(
            key="27",
            fault="second start on the same state directory",
            injection=Injection.SECOND_START,
            safe=Safe.NONE,
            bounds=Bounds(detected_s=1.0),
        ),
        Row(
            key="45",
            fault="venue SIGKILL, restarted after 2 s",
            injection=Injection.VENUE,
            alerts=(AlertCode.USER_STREAM_LOST, AlertCode.FEED_LOST, AlertCode.FEED_STALE),
            safe=Safe.GONE,
            bounds=Bounds(detected_s=HANG_S, safe_s=15.0, quoting_s=15.0),
        ),
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
