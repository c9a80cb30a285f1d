"""A schedule of faults drawn from a seed: one after another, each over before long, none that only a person could end."""

from __future__ import annotations

from actors.exchange.faults import LASTING, Fault, FaultKind, SocketGroup
from actors.exchange.seeded import SeededNumbers

QUIET_S_MEAN = 8.0
FIRST_S = 5.0
DURATION_MS_MIN, DURATION_MS_MAX = 500, 5_000
LEFT_OUT = frozenset({FaultKind.BANNED, FaultKind.KEY_REJECTED, FaultKind.FORBIDDEN})
"""A client that does nothing wrong is not shut out, and its key stays its own."""

_DRAWN = [kind for kind in FaultKind if kind not in LEFT_OUT]
_GROUPS = list(SocketGroup)


class FaultScript:
    """Draws what goes wrong next."""

    def __init__(self, seed: int) -> None:
        self._numbers = SeededNumbers(seed)
        self._first = True

    def next(self) -> tuple[int, Fault]:
        """How long to wait (ns), and the fault that then begins."""
        quiet_s = self._numbers.exponential(QUIET_S_MEAN) + (FIRST_S if self._first else 0.0)
        self._first = False
        kind = _DRAWN[self._numbers.below(len(_DRAWN))]
        duration_ms = DURATION_MS_MIN + self._numbers.below(DURATION_MS_MAX - DURATION_MS_MIN)
        counted = kind not in LASTING and self._numbers.chance(0.5)
        fault = Fault(
            kind=kind,
            count=1 + self._numbers.below(3) if counted else None,
            duration_ms=duration_ms,
            share=1.0 if counted else 0.2 + 0.8 * self._numbers.uniform(),
            executed=self._numbers.chance(0.5),
            delay_ms=100 + self._numbers.below(1_900),
            lag_ms=200 + self._numbers.below(4_800),
            skew_ms=self._numbers.below(10_001) - 5_000,
            retry_after_s=1 + self._numbers.below(4),
            part=0.1 + 0.9 * self._numbers.uniform(),
            sockets=_GROUPS[self._numbers.below(len(_GROUPS))],
        )
        return int(quiet_s * 1e9), fault
