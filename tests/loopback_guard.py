"""Refuses every connection that leaves this machine, in the test's own process and in each Python process that it starts."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

STRAY_FILE = "STRAY_CONNECTIONS_FILE"
"""Environment variable that names the file of refused connections; children inherit it."""

OWN_NAMES = {"", "localhost", "0.0.0.0", "::", socket.gethostname()}


class NotLoopback(AssertionError):
    """A connection, a datagram or a look-up of a name would have left this machine."""


def refuse_unless_loopback(host: object) -> None:
    """Raise NotLoopback, and write it down for the test that has to fail, unless `host` is this machine."""
    name = host.decode() if isinstance(host, bytes) else str("" if host is None else host)
    if name in OWN_NAMES:
        return
    try:
        if ipaddress.ip_address(name.partition("%")[0]).is_loopback:
            return
    except ValueError:
        pass
    text = f"{Path(sys.argv[0]).name if sys.argv else 'python'} ({os.getpid()}) was about to reach {name}"
    record = os.environ.get(STRAY_FILE)
    if record:
        with Path(record).open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    raise NotLoopback(text + ", which is not loopback")


def _audited(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if isinstance(address, tuple):
            refuse_unless_loopback(address[0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        refuse_unless_loopback(arguments[0])


def _guard_uvloop() -> None:
    """uvloop connects below Python's sockets, where no audit event is raised."""
    try:
        import uvloop
    except ImportError:
        return
    real: Callable[..., Awaitable[Any]] = uvloop.Loop.create_connection

    async def create_connection(self: Any, factory: Any, host: Any = None, *rest: Any, **options: Any) -> Any:
        refuse_unless_loopback(host)
        return await real(self, factory, host, *rest, **options)

    uvloop.Loop.create_connection = create_connection


def install() -> None:
    """Guard this process until it ends: an audit hook cannot be taken back."""
    sys.addaudithook(_audited)
    _guard_uvloop()
