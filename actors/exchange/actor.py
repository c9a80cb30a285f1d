"""The simulated venue as an actor: the server in a process that a host started."""

from __future__ import annotations

import asyncio
import hmac
from types import UnionType
from typing import Any

from actors.exchange.authentication import Credential
from actors.exchange.face import ExchangeFace
from actors.exchange.server import ServerError, VenueServer
from actors.runtime.shell import Host
from configs.keys import ApiKeys, load_keys
from configs.schema import Settings
from protocols.envelope import Message
from protocols.mailboxes import Control
from protocols.messages.control import ActorSpec, ActorState


class ExchangeActor:
    """Shell of the venue. Its only account is that of the configured key."""

    mailbox: UnionType = Control

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        if settings.exchange is None:
            raise ServerError("the configuration has no section exchange: there is no venue to simulate")
        self.core = ExchangeFace()
        self._settings = settings
        self._exchange_settings = settings.exchange
        self._server: VenueServer | None = None
        self._state = ActorState.STARTING

    async def start(self, host: Host) -> None:
        """Load the ledger, publish the first books, listen."""
        keys = load_keys(self._settings.venue.keys)
        credential = credential_of(keys, self._settings.venue.account_alias, self._settings.venue.keys.kind)
        server = await asyncio.to_thread(VenueServer, self._exchange_settings, [credential], host.log.info)
        await server.start()
        self._server = server
        self.core.exchange = server.exchange
        self._state = ActorState.RUNNING

    def call(self, request: Message) -> None:
        """The venue calls nobody."""

    def append(self, record: Message) -> None:
        """The venue has its ledger and no journal."""

    def state(self) -> ActorState:
        """Running once it listens."""
        return self._state

    def extra_snapshot(self) -> dict[str, Any]:
        """Its port and what is connected."""
        return self._server.connections() if self._server is not None else {}

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        """The venue publishes nothing to other actors."""
        return []

    async def stop(self) -> None:
        """Close the server."""
        self._state = ActorState.STOPPED
        if self._server is not None:
            await self._server.stop()
            self._server = None


def credential_of(keys: ApiKeys, account: str, kind: str) -> Credential:
    """The venue's side of a key: both kinds of signature are deterministic, so signing again is checking."""

    def accepts(message: bytes, signature: str) -> bool:
        expected = keys.signer.sign(message.decode())
        given = signature.lower() if kind == "hmac" else signature
        return hmac.compare_digest(expected.encode(), given.encode())

    return Credential(api_key=keys.api_key, account=account, accepts=accepts, is_ed25519=kind == "ed25519")
