"""Section `order_manager`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.schema.section import BasisPoints, Milliseconds, Section, Symbol


class OrderManagerSettings(Section):
    """Ladder diff, gate, deadlines and budget. After `clock_doubt_ms_max` and `reconnect_ms_max` of doubt everything stops until resume."""

    price_tolerance_bps: BasisPoints = 0.3
    size_tolerance_share: float = Field(default=0.3, ge=0, le=1, allow_inf_nan=False)
    amends: bool = True
    order_age_ms_min: int = Field(default=500, ge=0, le=60_000)
    window_ms: int = Field(default=1_500, ge=100, le=60_000)
    cancel_window_ms: int = Field(default=10_000, ge=100, le=60_000)
    dead_slack_ms: Milliseconds = 1_500
    clock_error_ms_max: Milliseconds = 250
    clock_age_ms_max: Milliseconds = 300_000
    clock_doubt_ms_max: Milliseconds = 60_000
    reconnect_ms_max: Milliseconds = 300_000
    book_age_ms_max: Milliseconds = 500
    target_age_ms_max: Milliseconds = 2_000
    user_stream_age_ms_max: Milliseconds = 60_000
    journal_sync_ms_max: Milliseconds = 5_000
    query_attempts_max: int = Field(default=20, ge=1, le=1_000)
    live_orders_max: int = Field(default=200, ge=1, le=10_000)
    finished_orders_max: int = Field(default=2_000, ge=10, le=100_000)
    beat_ms: int = Field(default=50, ge=10, le=500)
    intents_remembered_max: int = Field(default=10_000, ge=10, le=1_000_000)
    tombstone_ms: Milliseconds = 3_600_000
    countdown_ms: Milliseconds = 10_000
    audit_period_ms: Milliseconds = 5_000
    foreign_orders: Literal["left", "cancelled"] = "left"
    foreign_orders_accepted: tuple[Symbol, ...] = ()
    orders_budget_share: float = Field(default=0.8, gt=0, le=0.8, allow_inf_nan=False)
    weight_budget_share: float = Field(default=0.8, gt=0, le=1, allow_inf_nan=False)
    requests_in_flight_max: int = Field(default=100, ge=1, le=10_000)
