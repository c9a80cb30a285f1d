"""What an endpoint of the venue is: its security, its cost, and the function that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from actors.exchange.accounts import Account
from actors.exchange.answers import Answers
from actors.exchange.authentication import Credential, KeyRing, Timing
from actors.exchange.errors import VenueRefusal, mandatory
from actors.exchange.listen_keys import ListenKeys
from actors.exchange.market import Market
from actors.exchange.rate_limits import RateLimits
from actors.exchange.venue import Venue


class Security(Enum):
    """What a request must prove (facts section 1.5)."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Desk:
    """What the endpoints work with."""

    venue: Venue
    limits: RateLimits
    keys: KeyRing
    listen_keys: ListenKeys
    answers: Answers


class Told(msgspec.Struct, frozen=True):
    """A body of success that is no JSON: what it says, for a host in the same process."""

    what: Any


class Call(msgspec.Struct):
    """One request that was let in."""

    params: Mapping[str, Any]
    """Text as it came; of a direct request some are whole numbers (`api.DirectRequest`)."""
    credential: Credential | None
    timing: Timing | None
    order_counts: tuple[int, int] | None = None
    as_it_was: Mapping[str, Account] | None = None
    """Accounts of a while ago, when the answer is to lag behind."""

    def account(self, desk: Desk) -> Account:
        """The caller's account."""
        if self.credential is None:
            raise VenueRefusal(-2014, "API-key format invalid.", 401)
        name = self.credential.account
        if self.as_it_was is not None and name in self.as_it_was:
            return self.as_it_was[name]
        return desk.venue.account(name)

    def market(self, desk: Desk) -> Market:
        """The market of the mandatory parameter `symbol`."""
        symbol = self.params.get("symbol")
        if not symbol:
            raise mandatory("symbol")
        return desk.venue.market(symbol)

    def market_if_named(self, desk: Desk) -> Market | None:
        """The market of the parameter `symbol`, None when it is absent."""
        return self.market(desk) if self.params.get("symbol") else None


Handler = Callable[[Desk, Call], Any]
Weigher = Callable[[Mapping[str, str]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint. `trades` marks what the matching engine judges: its window is checked there again, its refusals are counted.
    `funding_pool` marks the calls that are limited by themselves.
    """

    method: str
    path: str
    handler: Handler
    security: Security = Security.SIGNED
    weight: int | Weigher = 1
    trades: str = ""
    funding_pool: bool = False

    def weigh(self, params: Mapping[str, str]) -> int:
        """The request's weight."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)


def weight_by_symbol(with_symbol: int, without: int) -> Weigher:
    """A weight that depends on whether a symbol is named."""
    return lambda params: with_symbol if params.get("symbol") else without
