"""What a seed draws besides its faults: the configuration of the system, and the market that it trades in."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import NamedTuple

from actors.exchange.synthetic import Flow
from configs.schema import IndicatorThresholds, Settings
from configs.schema.limits import quote
from ops.simulation.faults import Cast
from ops.system import SHARDED, START_ORDER, actor_name
from protocols.mailboxes import READS

THIRD_SYMBOL = "BTCUSDT"
"""Joins the two symbols of the settings where there are three shards."""


ESTIMATORS_MS = {
    "sample_ms": 4_000,
    "volatility_short_ms": 12_000,
    "volatility_long_ms": 24_000,
    "volatility_halflife_ms": 4_000,
    "covariance_halflife_ms": 12_000,
}
"""Windows short enough that a wild market is forgotten within a run."""

EYES_MS = {"positions_ms": 4_000, "account_ms": 4_000, "symbol_config_ms": 20_000}
"""The risk monitor's looks: those at what may change all through a run, those at rules and filters a few times in it."""

THRESHOLDS = IndicatorThresholds.model_validate({"book_age": {"warning": 8.0, "limit": 15.0}})
"""Those of the defaults but for the age of a book, of which a seed hears seldom."""


class Pace(NamedTuple):
    """Periods of a system, in milliseconds. The ages beyond which something is too old are made from them."""

    lease: int
    beat: int
    status: int
    """Of market_data; a feed is stale after a second more."""
    report: int
    """Of inventory; what it has not repeated for a little longer than two of them is not known."""
    judge: int
    refresh: int
    terms: int


LIVE = Pace(lease=1_000, beat=100, status=3_000, report=1_000, judge=1_000, refresh=1_000, terms=1_000)
BRISK = Pace(lease=2_000, beat=250, status=3_000, report=1_800, judge=2_000, refresh=2_000, terms=1_000)
CALM = Pace(lease=4_000, beat=700, status=5_000, report=3_000, judge=3_000, refresh=4_000, terms=4_000)
PACES = (LIVE, *[BRISK] * 3, *[CALM] * 36)
"""One seed in 40 has leases and beats of a live system."""


def draw_settings(chance: random.Random, settings: Settings) -> Settings:
    """A configuration of one to three shards, with ladders, limits and periods that are now wide and now tight.

    Periods are long against those of a live system (judgement and refreshing longer than the schema lets a person have them), so that a
    second of virtual time is cheap: no rule depends on their length, and the bounds of I9 are added up from them. The venue itself takes
    no time: what a request takes is drawn by the wire.
    """
    shards = chance.choice((*[1] * 17, *[2] * 2, 3))
    symbols = (*settings.symbols, THIRD_SYMBOL) if shards == 3 else settings.symbols
    pace = chance.choice(PACES)
    limit = Decimal(chance.choice((1_500, 4_000, 10_000)))
    book_stream = chance.choice((*["depth@500ms"] * 9, "depth"))
    strategy = settings.strategy.model_copy(
        update={
            "levels": chance.choice((1, 3, 4, 4, 5)),
            "order_notional": Decimal(400),
            "position_notional_max": limit * Decimal("0.8"),
            "refresh_ms": pace.refresh,
            "half_spread_bps_min": chance.choice((0.05, 0.1, 0.2)),
            "level_spacing_bps": 0.2,
        }
    )
    risk = settings.risk.model_copy(
        update={
            "position_notional_max": quote(limit),
            "account_notional_max": quote(limit * len(symbols) * Decimal("0.8")),
            "judge_period_ms": pace.judge,
            "lease_ms": pace.lease,
            "lease_period_ms": pace.lease // 3,
            "report_age_ms_max": 2 * pace.report + 500,
            "terms_period_ms": pace.terms,
            "estimators": settings.risk.estimators.model_copy(update=ESTIMATORS_MS),
            "indicators": THRESHOLDS,
            "eyes": settings.risk.eyes.model_copy(update=EYES_MS),
        }
    )
    orders = settings.order_manager.model_copy(
        update={
            "order_age_ms_min": chance.choice((0, 500, 2_000)),
            "audit_period_ms": chance.choice((5_000, *[10_000] * 4)),
            "countdown_ms": chance.choice((10_000, *[20_000] * 3)),
            "beat_ms": pace.beat,
            "book_age_ms_max": pace.status + 2_000,
            "target_age_ms_max": pace.refresh + 3_000,
            "amends": chance.choice((True, *[False] * 3)),
            "price_tolerance_bps": chance.choice((0.02, 0.03, 0.05, 0.1)),
        }
    )
    assert settings.exchange is not None
    no_latency = dict.fromkeys(("order_latency_ms", "feed_latency_ms", "latency_jitter_ms"), 0.0)
    tick_ms = 500 if book_stream == "depth@500ms" else 250
    market_data = {"status_period_ms": pace.status, "stale_after_ms": pace.status + 1_000}
    changed = {
        "exchange": settings.exchange.model_copy(update={"tick_ms": tick_ms, **no_latency}),
        "inventory": settings.inventory.model_copy(update={"report_period_ms": pace.report}),
        "shards": shards,
        "symbols": symbols,
        "venue": settings.venue.model_copy(update={"book_stream": book_stream}),
        "market_data": settings.market_data.model_copy(update=market_data),
        "strategy": strategy,
        "risk": risk,
        "order_manager": orders,
    }
    return settings.model_copy(update=changed)


def draw_flow(chance: random.Random) -> Flow:
    """A market that does in a second what the demo's does in a few milliseconds."""
    return Flow(
        step_ms=15_000,
        levels=60,
        volatility_bps=chance.choice((0.05, 0.1)),
        trade_rate=chance.choice((0.05, 0.1)),
        change_rate=0.1,
        informed_share=chance.choice((0.05, 0.1)),
    )


def cast_of(shards: int) -> Cast:
    """Every actor of a system, and every link as (writer, reader)."""
    actors: list[str] = []
    links: list[tuple[str, str]] = []
    for role in START_ORDER:
        for shard in range(shards) if role in SHARDED else (0,):
            reader = actor_name(role, shard)
            actors.append(reader)
            for other in START_ORDER:
                if other in READS[role]:
                    serves_one = other in SHARDED and role in SHARDED
                    writers = (shard,) if serves_one or other not in SHARDED else range(shards)
                    links += [(actor_name(other, writer), reader) for writer in writers]
    return Cast(actors=tuple(actors), links=tuple(links))
