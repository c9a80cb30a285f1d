"""The simulated venue behind real sockets, for tests of other people's clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from actors.exchange.authentication import Credential
from actors.exchange.server import VenueServer, demo_credentials
from configs.schema import ExchangeSettings


@asynccontextmanager
async def serving(
    ledger: Path, *, credentials: list[Credential] | None = None, **changes: Any
) -> AsyncIterator[VenueServer]:
    """A venue on a free port, with the demo key unless other credentials are given; `changes` are settings."""
    settings = ExchangeSettings.model_validate({"ledger": str(ledger), "order_latency_ms": 0.1} | changes)
    server = VenueServer(settings, credentials or demo_credentials(), lambda text: None)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
