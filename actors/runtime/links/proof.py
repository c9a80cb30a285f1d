"""Proof of the cluster secret: each end of a TCP link shows that it knows it, without sending it.

The writer begins with a challenge; the reader answers with its hello, a challenge of its own and a MAC over both; the writer's welcome
carries a MAC in turn. The MACs (HMAC-SHA-256) cover who speaks, both challenges and the words said, so that none can be used twice or
turned round. What follows the greeting is neither signed nor hidden: links belong on a private network.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

import msgspec

NONCE_BYTES = 32
_CONTEXT = b"raymaker link 1\0"
_READER, _WRITER = b"reader\0", b"writer\0"


class WrongProof(Exception):
    """The other end does not know the secret, or somebody changed its words."""


class Challenge(msgspec.Struct, frozen=True, array_like=True):
    """First frame of a writer over TCP."""

    nonce: bytes


class Proven(msgspec.Struct, frozen=True, array_like=True):
    """A hello or a welcome (`body`, encoded) with the MAC of who says it. A welcome has no `nonce`: both are known by then."""

    mac: bytes
    body: bytes
    nonce: bytes = b""


class ClusterSecret:
    """What every node of a cluster knows and no stranger does. `repr` hides it."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.sha256(_CONTEXT + secret).digest()

    def __repr__(self) -> str:
        return "ClusterSecret(<hidden>)"

    def derived(self, purpose: str) -> str:
        """A secret made of this one for something else, as 64 hexadecimal digits."""
        return hmac.new(self._key, b"derived\0" + purpose.encode(), hashlib.sha256).hexdigest()

    def prove_hello(self, challenge: bytes, nonce: bytes, body: bytes) -> Proven:
        """The reader's answer to a challenge."""
        return Proven(self._mac(_READER, challenge, nonce, body), body, nonce)

    def check_hello(self, challenge: bytes, proven: Proven) -> None:
        """
        Raises:
            WrongProof: the reader has another secret.
        """
        if len(proven.nonce) != NONCE_BYTES:
            raise WrongProof("a challenge of the wrong length")
        self._check(_READER, challenge, proven.nonce, proven)

    def prove_welcome(self, challenge: bytes, nonce: bytes, body: bytes) -> Proven:
        """The writer's answer to a proven hello."""
        return Proven(self._mac(_WRITER, challenge, nonce, body), body)

    def check_welcome(self, challenge: bytes, nonce: bytes, proven: Proven) -> None:
        """
        Raises:
            WrongProof: the writer has another secret.
        """
        self._check(_WRITER, challenge, nonce, proven)

    def _mac(self, side: bytes, challenge: bytes, nonce: bytes, body: bytes) -> bytes:
        return hmac.new(self._key, side + challenge + nonce + body, hashlib.sha256).digest()

    def _check(self, side: bytes, challenge: bytes, nonce: bytes, proven: Proven) -> None:
        if not hmac.compare_digest(self._mac(side, challenge, nonce, proven.body), proven.mac):
            raise WrongProof("the cluster secrets differ")


def new_nonce() -> bytes:
    """A challenge that nobody has seen before."""
    return secrets.token_bytes(NONCE_BYTES)
