"""A bound in time for calls that may never come back: Ray's own to a head that is away wait for ten minutes, deaf to signals.

The call runs in a thread of its own, which is left to itself when the time is over. A process with such a thread must end by
`os._exit`: its orderly end would wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_left: set[threading.Thread] = set()


class NotBack(Exception):
    """The call has not come back in time; it may still be carried out."""


def bounded(call: Callable[[], Result], timeout_s: float) -> Result:
    """What `call` returns, or raises, within `timeout_s`. Signals are heard meanwhile.

    Raises:
        NotBack: neither.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it was asked for
            errors.append(error)

    thread = threading.Thread(target=run, name="bounded call", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if results:
        return results[0]
    if errors:
        raise errors[0]
    _left.add(thread)
    raise NotBack(f"no answer within {timeout_s:g} s")


def some_are_left() -> bool:
    """Whether a call of this process is still away."""
    return any(thread.is_alive() for thread in _left)
