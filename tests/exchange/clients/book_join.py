"""A book from a snapshot and the diffs of a stream, joined by the venue's rules, whatever client brought them."""

from __future__ import annotations

from typing import Any

DIFFS = 5


class JoinedBook:
    """The levels of a snapshot, and the diffs that continue it."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.joined = 0
        self._last_id = int(snapshot["lastUpdateId"])
        self._sides = {
            side: {float(price): float(quantity) for price, quantity in snapshot[side]} for side in ("bids", "asks")
        }

    def apply(self, diff: dict[str, Any]) -> None:
        """Take a diff in the order of arrival; those that the snapshot has are left out.

        Raises:
            AssertionError: it does not continue what is known, or the book would be crossed.
        """
        if diff["u"] < self._last_id:
            return
        if self.joined:
            assert diff["pu"] == self._last_id, f"pu {diff['pu']} after {self._last_id}"
        else:
            assert diff["U"] <= self._last_id or diff["pu"] == self._last_id, f"U {diff['U']} after {self._last_id}"
        self._last_id = diff["u"]
        self.joined += 1
        for side, key in (("bids", "b"), ("asks", "a")):
            for price, quantity in diff[key]:
                self._sides[side][float(price)] = float(quantity)
                if not float(quantity):
                    del self._sides[side][float(price)]
        assert max(self._sides["bids"]) < min(self._sides["asks"]), "crossed"

    @property
    def is_in_sync(self) -> bool:
        """Whether enough diffs have followed."""
        return self.joined >= DIFFS
