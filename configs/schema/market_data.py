"""Section `market_data`."""

from __future__ import annotations

from pydantic import Field

from configs.schema.section import BasisPoints, Milliseconds, Section


class MarketDataSettings(Section):
    """Synchronisation and watchdogs of the feed."""

    levels: int = Field(default=5, ge=1, le=20)
    stale_after_ms: Milliseconds = 2_000
    status_period_ms: Milliseconds = 100
    resync_interval_ms: Milliseconds = 1_000
    buffered_diffs_max: int = Field(default=2_000, ge=10, le=100_000)
    book_levels_max: int = Field(default=20_000, ge=100, le=200_000)
    reconnect_delay_ms: Milliseconds = 250
    reconnect_delay_ms_max: Milliseconds = 5_000
    clock_sample_period_ms: Milliseconds = 30_000
    clock_samples_max: int = Field(default=32, ge=1, le=1_000)
    price_jump_bps_max: BasisPoints = 500
    frame_bytes_max: int = Field(default=4_194_304, ge=1_024, le=67_108_864)
