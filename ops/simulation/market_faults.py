"""What the market does to us: phases of the venue's scenarios, cut short, towards either side."""

from __future__ import annotations

from dataclasses import replace

from actors.exchange.scenarios import PAUSED, SCENARIOS, Phase
from ops.simulation.faults import Fault, FaultKind

_SECONDS_MAX = 8.0
"""No phase lasts longer."""

_PHASES: dict[FaultKind, tuple[Phase, ...]] = {
    FaultKind.FLASH_CRASH: SCENARIOS["flash-crash"].phases[1:3],
    FaultKind.PRICE_GAP: SCENARIOS["gap"].phases[1:2],
    FaultKind.ONE_WAY_MARKET: SCENARIOS["one-way"].phases[1:],
    FaultKind.VOLATILITY_JUMP: SCENARIOS["volatility-jump"].phases[1:],
    FaultKind.LIQUIDITY_GONE: SCENARIOS["liquidity-gone"].phases[1:],
    FaultKind.LEVELS_SWEPT: SCENARIOS["sweep"].phases[1:2],
}


def phases_of(fault: Fault) -> tuple[Phase, ...]:
    """The phases of a fault of the market, the other way round where its count is negative."""
    if fault.kind is FaultKind.SYMBOL_HALTED:
        return (Phase("halted", fault.lasts_ms / 1_000, status=PAUSED),)
    phases = _PHASES[fault.kind]
    shorter = tuple(replace(phase, seconds=min(phase.seconds, _SECONDS_MAX)) for phase in phases)
    return tuple(_mirrored(phase) for phase in shorter) if fault.count < 0 else shorter


def length_ms(kind: FaultKind) -> int:
    """How long the phases of a kind last together."""
    return int(sum(min(phase.seconds, _SECONDS_MAX) for phase in _PHASES[kind]) * 1_000)


def _mirrored(phase: Phase) -> Phase:
    return replace(
        phase,
        buy_share=1 - phase.buy_share,
        drift_bps=-phase.drift_bps,
        jump_bps=-phase.jump_bps,
        sweep_levels=-phase.sweep_levels,
    )
