"""Waiting for something that another task or the kernel does, without a clock in the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition()` is true; the test's own timeout ends a wait that never does."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.0005)
