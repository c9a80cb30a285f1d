"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_STATE = Path("state")

StateOption = Annotated[
    Path, typer.Option("--state", envvar="RAYMAKER_STATE", metavar="DIR", help="State directory of the system.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
ConfigOption = Annotated[Path, typer.Option("--config", metavar="FILE", help="Configuration (YAML).")]
LiveOption = Annotated[
    str | None,
    typer.Option("--live", metavar="ALIAS", help="The account's alias; needed where money is real."),
]

SCENARIO_NAMES = (
    "calm, trend, flash-crash, gap, volatility-jump, liquidity-gone, sweep, one-way, funding-spike, halt, delist, "
    "tick-size-change"
)
"""As in configs.schema, which takes too long to load for a help text; a test compares them."""

SHIPPED = "shipped"
MODEL_HELP = (
    "A model file (exchange calibrate), shipped (the default: BTC and ETH of 2024), or plain, to try machines on."
)

FOLLOW_HELP = "the market is the public streams of the venue at this address (REST,STREAMS where there are two)."


def parse_symbols(text: str | None) -> tuple[str, ...] | None:
    """`BTCUSDC,ETHUSDC` to symbols in upper case; None stays None."""
    if text is None:
        return None
    return tuple(symbol.strip().upper() for symbol in text.split(",") if symbol.strip())


def parse_follow(text: str) -> dict[str, str]:
    """`http://127.0.0.1:8585`, or `REST,STREAMS` where the two addresses differ, to the section exchange.follow."""
    rest, comma, streams = text.partition(",")
    return {"rest_url": rest, "stream_url": streams if comma else rest.replace("http", "ws", 1)}
