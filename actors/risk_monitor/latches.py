"""Restrictions that only a person lifts."""

from __future__ import annotations

from collections.abc import Iterable

from actors.risk_monitor.judgement import Verdict, worst
from actors.risk_monitor.memory import Latch
from protocols.messages.risk import TradingState

ACCOUNT = "account"
"""Subject of a restriction of everything."""


class Latches:
    """At most one restriction of each state for each subject: the first reason stays."""

    def __init__(self) -> None:
        self._latches: dict[tuple[str, TradingState], str] = {}

    def set(self, subject: str, state: TradingState, reason: str) -> bool:
        """Restrict `subject` until `clear`; returns whether that is new."""
        if (subject, state) in self._latches:
            return False
        self._latches[(subject, state)] = reason
        return True

    def clear(self) -> None:
        """Lift everything."""
        self._latches.clear()

    def restore(self, records: Iterable[Latch]) -> None:
        """Take over what an earlier life latched."""
        for record in records:
            self.set(record.subject, record.state, record.reason)

    def verdicts(self, subject: str) -> list[Verdict]:
        """What is latched for the subject."""
        return [Verdict(state, reason) for (held, state), reason in self._latches.items() if held == subject]

    def texts(self) -> dict[str, str]:
        """The reason of the worst restriction of each subject."""
        subjects = dict.fromkeys(subject for subject, _ in self._latches)
        return {subject: worst(self.verdicts(subject)).reason for subject in subjects}

    def records(self) -> tuple[Latch, ...]:
        """Everything latched, for the memory."""
        return tuple(
            Latch(subject=subject, state=state, reason=reason) for (subject, state), reason in self._latches.items()
        )
