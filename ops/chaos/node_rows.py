"""Rows about nodes and the head: two local nodes with a state directory each; the shard is on the second, everything else on the first."""

from __future__ import annotations

from configs.schema import Settings
from ops.chaos.rows import (
    DIED,
    HANG_S,
    HOME,
    NEW_START_S,
    OTHER_S,
    QUOTING_S,
    STORE,
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

SHARD: tuple[Role, ...] = ("order_manager", "market_data", "strategy")
LOST_S = 2.0
"""A node whose raylet died is known to be lost; Ray's own word comes after some 0.6 s."""

SILENT_S = 5.0
"""A node that is silent: three health checks of a second each, and the way there and back."""

PLACED_S = 3.0
"""A process on a node that had none waiting: Python, Ray and our code are loaded first."""

HEAD_S = 5.0
"""A new head on the old tables (fault matrix, row 19)."""


def node_rows(settings: Settings) -> tuple[Row, ...]:
    """The rows with the bounds that follow from the settings."""
    fenced_s = fence_s(settings) + QUOTING_S
    return (
        Row(
            key="21",
            fault="GCS SIGKILL on one machine, whose tables are in memory: everything ends; then a new start",
            injection=Injection.TOTAL_DEATH,
            variant=STORE,
            safe=Safe.EMPTY,
            bounds=Bounds(safe_s=countdown_s(settings), quoting_s=NEW_START_S),
            watch_s=60.0,
        ),
        _lost("16", "raylet of the shard's node SIGKILL", "kill raylet", LOST_S, fenced_s),
        _lost(
            "17", "raylet of the shard's node SIGSTOP for 20 s, its actors alive", "freeze raylet", SILENT_S, fenced_s
        ),
        _lost(
            "18", "raylet SIGKILL while its parent is frozen and does not reap it", "zombie raylet", LOST_S, fenced_s
        ),
        Row(
            key="19",
            fault="GCS SIGKILL: the head is gone, and comes back on its tables",
            injection=Injection.NODE,
            variant="kill gcs",
            safe=Safe.TENDED,
            bounds=Bounds(detected_s=HEAD_S, safe_s=OTHER_S, quoting_s=QUOTING_S),
        ),
        Row(
            key="20",
            fault="head away, and the order manager SIGKILL meanwhile",
            injection=Injection.NODE,
            variant="no head",
            victims=("order_manager",),
            alerts=(AlertCode.HEAD_LOST, *DIED),
            safe=Safe.EMPTY,
            bounds=Bounds(
                detected_s=HANG_S + LOST_S, safe_s=countdown_s(settings), quoting_s=HEAD_S + PLACED_S + fenced_s
            ),
            watch_s=40.0,
        ),
        Row(
            key="22",
            fault="the head dies and its tables are damaged: it stays away, trading goes on, the system is stopped in order",
            injection=Injection.NODE,
            variant="broken tables",
            alerts=(AlertCode.HEAD_LOST,),
            safe=Safe.TENDED,
            bounds=Bounds(detected_s=HANG_S + LOST_S, safe_s=OTHER_S, quoting_s=QUOTING_S),
        ),
        _lost("24", "SIGTERM to the shard's node", "end node", LOST_S, fenced_s),
        _lost("51", "every process of the shard's node SIGSTOP for 20 s", "freeze node", SILENT_S, fenced_s),
        Row(
            key="51b",
            fault="raylet of the first node SIGKILL: supervisor and account actors die with it",
            injection=Injection.NODE,
            variant="kill home",
            victims=("supervisor", "alerting", "inventory", "risk_monitor"),
            alerts=(*DIED, AlertCode.ACTOR_RESTARTED),
            safe=Safe.LEASED,
            bounds=Bounds(
                detected_s=HEAD_S + PLACED_S + SUPERVISOR_S,
                safe_s=countdown_s(settings),
                quoting_s=HEAD_S + 2 * PLACED_S + SUPERVISOR_S + fenced_s,
            ),
            watch_s=40.0,
        ),
        Row(
            key="51c",
            fault="SIGKILL of everything on the first node, head and keepers too; the shard lives on the second; then a new start",
            injection=Injection.TOTAL_DEATH,
            variant=HOME,
            safe=Safe.EMPTY,
            bounds=Bounds(safe_s=countdown_s(settings), quoting_s=NEW_START_S + 2 * PLACED_S + HEAD_S),
            watch_s=60.0,
        ),
    )


def _lost(key: str, fault: str, variant: str, lost_s: float, fenced_s: float) -> Row:
    return Row(
        key=key,
        fault=fault,
        injection=Injection.NODE,
        variant=variant,
        victims=SHARD,
        alerts=DIED,
        safe=Safe.GONE,
        restarted="order_manager",
        bounds=Bounds(detected_s=lost_s, safe_s=lost_s + PLACED_S + OTHER_S, quoting_s=lost_s + PLACED_S + fenced_s),
        watch_s=40.0,
    )
