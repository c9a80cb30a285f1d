"""What alerting asks of its channels and its spool, and what comes back."""

from __future__ import annotations

from protocols.envelope import Message
from protocols.messages.alerts import Alert


class AlertSpooled(Message, frozen=True, kw_only=True):
    """An alert that the webhook has not confirmed yet; it survives a restart."""

    number: int
    alert: Alert


class AlertSettled(Message, frozen=True, kw_only=True):
    """The alert of this number is delivered, refused for good, or dropped: the spool may forget it."""

    number: int


class PostAlert(Message, frozen=True, kw_only=True):
    """Give an alert to the webhook."""

    number: int
    alert: Alert


class PostAnswered(Message, frozen=True, kw_only=True):
    """What the webhook said. `again`: the failure is not the alert's, so it is worth another try."""

    number: int
    delivered: bool
    again: bool
    text: str = ""
    not_before_ns: int = 0
