"""Records on file ahead of the database: none is lost by a killed process, none is there twice, and their order is kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime.journal import Journal, JournalFailed, read_journal
from actors.runtime.journal_ahead import AHEAD_BYTES, AheadFile, read_ahead
from protocols.envelope import Message
from protocols.messages.journal import OrderNotSent
from protocols.messages.orders import OrderCanceled
from protocols.values import Side, make_instrument_id


def record(text: str) -> OrderNotSent:
    return OrderNotSent(client_order_id=text, reason="")


def event(number: int) -> OrderCanceled:
    return OrderCanceled(
        shard=0,
        event_seq=number,
        instrument_id=make_instrument_id("binance_usdm", "main", "BTCUSDC"),
        client_order_id="c",
        venue_order_id=1,
        venue_time_ns=2,
        side=Side.SELL,
        filled_lots=0,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "shard-0.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path, keeps_ahead=True)
    yield journal
    journal.close()


def in_database(journal: Journal) -> int:
    count: int = journal._connection.execute("SELECT COUNT(*) FROM records").fetchone()[0]
    return count


def test_what_is_ahead_of_the_database_is_read_in_its_place(path: Path, journal: Journal) -> None:
    journal.append(record("a"))
    journal.append_ahead([record("b"), record("c")])
    assert in_database(journal) == 1
    assert journal.last_seq == 3
    expected: list[tuple[int, Message]] = [(1, record("a")), (2, record("b")), (3, record("c"))]
    assert list(read_journal(path)) == list(journal.read()) == expected


def test_what_comes_next_takes_it_along_in_order(path: Path, journal: Journal) -> None:
    journal.append_ahead([record("a")])
    journal.append_ahead([record("b")])
    assert journal.append(event(1)) == 3
    assert in_database(journal) == 3
    assert [found for _, found in read_journal(path)] == [record("a"), record("b"), event(1)]


def test_settled_records_are_not_read_twice_and_their_room_is_used_again(path: Path, journal: Journal) -> None:
    for text in "abc":
        journal.append_ahead([record(text)])
        journal.settle()
        journal.settle()
    journal.append_ahead([record("d")])
    assert [found for _, found in read_journal(path)] == [record(text) for text in "abcd"]
    assert read_ahead(path.with_suffix(".ahead")) == [(4, journal._encode(record("d")))]


def test_a_killed_process_loses_nothing_that_was_ahead(path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from actors.runtime.journal import Journal
from protocols.messages.journal import OrderNotSent
journal = Journal(Path({str(path)!r}), keeps_ahead=True)
journal.append(OrderNotSent(client_order_id="a", reason=""))
journal.append_ahead([OrderNotSent(client_order_id="b", reason=""), OrderNotSent(client_order_id="c", reason="")])
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[2])
    expected = [record("a"), record("b"), record("c")]
    assert [found for _, found in read_journal(path)] == expected
    for keeps_ahead in (False, True):
        journal = Journal(path, keeps_ahead=keeps_ahead)
        assert in_database(journal) == journal.last_seq == 3
        assert [found for _, found in journal.read()] == expected
        journal.close()


def test_snapshots_and_new_segments_come_after_what_was_ahead(path: Path, journal: Journal) -> None:
    journal.append_ahead([record("a")])
    journal.snapshot(b"one")
    assert journal.latest_snapshot() == (1, b"one")
    journal.append_ahead([record("b")])
    journal.begin_segment(b"two")
    journal.append_ahead([record("c")])
    assert journal.segment_first_seq == 3
    assert [found for _, found in read_journal(path)] == [record("a"), record("b"), record("c")]


def test_without_room_ahead_a_record_goes_to_the_database_and_those_before_it_first(journal: Journal) -> None:
    journal.append_ahead([record("a")])
    journal.append_ahead([record("x" * AHEAD_BYTES)])
    assert in_database(journal) == 2
    assert [seq for seq, _ in journal.read()] == [1, 2]


def test_a_database_that_cannot_take_it_is_final_and_leaves_it_on_file(path: Path, journal: Journal) -> None:
    journal.append_ahead([record("a" * 5_000)])
    journal._connection.execute("PRAGMA max_page_count = 1")  # the least that SQLite allows: what is there now
    with pytest.raises(JournalFailed, match="full"):
        journal.settle()
    with pytest.raises(JournalFailed, match="earlier write failed"):
        journal.append_ahead([record("b")])
    assert [found for _, found in read_journal(path)] == [record("a" * 5_000)]


def test_a_record_torn_in_the_file_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "shard-0.ahead"
    ahead = AheadFile(path)
    assert ahead.write(5, [b"first", b"second"])
    ahead.close()
    data = bytearray(path.read_bytes())
    assert read_ahead(path) == [(5, b"first"), (6, b"second")]
    data[data.index(b"second")] ^= 1
    path.write_bytes(data)
    assert read_ahead(path) == [(5, b"first")]


def test_older_records_behind_newer_ones_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "shard-0.ahead"
    ahead = AheadFile(path)
    ahead.write(1, [b"one", b"two", b"six"])
    ahead.clear()
    ahead.write(4, [b"for"])
    ahead.close()
    assert read_ahead(path) == [(4, b"for")]


def test_a_new_owner_begins_with_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "shard-0.ahead"
    ahead = AheadFile(path)
    ahead.write(1, [b"one"])
    ahead.close()
    AheadFile(path).close()
    assert read_ahead(path) == []
    assert read_ahead(tmp_path / "none.ahead") == []


def test_a_rehearsed_append_keeps_nothing_and_uses_no_number(path: Path, journal: Journal) -> None:
    journal.append_ahead([record("a")])
    for _ in range(1_000):
        journal.rehearse([record("imagined"), record("too")])
    journal.append_ahead([record("b")])
    assert journal.last_seq == 2
    expected: list[tuple[int, Message]] = [(1, record("a")), (2, record("b"))]
    assert list(read_journal(path)) == list(journal.read()) == expected
