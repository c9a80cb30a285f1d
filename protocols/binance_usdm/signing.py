"""Signatures of signed calls (facts sections 1.6 and 7). No key is read here: a signer is passed in.

REST signs exactly the bytes that are sent: raw query and raw body joined without a separator. The WebSocket API signs every
parameter but the signature, sorted by name, as plain text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Protocol
from urllib.parse import quote

_BLOCK_BYTES = 64
"""Of SHA-256."""


class Signer(Protocol):
    """Signs a text. HMAC keys give hex, RSA and Ed25519 keys give base64; both are plain text, not percent-encoded."""

    def sign(self, payload: str) -> str: ...


class HmacSigner:
    """HMAC-SHA256 in hex (RFC 2104), from its two keyed states, which are copied for each signature.

    `hmac` does the same through objects of its own, which cost an order more than the hashing.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: str) -> None:
        key = secret.encode()
        if len(key) > _BLOCK_BYTES:
            key = hashlib.sha256(key).digest()
        key = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))

    def sign(self, payload: str) -> str:
        """Signature of one text."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(payload.encode())
        outer.update(inner.digest())
        return outer.hexdigest()

    def __repr__(self) -> str:
        return "HmacSigner(<hidden>)"


def rest_payload(query: str, body: str = "") -> str:
    """The text that a REST signature covers."""
    return query + body


def signed_query(pairs: Iterable[tuple[str, str]], signer: Signer) -> str:
    """Percent-encoded query string with its signature last; what was signed is what is sent."""
    query = encoded_query(pairs)
    return f"{query}&signature={quote(signer.sign(rest_payload(query)), safe='')}"


def encoded_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Percent-encoded query string; values are UTF-8."""
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)


def ws_api_payload(parameters: Mapping[str, str | int]) -> str:
    """The text that a WebSocket API signature covers: sorted by name, not percent-encoded, without the signature."""
    return "&".join(f"{name}={parameters[name]}" for name in sorted(parameters) if name != "signature")
