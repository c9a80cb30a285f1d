"""Addresses of links: `unix:/path` or `tcp:host:port`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class AddressError(ValueError):
    """An address cannot be used; the text says why."""


class UnixAddress(NamedTuple):
    """A Unix socket on this node."""

    path: Path


def parse_address(text: str) -> UnixAddress:
    """The socket behind an address.

    Raises:
        AddressError: not an address, or one over TCP, which needs the cluster secret that this version does not have.
    """
    kind, _, rest = text.partition(":")
    match kind:
        case "unix" if rest.startswith("/"):
            return UnixAddress(Path(rest))
        case "unix":
            raise AddressError(f"address {text!r}: the path of a Unix socket must be absolute (unix:/path)")
        case "tcp":
            _check_tcp(text, rest)
            raise AddressError(
                f"address {text!r}: links over TCP need the cluster secret, which this version does not have; "
                "keep the actors of a shard on one node (unix:/path)"
            )
        case _:
            raise AddressError(f"address {text!r} is neither unix:/path nor tcp:host:port")


def _check_tcp(text: str, rest: str) -> None:
    host, _, port = rest.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise AddressError(f"address {text!r} is not of the form tcp:host:port")
