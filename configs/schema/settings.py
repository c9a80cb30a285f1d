"""The whole configuration of one system, and what its sections must agree on."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from configs.schema.cluster import ClusterSettings
from configs.schema.exchange import ExchangeSettings
from configs.schema.market_data import MarketDataSettings
from configs.schema.operation import (
    AlertingSettings,
    InventorySettings,
    LinkSettings,
    LogSettings,
    OrderPathSettings,
    RecordingSettings,
    SupervisionSettings,
)
from configs.schema.order_manager import OrderManagerSettings
from configs.schema.risk import RiskSettings
from configs.schema.section import Section, Symbol
from configs.schema.stopping import FlattenSettings, HardCaps
from configs.schema.strategy import StrategySettings
from configs.schema.venue import AccountSettings, VenueSettings


class Settings(Section):
    """The whole configuration of one system."""

    name: str = Field(default="demo", pattern=r"^[a-z0-9_-]{1,24}$")
    install: str = Field(default="1", pattern=r"^[0-9a-z]{1,6}$")
    symbols: tuple[Symbol, ...] = Field(min_length=1, max_length=200)
    shards: int = Field(default=1, ge=1, le=36)
    dry_run: bool = False
    venue: VenueSettings
    exchange: ExchangeSettings | None = None
    market_data: MarketDataSettings = MarketDataSettings()
    strategy: StrategySettings = StrategySettings()
    order_manager: OrderManagerSettings = OrderManagerSettings()
    risk: RiskSettings = RiskSettings()
    account: AccountSettings = AccountSettings()
    hard_caps_file: str | None = None
    hard_caps: HardCaps = HardCaps()
    """What stands in that file; never written into the configuration itself."""
    flatten: FlattenSettings = FlattenSettings()
    inventory: InventorySettings = InventorySettings()
    supervision: SupervisionSettings = SupervisionSettings()
    order_path: OrderPathSettings = OrderPathSettings()
    alerting: AlertingSettings = AlertingSettings()
    links: LinkSettings = LinkSettings()
    logs: LogSettings = LogSettings()
    recording: RecordingSettings = RecordingSettings()
    cluster: ClusterSettings | None = None

    @field_validator("symbols")
    @classmethod
    def _symbols_are_distinct(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(symbols)) != len(symbols):
            raise ValueError("a symbol is listed twice")
        return symbols

    @model_validator(mode="after")
    def _real_money_is_guarded(self) -> Settings:
        if not self.venue.live:
            return self
        wanting = []
        if self.hard_caps_file is None:
            wanting.append("hard_caps_file must name a file of hard caps (a sample is configs/live_caps.yaml)")
        elif missing := self.hard_caps.missing:
            wanting.append(f"{self.hard_caps_file} must set {', '.join(missing)}")
        if self.risk.keys is None:
            wanting.append("risk.keys must name a key that may only read")
        if self.venue.wallet_url is None:
            wanting.append("venue.wallet_url must say where the keys' permissions are asked (https://api.binance.com)")
        if wanting:
            raise ValueError(f"venue.live is true: {'; '.join(wanting)}")
        return self

    @model_validator(mode="after")
    def _parts_agree(self) -> Settings:
        if self.shards > len(self.symbols):
            raise ValueError(
                f"shards: {self.shards} shards for {len(self.symbols)} symbols; at most one shard a symbol"
            )
        if self.strategy.half_spread_bps_min > self.strategy.half_spread_bps_max:
            raise ValueError("strategy.half_spread_bps_min is above strategy.half_spread_bps_max")
        if self.order_manager.countdown_ms < self.order_manager.window_ms + 2_000:
            raise ValueError("order_manager.countdown_ms must be at least order_manager.window_ms + 2,000")
        if self.risk.report_age_ms_max < 2 * self.inventory.report_period_ms:
            raise ValueError("risk.report_age_ms_max must be at least twice inventory.report_period_ms")
        if strangers := sorted(set(self.risk.symbols) - set(self.symbols)):
            raise ValueError(f"risk.symbols.{strangers[0]}: not one of symbols ({', '.join(self.symbols)})")
        for name, cap in self.hard_caps:
            own = [(f"risk.symbols.{symbol}.", each) for symbol, each in self.risk.symbols.items()]
            for path, section in [("risk.", self.risk), *own]:
                limit = getattr(section, name, None)
                if cap is not None and limit is not None and limit.unit == "quote" and limit.amount > cap:
                    raise ValueError(f"{path}{name} is {limit}, above the hard cap of {cap} ({self.hard_caps_file})")
        asked = [shard for node in self.cluster.nodes for shard in node.shards] if self.cluster is not None else []
        if asked and max(asked) >= self.shards:
            raise ValueError(f"cluster.nodes: shard {max(asked)} does not exist, there are {self.shards} (from 0)")
        if self.exchange is not None and self.exchange.symbols:
            absent = sorted(set(self.symbols) - set(self.exchange.symbols))
            if absent:
                raise ValueError(f"symbols: {absent[0]} is not one of exchange.symbols")
        return self
