"""The secret that the nodes of one cluster share: a private file in each node's state directory, shown to nobody."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from configs.private_file import PrivateFileError, read_private_file

VARIABLE = "RAYMAKER_CLUSTER_SECRET"
CHARACTERS_MIN = 32


class ClusterSecretError(Exception):
    """The secret cannot be had; the text is one sentence that says what to do, and holds no part of it."""


def load_cluster_secret(path: Path) -> bytes:
    """Read the secret of the cluster.

    Raises:
        ClusterSecretError: the file is missing, open to others, or too short.
    """
    try:
        text = read_private_file(path).strip()
    except PrivateFileError as error:
        raise ClusterSecretError(
            f"the cluster secret {path} {error}; copy the file from the state directory of the first node, or set {VARIABLE}"
        ) from error
    return _checked(text, str(path))


def cluster_secret_here(path: Path, environ: Mapping[str, str] | None = None) -> bytes:
    """The secret as the environment names it, else as the file does.

    Raises:
        ClusterSecretError: neither does.
    """
    text = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
    return _checked(text, VARIABLE) if text else load_cluster_secret(path)


def keep_cluster_secret(path: Path, make: bool, environ: Mapping[str, str] | None = None) -> None:
    """See that the file is there: from the environment where it names one, else as it is, else made up.

    Args:
        make: whether a new secret may be made up (the first node) or must have come from another one.

    Raises:
        ClusterSecretError: there is none, or what is there cannot be used.
    """
    text = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
    if text:
        _write(path, _checked(text, VARIABLE))
    elif make and not path.exists():
        _write(path, secrets.token_hex(32).encode("ascii"))
    load_cluster_secret(path)


def _checked(text: str, origin: str) -> bytes:
    if len(text) < CHARACTERS_MIN:
        raise ClusterSecretError(f"the cluster secret in {origin} has fewer than {CHARACTERS_MIN} characters")
    return text.encode("utf-8")


def _write(path: Path, secret: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret + b"\n")
