"""Addresses of links: `unix:/path` on one node, `tcp:host:port` between nodes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class AddressError(ValueError):
    """An address cannot be used; the text says why."""


class UnixAddress(NamedTuple):
    """A Unix socket on this node."""

    path: Path


class TcpAddress(NamedTuple):
    """A port of a node; whoever meets there proves the cluster secret."""

    host: str
    port: int


Address = UnixAddress | TcpAddress


def parse_address(text: str) -> Address:
    """The socket behind an address.

    Raises:
        AddressError: not an address.
    """
    kind, _, rest = text.partition(":")
    match kind:
        case "unix" if rest.startswith("/"):
            return UnixAddress(Path(rest))
        case "unix":
            raise AddressError(f"address {text!r}: the path of a Unix socket must be absolute (unix:/path)")
        case "tcp":
            host, _, port = rest.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise AddressError(f"address {text!r} is not of the form tcp:host:port")
            return TcpAddress(host.removeprefix("[").removesuffix("]"), int(port))
        case _:
            raise AddressError(f"address {text!r} is neither unix:/path nor tcp:host:port")
