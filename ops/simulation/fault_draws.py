"""Draws schedules of faults from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec

from ops.simulation.faults import MARKETS, Cast, Fault, FaultKind
from ops.simulation.market_faults import length_ms
from ops.simulation.venue_acts import Bound
from protocols.binance_usdm.errors import CODES

FAULTS_MIN, FAULTS_MAX = 3, 5
"""Faults of one run."""

FIRST_MS, SPAN_MS = 500, 36_000
"""Faults begin so long after the warm-up, and within so long."""

TOGETHER_SHARE, TOGETHER_MS = 0.4, 1_500
"""This part of the faults strikes within so long after the one before: recovery from one is hit by the next."""

BARE_SHARE = 0.1
"""This part of the firewall's refusals names no time to wait."""

UNCLEAR_CODES = (-1000, -1001, -1006, -1007, 502)
"""Codes of the answers that prove nothing; 502 is a gateway's page."""


def seeds_for_all(kinds: int) -> int:
    """In so many seeds in a row each of so many kinds strikes."""
    return -(-kinds // FAULTS_MIN)


def certain_kinds(seed: int, kinds: Sequence[FaultKind]) -> list[FaultKind]:
    """The kinds that a seed has for certain: `seeds_for_all` seeds in a row have each kind."""
    period = seeds_for_all(len(kinds))
    return [kinds[place % len(kinds)] for place in range(seed % period, period * FAULTS_MIN, period)]


def draw_schedule(seed: int, cast: Cast, kinds: Sequence[FaultKind] = tuple(FaultKind)) -> tuple[Fault, ...]:
    """A schedule in order of time; the same arguments give the same one. The seeds take turns in having each kind for certain."""
    chance = random.Random(f"faults {seed}")
    count = chance.randint(FAULTS_MIN, FAULTS_MAX)
    certain = certain_kinds(seed, kinds)
    drawn: list[Fault] = []
    for number in range(count):
        kind = certain[number] if number < len(certain) else chance.choice(kinds)
        at_ms = FIRST_MS + chance.randrange(SPAN_MS)
        if drawn and chance.random() < TOGETHER_SHARE:
            at_ms = drawn[-1].at_ms + chance.randrange(TOGETHER_MS)
        drawn.append(msgspec.structs.replace(_DRAWS[kind](chance, cast), kind=kind, at_ms=at_ms))
    return tuple(sorted(drawn, key=lambda fault: fault.at_ms))


_Draw = Callable[[random.Random, Cast], Fault]


def _fault(actors: tuple[str, ...] = (), lasts_ms: int = 0, **fields: object) -> Fault:
    drawn = Fault(kind=FaultKind.CRASH, at_ms=0, actors=actors, lasts_ms=lasts_ms)
    return msgspec.structs.replace(drawn, **fields)


def _one_of(*roles: str, lasts_ms: tuple[int, int] = (0, 0)) -> _Draw:
    return lambda chance, cast: _fault((chance.choice(cast.of_role(*roles)),), chance.randint(*lasts_ms))


def _at_message(chance: random.Random, cast: Cast) -> Fault:
    name = chance.choice(cast.actors)
    share = round(chance.random(), 2)
    return _fault((name,), chance.randint(20, 2_500), share=share, count=chance.randint(1, 60))


def _several(chance: random.Random, cast: Cast) -> Fault:
    count = chance.randint(2, len(cast.actors) - 1)
    return _fault(tuple(chance.sample(cast.actors, count)), chance.randint(50, 2_500))


def _partition(chance: random.Random, cast: Cast) -> Fault:
    count = chance.randint(1, len(cast.actors) // 2)
    return _fault(tuple(chance.sample(cast.actors, count)), chance.randint(50, 6_000))


def _link(lasts_ms: tuple[int, int], size_ms: tuple[int, int] = (0, 0), share: float = 1.0) -> _Draw:
    return lambda chance, cast: _fault(
        chance.choice(cast.links), chance.randint(*lasts_ms), size_ms=chance.randint(*size_ms), share=share
    )


def _disk(lasts_ms: tuple[int, int], size_ms: tuple[int, int]) -> _Draw:
    owners = ("order_manager", "order_manager", "inventory", "risk_monitor")
    return lambda chance, cast: _fault(
        (chance.choice(cast.of_role(chance.choice(owners))),),
        chance.randint(*lasts_ms),
        size_ms=chance.randint(*size_ms),
    )


def _wire(
    roles: tuple[str, ...], lasts_ms: tuple[int, int], share: tuple[float, float], size_ms: tuple[int, int] = (0, 0)
) -> _Draw:
    def draw(chance: random.Random, cast: Cast) -> Fault:
        victim = chance.choice(cast.of_role(*roles))
        lasts = chance.randint(*lasts_ms)
        return _fault((victim,), lasts, share=round(chance.uniform(*share), 2), size_ms=chance.randint(*size_ms))

    return draw


def _error(codes: Sequence[int], lasts_ms: tuple[int, int]) -> _Draw:
    def draw(chance: random.Random, cast: Cast) -> Fault:
        victim, lasts = chance.choice(cast.of_role(*_ASKS)), chance.randint(*lasts_ms)
        share, code, done = round(chance.uniform(0.1, 1.0), 2), chance.choice(codes), chance.random() < 0.5
        return _fault((victim,), lasts, share=share, code=code, done=done)

    return draw


def _venue(
    lasts_ms: tuple[int, int], size_ms: tuple[int, int] = (0, 0), share: tuple[float, float] = (0.2, 1.0)
) -> _Draw:
    return lambda chance, cast: _fault(
        (), chance.randint(*lasts_ms), share=round(chance.uniform(*share), 2), size_ms=chance.randint(*size_ms)
    )


def _market(kind: FaultKind) -> _Draw:
    return lambda chance, cast: _fault((), length_ms(kind), count=chance.choice((-1, 1)))


def _forbidden(chance: random.Random, cast: Cast) -> Fault:
    """Nearly always with a time to wait: where none is named five minutes are waited."""
    wait_ms = 0 if chance.random() < BARE_SHARE else chance.randint(1_000, 8_000)
    victim = chance.choice(cast.of_role(*_ASKS))
    return _fault((victim,), chance.randint(50, 500), share=round(chance.uniform(0.3, 1.0), 2), size_ms=wait_ms)


def _filters_changed(chance: random.Random, cast: Cast) -> Fault:
    bound = chance.choice(tuple(Bound))
    return _fault((), chance.randint(1_000, 8_000) if bound is Bound.TICK else 0, count=int(bound))


_ASKS = ("order_manager", "order_manager", "inventory", "market_data")
_OM = ("order_manager",)
_MD = ("market_data",)

_DRAWS: dict[FaultKind, _Draw] = {
    FaultKind.CRASH: lambda chance, cast: _fault((chance.choice(cast.actors),), chance.randint(20, 2_500)),
    FaultKind.CRASH_AT_MESSAGE: _at_message,
    FaultKind.CRASH_SEVERAL: _several,
    FaultKind.CRASH_ALL: lambda chance, cast: _fault(cast.actors, chance.randint(100, 12_000)),
    FaultKind.RESTART: lambda chance, cast: _fault((chance.choice(cast.actors),), 8_000),
    FaultKind.CUT_LINK: _link((20, 6_000)),
    FaultKind.PARTITION: _partition,
    FaultKind.LINK_DELAYED: _link((100, 4_000), (20, 2_500)),
    FaultKind.LINKS_SHUFFLED: lambda chance, cast: _fault(
        (), chance.randint(100, 4_000), size_ms=chance.randint(20, 800)
    ),
    FaultKind.LINK_DROPS: _link((100, 4_000), (50, 500)),
    FaultKind.LINK_REPEATS: _link((100, 5_000), share=0.5),
    FaultKind.DISK_SLOW: _disk((100, 4_000), (20, 1_500)),
    FaultKind.DISK_FAILS: _disk((10, 2_500), (0, 0)),
    FaultKind.JOURNAL_LOST: _one_of("order_manager", lasts_ms=(100, 2_500)),
    FaultKind.SUPERVISOR_CRASH: lambda chance, cast: _fault((), chance.randint(500, 8_000)),
    FaultKind.STRATEGY_MAD: _one_of("strategy", lasts_ms=(500, 6_000)),
    FaultKind.LOSE_PUBLIC: _one_of("market_data", lasts_ms=(100, 5_000)),
    FaultKind.LOSE_MARKET: _one_of("market_data", lasts_ms=(100, 5_000)),
    FaultKind.LOSE_PRIVATE: _one_of("order_manager", lasts_ms=(100, 5_000)),
    FaultKind.LOSE_ORDERS: _one_of("order_manager", lasts_ms=(100, 5_000)),
    FaultKind.SILENT_PUBLIC: _one_of("market_data", lasts_ms=(200, 6_000)),
    FaultKind.SILENT_PRIVATE: _one_of("order_manager", lasts_ms=(200, 6_000)),
    FaultKind.DEPTH_GAP: lambda chance, cast: _fault((chance.choice(cast.of_role(*_MD)),), count=chance.randint(1, 5)),
    FaultKind.REQUESTS_LOST: _wire(_ASKS, (100, 3_000), (0.1, 1.0)),
    FaultKind.ANSWERS_LOST: _wire(_ASKS, (100, 3_000), (0.1, 1.0)),
    FaultKind.REQUESTS_DELAYED: _wire(_ASKS, (100, 3_000), (0.2, 1.0), (50, 3_000)),
    FaultKind.ANSWERS_DELAYED: _wire(_ASKS, (100, 3_000), (0.2, 1.0), (50, 5_000)),
    FaultKind.SLOW_READS: _wire(_ASKS, (500, 4_000), (0.5, 1.0), (500, 2_900)),
    FaultKind.THROTTLED: _wire(_ASKS, (50, 500), (0.5, 1.0), (1_000, 8_000)),
    FaultKind.THROTTLED_BARE: _wire(_ASKS, (50, 500), (0.2, 1.0)),
    FaultKind.ORDERS_THROTTLED: _wire(_OM, (50, 1_500), (0.2, 1.0)),
    FaultKind.BANNED: _wire(_ASKS, (50, 500), (0.5, 1.0), (1_000, 8_000)),
    FaultKind.FORBIDDEN: _forbidden,
    FaultKind.OVERLOADED: _wire(_OM, (100, 3_000), (0.3, 1.0)),
    FaultKind.UNCLEAR: _error(UNCLEAR_CODES, (100, 2_000)),
    FaultKind.REFUSED: _error(tuple(CODES), (50, 1_500)),
    FaultKind.EVENTS_DROPPED: _wire(_OM, (100, 3_000), (0.05, 0.6)),
    FaultKind.EVENTS_REPEATED: _wire(_OM, (100, 5_000), (0.2, 1.0)),
    FaultKind.EVENTS_REORDERED: _wire(_OM, (100, 5_000), (0.2, 1.0)),
    FaultKind.READS_LAG: _wire(("order_manager", "inventory"), (500, 9_000), (1.0, 1.0), (300, 4_000)),
    FaultKind.KEY_EXPIRED: lambda chance, cast: _fault(),
    FaultKind.LATE_ACCEPT: _venue((500, 4_000), (100, 1_400)),
    FaultKind.READ_LAG: _venue((500, 6_000), (300, 4_000)),
    FaultKind.MALFORMED_ANSWER: _venue((100, 2_000)),
    FaultKind.ACK_AFTER_FILL: _venue((500, 3_000), (50, 1_500)),
    FaultKind.CANCEL_FILL_RACE: _venue((500, 4_000)),
    FaultKind.OLD_SNAPSHOT: _venue((500, 5_000)),
    FaultKind.EVENTS_DELAYED: _venue((200, 4_000), (50, 2_500)),
    FaultKind.EVENTS_SILENT: _venue((500, 6_000)),
    FaultKind.MARKET_SILENT: _venue((200, 9_000), share=(1.0, 1.0)),
    FaultKind.MALFORMED_FRAME: _venue((100, 2_000)),
    FaultKind.CLOCK_STEP: lambda chance, cast: _fault(size_ms=chance.choice((-1, 1)) * chance.randint(20, 1_800)),
    FaultKind.STOP_AND_RESUME: lambda chance, cast: _fault(lasts_ms=chance.randint(100, 8_000)),
    FaultKind.FOREIGN_TRADE: lambda chance, cast: _fault(count=chance.choice((-1, 1)) * chance.randint(1, 3)),
    FaultKind.FOREIGN_ORDER: lambda chance, cast: _fault((), chance.randint(100, 9_000), count=chance.choice((-1, 1))),
    FaultKind.SYMBOL_HALTED: _venue((1_000, 8_000)),
    FaultKind.FILTERS_CHANGED: _filters_changed,
    FaultKind.FEES_CHANGED: _venue((1_000, 10_000)),
    FaultKind.FUNDING_SPIKE: lambda chance, cast: _fault(
        (), 1_000, size_ms=chance.randint(200, 4_000), count=chance.choice((-1, 1))
    ),
    FaultKind.MARGIN_CALL: _venue((0, 0)),
    FaultKind.LIQUIDATED: _venue((0, 0)),
    FaultKind.DELEVERAGED: _venue((0, 0), share=(0.1, 1.0)),
    **{kind: _market(kind) for kind in MARKETS if kind is not FaultKind.SYMBOL_HALTED},
}
