"""The node's stop file: while it exists, or cannot be looked at, nothing that adds risk may be sent."""

from __future__ import annotations

import os
from pathlib import Path

from protocols.messages.control import StopFileSeen

TEXT_BYTES_MAX = 400


class StopFile:
    """Looks at the stop file and tells changes. Starts from "not there"."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = str(path)
        self._folder = f"{path.parent}/."
        self.present = False

    def is_present(self) -> bool:
        """Whether it is there now; a folder that cannot be looked into counts as there.

        Stands before every order: two system calls that raise nothing, for an exception costs more than both.
        """
        return os.access(self._file, os.F_OK) or not os.access(self._folder, os.F_OK)

    def look(self) -> StopFileSeen | None:
        """The change since the last look, if any."""
        present = self.is_present()
        if present == self.present:
            return None
        self.present = present
        return StopFileSeen(present=present, text=self._text() if present else "")

    def _text(self) -> str:
        try:
            with self._path.open("rb") as file:
                return file.read(TEXT_BYTES_MAX).decode("utf-8", "replace").strip()
        except OSError as error:
            return f"cannot be read: {error.strerror}"
