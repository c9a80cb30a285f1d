"""Keys and signatures: who asks, and whether the signature covers what arrived (facts sections 1.6 and 7)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from actors.exchange.errors import VenueRefusal, mandatory

RECV_WINDOW_MS = 5_000
RECV_WINDOW_MS_MAX = 60_000
FUTURE_MS_MAX = 1_000
KEY_BYTES_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An API key, its account, and how its signatures are checked: (message, signature as sent) to true or false."""

    api_key: str
    account: str
    accepts: Callable[[bytes, str], bool]
    is_ed25519: bool = False
    permissions: frozenset[str] = frozenset({"enableReading", "enableFutures"})
    """What the wallet says that it may do. Shown only: nothing is refused for want of one."""


def hmac_credential(api_key: str, secret: str, account: str) -> Credential:
    """A key that signs with HMAC-SHA256 in hexadecimal digits of either case."""

    def accepts(message: bytes, signature: str) -> bool:
        expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())

    return Credential(api_key=api_key, account=account, accepts=accepts)


class KeyRing:
    """The venue's API keys."""

    def __init__(self, credentials: list[Credential]) -> None:
        self._credentials = {credential.api_key: credential for credential in credentials}

    def identify(self, api_key: str | None) -> Credential:
        """The credential of a key.

        Raises:
            VenueRefusal: -2014 without a key or with a malformed one, -2015 for an unknown one (HTTP 401).
        """
        credential = self._credentials.get(api_key or "")
        if credential is None:
            if not api_key or len(api_key) > KEY_BYTES_MAX or not api_key.isascii():
                raise VenueRefusal(-2014, "API-key format invalid.", 401)
            raise VenueRefusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return credential


def check_signature(
    credential: Credential, raw_query: str, raw_body: str, signature: str | None, *, also_decoded: bool = True
) -> None:
    """Check a REST signature over the bytes as they came, else over their percent-decoded form if that may serve.

    Raises:
        VenueRefusal: -1102 without a signature, -1022 for a wrong one.
    """
    if not signature:
        raise mandatory("signature")
    query, body = without_signature(raw_query), without_signature(raw_body)
    candidates = [query + body]
    decoded = unquote_plus(query) + unquote_plus(body)
    if also_decoded and decoded != candidates[0]:
        candidates.append(decoded)
    if not any(credential.accepts(text.encode(), signature) for text in candidates):
        raise VenueRefusal(-1022, "Signature for this request is not valid.")


def check_ws_signature(credential: Credential, params: Mapping[str, Any]) -> None:
    """Check a WebSocket API signature: all parameters but the signature, sorted by name.

    Raises:
        VenueRefusal: -1102 without a signature, -1022 for a wrong one.
    """
    signature = params.get("signature")
    if not isinstance(signature, str) or not signature:
        raise mandatory("signature")
    pairs = sorted((name, value) for name, value in params.items() if name != "signature")
    text = "&".join(f"{name}={_text(value)}" for name, value in pairs)
    if not credential.accepts(text.encode(), signature):
        raise VenueRefusal(-1022, "Signature for this request is not valid.")


class Timing(msgspec.Struct, frozen=True):
    """A signed request's own time and window."""

    timestamp_ms: int
    recv_window_ms: int

    def check_arrival(self, now_ms: int) -> None:
        """-1021 at the venue's door."""
        if self.timestamp_ms >= now_ms + FUTURE_MS_MAX:
            raise VenueRefusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_ms - self.timestamp_ms > self.recv_window_ms:
            raise VenueRefusal(-1021, "Timestamp for this request is outside of the recvWindow.")

    def check_engine(self, now_ms: int) -> None:
        """-5028 when the request reaches the matching engine too late."""
        if now_ms - self.timestamp_ms > self.recv_window_ms:
            raise VenueRefusal(-5028, "Timestamp for this request is outside of the ME recvWindow.")


def timing(params: Mapping[str, Any]) -> Timing:
    """Read timestamp and recvWindow.

    Raises:
        VenueRefusal: -1102 without a usable timestamp, -1130 for a bad window.
    """
    text = params.get("timestamp", "")
    if isinstance(text, int):
        return Timing(text, params.get("recvWindow", RECV_WINDOW_MS))
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise mandatory("timestamp")
    window = params.get("recvWindow")
    try:
        window_ms = int(float(window)) if window else RECV_WINDOW_MS
    except (ValueError, OverflowError):
        window_ms = -1
    if not 0 < window_ms <= RECV_WINDOW_MS_MAX:
        raise VenueRefusal(-1130, "Data sent for parameter 'recvWindow' is not valid.")
    return Timing(int(text), window_ms)


def without_signature(raw: str) -> str:
    """A raw query or body without its signature parameter."""
    return "&".join(part for part in raw.split("&") if part and not part.startswith("signature="))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
