"""The results as a table in Markdown, ready for a README. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ops.chaos.verdicts import Judged, Outcome, checked_in_all


def markdown(judged: Sequence[Judged], machine: dict[str, Any], commit: str, took_s: float) -> str:
    """One paragraph of facts, a line for each row that was played, a sentence on those that were not."""
    ran = [each for each in judged if each.outcome is not Outcome.NOT_RUN]
    counts = ", ".join(
        f"{count} {outcome.value}"
        for outcome in (Outcome.PASSED, Outcome.LATE, Outcome.FAILED)
        if (count := sum(each.outcome is outcome for each in ran)) or outcome is not Outcome.LATE
    )
    looks = ", ".join(f"{name} {count:,}" for name, count in sorted(checked_in_all(ran).items(), key=_by_number))
    absent = ", ".join(each.key for each in judged if each.outcome is Outcome.NOT_RUN)
    parts = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, Python {machine['python']}, commit {commit}; "
        f"{len(ran)} rows in {took_s / 60:.0f} min: {counts}. Seconds after the fault, bounds in brackets.\n",
        "| row | fault | detected | safe | quoting again | |",
        "|---|---|---|---|---|---|",
        *(_line(each) for each in ran),
        f"\nLooks of the checks: {looks}.",
        *([f"\nNot played: {absent}."] if absent else []),
    ]
    return "\n".join(parts) + "\n"


def _by_number(item: tuple[str, int]) -> tuple[int, str]:
    name = item[0]
    return (int(name[1:]), name) if name[:1] == "I" and name[1:].isdigit() else (1_000, name)


def _line(each: Judged) -> str:
    run, bounds = each.run, each.bounds
    figures = (
        _figure(run.detected_s, bounds.detected_s),
        _figure(run.safe_s, bounds.safe_s),
        _figure(run.quoting_s, bounds.quoting_s),
    )
    word = each.outcome.value if not each.reasons else f"{each.outcome.value}: {'; '.join(each.reasons)}"
    return f"| {each.key} | {_cell(each.fault)} | {' | '.join(figures)} | {_cell(word)} |"


def _figure(seen_s: float | None, bound_s: float | None) -> str:
    if seen_s is None:
        return "not seen" if bound_s is not None else ""
    return f"{seen_s:.2f}" + (f" ({bound_s:g})" if bound_s is not None else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
