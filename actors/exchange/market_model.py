"""The model of a market: what the synthetic market draws from, fitted on recorded data by calibration.py and kept as a YAML file.

Sizes are in quote currency, distances and moves in ticks, times in seconds; a table holds the quantiles of a distribution.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

PROBABILITIES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
"""At which a table has its values."""

LAGS_MAX = 100

Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Positive: TypeAlias = Annotated[float, Meta(gt=0, le=1e12)]
Rate: TypeAlias = Annotated[float, Meta(ge=0, le=10_000)]
Branching: TypeAlias = Annotated[float, Meta(ge=0, le=100)]
Table: TypeAlias = Annotated[tuple[Positive, ...], Meta(min_length=len(PROBABILITIES), max_length=len(PROBABILITIES))]


class ModelError(ValueError):
    """A model that cannot be used; the text is one sentence."""


class Arrivals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Hawkes process of plain and informed happenings.

    A plain one brings `plain_branching[k]` more on average within about `decay_s[k]`, an informed one `informed_branching[k]`.
    `informed_share` says how many are informed, by what brought them: nothing, a plain one by scale, an informed one by scale.
    """

    base_rate: Annotated[float, Meta(gt=0, le=10_000)]
    decay_s: Annotated[tuple[Annotated[float, Meta(gt=0, le=3_600)], ...], Meta(min_length=1, max_length=10)]
    plain_branching: tuple[Branching, ...]
    informed_branching: tuple[Branching, ...]
    informed_share: tuple[Share, ...]

    def __post_init__(self) -> None:
        scales = len(self.decay_s)
        if {len(self.plain_branching), len(self.informed_branching)} != {scales}:
            raise ModelError("arrivals: decay_s and both branchings have not the same length")
        if len(self.informed_share) != 2 * scales + 1:
            raise ModelError("arrivals.informed_share has one value for the base rate, and two for each of decay_s")
        if min(self.rates) < 0:
            raise ModelError("arrivals: the rates that follow from it are below zero")

    @property
    def rates(self) -> tuple[float, float]:
        """Plain and informed happenings a second in the long run."""
        scales = len(self.decay_s)
        plain, informed, share = self.plain_branching, self.informed_branching, self.informed_share
        to_informed = (
            sum(count * part for count, part in zip(plain, share[1 : scales + 1], strict=True)),
            sum(count * part for count, part in zip(informed, share[scales + 1 :], strict=True)),
        )
        plain_base, informed_base = self.base_rate * (1 - share[0]), self.base_rate * share[0]
        plain_by_plain, plain_by_informed = sum(plain) - to_informed[0], sum(informed) - to_informed[1]
        determinant = (1 - plain_by_plain) * (1 - to_informed[1]) - plain_by_informed * to_informed[0]
        if determinant <= 0 or plain_by_plain >= 1:
            raise ModelError("arrivals: each happening brings one or more on average, so they would never end")
        return (
            (plain_base * (1 - to_informed[1]) + informed_base * plain_by_informed) / determinant,
            (informed_base * (1 - plain_by_plain) + plain_base * to_informed[0]) / determinant,
        )


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stretches of `stretch_s` on average, each with a pace of its own: log-normal, one on average, `spread` of its logarithm."""

    stretch_s: Annotated[float, Meta(gt=0, le=3_600)]
    spread: Annotated[float, Meta(ge=0, le=2)]


class Informed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run of orders of one side that the price goes with: how many, what they take together, how far the price goes."""

    orders: Table
    gap_ms: Annotated[float, Meta(ge=0, le=1_000)]
    """From one to the next, on average."""
    sweeping_share: Share
    """Of those before the last one: how many go through levels too, each a part of the move. The last one always does."""
    memory: Annotated[tuple[Share, ...], Meta(max_length=LAGS_MAX)]
    """Probability that a run has the side of the run before it, of the second before it, and so on; else either."""
    ending_share: Share
    """The largest of runs end a move: after one of these the sides of earlier runs say nothing."""
    notional: Table
    ticks: Table
    ahead: Annotated[float, Meta(ge=0.02, le=1)]
    """How much of its part of the move is ahead of what the last one takes, on average: 1 when all is taken at the old best price."""
    size_follows_move: Share
    """Rank correlation of what they take and how far the price goes."""


class DepthBand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Levels of one side from `first_tick` behind the touch to the next band: the average size of a tick, how many of them have any."""

    first_tick: Annotated[int, Meta(ge=1, le=10_000)]
    notional: Positive
    occupied: Share
    changes_per_s: Rate
    """Of one tick, both sides together."""


class Touch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The best level of a side: its average, what a new one begins with, and the orders that come and go there (both sides)."""

    notional: Positive
    fresh_notional: Positive
    changes_per_s: Rate
    added_notional: Table
    removed_notional: Table


class MarketModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market."""

    base_asset: Annotated[str, Meta(min_length=1, max_length=20)]
    fitted_on: str
    """Where it came from: recording, dates, length."""
    price: Positive
    tick_size: Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?$")]
    arrivals: Arrivals
    pace: Pace
    revised_share: Share
    """Of what is not informed: quotes revised without a trade. The rest are plain orders, which move nothing."""
    sign_memory: Annotated[tuple[Share, ...], Meta(max_length=LAGS_MAX)]
    """Probability that an order repeats the side of the one before it, of the second before it, and so on."""
    order_notional: Table
    """Of plain orders."""
    informed: Informed
    revised_ticks: Table
    settle_ms: Annotated[float, Meta(ge=0, le=1_000)]
    """From a sweep to the new quotes."""
    touch: Touch
    depth: Annotated[tuple[DepthBand, ...], Meta(min_length=1, max_length=50)]
    levels: Annotated[int, Meta(ge=10, le=2_000)] = 200

    def __post_init__(self) -> None:
        for name, memory in (("sign_memory", self.sign_memory), ("informed.memory", self.informed.memory)):
            if sum(memory) > 1:
                raise ModelError(f"{name} adds up to more than 1")
        tables = {
            "order_notional": self.order_notional,
            "informed.orders": self.informed.orders,
            "informed.notional": self.informed.notional,
            "informed.ticks": self.informed.ticks,
            "revised_ticks": self.revised_ticks,
            "touch.added_notional": self.touch.added_notional,
            "touch.removed_notional": self.touch.removed_notional,
        }
        for name, table in tables.items():
            if list(table) != sorted(table):
                raise ModelError(f"{name}: quantiles must not fall")
        if [band.first_tick for band in self.depth] != sorted({band.first_tick for band in self.depth}):
            raise ModelError("depth: first_tick must rise from band to band")
        if self.depth[0].first_tick != 1:
            raise ModelError("depth: the first band begins at tick 1")


def drawn(table: Table, uniform: float) -> float:
    """The value of a table at a probability, logarithmic between its quantiles."""
    index = min(bisect_right(PROBABILITIES, uniform), len(PROBABILITIES) - 1)
    low, high = table[index - 1], table[index]
    if low == high:
        return low
    part = (uniform - PROBABILITIES[index - 1]) / (PROBABILITIES[index] - PROBABILITIES[index - 1])
    return low * math.exp(part * math.log(high / low))


def decode(text: bytes, name: str) -> MarketModel:
    """Read a model file.

    Raises:
        ModelError: it is no YAML, or a value is missing or refused; the text names the file and the place.
    """
    try:
        return msgspec.yaml.decode(text, type=MarketModel)
    except (msgspec.DecodeError, ModelError, UnicodeDecodeError) as error:
        raise ModelError(f"{name} is no model of a market: {error}") from None


def encode(model: MarketModel) -> bytes:
    """The text of a model file; it begins with a comment that says what it is."""
    head = f"# {model.base_asset} for the synthetic market, fitted by `raymaker exchange calibrate`.\n"
    return head.encode() + msgspec.yaml.encode(model)
