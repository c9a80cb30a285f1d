"""The configuration as types, one file a section: every bound, limit and period of the system has its name here.

Unknown keys, negative or absurd numbers and NaN are refused with their path. Secrets are not fields: a `KeySource` names the
environment variable or file that the process which needs the key reads by itself.
"""

from __future__ import annotations

from configs.schema.cluster import ClusterSettings, NodeSettings
from configs.schema.exchange import ExchangeSettings, FeeSettings, ScenarioName
from configs.schema.following import FollowSettings
from configs.schema.indicators import KINDS, Indicator, IndicatorThresholds, Kind, Threshold
from configs.schema.limits import Limit
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
from configs.schema.risk import (
    BehaviourSettings,
    BreakerSettings,
    EstimatorSettings,
    EyesSettings,
    LevelSettings,
    RiskSettings,
    SymbolRisk,
)
from configs.schema.settings import Settings
from configs.schema.stopping import FlattenSettings, HardCaps
from configs.schema.strategy import GrindingSettings, StrategySettings
from configs.schema.venue import AccountSettings, KeySource, VenueSettings

__all__ = [
    "AccountSettings",
    "AlertingSettings",
    "BehaviourSettings",
    "BreakerSettings",
    "ClusterSettings",
    "EstimatorSettings",
    "ExchangeSettings",
    "EyesSettings",
    "FeeSettings",
    "FlattenSettings",
    "FollowSettings",
    "GrindingSettings",
    "HardCaps",
    "Indicator",
    "IndicatorThresholds",
    "InventorySettings",
    "KINDS",
    "KeySource",
    "Kind",
    "LevelSettings",
    "Limit",
    "LinkSettings",
    "LogSettings",
    "MarketDataSettings",
    "NodeSettings",
    "OrderManagerSettings",
    "OrderPathSettings",
    "RecordingSettings",
    "RiskSettings",
    "ScenarioName",
    "Settings",
    "StrategySettings",
    "SupervisionSettings",
    "SymbolRisk",
    "Threshold",
    "VenueSettings",
]
