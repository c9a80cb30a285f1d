"""The tests of the runtime run on the loop that the actors use."""

from __future__ import annotations

from typing import Any

import uvloop


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Any]:
    """uvloop for every test of this folder."""
    return {"uvloop": uvloop.new_event_loop}
