"""The node's stop file: while it exists no gate on this node lets anything pass. Standard library only, so that it is there first."""

from __future__ import annotations

import os
from pathlib import Path


def write_stop_file(stop_file: Path, reason: str) -> None:
    """Shut every gate of this node, durably: the file and its folder are synced before this returns.

    Raises:
        OSError: it cannot be written; the gates may be open.
    """
    descriptor = os.open(stop_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, f"{reason}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    folder = os.open(stop_file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
