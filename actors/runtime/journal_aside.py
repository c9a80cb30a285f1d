"""Putting a journal aside that is behind: its shard has lived on another node since, and what it holds is not the newest truth."""

from __future__ import annotations

import shutil
from pathlib import Path

from actors.runtime.journal_lock import JournalLock
from actors.runtime.journal_reading import ahead_file, segments

ASIDE_MAX = 4
"""Journals put aside that are kept of one shard; the oldest beyond it is deleted."""


def put_aside(path: Path, epoch: int) -> Path | None:
    """Move the files of a journal away, for people to look at; returns where to, or None when there were none.

    Args:
        path: as from StateDir.journal.
        epoch: of the incarnation that begins anew; it names the folder.

    Raises:
        JournalError: another process has the journal.
        OSError: the files cannot be moved.
    """
    lock = JournalLock(path)
    try:
        files = [file for one in segments(path) for file in path.parent.glob(f"{one.name}*")]
        if not files:
            return None
        aside = path.parent / f"aside-{path.stem}-{epoch:010d}"
        aside.mkdir(mode=0o700, exist_ok=True)
        ahead = ahead_file(path)
        for file in [*files, *([ahead] if ahead.exists() else [])]:
            file.rename(aside / file.name)
        for old in put_aside_before(path)[:-ASIDE_MAX]:
            shutil.rmtree(old)
        return aside
    finally:
        lock.release()


def put_aside_before(path: Path) -> list[Path]:
    """The folders of journals that were put aside, oldest first."""
    return sorted(path.parent.glob(f"aside-{path.stem}-*"))
