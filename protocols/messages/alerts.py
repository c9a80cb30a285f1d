"""Alerts: what a person should know."""

from __future__ import annotations

import enum

from protocols.envelope import Message


class Severity(enum.StrEnum):
    """How soon a person should look."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


class AlertCode(enum.StrEnum):
    """What an alert is about; each has a section in ops/runbooks/alerts.md."""

    ACTOR_DIED = "ACTOR_DIED"
    ACTOR_HUNG = "ACTOR_HUNG"
    ACTOR_RESTARTED = "ACTOR_RESTARTED"
    RESTART_INTENSITY = "RESTART_INTENSITY"
    EMERGENCY_STOP = "EMERGENCY_STOP"
    RESUMED = "RESUMED"
    FEED_STALE = "FEED_STALE"
    FEED_GAP = "FEED_GAP"
    FEED_LOST = "FEED_LOST"
    BAD_DATA = "BAD_DATA"
    CLOCK_UNTRUSTED = "CLOCK_UNTRUSTED"
    USER_STREAM_LOST = "USER_STREAM_LOST"
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    ORDER_ZOMBIE = "ORDER_ZOMBIE"
    FOREIGN_ORDER = "FOREIGN_ORDER"
    FOREIGN_FILL = "FOREIGN_FILL"
    HIGHER_EPOCH_SEEN = "HIGHER_EPOCH_SEEN"
    POSITION_MISMATCH = "POSITION_MISMATCH"
    LIMIT_BREACHED = "LIMIT_BREACHED"
    LEVEL_CHANGED = "LEVEL_CHANGED"
    DAILY_LOSS = "DAILY_LOSS"
    DRAWDOWN = "DRAWDOWN"
    MARGIN_CALL = "MARGIN_CALL"
    BEHAVIOUR_LOCKED = "BEHAVIOUR_LOCKED"
    RATE_LIMITED = "RATE_LIMITED"
    KEY_REFUSED = "KEY_REFUSED"
    LEASE_LOST = "LEASE_LOST"
    RECOVERY_FAILED = "RECOVERY_FAILED"
    FILTERS_CHANGED = "FILTERS_CHANGED"
    JOURNAL_FAILED = "JOURNAL_FAILED"
    JOURNAL_LOST = "JOURNAL_LOST"
    JOURNAL_STALLED = "JOURNAL_STALLED"
    OUTBOX_FULL = "OUTBOX_FULL"
    ACCOUNT_DIFFERS = "ACCOUNT_DIFFERS"
    SETTINGS_CHANGED = "SETTINGS_CHANGED"
    SETTINGS_REFUSED = "SETTINGS_REFUSED"
    NODE_LOST = "NODE_LOST"
    NODE_JOINED = "NODE_JOINED"
    HEAD_LOST = "HEAD_LOST"
    MEMORY_HIGH = "MEMORY_HIGH"
    MEMORY_EXCEEDED = "MEMORY_EXCEEDED"


class Alert(Message, frozen=True, kw_only=True):
    """One alert. `subject` is the actor, symbol or order that it is about; equal (code, subject) are throttled together."""

    code: AlertCode
    severity: Severity
    subject: str
    text: str
    raised_ns: int
    source: str = ""
    repeats: int = 1
