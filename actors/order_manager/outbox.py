"""What one turn of the core wants done, in order: journal records, events with their numbers, alerts, log lines."""

from __future__ import annotations

from collections import deque
from typing import Any

from protocols.effects import Append, Call, Effect, Log, LogLevel, Publish, SetTimer, ShutNode
from protocols.envelope import Message
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.orders import AnyAccountEvent, OrderEvent, OrderFilled
from protocols.values import InstrumentId

LOG_PERIOD_NS = 1_000_000_000
"""Least time between two log lines of one key."""

LOG_KEYS_MAX = 1_000
"""Keys of log lines remembered for their period."""

ALERT_PERIOD_NS = 1_000_000_000
"""Least time between two equal alerts; alerting throttles further."""

RECENT_FILLS_MAX = 200
"""Executions kept for people to look at."""

_NumberedEvent = OrderEvent | AnyAccountEvent


class Outbox:
    """Collects the effects of one turn. `event_seq` numbers the shard's events and continues over restarts."""

    def __init__(self, shard: int, source: str) -> None:
        self.shard = shard
        self.event_seq = 0
        self.recent_fills: deque[OrderFilled] = deque(maxlen=RECENT_FILLS_MAX)
        self._source = source
        self._effects: list[Effect] = []
        self._said_ns: dict[tuple[str, str], int] = {}

    def take(self) -> list[Effect]:
        """The effects so far, and an empty list from now on."""
        effects, self._effects = self._effects, []
        return effects

    def event(self, kind: type[_NumberedEvent], **fields: Any) -> None:
        """Journal and publish an event under the next number."""
        self.event_seq += 1
        body = kind(shard=self.shard, event_seq=self.event_seq, **fields)
        self._effects.append(Append(body))
        self._effects.append(Publish(body))
        if isinstance(body, OrderFilled):
            self.recent_fills.append(body)

    def forget_fills(self, instrument_id: InstrumentId) -> None:
        """Executions of a symbol that count in other units are shown no longer."""
        kept = [fill for fill in self.recent_fills if fill.instrument_id != instrument_id]
        self.recent_fills.clear()
        self.recent_fills.extend(kept)

    def append(self, record: Message) -> None:
        """Journal a record that is not an event."""
        self._effects.append(Append(record))

    def publish(self, body: Message) -> None:
        """Publish something that is not journaled."""
        self._effects.append(Publish(body))

    def call(self, request: Message) -> None:
        """Send a request to the venue."""
        self._effects.append(Call(request))

    def timer(self, name: str, at_ns: int) -> None:
        """Set a timer."""
        self._effects.append(SetTimer(name, at_ns))

    def shut_node(self, reason: str) -> None:
        """Stop everything until a person resumes."""
        self._effects.append(ShutNode(reason))

    def alert(
        self, code: AlertCode, severity: Severity, subject: str, text: str, now_ns: int, *, anew: bool = False
    ) -> None:
        """Raise an alert and log it; equal (code, subject) at most once in `ALERT_PERIOD_NS`, but for what has begun just now (`anew`)."""
        if self._is_fresh(f"alert {code.value}", subject, now_ns, 0 if anew else ALERT_PERIOD_NS):
            self._effects.append(
                Publish(
                    Alert(
                        code=code,
                        severity=severity,
                        subject=subject,
                        text=text,
                        raised_ns=now_ns,
                        source=self._source,
                    )
                )
            )
            self._effects.append(Log(LogLevel.WARNING, f"{code.value} {subject}: {text}"))

    def log(self, level: LogLevel, text: str) -> None:
        """Write a log line."""
        self._effects.append(Log(level, text))

    def log_sometimes(self, topic: str, subject: str, text: str, now_ns: int) -> bool:
        """Write a log line unless one of this topic and subject was written within `LOG_PERIOD_NS`; whether it was."""
        if not self._is_fresh(topic, subject, now_ns, LOG_PERIOD_NS):
            return False
        self._effects.append(Log(LogLevel.INFO, text))
        return True

    def _is_fresh(self, topic: str, subject: str, now_ns: int, period_ns: int) -> bool:
        key = (topic, subject)
        said_ns = self._said_ns.pop(key, None)
        if said_ns is not None and now_ns - said_ns < period_ns:
            self._said_ns[key] = said_ns
            return False
        self._said_ns[key] = now_ns
        if len(self._said_ns) > LOG_KEYS_MAX:
            del self._said_ns[next(iter(self._said_ns))]
        return True
