"""Sections `venue` and `account`: which venue, whose keys, and what must hold of the account there."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from configs.schema.hosts import is_demo_host, is_loopback
from configs.schema.section import Milliseconds, Section


class KeySource(Section):
    """Where an API key and its secret are read: from two environment variables, or from a file of two lines."""

    key_env: str = "RAYMAKER_API_KEY"
    secret_env: str = "RAYMAKER_API_SECRET"
    file: str | None = None
    kind: Literal["hmac", "ed25519"] = "hmac"


class VenueSettings(Section):
    """Which venue, at which addresses. `live` must be true for addresses where money is real.

    `wallet_url` is where the venue says what a key may do (at Binance another host than the futures'); without it nobody asks.

    `stop_keys` is the emergency stop's own key, so that it works when the trading key is in doubt; without it `keys` serve both.
    """

    kind: Literal["binance_usdm"] = "binance_usdm"
    rest_url: str
    stream_url: str
    ws_api_url: str
    wallet_url: str | None = None
    live: bool = False
    account_alias: str = Field(default="main", pattern=r"^[a-z0-9_-]{1,24}$")
    margin_asset: str = "USDC"
    keys: KeySource = KeySource()
    stop_keys: KeySource | None = None
    request_timeout_ms: Milliseconds = 3_000
    book_stream: Literal["depth@0ms", "depth@100ms", "depth@500ms", "depth"] = "depth@100ms"

    @field_validator("rest_url", "stream_url", "ws_api_url", "wallet_url")
    @classmethod
    def _address_is_safe(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None:
            return None
        schemes = ("http", "https") if info.field_name in ("rest_url", "wallet_url") else ("ws", "wss")
        parts = urlsplit(url)
        if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError(f"must be {schemes[0]}://HOST[:PORT] or {schemes[1]}://HOST[:PORT], without a query")
        if parts.scheme == schemes[0] and not is_loopback(parts.hostname):
            raise ValueError(
                f"{parts.scheme} sends keys in the clear: only {schemes[1]} is allowed beyond this machine"
            )
        return url.rstrip("/")

    @model_validator(mode="after")
    def _money_is_said(self) -> VenueSettings:
        hosts = [
            urlsplit(url).hostname or ""
            for url in (self.rest_url, self.stream_url, self.ws_api_url, self.wallet_url)
            if url is not None
        ]
        live = [host for host in hosts if not is_loopback(host) and not is_demo_host(host)]
        if live and not self.live:
            raise ValueError(f"{live[0]} is a live address where money is real: venue.live must be true to use it")
        if self.live and len(live) < len(hosts):
            other = next(host for host in hosts if host not in live)
            raise ValueError(f"venue.live is true but {other} is no live address; use live addresses only, or none")
        return self


class AccountSettings(Section):
    """What must hold at the venue. What is left open here must stay as it was when the system first saw it.

    Always demanded: one-way mode, single-asset mode, cross margin, the right to trade, the filters that were loaded at start.
    """

    leverage: int | None = Field(default=None, ge=1, le=150)
    fee_burn: bool | None = None
    maker_fee_max: Decimal | None = Field(default=None, ge=Decimal("-0.01"), le=Decimal("0.01"), allow_inf_nan=False)
    taker_fee_max: Decimal | None = Field(default=None, ge=Decimal("-0.01"), le=Decimal("0.01"), allow_inf_nan=False)
    adl_quantile_max: int | None = Field(default=None, ge=0, le=4)
    """Place in the venue's queue of auto-deleveraging (4 goes first) beyond which a symbol is halted."""
