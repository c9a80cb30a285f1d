"""Listen keys: one per account, alive for an hour after the last renewal (facts section 2.8)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from actors.exchange.errors import VenueRefusal

LIFE_MS = 3_600_000
LOOK_MS = 1_000
"""A dead key is found within so long."""


@dataclass(slots=True)
class ListenKey:
    """A key and when it dies."""

    key: str
    account: str
    expires_ms: int


class ListenKeys:
    """The venue's listen keys. `salt` makes them unguessable; the host draws it."""

    def __init__(self, salt: str) -> None:
        self._salt = salt
        self._count = 0
        self._by_account: dict[str, ListenKey] = {}
        self._by_key: dict[str, ListenKey] = {}
        self.look_ms = 0
        """When dead keys are looked for next."""

    def start(self, account: str, now_ms: int) -> str:
        """The account's key, extended; a new one when there is none."""
        found = self._by_account.get(account)
        if found is None or now_ms >= found.expires_ms:
            self._count += 1
            digest = hashlib.sha256(f"{self._salt}:{account}:{self._count}:{now_ms}".encode()).hexdigest()
            found = ListenKey(digest, account, 0)
            self._by_account[account] = self._by_key[digest] = found
        found.expires_ms = now_ms + LIFE_MS
        return found.key

    def renew(self, account: str, now_ms: int) -> str:
        """Extend the account's key.

        Raises:
            VenueRefusal: -1125 when there is none.
        """
        found = self._by_account.get(account)
        if found is None or now_ms >= found.expires_ms:
            raise VenueRefusal(-1125, "This listenKey does not exist.")
        found.expires_ms = now_ms + LIFE_MS
        return found.key

    def close(self, account: str) -> str | None:
        """End the account's key; returns it."""
        found = self._by_account.pop(account, None)
        if found is None:
            return None
        self._by_key.pop(found.key, None)
        return found.key

    def account_of(self, key: str) -> str | None:
        """The account that a live key belongs to."""
        found = self._by_key.get(key)
        return found.account if found is not None else None

    def expire(self, now_ms: int) -> list[ListenKey]:
        """Remove and return the keys that died."""
        if now_ms < self.look_ms:
            return []
        self.look_ms = now_ms + LOOK_MS
        dead = [key for key in self._by_account.values() if now_ms >= key.expires_ms]
        for key in dead:
            self.close(key.account)
        return dead
