"""The node's stop file: while it exists no gate on this node lets anything pass. Standard library only, so that it is there first."""

from __future__ import annotations

import os
from pathlib import Path


def write_stop_file(stop_file: Path, reason: str) -> str:
    """Shut every gate of this node: the file exists when this returns. "", or why it may not outlive a crash of the machine.

    It is its existence that shuts: on a full disk an empty file does as well.

    Raises:
        OSError: it cannot even be made; the gates may be open.
    """
    descriptor = os.open(stop_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, f"{reason}\n".encode())
        os.fsync(descriptor)
    except OSError as error:
        return f"it could not be synced: {error.strerror}"
    finally:
        os.close(descriptor)
    try:
        folder = os.open(stop_file.parent, os.O_RDONLY)
    except OSError as error:
        return f"its folder could not be synced: {error.strerror}"
    try:
        os.fsync(folder)
    except OSError as error:
        return f"its folder could not be synced: {error.strerror}"
    finally:
        os.close(folder)
    return ""
