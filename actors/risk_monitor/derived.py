"""What follows from a few numbers is made once and kept until one of them is another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")


class Derived(Generic[Made]):
    """Keeps what was made of the newest inputs.

    It is asked with all its inputs each time and compares them, so nobody has to say that something changed, and it cannot answer with
    what followed from old ones.

    Args:
        make: depends on its arguments alone, which are never changed in place.
    """

    __slots__ = ("_inputs", "_made", "_make")

    def __init__(self, make: Callable[..., Made]) -> None:
        self._make = make
        self._inputs: tuple[Any, ...] | None = None
        self._made: Made

    def of(self, *inputs: Any) -> Made:
        """What follows from these inputs."""
        if inputs != self._inputs:
            self._made, self._inputs = self._make(*inputs), inputs
        return self._made
