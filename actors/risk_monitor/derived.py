"""What follows from a few numbers is made once and kept until one of them is another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")


class Derived(Generic[Made]):
    """Keeps what was made of the newest inputs.

    It is asked with all its inputs each time and compares them, so nobody has to say that something changed, and it cannot answer with
    what followed from old ones. It does not keep what it is made by, for a recording of a core holds values alone.
    """

    __slots__ = ("_inputs", "_made")

    def __init__(self) -> None:
        self._inputs: tuple[Any, ...] | None = None
        self._made: Made

    def of(self, make: Callable[..., Made], *inputs: Any) -> Made:
        """What follows from these inputs.

        Args:
            make: always the same; it depends on its arguments alone, which are never changed in place.
        """
        if inputs != self._inputs:
            self._made, self._inputs = make(*inputs), inputs
        return self._made
