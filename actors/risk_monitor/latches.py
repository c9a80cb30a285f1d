"""Restrictions that only a person lifts: what happened and needs a look, and levels that a person holds."""

from __future__ import annotations

from collections.abc import Iterable

from actors.risk_monitor.levels import Verdict, worst
from actors.risk_monitor.memory import Latch
from protocols.messages.risk import HELD_BY_A_PERSON, RiskLevel

ACCOUNT = "account"
"""Subject of a restriction of everything."""


class Latches:
    """At most one restriction of each level for each subject: the first reason stays. A resume lifts them all, but no hold."""

    def __init__(self) -> None:
        self._latches: dict[tuple[str, RiskLevel], str] = {}
        self._holds: dict[str, Latch] = {}

    def set(self, subject: str, level: RiskLevel, reason: str) -> bool:
        """Restrict `subject` until `clear`; returns whether that is new."""
        if (subject, level) in self._latches:
            return False
        self._latches[(subject, level)] = reason
        return True

    def clear(self) -> None:
        """Lift everything that was latched."""
        self._latches.clear()

    def hold(self, subject: str, level: RiskLevel | None, reason: str) -> None:
        """Keep `subject` at least at `level`; None lifts the hold."""
        self._holds.pop(subject, None)
        if level is not None and level is not RiskLevel.NORMAL:
            self._holds[subject] = Latch(subject=subject, level=level, reason=f"{HELD_BY_A_PERSON}{reason}")

    def restore(self, latches: Iterable[Latch], holds: Iterable[Latch]) -> None:
        """Take over what an earlier life latched and held."""
        for record in latches:
            self.set(record.subject, record.level, record.reason)
        self._holds.update({record.subject: record for record in holds})

    def verdicts(self, subject: str) -> list[Verdict]:
        """What is latched and held for the subject."""
        if not self._latches and not self._holds:
            return []
        found = [
            Verdict(level, reason, passing=True) for (held, level), reason in self._latches.items() if held == subject
        ]
        hold = self._holds.get(subject)
        return found if hold is None else [*found, Verdict(hold.level, hold.reason, passing=True)]

    def texts(self) -> dict[str, str]:
        """The reason of the worst restriction of each subject."""
        subjects = dict.fromkeys([*(subject for subject, _ in self._latches), *self._holds])
        return {subject: worst(self.verdicts(subject)).reason for subject in subjects}

    def latched(self) -> list[str]:
        """The reasons that a resume lifts."""
        return list(self._latches.values())

    def records(self) -> tuple[Latch, ...]:
        """Everything latched, for the memory."""
        if not self._latches:
            return ()
        return tuple(
            Latch(subject=subject, level=level, reason=reason) for (subject, level), reason in self._latches.items()
        )

    def holds(self) -> tuple[Latch, ...]:
        """Every hold, for the memory."""
        return tuple(self._holds.values())
