"""What many seeds add up to, and a failed one told to people."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import msgspec

from ops.invariants.all import NAMES
from ops.simulation.fault_draws import seeds_for_all
from ops.simulation.faults import FaultKind
from ops.simulation.seeds import Case, SeedResult

FAILED_SEEDS_MAX = 100
"""So many failed seeds are named."""

AVERAGES_MIN = {"messages": 3_000, "accepted": 100, "fills": 10, "faults": 3}
"""What a seed has on average, at least."""

AVERAGED_SEEDS = 1_000
"""From so many seeds on, of all kinds of faults, a run fails when its averages are below."""

ALL_FAULTS = "all"
"""Stands for every kind of fault."""


class SeedTotals:
    """Sums over many seeds. `kinds` are the faults that may be drawn; each of them, and each invariant, has to have had its turn."""

    def __init__(self, kinds: Sequence[FaultKind] = tuple(FaultKind)) -> None:
        self.seeds = self.failed = 0
        self._kinds = kinds
        self._failed_seeds: list[int] = []
        self._sums: Counter[str] = Counter()
        self._injected: Counter[str] = Counter()
        self._checked: Counter[str] = Counter()
        self._broken: Counter[str] = Counter()
        self._virtual_s = self._recovered_s_max = 0.0
        self._history = hashlib.blake2b(digest_size=16)

    def add(self, result: SeedResult) -> None:
        """Count one run."""
        self.seeds += 1
        self.failed += bool(result.violations)
        if result.violations and len(self._failed_seeds) < FAILED_SEEDS_MAX:
            self._failed_seeds.append(result.case.seed)
        self._sums.update(messages=result.messages, accepted=result.accepted, fills=result.fills)
        self._injected.update(result.injected)
        self._checked.update(result.checked)
        self._broken.update(result.broken)
        self._virtual_s += result.virtual_s
        self._recovered_s_max = max(self._recovered_s_max, result.recovered_s)
        self._history.update(result.history.encode())

    def missing(self) -> list[str]:
        """Faults that were never injected, invariants that were never checked, and seeds too thin on average: a proof with such a lack
        proves less than it says."""
        absent = [f"fault {kind.value} was never injected" for kind in self._kinds if not self._injected[kind.value]]
        absent += [f"invariant {name} was never checked" for name in NAMES if not self._checked[name]]
        if self.seeds < AVERAGED_SEEDS or set(self._kinds) != set(FaultKind):
            return absent
        sums = {**self._sums, "faults": self._injected.total()}
        thin = {name: sums.get(name, 0) / self.seeds for name in AVERAGES_MIN}
        return absent + [
            f"{name} of a seed: {average:.1f} on average, at least {AVERAGES_MIN[name]} wanted"
            for name, average in thin.items()
            if average < AVERAGES_MIN[name]
        ]

    @property
    def honest_seeds(self) -> int:
        """The smallest run that proves something: in so many seeds in a row each kind of fault strikes."""
        return seeds_for_all(len(self._kinds))

    @property
    def must_be_complete(self) -> bool:
        """Whether so many seeds ran that nothing may be missing."""
        return self.seeds >= self.honest_seeds

    @property
    def passed(self) -> bool:
        """Whether no rule was broken, and nothing is missing that must not be."""
        return not self.failed and not (self.must_be_complete and self.missing())

    def view(self, took_s: float, cpu_s: float, workers: int = 1) -> dict[str, object]:
        """Everything counted, as builtins; `cpu_s` is the time of all cores together."""
        seeds = max(self.seeds, 1)
        return {
            "seeds": self.seeds,
            "failed": self.failed,
            "failed_seeds": list(self._failed_seeds),
            "smallest_honest_run": self.honest_seeds,
            "broken": dict(sorted(self._broken.items())),
            "missing": self.missing(),
            "workers": workers,
            "seeds_per_second": round(self.seeds / took_s, 2) if took_s > 0 else 0.0,
            "seeds_per_second_of_one_core": round(self.seeds / cpu_s, 2) if cpu_s > 0 else 0.0,
            "virtual_seconds": round(self._virtual_s),
            **{name: self._sums[name] for name in ("messages", "accepted", "fills")},
            "faults": self._injected.total(),
            "per_seed": {
                **{name: round(self._sums[name] / seeds, 1) for name in ("messages", "accepted", "fills")},
                "faults": round(self._injected.total() / seeds, 1),
            },
            "slowest_recovery_seconds": self._recovered_s_max,
            "faults_by_kind": dict(sorted(self._injected.items())),
            "checked": {name: self._checked[name] for name in NAMES},
            "history": self._history.hexdigest(),
        }


class UnknownFaultError(ValueError):
    """A kind of fault that there is none of; the text names those that there are."""


class UnreadableCaseError(ValueError):
    """A case that is no case; the text says where."""


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


def case_of(text: str) -> Case:
    """A case from its JSON.

    Raises:
        UnreadableCaseError: it is none.
    """
    try:
        return msgspec.json.decode(text, type=Case)
    except msgspec.DecodeError as error:
        raise UnreadableCaseError(f"this is no case of a seed: {error}") from None


def describe(failed: SeedResult, shortest: SeedResult, faults: str) -> str:
    """A failed run for people: what it broke, the shortest history found that breaks it too, and the commands that repeat both."""
    chosen = "" if faults == ALL_FAULTS else f" --faults {faults}"
    lines = [f"seed {failed.case.seed} ({failed.shards} shards):"]
    lines += [f"  {violation}" for violation in failed.violations]
    lines.append(f"  repeat: raymaker simulate --seeds 1 --first {failed.case.seed}{chosen}")
    kept = f"{len(shortest.case.schedule)} of {len(failed.case.schedule)} faults"
    lines.append(f"  shortest history found: {kept}, {shortest.virtual_s:g} s, {shortest.messages} messages")
    lines += [f"    {violation}" for violation in shortest.violations if violation not in failed.violations]
    lines += [f"    {line}" for line in _schedule_lines(shortest.case)]
    lines.append(f"  repeat: raymaker simulate --case '{msgspec.json.encode(shortest.case).decode()}'")
    return "\n".join(lines)


def _schedule_lines(case: Case) -> list[str]:
    lines = []
    for fault in case.schedule:
        details = msgspec.to_builtins(fault)
        at_ms, kind = details.pop("at_ms"), details.pop("kind")
        if fault.actors:
            details["actors"] = " ".join(fault.actors)
        told = ", ".join(f"{name} {value}" for name, value in details.items() if value)
        lines.append(f"{at_ms / 1_000:7.3f} s {kind} {told}".rstrip())
    if case.drain_ms:
        lines.append(f"{case.drain_ms / 1_000:7.3f} s drain")
    return lines
