"""Section `exchange.follow`: the venue whose public streams are the market of paper trading."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from configs.schema.hosts import is_loopback

FOLLOWED_SYMBOLS_MAX = 50
"""Symbols of another venue: their snapshots must fit one address's request weight, their diffs one core."""


class FollowSettings(BaseModel):
    """Another Binance-compatible venue whose public streams are the market. It is only read, without a key; it has no default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rest_url: str
    stream_url: str
    start_timeout_ms: int = Field(default=15_000, ge=1_000, le=300_000)
    """Until every symbol must be in sync at the start."""

    @field_validator("rest_url", "stream_url")
    @classmethod
    def _address_is_safe(cls, url: str, info: ValidationInfo) -> str:
        plain, safe = ("http", "https") if info.field_name == "rest_url" else ("ws", "wss")
        parts = urlsplit(url)
        odd = parts.query or parts.fragment or parts.username or parts.path.strip("/")
        if parts.scheme not in (plain, safe) or not parts.hostname or odd:
            raise ValueError(f"must be {plain}://HOST[:PORT] or {safe}://HOST[:PORT], and no more")
        if parts.scheme == plain and not is_loopback(parts.hostname):
            raise ValueError(f"{plain} could be changed on the way: only {safe} is allowed beyond this machine")
        return url.rstrip("/")
