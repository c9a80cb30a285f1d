"""Rows of commands: stops and second starts, also of a system that is hurt."""

from __future__ import annotations

from ops.chaos.rows import (
    DEAD_HEAD,
    DIED,
    DIRECT,
    HANG_S,
    HUNG,
    NO_HEAD,
    NOTICED_S,
    QUOTING_S,
    Bounds,
    Injection,
    Row,
    Safe,
)
from protocols.messages.alerts import AlertCode

HEADLESS_S = 11.0
"""The venue's countdown has cleared what rests no later than this; the command is sure of Ray's end about as soon."""

REREAD_S = 2.0
"""An edit of the file is seen this soon."""

SHUT_S, CLEAR_S = 0.2, 2.0
FORCED_S = 3.0
"""CLEAR where the order manager has to be killed first."""

COMMAND_ROWS: tuple[Row, ...] = (
    Row(
        key="23",
        fault="Ctrl-C: ordered shutdown",
        injection=Injection.INTERRUPT,
        safe=Safe.GONE,
        quotes_again=False,
        bounds=Bounds(safe_s=10.0),
    ),
    Row(
        key="23b",
        fault="Ctrl-C while the head is away, on two nodes",
        injection=Injection.INTERRUPT,
        variant=NO_HEAD,
        safe=Safe.GONE,
        quotes_again=False,
        bounds=Bounds(safe_s=10.0),
    ),
    Row(
        key="23c",
        fault="the head of a system on one machine dies under `raymaker up`, which clears the venue and ends",
        injection=Injection.INTERRUPT,
        variant=DEAD_HEAD,
        safe=Safe.GONE,
        quotes_again=False,
        bounds=Bounds(safe_s=HEADLESS_S),
    ),
    Row(
        key="25",
        fault="emergency stop while quoting, then resume",
        injection=Injection.STOP,
        alerts=(AlertCode.EMERGENCY_STOP,),
        safe=Safe.GONE,
        bounds=Bounds(detected_s=SHUT_S, safe_s=CLEAR_S),
    ),
    Row(
        key="26",
        fault="emergency stop while the order manager is frozen, then resume",
        injection=Injection.STOP_HURT,
        variant="frozen",
        victims=("order_manager",),
        alerts=HUNG,
        safe=Safe.EMPTY,
        bounds=Bounds(detected_s=HANG_S, safe_s=FORCED_S),
    ),
    Row(
        key="26b",
        fault="emergency stop right after the order manager's death, then resume",
        injection=Injection.STOP_HURT,
        variant="dead",
        victims=("order_manager",),
        alerts=DIED,
        safe=Safe.EMPTY,
        bounds=Bounds(detected_s=NOTICED_S, safe_s=FORCED_S),
    ),
    Row(
        key="26c",
        fault="emergency stop --direct --flatten on the first node: head, supervisor dead; the order manager hangs on the second",
        injection=Injection.STOP_HURT,
        variant=DIRECT,
        victims=("supervisor", "order_manager"),
        alerts=DIED,
        safe=Safe.EMPTY,
        bounds=Bounds(safe_s=FORCED_S),
        watch_s=60.0,
    ),
    Row(
        key="27",
        fault="second start on the same state directory",
        injection=Injection.SECOND_START,
        safe=Safe.NONE,
        bounds=Bounds(detected_s=1.0),
    ),
    Row(
        key="59",
        fault="the configuration's file is edited into garbage, then put right",
        injection=Injection.BAD_SETTINGS,
        alerts=(AlertCode.SETTINGS_REFUSED,),
        safe=Safe.TENDED,
        bounds=Bounds(detected_s=REREAD_S, quoting_s=QUOTING_S),
    ),
    Row(
        key="61",
        fault="20 sockets ask for the metrics and never read, for 8 s",
        injection=Injection.SLOW_SCRAPE,
        safe=Safe.TENDED,
        bounds=Bounds(quoting_s=QUOTING_S),
    ),
)
