"""A Hawkes process of plain and informed happenings with exponential kernels of fixed decays: drawn one by one, and fitted by likelihood.

With the decays fixed the likelihood has one maximum, and expectation-maximisation over the causes of each happening reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import NamedTuple

from actors.exchange.market_model import Arrivals
from actors.exchange.seeded import SeededNumbers

ROUNDS = 150
BRANCHING_MAX = 0.93
"""Offspring of a happening on average; above it a few minutes of data cannot tell a process from one that never ends."""


class Happening(NamedTuple):
    """When something happens (seconds since the beginning), and whether it is informed."""

    at_s: float
    informed: bool


class Excitation:
    """Draws a process in its long-run state from time 0 on."""

    def __init__(self, arrivals: Arrivals, numbers: SeededNumbers) -> None:
        self._arrivals = arrivals
        self._numbers = numbers
        self._at_s = 0.0
        self._decays = arrivals.decay_s * 2
        plain, informed = arrivals.rates
        self._excited = [
            *(each * plain for each in arrivals.plain_branching),
            *(each * informed for each in arrivals.informed_branching),
        ]

    def next(self, factor: float, informed_share: float | None) -> Happening:
        """The next happening; `factor` multiplies the base rate meanwhile, `informed_share` stands for all of the model's."""
        base = self._arrivals.base_rate * factor
        while True:
            bound = base + sum(self._excited)
            wait_s = self._numbers.exponential(1 / bound)
            self._at_s += wait_s
            self._excited = [
                level * exp(-wait_s / decay) for level, decay in zip(self._excited, self._decays, strict=True)
            ]
            mark = self._numbers.uniform() * bound
            for cause, intensity in enumerate((base, *self._excited)):
                if mark < intensity:
                    share = self._arrivals.informed_share[cause] if informed_share is None else informed_share
                    return self._happened(informed=self._numbers.chance(share))
                mark -= intensity

    def _happened(self, *, informed: bool) -> Happening:
        scales = len(self._arrivals.decay_s)
        branching = self._arrivals.informed_branching if informed else self._arrivals.plain_branching
        for scale, count in enumerate(branching):
            self._excited[scale + scales * informed] += count / self._decays[scale]
        return Happening(self._at_s, informed)


def fit(happenings: Sequence[Happening], end_s: float, decays_s: Sequence[float]) -> Arrivals:
    """The process of the greatest likelihood on [0, end_s], given its decays. `happenings` ascend in time."""
    scales = len(decays_s)
    decays = (*decays_s, *decays_s)
    base, branching = 0.5 * len(happenings) / end_s, [0.5 / scales] * len(decays)
    shares = [sum(each.informed for each in happenings) / len(happenings)] * (len(decays) + 1)
    # How many offspring each kernel could have before the end, for one of its branching.
    inside = [
        sum(1 - exp(-(end_s - each.at_s) / decay) for each in happenings if each.informed == (index >= scales))
        for index, decay in enumerate(decays)
    ]
    totals = [0.0]
    for _ in range(ROUNDS):
        totals, informed = _expected(happenings, base, branching, shares, decays)
        base = totals[0] / end_s
        branching = [total / max(1e-9, most) for total, most in zip(totals[1:], inside, strict=True)]
        shares = [mine / total if total > 1e-9 else 0.0 for mine, total in zip(informed, totals, strict=True)]
    excess = (1 - totals[0] / len(happenings)) / BRANCHING_MAX
    if excess > 1:
        branching = [each / excess for each in branching]
        base = len(happenings) / end_s * (1 - BRANCHING_MAX)
    return Arrivals(
        base_rate=base,
        decay_s=tuple(decays_s),
        plain_branching=tuple(branching[:scales]),
        informed_branching=tuple(branching[scales:]),
        informed_share=tuple(min(1.0, share) for share in shares),
    )


def _expected(
    happenings: Sequence[Happening],
    base: float,
    branching: Sequence[float],
    shares: Sequence[float],
    decays: Sequence[float],
) -> tuple[list[float], list[float]]:
    """How many happenings each cause is expected to have brought, and how many of them are informed."""
    scales = len(decays) // 2
    totals, informed = [0.0] * (len(decays) + 1), [0.0] * (len(decays) + 1)
    excited, before = [0.0] * len(decays), 0.0
    for each in happenings:
        excited = [level * exp(-(each.at_s - before) / decay) for level, decay in zip(excited, decays, strict=True)]
        # What is informed speaks for the causes that bring such, and the other way round.
        parts = [
            level * (share if each.informed else 1 - share)
            for level, share in zip((base, *excited), shares, strict=True)
        ]
        intensity = sum(parts)
        for cause, part in enumerate(parts):
            totals[cause] += part / intensity
            informed[cause] += part / intensity * each.informed
        own = range(scales, 2 * scales) if each.informed else range(scales)
        for index in own:
            excited[index] += branching[index] / decays[index]
        before = each.at_s
    return totals, informed
