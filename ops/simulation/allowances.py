"""How long a seed may take to quote again: I9's bounds, added up from the periods and deadlines of its configuration."""

from __future__ import annotations

from collections.abc import Iterable

from configs.schema import Settings
from ops.simulation.faults import HIDES_EXECUTIONS, Fault

BEATS = 4
"""A reconciliation goes on step by step with the order manager's beat."""

FALLS = 3
"""From HALTED a level falls by RESTRICTED and CAUTION to NORMAL."""


def agreeing_s(settings: Settings) -> float:
    """Until a new order manager agrees with the venue: the fence, a request whose answer was lost, and the steps of a reconciliation."""
    orders = settings.order_manager
    fence_ms = settings.risk.lease_ms + orders.window_ms + orders.clock_error_ms_max + orders.dead_slack_ms
    return (fence_ms + settings.venue.request_timeout_ms + BEATS * orders.beat_ms) / 1_000


def warm_up_s(settings: Settings) -> float:
    """From the first actor's start until everything quotes: agreement, a status of the feed, and targets."""
    told_ms = settings.market_data.status_period_ms + settings.strategy.refresh_ms + settings.strategy.warm_up_ms
    return agreeing_s(settings) + told_ms / 1_000


def tending_s(settings: Settings) -> float:
    """From a fill of the one order that works a position off until the next one rests: targets come with the books or, at the latest, with
    the strategy's refresh, and an order may have to grow old first."""
    orders = settings.order_manager
    return (2 * settings.strategy.refresh_ms + orders.order_age_ms_min + BEATS * orders.beat_ms) / 1_000


def hidden_s(settings: Settings, schedule: Iterable[Fault]) -> float:
    """How much longer than in motion a position may differ while its symbol quotes (I3): nothing, unless a fault of the schedule keeps an
    execution from the private stream or its reader; then until a comparison has found it."""
    if not any(fault.kind in HIDES_EXECUTIONS for fault in schedule):
        return 0.0
    return (settings.order_manager.audit_period_ms + settings.venue.request_timeout_ms) / 1_000


def told_s(settings: Settings, schedule: Iterable[Fault]) -> float:
    """How long after an incident its alert is raised at most (I12): by the comparison of a new order manager, whatever time the faults of
    the schedule take from it before."""
    orders = settings.order_manager
    found_ms = orders.audit_period_ms + settings.venue.request_timeout_ms
    return agreeing_s(settings) + found_ms / 1_000 + sum(fault.lasts_ms for fault in schedule) / 1_000


def quoting_again_s(settings: Settings) -> float:
    """From the end of the last fault until everything quotes, or is halted with an alert.

    That of the warm-up, then a look of the risk monitor's own eyes that finds nothing wrong any more, the longest window in which it
    remembers a wild market, and the fall from HALTED level by level.
    """
    risk = settings.risk
    fall_ms = FALLS * (risk.levels.quiet_ms + risk.judge_period_ms)
    seen_ms = max(risk.eyes.positions_ms, risk.estimators.volatility_long_ms)
    return warm_up_s(settings) + (seen_ms + fall_ms) / 1_000
