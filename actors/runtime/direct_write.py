"""Writing to a socket now, not at the end of the loop's turn.

uvloop gathers what is written during a turn and gives it to the kernel when every callback of the turn is done. On the order path
that is a delay, and it makes "written" a promise. So the bytes go to the kernel at once where the transport holds nothing back.
"""

from __future__ import annotations

import asyncio
import os


def plain_descriptor(transport: asyncio.BaseTransport) -> int:
    """File descriptor for `write_now`, or -1 when bytes must pass through the transport (TLS)."""
    if transport.get_extra_info("sslcontext") is not None:
        return -1
    connection = transport.get_extra_info("socket")
    return -1 if connection is None else int(connection.fileno())


def write_now(transport: asyncio.WriteTransport, descriptor: int, data: bytes) -> None:
    """Write `data` in order: directly when nothing waits in the transport, the rest through it.

    An error of the direct write is left to the transport, which meets the same error and reports the loss of the connection.
    """
    if descriptor < 0 or transport.is_closing() or transport.get_write_buffer_size():
        transport.write(data)
        return
    try:
        written = os.write(descriptor, data)
    except OSError:
        written = 0
    if written < len(data):
        transport.write(data[written:])
