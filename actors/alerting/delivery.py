"""Delivery to the webhook: gravest first, one at a time, again after a growing delay, and bounded."""

from __future__ import annotations

from collections.abc import Iterable

from actors.alerting.folding import RANK
from actors.alerting.records import AlertSettled, AlertSpooled, PostAlert, PostAnswered
from configs.schema import AlertingSettings
from protocols.effects import Append, Call, Effect
from protocols.messages.alerts import Alert

_MS = 1_000_000
ANSWER_NS_MAX = 60_000_000_000
"""A post without any answer for this long is given up and made again."""


class Delivery:
    """Alerts that the webhook has not confirmed. When full, the least grave and oldest is dropped: CRITICAL only for CRITICAL."""

    def __init__(self, settings: AlertingSettings, spooled: Iterable[AlertSpooled] = ()) -> None:
        self._delay_ns = settings.retry_delay_ms * _MS
        self._delay_ns_max = settings.retry_delay_ms_max * _MS
        self._waiting_max = settings.remembered_max
        self._waiting: dict[int, Alert] = {record.number: record.alert for record in spooled}
        self._number = max(self._waiting, default=0)
        self._asked: tuple[int, int] | None = None
        self._due_ns = 0
        self.failures = 0
        self.delivered = 0
        self.dropped = 0
        self.problem = ""

    def add(self, alert: Alert, now_ns: int) -> list[Effect]:
        """Take an alert for delivery."""
        effects: list[Effect] = []
        if len(self._waiting) >= self._waiting_max:
            number = self._least()
            self.dropped += 1
            if RANK[alert.severity] < RANK[self._waiting[number].severity]:
                return []
            del self._waiting[number]
            effects.append(Append(AlertSettled(number=number)))
        self._number += 1
        self._waiting[self._number] = alert
        return [*effects, Append(AlertSpooled(number=self._number, alert=alert)), *self.proceed(now_ns)]

    def proceed(self, now_ns: int) -> list[Effect]:
        """Post the gravest and oldest alert, unless one is under way or the delay is not over."""
        if self._asked is not None and now_ns - self._asked[1] > ANSWER_NS_MAX:
            self._asked = None
        if self._asked is not None or not self._waiting or now_ns < self._due_ns:
            return []
        number = max(self._waiting, key=lambda n: (RANK[self._waiting[n].severity], -n))
        self._asked = (number, now_ns)
        return [Call(PostAlert(number=number, alert=self._waiting[number]))]

    def answered(self, answer: PostAnswered, now_ns: int) -> list[Effect]:
        """Take the webhook's answer."""
        if self._asked is None or answer.number != self._asked[0]:
            return []
        self._asked = None
        if not answer.delivered:
            self.problem = answer.text
        if answer.delivered or not answer.again:
            self.delivered += answer.delivered
            self.dropped += not answer.delivered
            self.failures = 0
            self._due_ns = 0
            settled: list[Effect] = []
            if self._waiting.pop(answer.number, None) is not None:
                settled.append(Append(AlertSettled(number=answer.number)))
            return [*settled, *self.proceed(now_ns)]
        delay_ns = min(self._delay_ns << min(self.failures, 20), self._delay_ns_max)
        self.failures += 1
        self._due_ns = max(now_ns + delay_ns, min(answer.not_before_ns, now_ns + self._delay_ns_max))
        return []

    def next_ns(self) -> int:
        """When `proceed` has something to do; 0 for nothing."""
        if not self._waiting:
            return 0
        return self._asked[1] + ANSWER_NS_MAX + 1 if self._asked is not None else self._due_ns

    @property
    def waiting(self) -> int:
        """How many alerts are not confirmed."""
        return len(self._waiting)

    def _least(self) -> int:
        """Number of the least grave and oldest alert that is not being posted, if another is there."""
        posted = self._asked[0] if self._asked is not None else 0
        return min(self._waiting, key=lambda n: (n == posted, RANK[self._waiting[n].severity], n))
