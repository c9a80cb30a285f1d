"""What an actor's process knows of a Retry-After before its core does: its node's address ledger, and its sockets, which are read before
anything is sent when its disk has let go."""

from __future__ import annotations

import msgspec


class _Silence(msgspec.Struct, frozen=True):
    until_ns: int
    epoch: int
    is_unread: bool


class Silences:
    """The newest word to each actor. In this world each actor counts as an address of its own."""

    def __init__(self) -> None:
        self._told: dict[str, _Silence] = {}

    def tell(self, actor: str, epoch: int, until_ns: int, *, is_unread: bool) -> None:
        """The venue wants silence from an actor.

        Args:
            is_unread: the process is held up by its disk, so that its core hears of it behind everything that waits.
        """
        before = self._told.get(actor)
        if before is not None and before.epoch == epoch:
            until_ns, is_unread = max(until_ns, before.until_ns), is_unread or before.is_unread
        self._told[actor] = _Silence(until_ns, epoch, is_unread)

    def until_ns(self, actor: str) -> int:
        """Until when an actor has to be silent; 0 where nobody was ever told."""
        told = self._told.get(actor)
        return told.until_ns if told is not None else 0

    def stops(self, actor: str, epoch: int, now_ns: int) -> bool:
        """Whether a request stays in the process though its core does not know why. A core that does know has to keep silence itself."""
        told = self._told.get(actor)
        return told is not None and now_ns < told.until_ns and (told.is_unread or told.epoch != epoch)
