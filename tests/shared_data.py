"""Where the recorded data is: RAYMAKER_SHARED, else `../shared` beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_root() -> Path:
    """Folder of the shared material; it may be absent."""
    configured = os.environ.get("RAYMAKER_SHARED")
    return Path(configured) if configured else Path(__file__).resolve().parents[2] / "shared"


def shared_path(relative: str) -> Path:
    """A file or folder of the shared material; skips the test when it is absent."""
    path = shared_root() / relative
    if not path.exists():
        pytest.skip(f"shared data is absent: {path} (set RAYMAKER_SHARED)")
    return path
