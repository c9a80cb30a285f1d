"""Which one-shot requests were decided: a request that comes again does nothing twice, over restarts too."""

from __future__ import annotations

LIFE_NS_MAX = 3_600_000_000_000
"""An intent is remembered for an hour of the venue's time; a request may not live so long."""


class Intents:
    """Intent ids with the venue's time of the decision; 0 stands for "while its clock was not known"."""

    def __init__(self, remembered_max: int) -> None:
        self._remembered_max = remembered_max
        self._decided: dict[str, int] = {}
        self.lost_before_ns = 0
        """Requests said before this instant of ours may have been decided by a life of which no journal tells."""

    def __contains__(self, intent_id: str) -> bool:
        return intent_id in self._decided

    def __len__(self) -> int:
        return len(self._decided)

    @property
    def is_full(self) -> bool:
        """Whether no more can be remembered, so that none may be decided."""
        return len(self._decided) >= self._remembered_max

    def note(self, intent_id: str, venue_time_ns: int) -> None:
        """A request was decided: sent, or denied. The first decision counts."""
        self._decided.setdefault(intent_id, venue_time_ns)

    def forget(self, venue_now_ns: int) -> None:
        """Drop what is older than any request that may still come again. Call with a known clock only."""
        for intent_id, decided_ns in list(self._decided.items()):
            if not decided_ns:
                self._decided[intent_id] = venue_now_ns
            elif venue_now_ns - decided_ns > LIFE_NS_MAX:
                del self._decided[intent_id]
            else:
                return

    def decided(self) -> tuple[tuple[str, int], ...]:
        """Everything remembered, oldest first."""
        return tuple(self._decided.items())
