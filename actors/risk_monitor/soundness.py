"""Numbers that cannot be: they are refused before anything is compared with them, and raise the level of what they were said of."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.levels import Verdict
from protocols.messages.risk import RiskLevel

AMOUNT_MAX = Decimal(10**18)
"""No price, amount or quantity of anything is larger."""

QUANTITY_LOTS_MAX = 10**15

REFUSED_NS = 2_000_000_000
"""For so long after the last refusal its subject is restricted: as long as what inventory says counts when it is not repeated."""


def is_sound(*amounts: Decimal) -> bool:
    """Whether each is a number, and of a size that can be."""
    return all(amount.is_finite() and abs(amount) <= AMOUNT_MAX for amount in amounts)


def are_lots(*quantities: int) -> bool:
    """Whether each may be a quantity of an order: not negative, and of a size that can be."""
    return all(0 <= quantity <= QUANTITY_LOTS_MAX for quantity in quantities)


def unsound_place(value: object, place: str = "") -> str:
    """Where in a message of the venue an amount is that cannot be; "" when there is none."""
    if isinstance(value, Decimal):
        return "" if is_sound(value) else f"{place} {value}"
    if isinstance(value, msgspec.Struct):
        found = (unsound_place(getattr(value, name), name) for name in _places_of_amounts(type(value)))
    elif isinstance(value, tuple):
        found = (unsound_place(member, place) for member in value)
    else:
        return ""
    return next(filter(None, found), "")


@cache
def _places_of_amounts(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Fields of a message that can hold an amount: all but plain numbers, texts and words."""
    return tuple(field.name for field in msgspec.structs.fields(kind) if not _is_plain(field.type))


def _is_plain(kind: Any) -> bool:
    return isinstance(kind, type) and (issubclass(kind, int | str | bool | float | enum.Enum))


class Refusals:
    """What was refused a moment ago, by its subject. What is said of a symbol that is not traded counts against the account."""

    def __init__(self, subjects: Iterable[str]) -> None:
        self._last: dict[str, tuple[int, str]] = dict.fromkeys((*subjects, ACCOUNT), (0, ""))

    def note(self, subject: str, text: str, now_ns: int) -> bool:
        """Take note of a refusal; whether its subject was free of any until now."""
        subject = subject if subject in self._last else ACCOUNT
        is_new = not self.verdicts(subject, now_ns)
        self._last[subject] = (now_ns, text)
        return is_new

    def verdicts(self, subject: str, now_ns: int) -> list[Verdict]:
        """What the refusals of a symbol, by its instrument id, or of the account ask for."""
        at_ns, text = self._last[subject]
        if not text or now_ns - at_ns > REFUSED_NS:
            return []
        return [Verdict(RiskLevel.RESTRICTED, f"a number that cannot be was refused: {text}", passing=True)]
