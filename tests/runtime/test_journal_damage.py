"""Damage to a journal's files: what is read is what was written, or a sentence; never a different truth."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.runtime import journal_lock
from actors.runtime.journal import Journal, JournalError, read_journal, segments
from actors.runtime.journal_reading import read_shard_events
from protocols.envelope import Message
from protocols.messages.journal import OrderNotSent
from protocols.messages.orders import AnyAccountEvent, AnyOrderEvent, OrderCanceled
from protocols.values import Side, make_instrument_id

BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")
RECORDS = 400
SNAPSHOT = b"the state after record 200" * 40


def record(number: int) -> Message:
    if number % 3:
        return OrderNotSent(client_order_id=f"rm1-7-000-{number}", reason="x" * (number % 50))
    return OrderCanceled(
        shard=0,
        event_seq=number,
        instrument_id=BTC,
        client_order_id=f"rm1-7-000-{number}",
        venue_order_id=number,
        venue_time_ns=2,
        side=Side.SELL,
        filled_lots=0,
    )


WRITTEN = [record(number) for number in range(1, RECORDS + 1)]
EVENTS = [(r.event_seq, r) for r in WRITTEN if isinstance(r, OrderCanceled)]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal that was closed: all of it is in one database file."""
    path = tmp_path_factory.mktemp("sound") / "shard-0.sqlite"
    journal = Journal(path, sync_period_s=1_000)
    journal.append_all(WRITTEN[:200])
    journal.snapshot(SNAPSHOT)
    for each in WRITTEN[200:]:
        journal.append(each)
    journal.close()
    return path


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal whose owner was killed: half of it is in the log before the database."""
    path = tmp_path_factory.mktemp("killed") / "shard-0.sqlite"
    copied = path.parent / "copied" / "shard-0.sqlite"
    copied.parent.mkdir()
    journal = Journal(path, sync_period_s=1_000)
    journal.append_all(WRITTEN[:200])
    journal.snapshot(SNAPSHOT)
    journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    for each in WRITTEN[200:]:
        journal.append(each)
    for file in path.parent.glob("shard-0*.sqlite*"):
        if not file.name.endswith("-shm"):
            shutil.copy(file, copied.parent / file.name)
    journal.close()
    return copied


def copy_of(journal: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(journal.parent, folder)
    return folder / journal.name


def read_all(path: Path) -> tuple[list[Message], list[tuple[int, Message]], tuple[int, bytes] | None]:
    """Everything that a start reads, or JournalError."""
    journal = Journal(path, sync_period_s=1_000)
    try:
        kept = journal.latest_snapshot()
        return [found for _, found in journal.read()], journal.read_events(1, RECORDS), kept
    finally:
        journal.close()


def check(path: Path) -> str:
    """Read a damaged journal; "refused", "whole" or "prefix"."""
    try:
        found, events, snapshot = read_all(path)
    except JournalError as error:
        assert "move its files away to start from the venue and inventory's copy" in str(error)
        return "refused"
    assert found == WRITTEN[: len(found)]
    assert events == EVENTS[: len(events)]
    assert snapshot in (None, (200, SNAPSHOT))
    assert snapshot is not None or len(found) < 200
    return "whole" if len(found) == RECORDS else "prefix"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_flipped_bits_anywhere_in_the_database_are_found_or_change_nothing(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = copy_of(sound, tmp_path_factory.getbasetemp() / "flipped")
    file = segments(path)[0]
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    assert check(path) in ("refused", "whole")


def test_a_database_cut_off_anywhere_is_refused(sound: Path, tmp_path: Path) -> None:
    whole = segments(sound)[0].read_bytes()
    chooser = random.Random(1)
    cuts = [*range(4_096, len(whole), 4_096), *(chooser.randrange(1, len(whole)) for _ in range(20))]
    for cut in cuts:
        path = copy_of(sound, tmp_path / "cut")
        segments(path)[0].write_bytes(whole[:cut])
        assert check(path) == "refused", f"cut at {cut} of {len(whole)}"


def test_an_emptied_database_is_refused_and_not_taken_for_a_new_one(sound: Path, tmp_path: Path) -> None:
    path = copy_of(sound, tmp_path / "empty")
    segments(path)[0].write_bytes(b"")
    assert check(path) == "refused"


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_log_that_is_torn_or_damaged_gives_a_prefix(
    killed: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = copy_of(killed, tmp_path_factory.getbasetemp() / "torn")
    log = segments(path)[0].with_name(segments(path)[0].name + "-wal")
    content = bytearray(log.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    log.write_bytes(content)
    check(path)


def test_a_record_in_the_place_of_another_is_refused(sound: Path, tmp_path: Path) -> None:
    path = copy_of(sound, tmp_path / "moved")
    with sqlite3.connect(segments(path)[0]) as connection:
        connection.execute("UPDATE records SET record = (SELECT record FROM records WHERE seq = 5) WHERE seq = 7")
    connection.close()
    with pytest.raises(JournalError, match="record 7 is not what was written"):
        list(read_journal(path))


def test_records_that_vanished_from_the_middle_are_refused(sound: Path, tmp_path: Path) -> None:
    path = copy_of(sound, tmp_path / "holes")
    with sqlite3.connect(segments(path)[0]) as connection:
        connection.execute("DELETE FROM records WHERE seq BETWEEN 30 AND 32")
    connection.close()
    with pytest.raises(JournalError, match="records 30 to 32 are missing"):
        list(read_journal(path))
    journal = Journal(path)
    with pytest.raises(JournalError, match="records 30 to 32 are missing"):
        list(journal.read(25))
    journal.close()


def test_a_snapshot_that_was_changed_is_refused(sound: Path, tmp_path: Path) -> None:
    path = copy_of(sound, tmp_path / "snapshot")
    with sqlite3.connect(segments(path)[0]) as connection:
        connection.execute("UPDATE snapshots SET seq = 300")
    connection.close()
    journal = Journal(path)
    with pytest.raises(JournalError, match="the snapshot after record 300 is not what was written"):
        journal.latest_snapshot()
    journal.close()


def test_an_event_under_another_number_is_refused(sound: Path, tmp_path: Path) -> None:
    path = copy_of(sound, tmp_path / "renumbered")
    with sqlite3.connect(segments(path)[0]) as connection:
        connection.execute("UPDATE records SET event_seq = 10000 WHERE event_seq = 9")
    connection.close()
    journal = Journal(path)
    with pytest.raises(JournalError, match="record 9 is not event 10000"):
        journal.read_events(1, RECORDS)
    journal.close()


def test_the_events_of_one_shard_are_read_from_a_journal_that_somebody_else_owns(sound: Path) -> None:
    events = read_shard_events(sound, AnyOrderEvent | AnyAccountEvent, 0)
    assert list(events) == [event for _, event in EVENTS]
    assert list(read_shard_events(sound, AnyOrderEvent | AnyAccountEvent, 1)) == []


def test_a_machine_that_went_down_is_noticed_and_a_process_that_died_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, boot = tmp_path / "shard-0.sqlite", tmp_path / "boot_id"
    monkeypatch.setattr(journal_lock, "BOOT_ID_FILE", boot)
    died = []
    for boot_id in ("one", "one", "two", "two"):
        boot.write_text(boot_id + "\n")
        journal = Journal(path)
        died.append(journal.machine_died)
        journal.append(record(1))
        journal.close()
    assert died == [False, False, True, False]
