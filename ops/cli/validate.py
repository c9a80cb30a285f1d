"""`raymaker validate`: the resolved settings, or every error with its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ops.cli.options import ConfigOption, JsonOption
from ops.cli.settings import settings_from

if TYPE_CHECKING:
    from configs.schema import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(validate)


def validate(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Print the settings and the bounds that follow from them, or every error.

    Resolved with the environment; secrets are no settings, only the places where they are. Each error has its path.
    """
    import json

    import yaml

    settings = settings_from(config)
    shown = settings.model_dump(mode="json")
    bounds = bounds_of(settings)
    if as_json:
        print(json.dumps(shown | {"bounds": bounds}, indent=2))
        return
    print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")
    print("# what follows from it, where the venue grants the weight below:")
    for name, value in bounds.items():
        print(f"#   {name}: {value}")


def bounds_of(settings: Settings) -> dict[str, float]:
    """Bounds that the settings give, for the shard with the most symbols, with an equal part of the venue's limit on weight.

    `dead_quotes_gone_s` is the bound of invariant I14: all of us dead, no order lives longer at the venue. `lost_order_found_s` is the time
    between two audits, `canceling_fills_found_s` that between two of them which read executions.
    """
    from actors.order_manager.audits import audit_every_ns, fills_every_ns
    from actors.order_manager.countdown import arithmetic
    from protocols.values import RateLimits

    limit = settings.exchange.weight_per_minute if settings.exchange is not None else RateLimits().weight_1m
    weight_1m = limit // settings.shards
    symbols = -(-len(settings.symbols) // settings.shards)
    countdown = arithmetic(settings.order_manager, symbols, weight_1m)
    paid_by = settings.order_manager.audit_period_ms, symbols, weight_1m
    return {
        "symbols_of_a_shard": symbols,
        "weight_of_a_shard_1m": weight_1m,
        "countdown_renewed_every_s": round(countdown.renewal_ns / 1e9, 2),
        "countdown_period_s": round(countdown.period_ns / 1e9, 2),
        "countdown_weight_1m": countdown.weight_1m,
        "dead_quotes_gone_s": round(countdown.period_ns / 1e9 + 1, 2),
        "lost_order_found_s": round(audit_every_ns(*paid_by) / 1e9, 2),
        "canceling_fills_found_s": round(fills_every_ns(*paid_by) / 1e9, 2),
    }
