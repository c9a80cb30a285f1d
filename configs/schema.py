"""The configuration as types: every bound, limit and period of the system has its name here.

Unknown keys, negative or absurd numbers and NaN are refused with their path. Secrets are not fields: a `KeySource` names the
environment variable or file that the process which needs the key reads by itself.
"""

from __future__ import annotations

from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from configs.following import FOLLOWED_SYMBOLS_MAX
from configs.following import FollowSettings as FollowSettings
from configs.hosts import is_demo_host as is_demo_host
from configs.hosts import is_loopback as is_loopback
from configs.indicators import KINDS as KINDS
from configs.indicators import Indicator as Indicator
from configs.indicators import IndicatorThresholds as IndicatorThresholds
from configs.indicators import Kind as Kind
from configs.indicators import Threshold as Threshold
from configs.limits import Limit as Limit

Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9_]{2,32}$")]
Milliseconds = Annotated[int, Field(gt=0, le=86_400_000)]
BasisPoints = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]
Money = Annotated[Decimal, Field(gt=0, le=Decimal(10) ** 12, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=0, le=65_535)]


class Section(BaseModel):
    """Base of every section: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KeySource(Section):
    """Where an API key and its secret are read: from two environment variables, or from a file of two lines."""

    key_env: str = "RAYMAKER_API_KEY"
    secret_env: str = "RAYMAKER_API_SECRET"
    file: str | None = None
    kind: Literal["hmac", "ed25519"] = "hmac"


class VenueSettings(Section):
    """Which venue, at which addresses. `live` must be true for addresses where money is real.

    `stop_keys` is the emergency stop's own key, so that it works when the trading key is in doubt; without it `keys` serve both.
    """

    kind: Literal["binance_usdm"] = "binance_usdm"
    rest_url: str
    stream_url: str
    ws_api_url: str
    live: bool = False
    account_alias: str = Field(default="main", pattern=r"^[a-z0-9_-]{1,24}$")
    margin_asset: str = "USDC"
    keys: KeySource = KeySource()
    stop_keys: KeySource | None = None
    request_timeout_ms: Milliseconds = 3_000
    book_stream: Literal["depth@0ms", "depth@100ms", "depth@500ms", "depth"] = "depth@100ms"

    @field_validator("rest_url", "stream_url", "ws_api_url")
    @classmethod
    def _address_is_safe(cls, url: str, info: ValidationInfo) -> str:
        schemes = ("http", "https") if info.field_name == "rest_url" else ("ws", "wss")
        parts = urlsplit(url)
        if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError(f"must be {schemes[0]}://HOST[:PORT] or {schemes[1]}://HOST[:PORT], without a query")
        if parts.scheme == schemes[0] and not is_loopback(parts.hostname):
            raise ValueError(
                f"{parts.scheme} sends keys in the clear: only {schemes[1]} is allowed beyond this machine"
            )
        return url.rstrip("/")

    @model_validator(mode="after")
    def _money_is_said(self) -> VenueSettings:
        hosts = [urlsplit(url).hostname or "" for url in (self.rest_url, self.stream_url, self.ws_api_url)]
        live = [host for host in hosts if not is_loopback(host) and not is_demo_host(host)]
        if live and not self.live:
            raise ValueError(f"{live[0]} is a live address where money is real: venue.live must be true to use it")
        if self.live and len(live) < len(hosts):
            other = next(host for host in hosts if host not in live)
            raise ValueError(f"venue.live is true but {other} is no live address; use live addresses only, or none")
        return self


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


class StrategySettings(Section):
    """Basic market making. Spreads in basis points of the fair price, sizes in quote currency."""

    levels: int = Field(default=3, ge=1, le=8)
    level_spacing_bps: BasisPoints = 1.0
    half_spread_bps_min: BasisPoints = 0.5
    half_spread_bps_max: BasisPoints = 30.0
    volatility_halflife_ms: Milliseconds = 10_000
    volatility_multiplier: float = Field(default=0.5, ge=0, le=100, allow_inf_nan=False)
    skew_bps_at_limit: BasisPoints = 3.0
    order_notional: Money = Decimal(500)
    position_notional_max: Money = Decimal(5_000)
    imbalance_levels: int = Field(default=3, ge=1, le=20)
    quote_period_ms_min: int = Field(default=0, ge=0, le=60_000)
    warm_up_ms: int = Field(default=1_000, ge=0, le=600_000)
    refresh_ms: int = Field(default=250, ge=10, le=1_000)


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
    query_attempts_max: int = Field(default=20, ge=1, le=1_000)
    live_orders_max: int = Field(default=200, ge=1, le=10_000)
    finished_orders_max: int = Field(default=2_000, ge=10, le=100_000)
    beat_ms: int = Field(default=50, ge=10, le=500)
    tombstone_ms: Milliseconds = 3_600_000
    countdown_ms: Milliseconds = 10_000
    audit_period_ms: Milliseconds = 5_000
    foreign_orders: Literal["left", "cancelled"] = "left"
    foreign_orders_accepted: tuple[Symbol, ...] = ()
    orders_budget_share: float = Field(default=0.8, gt=0, le=0.8, allow_inf_nan=False)
    weight_budget_share: float = Field(default=0.8, gt=0, le=1, allow_inf_nan=False)
    requests_in_flight_max: int = Field(default=100, ge=1, le=10_000)


class SymbolRisk(Section):
    """Limits of one symbol, in quote currency, base units or as a share of equity."""

    position_notional_max: Limit | None = None
    order_notional_max: Limit | None = None
    open_orders_max: int | None = Field(default=None, ge=1, le=1_000)


class LevelSettings(Section):
    """What the levels ask for. A level falls by one after each `quiet_ms` without a cause for it."""

    quiet_ms: Milliseconds = 3_000
    caution_size_factor: float = Field(default=0.5, gt=0, le=1, allow_inf_nan=False)
    caution_spread_factor: float = Field(default=1.5, ge=1, le=100, allow_inf_nan=False)


class EstimatorSettings(Section):
    """Windows of the estimators."""

    sample_ms: Milliseconds = 1_000
    volatility_short_ms: Milliseconds = 60_000
    volatility_long_ms: Milliseconds = 1_800_000
    volatility_halflife_ms: Milliseconds = 60_000
    covariance_halflife_ms: Milliseconds = 600_000
    value_at_risk_horizon_ms: Milliseconds = 3_600_000
    value_at_risk_confidence: float = Field(default=0.95, gt=0.5, lt=1)
    usual_halflife_ms: Milliseconds = 300_000
    warm_up_ms: Milliseconds = 60_000
    markout_ms: Milliseconds = 5_000
    markout_fills: int = Field(default=100, ge=10, le=10_000)
    flow_window_ms: Milliseconds = 600_000


class BehaviourSettings(Section):
    """The venue's rules of behaviour, in its own definitions (ten-minute windows, per symbol).

    An order cancelled within `life_ms` counts as invalid to it; its ratios matter above these numbers of orders. The venue once
    published 5,000 and 10,000; now they depend on the account's tier, so ours are lower.
    """

    window_ms: Milliseconds = 600_000
    life_ms: Milliseconds = 2_000
    cancel_orders_min: int = Field(default=1_000, ge=1, le=1_000_000)
    orders_min: int = Field(default=2_000, ge=1, le=1_000_000)
    dust_notional: float = Field(default=50.0, ge=0, le=1e6, allow_inf_nan=False)
    trigger_share: float = Field(default=0.8, gt=0, le=1, allow_inf_nan=False)
    tolerance_factor: float = Field(default=2.0, ge=1, le=100, allow_inf_nan=False)
    levels_max: int = Field(default=1, ge=1, le=8)


class BreakerSettings(Section):
    """Circuit breakers: what opens them, how long they stay open, and how many trial orders they let through half open."""

    timeout_ms: Milliseconds = 3_000
    trial_orders: int = Field(default=2, ge=1, le=100)
    api_failures_max: int = Field(default=20, ge=1, le=10_000)
    api_window_ms: Milliseconds = 5_000
    loss_share_max: float = Field(default=0.003, gt=0, lt=1, allow_inf_nan=False)
    loss_window_ms: Milliseconds = 60_000
    loss_timeout_ms: Milliseconds = 60_000
    jump_sigmas: float = Field(default=15.0, ge=1, le=1_000, allow_inf_nan=False)
    jump_bps_min: BasisPoints = 15.0
    gap_bps_max: BasisPoints = 40.0
    depth_ratio_min: float = Field(default=0.02, ge=0, lt=1, allow_inf_nan=False)
    depth_ratio_back: float = Field(default=0.2, gt=0, le=1, allow_inf_nan=False)


class EyesSettings(Section):
    """How often the risk monitor looks at the venue by itself."""

    positions_ms: Milliseconds = 2_000
    account_ms: Milliseconds = 2_000
    open_orders_ms: Milliseconds = 30_000
    adl_ms: Milliseconds = 30_000
    trading_status_ms: Milliseconds = 60_000
    symbol_config_ms: Milliseconds = 60_000
    fee_burn_ms: Milliseconds = 300_000


def _limit(written: str) -> Limit:
    return Limit.model_validate(written)


class RiskSettings(Section):
    """Limits in quote currency, base units or as a share of equity; `symbols` overrides the defaults by symbol.

    The day's loss is measured against the equity at the day's start (at `day_starts` on the clock of `day_zone`, an IANA name: daylight
    saving is followed), the drawdown against its peak. `keys` is a key that may only read;
    without one the risk monitor looks with the account's.
    """

    position_notional_max: Limit = _limit("2%")
    order_notional_max: Limit = _limit("0.5%")
    account_notional_max: Limit = _limit("10%")
    open_orders_max: int = Field(default=32, ge=1, le=1_000)
    daily_loss_max: Limit = _limit("1%")
    drawdown_max: Limit = _limit("3%")
    price_band_bps_max: BasisPoints = 100
    lease_ms: Milliseconds = 1_000
    lease_period_ms: Milliseconds = 250
    keys: KeySource | None = None
    eyes: EyesSettings = EyesSettings()
    judge_period_ms: int = Field(default=100, ge=10, le=1_000)
    day_starts: str = Field(default="00:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    day_zone: str = "UTC"
    mark_age_ms_max: Milliseconds = 10_000
    levels: LevelSettings = LevelSettings()
    estimators: EstimatorSettings = EstimatorSettings()
    behaviour: BehaviourSettings = BehaviourSettings()
    breakers: BreakerSettings = BreakerSettings()
    indicators: IndicatorThresholds = IndicatorThresholds.model_validate({})
    symbols: dict[Symbol, SymbolRisk] = {}

    @field_validator("day_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        try:
            if name != "UTC":  # needs no table of zones
                ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{name} is no IANA time zone that is known here, such as UTC or Europe/Zurich (the package tzdata brings them all)"
            ) from None
        return name

    @model_validator(mode="after")
    def _account_limits_have_no_base(self) -> RiskSettings:
        for name in ("account_notional_max", "daily_loss_max", "drawdown_max"):
            if getattr(self, name).unit == "base":
                raise ValueError(f"{name} is the account's: it has no base unit")
        return self


class AccountSettings(Section):
    """What must hold at the venue. What is left open here must stay as it was when the system first saw it.

    Always demanded: one-way mode, single-asset mode, cross margin, the right to trade, the filters that were loaded at start.
    """

    leverage: int | None = Field(default=None, ge=1, le=150)
    fee_burn: bool | None = None
    maker_fee_max: Decimal | None = Field(default=None, ge=Decimal("-0.01"), le=Decimal("0.01"), allow_inf_nan=False)
    taker_fee_max: Decimal | None = Field(default=None, ge=Decimal("-0.01"), le=Decimal("0.01"), allow_inf_nan=False)


class HardCaps(Section):
    """What no limit may exceed, in quote currency, whatever the configuration, a hot reload or the equity says.

    They stand in a file of their own (`hard_caps_file`), which is read once, at start.
    """

    position_notional_max: Money | None = None
    order_notional_max: Money | None = None
    account_notional_max: Money | None = None
    daily_loss_max: Money | None = None

    def capped(self, name: str, amount: Decimal) -> Decimal:
        """An amount of quote currency, or the cap of that name where it is lower."""
        cap: Decimal | None = getattr(self, name)
        return amount if cap is None else min(amount, cap)


class FlattenSettings(Section):
    """Closing positions after a stop, by reduce-only slices: on every emergency only when `on_emergency` says so.

    `passive` rests at the own side of the touch for `passive_ms` before it crosses; `crossing` crosses at once, first by
    `crossing_bps` beyond the touch and further only while nothing fills, never beyond `price_band_bps_max` from the mark.
    """

    on_emergency: bool = False
    urgency: Literal["passive", "crossing"] = "passive"
    passive_ms: Milliseconds = 10_000
    slice_notional_max: Money = Decimal(5_000)
    crossing_bps: BasisPoints = 5
    price_band_bps_max: BasisPoints = 100
    refusals_max: int = Field(default=20, ge=1, le=1_000)
    patience_ms: Milliseconds = 60_000


class InventorySettings(Section):
    """How often positions, PnL and equity are told when nothing changes them."""

    report_period_ms: int = Field(default=250, ge=10, le=1_000)


class SupervisionSettings(Section):
    """Health, restarts and shutdown."""

    health_period_ms: Milliseconds = 250
    health_timeout_ms: Milliseconds = 500
    health_misses_max: int = Field(default=2, ge=1, le=100)
    watch_ms: Milliseconds = 10_000
    start_timeout_ms: Milliseconds = 30_000
    drain_timeout_ms: Milliseconds = 8_000
    stop_timeout_ms: Milliseconds = 3_000
    restarts_max: int = Field(default=5, ge=1, le=100)
    restart_window_ms: Milliseconds = 30_000
    restart_delay_ms: int = Field(default=0, ge=0, le=60_000)
    snapshot_period_ms: Milliseconds = 500
    metrics_port: Port = 0


class AlertingSettings(Section):
    """Where alerts go, and how often the same one may. The webhook's address is a secret: a variable or a private file holds it."""

    webhook_env: str | None = None
    webhook_file: str | None = None
    throttle_ms: Milliseconds = 30_000
    retry_delay_ms: Milliseconds = 1_000
    retry_delay_ms_max: Milliseconds = 60_000
    spool_bytes_max: int = Field(default=4_194_304, ge=65_536, le=1_073_741_824)
    remembered_max: int = Field(default=1_000, ge=10, le=100_000)

    @property
    def has_webhook(self) -> bool:
        """Whether alerts are to be posted."""
        return self.webhook_env is not None or self.webhook_file is not None

    @field_validator("webhook_env")
    @classmethod
    def _name_is_no_address(cls, name: str | None) -> str | None:
        if name is not None and not (name.isascii() and name.isidentifier()):
            raise ValueError("must be the name of an environment variable that holds the address")
        return name

    @model_validator(mode="after")
    def _webhook_is_one(self) -> AlertingSettings:
        if self.webhook_env is not None and self.webhook_file is not None:
            raise ValueError("webhook_env and webhook_file name two places for one address: set one of them")
        return self


class LinkSettings(Section):
    """Bounds of the links between actors."""

    ordered_messages_max: int = Field(default=20_000, ge=10, le=1_000_000)
    frame_bytes_max: int = Field(default=1_048_576, ge=1_024, le=67_108_864)
    reconnect_delay_ms: Milliseconds = 20
    reconnect_delay_ms_max: Milliseconds = 500
    acknowledge_every: int = Field(default=64, ge=1, le=10_000)
    acknowledge_delay_ms: Milliseconds = 50


class RecordingSettings(Section):
    """Flight recordings of mailboxes, for `raymaker replay --recording`: of the actors or roles named; of none unless told.

    At most `files_max` files of about `file_bytes_max` for each actor; the oldest goes.
    """

    actors: tuple[Annotated[str, Field(pattern=r"^[a-z_]{1,20}(-\d{1,2})?$")], ...] = ()
    file_bytes_max: int = Field(default=33_554_432, ge=65_536, le=1_073_741_824)
    files_max: int = Field(default=2, ge=1, le=100)


class LogSettings(Section):
    """One rotating JSON file per actor."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    file_bytes_max: int = Field(default=10_485_760, ge=65_536, le=1_073_741_824)
    files_max: int = Field(default=3, ge=1, le=100)


class FeeSettings(Section):
    """Fee rates of a margin asset, as shares of notional; a negative maker rate is a rebate."""

    maker: Decimal = Field(ge=Decimal("-0.01"), le=Decimal("0.01"), allow_inf_nan=False)
    taker: Decimal = Field(ge=Decimal("-0.01"), le=Decimal("0.01"), allow_inf_nan=False)


ScenarioName = Literal[
    "calm",
    "trend",
    "flash-crash",
    "gap",
    "volatility-jump",
    "liquidity-gone",
    "sweep",
    "one-way",
    "funding-spike",
    "halt",
    "delist",
    "tick-size-change",
]


class ExchangeSettings(Section):
    """The simulated venue. `source` is a recorded capture (file or folder), `follow` another venue; with neither the flow is synthetic."""

    host: Literal["127.0.0.1", "::1"] = "127.0.0.1"
    port: Port = 0
    source: str | None = None
    follow: FollowSettings | None = None
    scenario: ScenarioName = "calm"
    """Of the synthetic flow."""
    speed: float = Field(default=1.0, ge=0.1, le=10, allow_inf_nan=False)
    loop: bool = True
    wait_for_subscriber: bool = True
    seed: int = Field(default=1, ge=0, le=2**63 - 1)
    symbols: tuple[Symbol, ...] = ("BTCUSDC", "ETHUSDC")
    order_latency_ms: float = Field(default=2.0, ge=0, le=10_000, allow_inf_nan=False)
    feed_latency_ms: float = Field(default=1.0, ge=0, le=10_000, allow_inf_nan=False)
    latency_jitter_ms: float = Field(default=0.5, ge=0, le=10_000, allow_inf_nan=False)
    latency_sigma: float = Field(default=0.0, ge=0, le=3, allow_inf_nan=False)
    """Spread of the log-normal latencies around their medians, in both directions."""
    latency_load_us: float = Field(default=0.0, ge=0, le=100_000, allow_inf_nan=False)
    """By how much each message of the last 100 ms makes the next one of its direction later."""
    tick_ms: Literal[50, 250] = 50
    fees: dict[str, FeeSettings] = {
        "USDC": FeeSettings(maker=Decimal(0), taker=Decimal("0.0004")),
        "USDT": FeeSettings(maker=Decimal("0.0002"), taker=Decimal("0.0005")),
    }
    queue_model: Literal["pessimistic", "probabilistic"] = "pessimistic"
    """Pessimistic: only prints shorten the queue. Probabilistic: cancellations do, in proportion to what stands ahead and behind."""
    fee_tier: int = Field(default=0, ge=0, le=9)
    """VIP tier; `fees` are those of tier 0."""
    fee_burn: bool = False
    """Fees are paid in BNB with a discount while an account has some."""
    bnb_price: Decimal = Field(default=Decimal(600), gt=0, le=1_000_000, allow_inf_nan=False)
    insurance_fund: Decimal = Field(default=Decimal(1_000_000), ge=0, le=Decimal(10) ** 12, allow_inf_nan=False)
    """Per margin asset; when it cannot pay for a bankrupt position, opposite positions are deleveraged."""
    balances: dict[str, Annotated[Decimal, Field(ge=0, le=Decimal(10) ** 12, allow_inf_nan=False)]] = {
        "USDC": Decimal(100_000),
        "USDT": Decimal(100_000),
    }
    weight_per_minute: int = Field(default=2_400, ge=10, le=10_000_000)
    orders_per_10s: int = Field(default=300, ge=1, le=10_000_000)
    orders_per_minute: int = Field(default=1_200, ge=1, le=10_000_000)
    open_orders_max: int = Field(default=200, ge=1, le=100_000)
    ledger: str | None = None
    record: str | None = None
    """Folder for a capture of what the venue serves."""
    subscriber_bytes_max: int = Field(default=16_777_216, ge=65_536, le=1_073_741_824)
    faults: bool = False
    """Whether faults may be asked for on loopback."""
    fault_seed: int | None = Field(default=None, ge=0, le=2**63 - 1)
    """Draws a schedule of faults; needs `faults`."""

    @model_validator(mode="after")
    def _faults_are_wanted(self) -> ExchangeSettings:
        if self.fault_seed is not None and not self.faults:
            raise ValueError("fault_seed: a schedule of faults needs faults: true")
        return self

    @model_validator(mode="after")
    def _a_followed_market_is_alone(self) -> ExchangeSettings:
        if self.follow is None:
            return self
        if self.source is not None:
            raise ValueError("follow: the market is another venue's or a capture's; give one of follow and source")
        if self.scenario != "calm" or self.speed != 1.0:
            raise ValueError("follow: a followed market goes its own way; scenario and speed are not for it")
        if not 0 < len(self.symbols) <= FOLLOWED_SYMBOLS_MAX:
            raise ValueError(f"symbols: 1 to {FOLLOWED_SYMBOLS_MAX} symbols of another venue can be followed")
        return self

    @model_validator(mode="after")
    def _a_capture_has_no_scenario(self) -> ExchangeSettings:
        if self.source is not None and self.scenario != "calm":
            raise ValueError("scenario: a capture plays as it was recorded; scenarios are for the synthetic flow")
        return self


class NodeSettings(Section):
    """One node of a cluster. `host` is the address at which the other nodes reach it.

    `shards` are those that it takes first; what no node asks for, and what a lost node leaves, goes to the nodes that may trade,
    the one with the fewest shards first.
    """

    name: str = Field(pattern=r"^[a-z0-9]{1,12}$")
    host: str
    shards: tuple[Annotated[int, Field(ge=0, le=35)], ...] = ()
    trades: bool = True

    @field_validator("host")
    @classmethod
    def _host_is_an_address(cls, host: str) -> str:
        try:
            address = ip_address(host)
        except ValueError:
            raise ValueError("must be an IP address: a name could be answered by somebody else") from None
        if address.is_unspecified or address.is_multicast:
            raise ValueError("must be the address of one machine")
        if host == "127.0.0.1":
            raise ValueError(
                "127.0.0.1 is taken by Ray for the outer address: use another one of 127.0.0.0/8 on one machine"
            )
        return host


class ClusterSettings(Section):
    """Several nodes. The first one has the head, the supervisor and the actors that serve the whole account.

    `links_port` is the first of as many ports as there are actors, the same on every node; `ray_port` is the head's.
    """

    nodes: tuple[NodeSettings, ...] = Field(min_length=1, max_length=64)
    ray_port: int = Field(default=6380, ge=1_024, le=9_999)
    links_port: int = Field(default=7_100, ge=1_024, le=9_800)
    join_timeout_ms: Milliseconds = 120_000

    @model_validator(mode="after")
    def _nodes_are_distinct(self) -> ClusterSettings:
        for what, values in (
            ("name", [node.name for node in self.nodes]),
            ("host", [node.host for node in self.nodes]),
            ("shard", [shard for node in self.nodes for shard in node.shards]),
        ):
            if len(set(values)) != len(values):
                raise ValueError(f"two nodes have the same {what}")
        if not any(node.trades for node in self.nodes):
            raise ValueError("no node may trade")
        return self


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
    def _parts_agree(self) -> Settings:
        if self.shards > len(self.symbols):
            raise ValueError(
                f"shards: {self.shards} shards for {len(self.symbols)} symbols; at most one shard a symbol"
            )
        if self.strategy.half_spread_bps_min > self.strategy.half_spread_bps_max:
            raise ValueError("strategy.half_spread_bps_min is above strategy.half_spread_bps_max")
        if self.order_manager.countdown_ms < self.order_manager.window_ms + 2_000:
            raise ValueError("order_manager.countdown_ms must be at least order_manager.window_ms + 2,000")
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
