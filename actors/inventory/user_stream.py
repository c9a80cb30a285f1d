"""The key of the account's private stream: opened, kept alive, opened anew when the venue says that it is gone. Never deleted."""

from __future__ import annotations

from collections.abc import Iterator

from protocols.effects import Call, Effect
from protocols.messages.inventory import UserStreamKey
from protocols.venue import (
    AnyOutcome,
    Done,
    KeepUserStream,
    NotSent,
    OpenUserStream,
    OutcomeUnknown,
    Refused,
    Throttled,
    UserStreamOpened,
)

KEEP_PERIOD_NS = 60_000_000_000
"""The venue ends a key after 60 minutes. It is extended much more often, for a refusal is how an expired key is noticed; weight 1."""

RETRY_NS = 1_000_000_000
RETRY_NS_MAX = 30_000_000_000
ANSWER_NS_MAX = 10_000_000_000
"""A request without any outcome for this long is given up and made again."""


class UserStreamKeeper:
    """Owns the key. The caller carries out its requests and brings their outcomes back."""

    def __init__(self) -> None:
        self.key = ""
        self.failures = 0
        self._due_ns = 0
        self._shut_until_ns = 0
        self._asked: tuple[int, int] | None = None

    def tick(self, ids: Iterator[int], now_ns: int) -> list[Effect]:
        """Ask the venue when it is time to."""
        if self._asked is not None and now_ns - self._asked[1] > ANSWER_NS_MAX:
            self._asked = None
        if self._asked is not None or now_ns < max(self._due_ns, self._shut_until_ns):
            return []
        request_id = next(ids)
        self._asked = (request_id, now_ns)
        request = KeepUserStream(request_id=request_id) if self.key else OpenUserStream(request_id=request_id)
        return [Call(request)]

    def shut(self, until_ns: int) -> None:
        """The venue wants no request of ours before then."""
        self._shut_until_ns = max(self._shut_until_ns, until_ns)

    def lost(self) -> None:
        """An order manager saw the key die: open a new one at the next tick that the venue allows."""
        self.key = ""
        self._due_ns = 0

    def publication(self) -> UserStreamKey | None:
        """The key for those who need it; None while there is none."""
        return UserStreamKey(listen_key=self.key) if self.key else None

    def take(self, outcome: AnyOutcome, now_ns: int) -> bool:
        """Take the outcome of our request; returns whether it was ours."""
        if self._asked is None or outcome.request_id != self._asked[0]:
            return False
        self._asked = None
        match outcome:
            case UserStreamOpened():
                self.key = outcome.listen_key
                self._succeeded(now_ns)
            case Done():
                self._succeeded(now_ns)
            case Refused():
                self.key = ""
                self._failed(now_ns, now_ns)
            case Throttled():
                self.shut(outcome.retry_at_ns)
                self._failed(now_ns, outcome.retry_at_ns)
            case OutcomeUnknown() | NotSent():
                self._failed(now_ns, now_ns)
            case _:
                return False
        return True

    def _succeeded(self, now_ns: int) -> None:
        self.failures = 0
        self._due_ns = now_ns + KEEP_PERIOD_NS

    def _failed(self, now_ns: int, not_before_ns: int) -> None:
        delay_ns = 0 if self.failures == 0 else min(RETRY_NS << min(self.failures - 1, 10), RETRY_NS_MAX)
        self.failures += 1
        self._due_ns = max(now_ns + delay_ns, not_before_ns)
