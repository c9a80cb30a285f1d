"""The tests of the runtime run on the loop that the actors use."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from actors.runtime.state_dir import StateDir


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Any]:
    """uvloop for every test of this folder."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state directory whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="rm-") as path:
        StateDir(path).create()
        yield Path(path)
