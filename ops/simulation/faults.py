"""Fault schedules as pure data: drawn from a seed, carried out by seeds.py."""

from __future__ import annotations

import enum
import random
from collections.abc import Callable, Sequence

import msgspec

FAULTS_MIN, FAULTS_MAX = 3, 8
"""Faults of one run."""

FIRST_MS, SPAN_MS = 500, 36_000
"""Faults begin so long after the warm-up, and within so long."""

TOGETHER_SHARE, TOGETHER_MS = 0.4, 1_500
"""This part of the faults strikes within so long after the one before: recovery from one is hit by the next."""


class FaultKind(enum.StrEnum):
    """What can be made to happen."""

    CRASH = "crash"
    CRASH_SEVERAL = "crash_several"
    CRASH_ALL = "crash_all"
    RESTART = "restart"
    CUT_LINK = "cut_link"
    LOSE_PUBLIC = "lose_public"
    LOSE_MARKET = "lose_market"
    LOSE_PRIVATE = "lose_private"
    LOSE_ORDERS = "lose_orders"
    SILENT_PUBLIC = "silent_public"
    SILENT_PRIVATE = "silent_private"
    DEPTH_GAP = "depth_gap"
    REQUESTS_LOST = "requests_lost"
    ANSWERS_LOST = "answers_lost"
    REQUESTS_DELAYED = "requests_delayed"
    ANSWERS_DELAYED = "answers_delayed"
    SLOW_READS = "slow_reads"
    OVERLOADED = "overloaded"
    UNCLEAR = "unclear"
    THROTTLED = "throttled"
    EVENTS_DROPPED = "events_dropped"
    EVENTS_REPEATED = "events_repeated"
    EVENTS_REORDERED = "events_reordered"
    READS_LAG = "reads_lag"
    KEY_EXPIRED = "key_expired"
    CLOCK_STEP = "clock_step"
    STOP_AND_RESUME = "stop_and_resume"


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fault. `at_ms` counts from the end of the warm-up; what the other fields mean depends on the kind.

    `actors` are the victims (for a link writer and reader); `share` is how often a wire fault strikes; `size_ms` a longest delay, a
    wait, or the step of a clock.
    """

    kind: FaultKind
    at_ms: int
    lasts_ms: int = 0
    actors: tuple[str, ...] = ()
    share: float = 1.0
    size_ms: int = 0

    @property
    def victims_may_be_fewer(self) -> bool:
        """Whether the fault makes sense with some of its actors left out."""
        return self.kind in (FaultKind.CRASH_SEVERAL, FaultKind.CRASH_ALL)

    @property
    def ends_ms(self) -> int:
        """When it is over; a throttle only with the wait that it told."""
        waits_ms = self.size_ms if self.kind is FaultKind.THROTTLED else 0
        return self.at_ms + self.lasts_ms + waits_ms


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """Who a schedule can strike."""

    actors: tuple[str, ...]
    links: tuple[tuple[str, str], ...]

    def of_role(self, *roles: str) -> tuple[str, ...]:
        """Actors of one of these roles."""
        return tuple(name for name in self.actors if name.partition("-")[0] in roles)


def draw_schedule(seed: int, cast: Cast, kinds: Sequence[FaultKind] = tuple(FaultKind)) -> tuple[Fault, ...]:
    """A schedule in order of time; the same arguments give the same one. The seeds take turns in having each kind for certain."""
    chance = random.Random(f"faults {seed}")
    count = chance.randint(FAULTS_MIN, FAULTS_MAX)
    drawn: list[Fault] = []
    for number in range(count):
        kind = chance.choice(kinds) if number else kinds[seed % len(kinds)]
        at_ms = FIRST_MS + chance.randrange(SPAN_MS)
        if drawn and chance.random() < TOGETHER_SHARE:
            at_ms = drawn[-1].at_ms + chance.randrange(TOGETHER_MS)
        drawn.append(msgspec.structs.replace(_DRAWS[kind](chance, cast), kind=kind, at_ms=at_ms))
    return tuple(sorted(drawn, key=lambda fault: fault.at_ms))


_Draw = Callable[[random.Random, Cast], Fault]


def _fault(actors: tuple[str, ...] = (), lasts_ms: int = 0, share: float = 1.0, size_ms: int = 0) -> Fault:
    return Fault(kind=FaultKind.CRASH, at_ms=0, actors=actors, lasts_ms=lasts_ms, share=share, size_ms=size_ms)


def _one_of(*roles: str, lasts_ms: tuple[int, int] = (0, 0)) -> _Draw:
    return lambda chance, cast: _fault((chance.choice(cast.of_role(*roles)),), chance.randint(*lasts_ms))


def _several(chance: random.Random, cast: Cast) -> Fault:
    count = chance.randint(2, len(cast.actors) - 1)
    return _fault(tuple(chance.sample(cast.actors, count)), chance.randint(50, 2_500))


def _link(chance: random.Random, cast: Cast) -> Fault:
    return _fault(chance.choice(cast.links), chance.randint(20, 6_000))


def _wire(
    roles: tuple[str, ...], lasts_ms: tuple[int, int], share: tuple[float, float], size_ms: tuple[int, int] = (0, 0)
) -> _Draw:
    def draw(chance: random.Random, cast: Cast) -> Fault:
        victim = chance.choice(cast.of_role(*roles))
        return _fault((victim,), chance.randint(*lasts_ms), round(chance.uniform(*share), 2), chance.randint(*size_ms))

    return draw


_ANY = ("alerting", "inventory", "risk_monitor", "order_manager", "market_data", "strategy")
_ASKS = ("order_manager", "order_manager", "inventory", "market_data")

_DRAWS: dict[FaultKind, _Draw] = {
    FaultKind.CRASH: _one_of(*_ANY, lasts_ms=(20, 2_500)),
    FaultKind.CRASH_SEVERAL: _several,
    FaultKind.CRASH_ALL: lambda chance, cast: _fault(cast.actors, chance.randint(100, 12_000)),
    FaultKind.RESTART: _one_of(*_ANY, lasts_ms=(8_000, 8_000)),
    FaultKind.CUT_LINK: _link,
    FaultKind.LOSE_PUBLIC: _one_of("market_data", lasts_ms=(100, 5_000)),
    FaultKind.LOSE_MARKET: _one_of("market_data", lasts_ms=(100, 5_000)),
    FaultKind.LOSE_PRIVATE: _one_of("order_manager", lasts_ms=(100, 5_000)),
    FaultKind.LOSE_ORDERS: _one_of("order_manager", lasts_ms=(100, 5_000)),
    FaultKind.SILENT_PUBLIC: _one_of("market_data", lasts_ms=(200, 6_000)),
    FaultKind.SILENT_PRIVATE: _one_of("order_manager", lasts_ms=(200, 6_000)),
    FaultKind.DEPTH_GAP: lambda chance, cast: _fault(
        (chance.choice(cast.of_role("market_data")),), 0, 1.0, chance.randint(1, 5)
    ),
    FaultKind.REQUESTS_LOST: _wire(_ASKS, (100, 3_000), (0.1, 1.0)),
    FaultKind.ANSWERS_LOST: _wire(_ASKS, (100, 3_000), (0.1, 1.0)),
    FaultKind.REQUESTS_DELAYED: _wire(_ASKS, (100, 3_000), (0.2, 1.0), (50, 3_000)),
    FaultKind.ANSWERS_DELAYED: _wire(_ASKS, (100, 3_000), (0.2, 1.0), (50, 5_000)),
    FaultKind.SLOW_READS: _wire(_ASKS, (500, 4_000), (0.5, 1.0), (500, 2_900)),
    FaultKind.OVERLOADED: _wire(("order_manager",), (100, 3_000), (0.3, 1.0)),
    FaultKind.UNCLEAR: _wire(_ASKS, (100, 2_000), (0.2, 1.0)),
    FaultKind.THROTTLED: _wire(_ASKS, (50, 500), (0.5, 1.0), (1_000, 8_000)),
    FaultKind.EVENTS_DROPPED: _wire(("order_manager",), (100, 3_000), (0.05, 0.6)),
    FaultKind.EVENTS_REPEATED: _wire(("order_manager",), (100, 5_000), (0.2, 1.0)),
    FaultKind.EVENTS_REORDERED: _wire(("order_manager",), (100, 5_000), (0.2, 1.0)),
    FaultKind.READS_LAG: _wire(("order_manager", "inventory"), (500, 9_000), (1.0, 1.0), (300, 4_000)),
    FaultKind.KEY_EXPIRED: lambda chance, cast: _fault(),
    FaultKind.CLOCK_STEP: lambda chance, cast: _fault(size_ms=chance.choice((-1, 1)) * chance.randint(20, 1_800)),
    FaultKind.STOP_AND_RESUME: lambda chance, cast: _fault(lasts_ms=chance.randint(100, 8_000)),
}
