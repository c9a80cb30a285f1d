"""Small builders for the tests of risk_monitor, inventory and alerting: two symbols, one or three shards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from configs.schema import Settings
from protocols.effects import Effect, Publish
from protocols.messages.alerts import Alert
from protocols.messages.control import ActorSpec, Role
from protocols.messages.inventory import EquityChanged, PositionChanged
from protocols.messages.market import MarkPrice, VenueClock
from protocols.messages.orders import OrderFilled, VenuePosition
from protocols.messages.risk import LeaseRequest
from protocols.values import Instrument, InstrumentId, Side, make_instrument_id

S = 1_000_000_000
MS = 1_000_000
START_NS = 1_000 * S
VENUE_OFFSET_NS = 1_790_000_000 * S
BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")
ETH = make_instrument_id("binance_usdm", "main", "ETHUSDC")
SOL = make_instrument_id("binance_usdm", "main", "SOLUSDC")


def instrument(instrument_id: InstrumentId = BTC, **changes: Any) -> Instrument:
    """Tick 0.1, lot 0.001."""
    fields: dict[str, Any] = {
        "instrument_id": instrument_id,
        "version": 1,
        "base_asset": "BTC",
        "quote_asset": "USDC",
        "margin_asset": "USDC",
        "tick_size": Decimal("0.1"),
        "lot_size": Decimal("0.001"),
        "price_ticks_min": 1,
        "price_ticks_max": 10_000_000,
        "quantity_lots_min": 1,
        "quantity_lots_max": 1_000_000,
        "notional_min": Decimal(5),
        "price_multiplier_up": Decimal("1.05"),
        "price_multiplier_down": Decimal("0.95"),
        "open_orders_max": 200,
    }
    return Instrument(**{**fields, **changes})


def settings(**sections: Any) -> Settings:
    """A valid configuration; `sections` replace whole sections, `risk` what it names of the limits in round numbers."""
    round_numbers = {
        "position_notional_max": 10_000,
        "order_notional_max": 2_000,
        "account_notional_max": 50_000,
        "daily_loss_max": 1_000,
        "drawdown_max": "50%",
    }
    sections["risk"] = {**round_numbers, **sections.get("risk", {})}
    venue = {"rest_url": "http://127.0.0.1:1", "stream_url": "ws://127.0.0.1:1", "ws_api_url": "ws://127.0.0.1:1"}
    return Settings.model_validate({"symbols": ("BTCUSDC", "ETHUSDC"), "venue": venue, **sections})


def spec(role: Role, shards: tuple[tuple[InstrumentId, ...], ...] = ((BTC, ETH),), **changes: Any) -> ActorSpec:
    """The spec of an actor that serves every shard."""
    members = [instrument_id for shard in shards for instrument_id in shard]
    fields: dict[str, Any] = {
        "name": role,
        "role": role,
        "shard": 0,
        "epoch": 1,
        "install": "1",
        "account": "main",
        "address": "",
        "peers": {},
        "instruments": tuple(instrument(instrument_id) for instrument_id in members),
        "symbol_codes": {},
        "shards": shards,
        "state_dir": "",
        "config_json": "",
    }
    return ActorSpec(**{**fields, **changes})


def venue_clock(now_ns: int = START_NS) -> VenueClock:
    """The venue's clock, known without error."""
    return VenueClock(offset_ns=VENUE_OFFSET_NS, error_ns=0, sampled_ns=now_ns)


def mark(price: str, now_ns: int = START_NS, instrument_id: InstrumentId = BTC) -> MarkPrice:
    """A mark price received now."""
    return MarkPrice(
        instrument_id=instrument_id,
        mark_price=Decimal(price),
        index_price=Decimal(price),
        funding_rate=Decimal(0),
        next_funding_venue_ms=0,
        venue_time_ns=now_ns + VENUE_OFFSET_NS,
        received_ns=now_ns,
    )


def position(lots: int, instrument_id: InstrumentId = BTC, known: bool = True, event_seq: int = 1) -> PositionChanged:
    """A position as inventory says it."""
    return PositionChanged(
        instrument_id=instrument_id,
        position_lots=lots,
        average_price=Decimal(0),
        shard=0,
        event_seq=event_seq,
        known=known,
    )


def equity(amount: str, now_ns: int = START_NS) -> EquityChanged:
    """An equity as inventory says it."""
    return EquityChanged(equity=Decimal(amount), day_pnl=Decimal(0), valued_ns=now_ns)


def fill(event_seq: int, side: Side, lots: int, ticks: int, **changes: Any) -> OrderFilled:
    """A fill without a fee; the trade id and the venue's time grow with the number of the event."""
    fields: dict[str, Any] = {
        "shard": 0,
        "event_seq": event_seq,
        "instrument_id": BTC,
        "client_order_id": f"rm1-1-0-{event_seq}",
        "venue_order_id": event_seq,
        "venue_time_ns": START_NS + VENUE_OFFSET_NS + event_seq * MS,
        "side": side,
        "trade_id": 100 + event_seq,
        "price_ticks": ticks,
        "quantity_lots": lots,
        "remaining_lots": 0,
        "fee": Decimal(0),
        "fee_asset": "USDC",
        "maker": True,
        "ours": True,
    }
    return OrderFilled(**{**fields, **changes})


def venue_position(event_seq: int, lots: int, entry: str = "0", **changes: Any) -> VenuePosition:
    """The venue's word on a position."""
    fields: dict[str, Any] = {
        "shard": 0,
        "event_seq": event_seq,
        "instrument_id": BTC,
        "position_lots": lots,
        "entry_price": Decimal(entry),
        "venue_time_ns": START_NS + VENUE_OFFSET_NS + event_seq * MS,
    }
    return VenuePosition(**{**fields, **changes})


def lease_request(nonce: int, now_ns: int = START_NS, **changes: Any) -> LeaseRequest:
    """A request of epoch 5 of shard 0 that holds nothing."""
    fields: dict[str, Any] = {
        "shard": 0,
        "epoch": 5,
        "nonce": nonce,
        "requested_ns": now_ns,
        "worst_case_notional": Decimal(0),
        "share_id": 0,
        "fits": True,
    }
    return LeaseRequest(**{**fields, **changes})


def published(effects: list[Effect], kind: type | None = None) -> list[Any]:
    """Bodies that are published, of one kind or of all."""
    bodies = [effect.body for effect in effects if isinstance(effect, Publish)]
    return bodies if kind is None else [body for body in bodies if isinstance(body, kind)]


def alert_codes(effects: list[Effect]) -> list[tuple[str, str]]:
    """Code and subject of every alert."""
    return [(alert.code.value, alert.subject) for alert in published(effects, Alert)]
