"""`raymaker exchange --set KEY=VALUE`: every setting of the venue without a configuration file, and what is wrong with one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from configs.schema import ExchangeSettings
from ops.cli.app import app

ALONE = ("exchange", "--port", "0", "--ledger", "venue.jsonl")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[ExchangeSettings]:
    """The settings that a venue would be served with."""
    found: list[ExchangeSettings] = []

    def serve(settings: ExchangeSettings, say: object, accounts: int) -> None:
        found.append(settings)

    monkeypatch.setattr("actors.exchange.server.serve_forever", serve)
    return found


def test_limits_latencies_fees_and_balances_are_set_by_name(served: list[ExchangeSettings]) -> None:
    changes: dict[str, Any] = {
        "weight_per_minute": "10000000",
        "order_latency_ms": "0.5",
        "queue_model": "probabilistic",
        "fee_burn": "true",
        "balances": "{USDC: 5000}",
        "fees": "{USDC: {maker: 0.0002, taker: 0.0004}}",
    }
    arguments = [part for name, value in changes.items() for part in ("--set", f"{name}={value}")]
    result = CliRunner().invoke(app, [*ALONE, *arguments])
    assert result.exit_code == 0, result.output
    (settings,) = served
    assert (settings.weight_per_minute, settings.order_latency_ms, settings.fee_burn) == (10_000_000, 0.5, True)
    assert (settings.queue_model, settings.balances) == ("probabilistic", {"USDC": Decimal(5_000)})
    assert settings.fees["USDC"].maker == Decimal("0.0002")
    assert settings.model == "shipped"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["order_latency_ms"], "--set order_latency_ms: write KEY=VALUE, for instance --set order_latency_ms=5."),
        (["=5"], "--set =5: write KEY=VALUE"),
        (["fee_tier=1", "fee_tier=2"], "--set fee_tier: it is there twice."),
        (["fees={USDC: "], "--set fees={USDC: : the value is no YAML."),
        (["colour=red"], "--set colour: Extra inputs are not permitted."),
        (["fee_tier=12"], "--set fee_tier: Input should be less than or equal to 9."),
        (["seed=3"], "--set seed: it has an option of its own, --seed."),
    ],
)
def test_what_cannot_be_set_is_one_sentence(changes: list[str], sentence: str, served: list[ExchangeSettings]) -> None:
    arguments = [part for change in changes for part in ("--set", change)]
    result = CliRunner().invoke(app, [*ALONE, *arguments])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"raymaker: {sentence}"), result.stderr
    assert served == []
