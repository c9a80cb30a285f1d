"""Small builders of market data, instruments and settings, shared by the tests of market_data and strategy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from configs.schema import MarketDataSettings, Settings, StrategySettings, VenueSettings
from protocols.effects import Effect, Publish
from protocols.envelope import Message
from protocols.messages.control import ActorSpec
from protocols.messages.market import BookTop, FeedState, FeedStatus
from protocols.values import Instrument, InstrumentId, Level, make_instrument_id
from protocols.venue import BookDiff, BookSnapshot, BookTicker, Usage

MS = 1_000_000
S = 1_000 * MS
START_NS = 1_000 * S
VENUE_NS = 5_000 * S
"""The venue's clock at START_NS in these samples."""

BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")
ETH = make_instrument_id("binance_usdm", "main", "ETHUSDC")


def instrument(instrument_id: InstrumentId = BTC, **changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "instrument_id": instrument_id,
        "version": 1,
        "base_asset": "BTC",
        "quote_asset": "USDC",
        "margin_asset": "USDC",
        "tick_size": Decimal("0.1"),
        "lot_size": Decimal("0.001"),
        "price_ticks_min": 1,
        "price_ticks_max": 10**8,
        "quantity_lots_min": 1,
        "quantity_lots_max": 10**6,
        "notional_min": Decimal(5),
        "price_multiplier_up": Decimal("1.05"),
        "price_multiplier_down": Decimal("0.95"),
        "open_orders_max": 200,
    }
    return Instrument(**{**values, **changes})


def spec(role: Any = "market_data", *instruments: Instrument) -> ActorSpec:
    return ActorSpec(
        name=f"{role}-0",
        role=role,
        shard=0,
        epoch=1,
        install="1",
        account="main",
        address="",
        peers={},
        instruments=instruments or (instrument(BTC), instrument(ETH)),
        symbol_codes={},
        shards=(),
        state_dir="",
        config_json="",
        started_ns=START_NS,
    )


def settings(
    market_data: MarketDataSettings | None = None, strategy: StrategySettings | None = None, url: str = "127.0.0.1:1"
) -> Settings:
    return Settings(
        symbols=("BTCUSDC", "ETHUSDC"),
        venue=VenueSettings(
            rest_url=f"http://{url}", stream_url=f"ws://{url}", ws_api_url=f"ws://{url}", margin_asset="USDC"
        ),
        market_data=market_data or MarketDataSettings(),
        strategy=strategy or StrategySettings(),
    )


def diff(
    first: int,
    last: int,
    previous: int,
    bids: list[Level] | None = None,
    asks: list[Level] | None = None,
    at_ns: int = START_NS,
    instrument_id: InstrumentId = BTC,
    late_ns: int = 0,
) -> BookDiff:
    return BookDiff(
        instrument_id=instrument_id,
        first_update_id=first,
        last_update_id=last,
        previous_update_id=previous,
        venue_time_ns=at_ns - START_NS + VENUE_NS - late_ns,
        received_ns=at_ns,
        bids=bids or [],
        asks=asks or [],
    )


def ticker(
    update_id: int, bid: Level, ask: Level, at_ns: int = START_NS, instrument_id: InstrumentId = BTC
) -> BookTicker:
    return BookTicker(
        instrument_id=instrument_id,
        update_id=update_id,
        venue_time_ns=at_ns - START_NS + VENUE_NS,
        received_ns=at_ns,
        bid_ticks=bid[0],
        bid_lots=bid[1],
        ask_ticks=ask[0],
        ask_lots=ask[1],
    )


def snapshot(
    request_id: int,
    last_update_id: int,
    bids: tuple[Level, ...],
    asks: tuple[Level, ...],
    at_ns: int = START_NS,
    instrument_id: InstrumentId = BTC,
) -> BookSnapshot:
    return BookSnapshot(
        request_id=request_id,
        received_ns=at_ns,
        usage=Usage(),
        instrument_id=instrument_id,
        last_update_id=last_update_id,
        venue_time_ns=at_ns - START_NS + VENUE_NS,
        bids=bids,
        asks=asks,
    )


def top(
    update_id: int,
    bids: tuple[Level, ...],
    asks: tuple[Level, ...],
    at_ns: int = START_NS,
    instrument_id: InstrumentId = BTC,
    version: int = 1,
) -> BookTop:
    return BookTop(
        instrument_id=instrument_id,
        instrument_version=version,
        update_id=update_id,
        venue_time_ns=at_ns - START_NS + VENUE_NS,
        received_ns=at_ns,
        bids=bids,
        asks=asks,
    )


def feed_status(
    state: FeedState,
    update_id: int = 0,
    confirmed_ns: int = START_NS,
    since_ns: int = START_NS,
    reason: str = "",
    instrument_id: InstrumentId = BTC,
) -> FeedStatus:
    return FeedStatus(
        instrument_id=instrument_id,
        state=state,
        update_id=update_id,
        confirmed_ns=confirmed_ns,
        since_ns=since_ns,
        reason=reason,
    )


def published(effects: list[Effect], kind: type[Message] | None = None) -> list[Message]:
    """Bodies of the published messages, of one kind where it is named."""
    bodies = [effect.body for effect in effects if isinstance(effect, Publish)]
    return [body for body in bodies if kind is None or isinstance(body, kind)]
