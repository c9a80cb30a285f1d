"""A journal that is behind is put aside: the next one begins empty, and nobody else's files are touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden_messages import messages, sample

from actors.runtime.journal import Journal, read_journal
from actors.runtime.journal_aside import ASIDE_MAX, put_aside, put_aside_before
from actors.runtime.journal_error import JournalError

RECORD = sample(messages()["Reconciled"])


def write(path: Path) -> None:
    journal = Journal(path, keeps_ahead=True)
    journal.append(RECORD)  # type: ignore[arg-type]
    journal.close()


def test_the_journal_is_empty_afterwards_and_what_it_held_can_still_be_read(tmp_path: Path) -> None:
    path = tmp_path / "shard-0.sqlite"
    write(path)
    write(tmp_path / "shard-1.sqlite")
    aside = put_aside(path, epoch=9)
    assert aside is not None
    assert [record for _, record in read_journal(aside / path.name)] == [RECORD]
    journal = Journal(path, keeps_ahead=True)
    assert journal.last_seq == 0
    journal.close()
    assert [record for _, record in read_journal(tmp_path / "shard-1.sqlite")] == [RECORD]


def test_where_there_is_none_nothing_is_made(tmp_path: Path) -> None:
    assert put_aside(tmp_path / "shard-0.sqlite", epoch=9) is None
    assert put_aside_before(tmp_path / "shard-0.sqlite") == []


def test_one_in_use_is_left_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "shard-0.sqlite"
    journal = Journal(path)
    with pytest.raises(JournalError, match="in use by process"):
        put_aside(path, epoch=9)
    journal.append(RECORD)  # type: ignore[arg-type]
    journal.close()


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "shard-0.sqlite"
    for epoch in range(1, ASIDE_MAX + 3):
        write(path)
        put_aside(path, epoch)
    kept = [folder.name for folder in put_aside_before(path)]
    assert kept == [f"aside-shard-0-{epoch:010d}" for epoch in range(3, ASIDE_MAX + 3)]
