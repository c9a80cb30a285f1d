"""What was recognised by name and not decoded, counted with a bound."""

from __future__ import annotations

NAMES_MAX = 64
"""Different names counted; the rest share one."""

_NAME_CHARACTERS_MAX = 48
_OTHERS = "others"


class Unmodelled:
    """Counts by name. Names come from outside: cut in length and bounded in number."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def count(self, name: str) -> None:
        """One more of this name."""
        name = name[:_NAME_CHARACTERS_MAX]
        if name not in self.counts and len(self.counts) >= NAMES_MAX:
            name = _OTHERS
        self.counts[name] = self.counts.get(name, 0) + 1
