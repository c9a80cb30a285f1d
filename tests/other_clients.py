"""Runs scripts with other people's clients, which live in an environment of their own (.clients)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".clients/bin/python"
SCRIPTS = ROOT / "tests/exchange/clients"
CLIENT_S_MAX = 300.0


async def run_client(script: str, *arguments: str) -> dict[str, Any]:
    """What a script printed as its result; the test is skipped where the clients are not installed."""
    if not PYTHON.exists():
        pytest.skip("the other clients are not installed: make .clients/.installed (make test does)")
    process = await asyncio.create_subprocess_exec(
        str(PYTHON),
        str(SCRIPTS / script),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(CLIENT_S_MAX):
        out, err = await process.communicate()
    result = [line for line in out.decode().splitlines() if line.startswith("RESULT ")]
    assert result, err.decode()[-3_000:] + out.decode()[-3_000:]
    found: dict[str, Any] = json.loads(result[-1].removeprefix("RESULT "))
    return found
