"""What many seeds add up to, and a failed one told to people."""

from __future__ import annotations

from collections import Counter

import msgspec

from ops.simulation.faults import FaultKind
from ops.simulation.seeds import SeedResult

ALL_FAULTS = "all"
"""Stands for every kind of fault."""


class SeedTotals:
    """Sums over many seeds."""

    def __init__(self) -> None:
        self.seeds = self.failed = 0
        self._sums: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._checked: Counter[str] = Counter()
        self._virtual_s = self._recovered_s_max = 0.0

    def add(self, result: SeedResult) -> None:
        """Count one run."""
        self.seeds += 1
        self.failed += bool(result.violations)
        self._sums.update(messages=result.messages, accepted=result.accepted, fills=result.fills)
        self._faults.update(result.faults_by_kind())
        self._checked.update(result.checked)
        self._virtual_s += result.virtual_s
        self._recovered_s_max = max(self._recovered_s_max, result.recovered_s)

    def view(self, took_s: float) -> dict[str, object]:
        """Everything counted, as builtins."""
        return {
            "seeds": self.seeds,
            "failed": self.failed,
            "seeds_per_second": round(self.seeds / took_s, 2) if took_s > 0 else 0.0,
            "virtual_seconds": round(self._virtual_s),
            **{name: self._sums[name] for name in ("messages", "accepted", "fills")},
            "slowest_recovery_seconds": self._recovered_s_max,
            "faults": dict(sorted(self._faults.items())),
            "checked": dict(self._checked),
        }


class UnknownFaultError(ValueError):
    """A kind of fault that there is none of; the text names those that there are."""


def kinds_of(text: str) -> tuple[FaultKind, ...]:
    """Kinds of faults from their names, separated by commas; `all` for every one.

    Raises:
        UnknownFaultError: a name is not known.
    """
    if text == ALL_FAULTS:
        return tuple(FaultKind)
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = {kind.value: kind for kind in FaultKind}
    for name in names:
        if name not in known:
            raise UnknownFaultError(f"no fault is named {name!r}: there are {', '.join(known)}, and all")
    if not names:
        raise UnknownFaultError(f"no fault is named: there are {', '.join(known)}, and all")
    return tuple(known[name] for name in names)


def describe(result: SeedResult, faults: str) -> str:
    """A failed run for people: what it broke, its schedule, and the command that repeats it."""
    lines = [f"seed {result.seed} ({result.shards} shards):"]
    lines += [f"  {violation}" for violation in result.violations]
    for fault in result.schedule:
        details = msgspec.to_builtins(fault)
        at_ms, kind = details.pop("at_ms"), details.pop("kind")
        details["actors"] = " ".join(fault.actors)
        told = ", ".join(f"{name} {value}" for name, value in details.items() if value)
        lines.append(f"    {at_ms / 1_000:7.3f} s {kind} {told}".rstrip())
    chosen = "" if faults == ALL_FAULTS else f" --faults {faults}"
    lines.append(f"  repeat: raymaker simulate --seeds 1 --first {result.seed}{chosen}")
    return "\n".join(lines)
