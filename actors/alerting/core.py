"""Alerting: every alert is logged, repeats are folded, and the webhook gets what it can take, the gravest first."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import assert_never

import msgspec

from actors.alerting.delivery import Delivery
from actors.alerting.folding import Folding
from actors.alerting.records import AlertSpooled, PostAnswered
from actors.alerting.snapshot import AlertingSnapshot, view
from configs.schema import Settings
from protocols.effects import Append, Effect, LinkChanged, Log, LogLevel, OutboxFull, SetTimer, TimerFired
from protocols.mailboxes import AlertingMailbox
from protocols.messages.alerts import Alert
from protocols.messages.control import (
    ActorSpec,
    ActorState,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    Resume,
    ShardHalted,
    StopFileSeen,
)

SHOWN_MAX = 200
"""Alerts in the snapshot."""

TEXT_CHARACTERS_MAX = 2_000
"""Longer texts and subjects are cut: an alert must not be able to fill memory."""

_TIMER = "alerting"


class AlertingCore:
    """Decides what is told, and when.

    Args:
        spooled: alerts that an earlier life could not deliver.
        remembered: the last alerts of earlier lives, oldest first, to be shown.
    """

    def __init__(
        self,
        spec: ActorSpec,
        settings: Settings,
        spooled: Iterable[AlertSpooled] = (),
        remembered: Iterable[Alert] = (),
    ) -> None:
        alerting = settings.alerting
        self._folding = Folding(alerting.throttle_ms * 1_000_000, alerting.remembered_max)
        self._delivery = Delivery(alerting, spooled) if alerting.has_webhook else None
        self._told: deque[Alert] = deque(remembered, maxlen=min(SHOWN_MAX, alerting.remembered_max))
        self._received = 0
        self._count = 0
        self._by_severity: Counter[str] = Counter()
        self._draining = False
        self._timer_ns = 0

    def start(self, now_ns: int) -> list[Effect]:
        """Go on with what an earlier life could not deliver."""
        return self._with_timer(self._delivery.proceed(now_ns) if self._delivery is not None else [])

    def handle(self, message: AlertingMailbox | PostAnswered, now_ns: int) -> list[Effect]:
        """Take one message."""
        match message:
            case Alert():
                return self._on_alert(message, now_ns)
            case PostAnswered():
                return self._on_answer(message, now_ns)
            case TimerFired():
                self._timer_ns = 0
                effects = self._tell(self._folding.due(now_ns), now_ns)
                if self._delivery is not None:
                    effects += self._delivery.proceed(now_ns)
                return self._with_timer(effects)
            case Drain():
                self._draining = True
                return []
            case EmergencyStop() | Resume() | EpochAnnounced() | ShardHalted() | StopFileSeen():
                return []
            case LinkChanged() | OutboxFull():
                return []
            case _:
                assert_never(message)

    def state(self) -> ActorState:
        """Where the actor is in its life."""
        return ActorState.STOPPED if self._draining else ActorState.RUNNING

    def snapshot(self) -> AlertingSnapshot:
        """The one view that status, reports and metrics read."""
        delivery = self._delivery
        return AlertingSnapshot(
            received=self._received,
            told=self._count,
            by_severity=dict(self._by_severity),
            webhook=delivery is not None,
            waiting=delivery.waiting if delivery is not None else 0,
            delivered=delivery.delivered if delivery is not None else 0,
            dropped=delivery.dropped if delivery is not None else 0,
            failures=delivery.failures if delivery is not None else 0,
            problem=delivery.problem if delivery is not None else "",
            alerts=tuple(view(alert) for alert in self._told),
        )

    def _on_alert(self, alert: Alert, now_ns: int) -> list[Effect]:
        self._received += max(alert.repeats, 1)
        if len(alert.text) > TEXT_CHARACTERS_MAX or len(alert.subject) > TEXT_CHARACTERS_MAX or alert.repeats < 1:
            alert = msgspec.structs.replace(
                alert,
                text=alert.text[:TEXT_CHARACTERS_MAX],
                subject=alert.subject[:TEXT_CHARACTERS_MAX],
                repeats=max(alert.repeats, 1),
            )
        return self._with_timer(self._tell(self._folding.take(alert, now_ns), now_ns))

    def _on_answer(self, answer: PostAnswered, now_ns: int) -> list[Effect]:
        if self._delivery is None:
            return []
        failed_before = self._delivery.failures
        effects = self._delivery.answered(answer, now_ns)
        if self._delivery.failures == 1 and not failed_before:
            effects.append(Log(LogLevel.WARNING, f"the webhook does not take alerts, they are kept: {answer.text}"))
        elif not answer.delivered and not answer.again:
            effects.append(Log(LogLevel.WARNING, f"the webhook refused an alert for good: {answer.text}"))
        return self._with_timer(effects)

    def _tell(self, alerts: list[Alert], now_ns: int) -> list[Effect]:
        effects: list[Effect] = []
        for alert in alerts:
            self._count += 1
            self._by_severity[alert.severity.value] += 1
            self._told.append(alert)
            effects.append(Append(alert))
            if self._delivery is not None:
                effects += self._delivery.add(alert, now_ns)
        return effects

    def _with_timer(self, effects: list[Effect]) -> list[Effect]:
        """Ask to be woken when a window or a delay is over."""
        waits = [self._folding.next_ns(), self._delivery.next_ns() if self._delivery is not None else 0]
        next_ns = min((at_ns for at_ns in waits if at_ns), default=0)
        if next_ns == self._timer_ns:
            return effects
        self._timer_ns = next_ns
        return [*effects, SetTimer(_TIMER, next_ns)]
