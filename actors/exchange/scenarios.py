"""Scenarios of the synthetic market by name: phases that bend its forces, halt it, delist it, or change its contract.

A scenario begins calm, so that a client can come up, then runs through its phases, again and again unless it ends for good.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TRADING, PAUSED, REDUCE_ONLY, SETTLING, CLOSED = "TRADING", "PENDING_TRADING", "PRE_SETTLE", "SETTLING", "CLOSE"
QUIET_S = 20.0


@dataclass(frozen=True, slots=True)
class Phase:
    """What a stretch of time is like.

    Factors multiply the flow's rates and sizes. `drift_bps` is a second's; `jump_bps` happens once, at the start, without a trade;
    `sweep_levels` are traded through at the start. `funding_rate` and `premium_bps` (mark above index) hold for the phase.
    """

    name: str
    seconds: float
    volatility_factor: float = 1.0
    trade_factor: float = 1.0
    change_factor: float = 1.0
    depth_factor: float = 1.0
    spread_ticks: int = 1
    buy_share: float = 0.5
    informed_share: float | None = None
    drift_bps: float = 0.0
    jump_bps: float = 0.0
    sweep_levels: int = 0
    status: str = TRADING
    tick_multiple: int = 1
    funding_rate: float | None = None
    funding_in_s: float = 0.0
    premium_bps: float = 0.0


CALM_PHASE = Phase("calm", QUIET_S)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named sequence of phases after the first calm; one that does not repeat stays in its last phase."""

    name: str
    about: str
    phases: tuple[Phase, ...] = field(default=(CALM_PHASE,))
    repeats: bool = True

    def phase_at(self, elapsed_s: float) -> tuple[int, Phase]:
        """The phase at a time since the opening, and its number, which grows with every change."""
        if len(self.phases) == 1 and self.repeats:
            return 0, self.phases[0]
        length_s = sum(phase.seconds for phase in self.phases)
        rounds, left_s = divmod(elapsed_s, length_s)
        if rounds and not self.repeats:
            return len(self.phases) - 1, self.phases[-1]
        for number, phase in enumerate(self.phases):
            if left_s < phase.seconds:
                return int(rounds) * len(self.phases) + number, phase
            left_s -= phase.seconds
        return int(rounds) * len(self.phases) + len(self.phases) - 1, self.phases[-1]


def _scenario(name: str, about: str, *phases: Phase, repeats: bool = True) -> Scenario:
    return Scenario(name, about, (CALM_PHASE, *phases), repeats)


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("calm", "the market as calibrated"),
        _scenario(
            "trend",
            "up 1.5 bps a second with buyers in the lead, then down again",
            Phase("up", 30, drift_bps=1.5, buy_share=0.75, trade_factor=1.5),
            Phase("down", 30, drift_bps=-1.5, buy_share=0.25, trade_factor=1.5),
        ),
        _scenario(
            "flash-crash",
            "down 5 % in 3 s through a book that is gone, half of it back in 20 s",
            Phase(
                "crash",
                3,
                drift_bps=-170,
                volatility_factor=10,
                trade_factor=8,
                depth_factor=0.1,
                spread_ticks=6,
                buy_share=0.05,
                informed_share=0.8,
            ),
            Phase("rebound", 20, drift_bps=12.5, volatility_factor=5, trade_factor=3, depth_factor=0.3, buy_share=0.7),
            Phase("after", 20, volatility_factor=2, depth_factor=0.6),
        ),
        _scenario(
            "gap",
            "the price jumps by 0.6 % without a trade, down and up",
            Phase("gap down", 25, jump_bps=-60),
            Phase("gap up", 25, jump_bps=60),
        ),
        _scenario(
            "volatility-jump",
            "twenty times the volatility from one moment to the next, for 30 s",
            Phase("wild", 30, volatility_factor=20, trade_factor=3, depth_factor=0.5),
        ),
        _scenario(
            "liquidity-gone",
            "a fiftieth of the depth and a spread of eight ticks, for 20 s",
            Phase("empty", 20, depth_factor=0.02, spread_ticks=8, trade_factor=0.4, change_factor=0.2),
        ),
        _scenario(
            "sweep",
            "one order goes through eighty levels every eight seconds",
            *(Phase(f"sweep {n}", 8, sweep_levels=80 if n % 2 else -80) for n in range(6)),
        ),
        _scenario(
            "one-way",
            "only sellers, for a minute",
            Phase("selling", 60, buy_share=0.02, drift_bps=-0.4, trade_factor=2, informed_share=0.0),
        ),
        _scenario(
            "funding-spike",
            "a premium of 30 bps and funding of 0.3 % that is due in 20 s",
            Phase("premium", 40, funding_rate=0.003, funding_in_s=20, premium_bps=30, buy_share=0.6),
        ),
        _scenario(
            "halt",
            "trading pauses for 15 s and opens 0.2 % away",
            Phase("halted", 15, status=PAUSED),
            Phase("reopened", 15, jump_bps=-20, volatility_factor=3),
        ),
        _scenario(
            "delist",
            "reduce-only for 15 s, then orders expire and positions are settled at the mark; closed from then on",
            Phase("reduce-only", 15, status=REDUCE_ONLY),
            Phase("settling", 5, status=SETTLING),
            Phase("closed", 3_600, status=CLOSED),
            repeats=False,
        ),
        _scenario(
            "tick-size-change",
            "the tick is ten times as large for 30 s; orders that rest keep their price",
            Phase("coarse", 30, tick_multiple=10),
        ),
    )
}
