"""Files that hold a secret: read only where nobody but their owner may."""

from __future__ import annotations

import os
import stat
from pathlib import Path

FILE_BYTES_MAX = 16_384


class PrivateFileError(Exception):
    """A file cannot be used; the text ends the sentence that begins with what the file is, and holds no part of it."""


def read_private_file(path: Path) -> str:
    """The text of a file that is readable by its owner alone.

    Raises:
        PrivateFileError: it cannot be read, is open to others, too long, or no text.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise PrivateFileError(f"cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise PrivateFileError(f"is open to others (mode {mode:04o}): chmod 600 it")
    if len(content) > FILE_BYTES_MAX:
        raise PrivateFileError(f"is longer than {FILE_BYTES_MAX} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise PrivateFileError("is no text") from None
