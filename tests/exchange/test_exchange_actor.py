"""The venue as an actor: it listens with the configured key, shows what it holds, and ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ccxt
import pytest

from actors.exchange.actor import ExchangeActor
from actors.exchange.server import ServerError
from configs.keys import write_key_file
from configs.schema import Settings
from protocols.messages.control import ActorState


def system_settings(tmp_path: Path, **exchange: Any) -> Settings:
    keys = tmp_path / "keys"
    write_key_file(keys, "actor-key", "actor-secret")
    return Settings.model_validate(
        {
            "symbols": ["BTCUSDC"],
            "venue": {
                "rest_url": "http://127.0.0.1:1",
                "stream_url": "ws://127.0.0.1:1",
                "ws_api_url": "ws://127.0.0.1:1/ws-fapi/v1",
                "keys": {"file": str(keys)},
            },
            "exchange": {"ledger": str(tmp_path / "ledger.jsonl"), "symbols": ["BTCUSDC"]} | exchange,
        }
    )


def actor(settings: Settings) -> ExchangeActor:
    spec: Any = SimpleNamespace(name="exchange")
    return ExchangeActor(spec, settings)


async def test_it_serves_the_configured_key_and_shows_orders_and_positions(tmp_path: Path) -> None:
    shell = actor(system_settings(tmp_path))
    assert shell.state() is ActorState.STARTING
    assert shell.core.snapshot().markets == {}
    said: list[str] = []
    host: Any = SimpleNamespace(log=SimpleNamespace(info=said.append))
    await shell.start(host)
    assert shell.state() is ActorState.RUNNING
    client = ccxt.binanceusdm(
        {
            "apiKey": "actor-key",
            "secret": "actor-secret",
            "options": {"fetchCurrencies": False, "fetchMargins": False},
        }
    )
    for name, version in (("fapiPublic", 1), ("fapiPrivate", 1), ("fapiPrivateV2", 2), ("fapiPrivateV3", 3)):
        client.urls["api"][name] = f"http://127.0.0.1:{shell.extra_snapshot()['port']}/fapi/v{version}"
    await asyncio.to_thread(client.load_markets)
    await asyncio.to_thread(client.create_order, "BTC/USDC:USDC", "limit", "buy", 0.01, 60_900.0)
    await asyncio.to_thread(client.create_order, "BTC/USDC:USDC", "market", "buy", 0.01)
    seen = shell.core.snapshot()
    assert seen.accounts["main"].live_orders == {"BTCUSDC": 1}
    assert seen.accounts["main"].positions["BTCUSDC"] == "0.010"
    assert seen.markets["BTCUSDC"].bid < seen.markets["BTCUSDC"].ask
    assert (shell.core.start(0), shell.core.handle(None, 0), shell.replay("x", 0, 1)) == ([], [], [])
    await shell.stop()
    assert shell.state() is ActorState.STOPPED
    assert (tmp_path / "ledger.jsonl").stat().st_size > 0


def test_without_a_section_for_the_venue_there_is_nothing_to_start(tmp_path: Path) -> None:
    settings = system_settings(tmp_path).model_copy(update={"exchange": None})
    with pytest.raises(ServerError, match="no section exchange"):
        actor(settings)
