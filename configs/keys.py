"""API keys: read by the process that needs them, from the environment or a private file, and shown to nobody.

A key file holds the API key on its first line; what follows is the secret: one line for HMAC, a PEM private key for Ed25519. It must
be readable by its owner alone. From the environment, the secret of an Ed25519 key is the PEM text itself or the path of a PEM file.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from configs.private_file import PrivateFileError, read_private_file
from configs.schema import KeySource
from protocols.binance_usdm.signing import HmacSigner, Signer


class ApiKeyError(Exception):
    """A key cannot be had; the text is one sentence that says what to set, and holds no part of any secret."""


class ApiKeys:
    """An API key and the signer made of its secret. The secret itself is not kept, and `repr` shows neither."""

    __slots__ = ("api_key", "signer")

    def __init__(self, api_key: str, signer: Signer) -> None:
        self.api_key = api_key
        self.signer = signer

    def __repr__(self) -> str:
        return "ApiKeys(<hidden>)"


class Ed25519Signer:
    """Signs with an Ed25519 private key, base64 as the venue wants it (facts section 1.6)."""

    __slots__ = ("_key",)

    def __init__(self, pem: bytes) -> None:
        """
        Raises:
            ValueError: `pem` is not an unencrypted Ed25519 private key.
        """
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ValueError("not an unencrypted private key in PEM form") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("a private key of another kind than Ed25519")
        self._key = key

    def sign(self, payload: str) -> str:
        """Base64 of the signature of one text."""
        return base64.b64encode(self._key.sign(payload.encode())).decode("ascii")

    def __repr__(self) -> str:
        return "Ed25519Signer(<hidden>)"


def load_keys(source: KeySource, environ: Mapping[str, str] | None = None) -> ApiKeys:
    """Read the key and make its signer.

    Raises:
        ApiKeyError: a variable or the file is missing, empty, readable by others, or not a key of the stated kind.
    """
    api_key, secret, origin = _read_file(Path(source.file)) if source.file else _read_environment(source, environ)
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ApiKeyError(f"the API key in {origin} is not one printable word")
    if source.kind == "hmac":
        return ApiKeys(api_key, HmacSigner(secret))
    try:
        return ApiKeys(api_key, Ed25519Signer(_pem(secret, origin)))
    except ValueError as error:
        raise ApiKeyError(f"the Ed25519 secret in {origin} is {error}") from error


def write_key_file(path: Path, api_key: str, secret: str) -> None:
    """Write a key file that only its owner can read; an older one is replaced."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{api_key}\n{secret}\n")


def _read_environment(source: KeySource, environ: Mapping[str, str] | None) -> tuple[str, str, str]:
    variables = os.environ if environ is None else environ
    missing = [name for name in (source.key_env, source.secret_env) if not variables.get(name, "").strip()]
    if missing:
        raise ApiKeyError(
            f"no API key: set {' and '.join(missing)}, or name a key file in venue.keys.file (RAYMAKER__VENUE__KEYS__FILE)"
        )
    origin = f"{source.key_env} and {source.secret_env}"
    return variables[source.key_env].strip(), variables[source.secret_env].strip(), origin


def _read_file(path: Path) -> tuple[str, str, str]:
    try:
        content = read_private_file(path)
    except PrivateFileError as error:
        raise ApiKeyError(f"the key file {path} {error}") from error
    api_key, _, secret = content.strip().partition("\n")
    if not api_key.strip() or not secret.strip():
        raise ApiKeyError(f"the key file {path} must hold the API key on its first line and the secret after it")
    return api_key.strip(), secret.strip(), str(path)


def _pem(secret: str, origin: str) -> bytes:
    if secret.startswith("-----BEGIN"):
        return secret.replace("\\n", "\n").encode("utf-8")
    try:
        return Path(secret).read_bytes()
    except OSError as error:
        raise ApiKeyError(f"the Ed25519 secret in {origin} is neither PEM text nor a readable PEM file") from error
