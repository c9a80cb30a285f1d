"""Section `exchange`: the simulated venue."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from configs.schema.following import FOLLOWED_SYMBOLS_MAX, FollowSettings
from configs.schema.section import Port, Section, Symbol


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
    model: str = Field(default="plain", min_length=1)
    """What the synthetic flow draws from: `shipped` (of BTC and ETH), a model's file, or `plain`, to try machines on."""
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
    tick_ms: Literal[50, 250, 500] = 50
    fees: dict[str, FeeSettings] = Field(
        default={
            "USDC": FeeSettings(maker=Decimal(0), taker=Decimal("0.0004")),
            "USDT": FeeSettings(maker=Decimal("0.0002"), taker=Decimal("0.0005")),
        }
    )
    queue_model: Literal["pessimistic", "probabilistic"] = "pessimistic"
    """Pessimistic: only prints shorten the queue. Probabilistic: cancellations do, in proportion to what stands ahead and behind."""
    fee_tier: int = Field(default=0, ge=0, le=9)
    """VIP tier; `fees` are those of tier 0."""
    fee_burn: bool = False
    """Fees are paid in BNB with a discount while an account has some."""
    bnb_price: Decimal = Field(default=Decimal(600), gt=0, le=1_000_000, allow_inf_nan=False)
    insurance_fund: Decimal = Field(default=Decimal(1_000_000), ge=0, le=Decimal(10) ** 12, allow_inf_nan=False)
    """Per margin asset; when it cannot pay for a bankrupt position, opposite positions are deleveraged."""
    balances: dict[str, Annotated[Decimal, Field(ge=0, le=Decimal(10) ** 12, allow_inf_nan=False)]] = Field(
        default={"USDC": Decimal(100_000), "USDT": Decimal(100_000)}
    )
    weight_per_minute: int = Field(default=2_400, ge=10, le=10_000_000)
    orders_per_10s: int = Field(default=300, ge=1, le=10_000_000)
    orders_per_minute: int = Field(default=1_200, ge=1, le=10_000_000)
    open_orders_max: int = Field(default=200, ge=1, le=100_000)
    decoded_signatures: bool = True
    """Whether a signature over the percent-decoded text is taken too, as some clients sign; false takes only what was signed as sent."""
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
        if self.scenario != "calm" or self.speed != 1.0 or self.model != "plain":
            raise ValueError("follow: a followed market goes its own way; scenario, model and speed are not for it")
        if not 0 < len(self.symbols) <= FOLLOWED_SYMBOLS_MAX:
            raise ValueError(f"symbols: 1 to {FOLLOWED_SYMBOLS_MAX} symbols of another venue can be followed")
        return self

    @model_validator(mode="after")
    def _a_capture_has_no_scenario(self) -> ExchangeSettings:
        if self.source is not None and self.scenario != "calm":
            raise ValueError("scenario: a capture plays as it was recorded; scenarios are for the synthetic flow")
        if self.source is not None and self.model != "plain":
            raise ValueError("model: a capture plays as it was recorded; models are for the synthetic flow")
        return self
