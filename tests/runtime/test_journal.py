"""The journal: what was appended is there again, one owner at a time, and a failure is final."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.runtime import journal as journal_module
from actors.runtime.file_system import network_file_system
from actors.runtime.journal import SEGMENTS_MAX, AnyRecord, Journal, JournalError, JournalFailed, read_journal, segments
from protocols.envelope import Message
from protocols.messages import journal as journal_messages
from protocols.messages.journal import EpochBegan, OrderNotSent
from protocols.messages.orders import FundingPaid, OrderCanceled
from protocols.values import Side, make_instrument_id

BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")


def not_sent(text: str) -> OrderNotSent:
    return OrderNotSent(client_order_id=text, reason="")


def canceled(number: int, shard: int = 0) -> OrderCanceled:
    return OrderCanceled(
        shard=shard,
        event_seq=number,
        instrument_id=BTC,
        client_order_id="c",
        venue_order_id=1,
        venue_time_ns=2,
        side=Side.SELL,
        filled_lots=0,
    )


def funding(number: int) -> FundingPaid:
    return FundingPaid(
        shard=0,
        event_seq=number,
        instrument_id=BTC,
        asset="USDC",
        amount=Decimal("-0.12345678901234567890"),
        transaction_id="t",
        venue_time_ns=3,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "shard-0.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    yield journal
    journal.close()


def test_what_was_appended_is_read_again_in_order_by_its_next_owner(path: Path) -> None:
    first = Journal(path)
    written: list[Message] = [EpochBegan(epoch=1, began_ns=2, venue_time_ns=3), not_sent("a"), funding(1), canceled(2)]
    assert [first.append(record) for record in written] == [1, 2, 3, 4]
    first.close()
    second = Journal(path)
    assert list(second.read()) == list(enumerate(written, 1))
    assert list(second.read(from_seq=3)) == [(3, funding(1)), (4, canceled(2))]
    assert (second.last_seq, second.last_event_seq(0)) == (4, 2)
    assert second.append(not_sent("b")) == 5
    second.close()


def test_records_written_together_are_there_in_their_order_and_events_keep_their_number(journal: Journal) -> None:
    together = [not_sent("a"), canceled(1), not_sent("b"), canceled(2)]
    journal.append_all(together)
    assert journal.append(not_sent("c")) == 5
    assert [record for _, record in journal.read()] == [*together, not_sent("c")]
    assert (journal.read_events(1, 10), journal.last_event_seq(0)) == ([(1, canceled(1)), (2, canceled(2))], 2)


def test_of_records_written_together_none_is_there_when_one_could_not_be_written(path: Path) -> None:
    journal = Journal(path)
    journal.append(not_sent("a"))
    journal._connection.execute("PRAGMA max_page_count = 1")  # the least that SQLite allows: what is there now
    with pytest.raises(JournalFailed, match="full"):
        journal.append_all([not_sent("b"), not_sent("x" * 100_000)])
    journal.close()
    assert [record for _, record in read_journal(path)] == [not_sent("a")]


def test_events_are_read_by_their_own_number(journal: Journal) -> None:
    for record in (canceled(1), not_sent("between"), funding(2), canceled(3)):
        journal.append(record)
    assert journal.read_events(2, 10) == [(2, funding(2)), (3, canceled(3))]
    assert journal.read_events(1, 2) == [(1, canceled(1)), (2, funding(2))]
    assert journal.read_events(4, 10) == []


def test_events_of_several_shards_are_kept_apart(journal: Journal) -> None:
    for record in (canceled(1, 0), canceled(1, 1), canceled(2, 1)):
        journal.append(record)
    assert journal.read_events(1, 10, shard=1) == [(1, canceled(1, 1)), (2, canceled(2, 1))]
    assert (journal.last_event_seq(0), journal.last_event_seq(1), journal.last_event_seq(2)) == (1, 2, 0)


@settings(max_examples=20)  # each step that opens a file waits for the disk
@given(st.lists(st.sampled_from(["append", "event", "segment", "reopen"]), max_size=12))
def test_reading_twice_gives_the_same_whatever_segments_and_restarts_lie_between(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("j") / "shard-0.sqlite"
    journal, written, events = Journal(path), [], 0
    for step in [*steps[:SEGMENTS_MAX], *(one for one in steps[SEGMENTS_MAX:] if one != "segment")]:
        if step == "segment":
            journal.begin_segment(str(len(written)).encode())
        elif step == "reopen":
            journal.close()
            journal = Journal(path)
        else:
            events += step == "event"
            record = canceled(events) if step == "event" else not_sent(str(len(written)))
            written.append(record)
            assert journal.append(record) == len(written)
    assert [record for _, record in journal.read()] == written
    assert [record for _, record in journal.read()] == [record for _, record in read_journal(path)]
    assert journal.last_event_seq(0) == events
    assert [number for number, _ in journal.read_events(1, 1_000)] == list(range(1, events + 1))
    journal.close()


def test_a_snapshot_tells_from_where_to_read_on(journal: Journal) -> None:
    assert journal.latest_snapshot() is None
    journal.append(not_sent("a"))
    journal.snapshot(b"one")
    journal.snapshot(b"two")
    journal.append(not_sent("b"))
    assert journal.latest_snapshot() == (1, b"two")
    assert list(journal.read(from_seq=2)) == [(2, not_sent("b"))]


def test_old_segments_are_kept_up_to_a_limit(path: Path, journal: Journal) -> None:
    for number in range(1, SEGMENTS_MAX + 4):
        journal.append(canceled(number))
        journal.begin_segment(str(number).encode())
    assert len(segments(path)) == SEGMENTS_MAX
    assert journal.latest_snapshot() == (SEGMENTS_MAX + 3, str(SEGMENTS_MAX + 3).encode())
    assert journal.read_events(1, 100)[0][0] > 1
    assert journal.append(not_sent("goes on")) == SEGMENTS_MAX + 4


def test_numbers_go_on_after_a_restart_on_an_empty_segment(path: Path) -> None:
    journal = Journal(path)
    journal.append(canceled(1))
    journal.begin_segment(b"")
    journal.close()
    journal = Journal(path)
    assert journal.append(canceled(2)) == 2
    journal.close()


def test_a_second_owner_is_refused_with_the_pid_of_the_first(path: Path, journal: Journal) -> None:
    with pytest.raises(JournalError, match=f"in use by process {os.getpid()}"):
        Journal(path)


def test_a_killed_process_loses_nothing_and_its_lock(path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from actors.runtime.journal import Journal
from protocols.messages.journal import OrderNotSent
journal = Journal(Path({str(path)!r}), sync_period_s=1000)
for number in range(500):
    journal.append(OrderNotSent(client_order_id=str(number), reason=""))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[2])
    journal = Journal(path)
    assert [record for _, record in journal.read()] == [not_sent(str(number)) for number in range(500)]
    journal.close()


@pytest.mark.parametrize("cut", [1, 10, 100, 1_000, 4_000])
def test_a_torn_tail_leaves_a_readable_prefix(path: Path, tmp_path: Path, cut: int) -> None:
    journal = Journal(path, sync_period_s=1_000)
    written = [not_sent(str(number)) for number in range(50)]
    for record in written:
        journal.append(record)
    torn = tmp_path / "torn" / "shard-0.sqlite"
    torn.parent.mkdir()
    for file in path.parent.glob("*.sqlite*"):
        data = file.read_bytes()
        (torn.parent / file.name).write_bytes(data[:-cut] if file.name.endswith("-wal") else data)
    journal.close()
    for stale in torn.parent.glob("*-shm"):
        stale.unlink()
    survivor = Journal(torn)
    kept = [record for _, record in survivor.read()]
    assert kept == written[: len(kept)]
    assert survivor.append(not_sent("next")) == len(kept) + 1
    survivor.close()


def test_a_damaged_file_is_refused_with_what_to_do(path: Path) -> None:
    journal = Journal(path)
    journal.append(not_sent("a"))
    journal.close()
    segments(path)[0].write_bytes(b"not a database at all" * 500)
    with pytest.raises(JournalError, match="move its files away"):
        Journal(path)


def test_a_damaged_record_is_named(path: Path) -> None:
    journal = Journal(path)
    journal.append(not_sent("a"))
    journal.append(not_sent("b"))
    journal.close()
    with sqlite3.connect(segments(path)[0]) as connection:
        connection.execute("UPDATE records SET record = x'c1' WHERE seq = 2")
    connection.close()
    reading = read_journal(path)
    assert next(reading) == (1, not_sent("a"))
    with pytest.raises(JournalError, match="record 2 is not what was written"):
        next(reading)


def test_a_full_disk_is_final(journal: Journal) -> None:
    journal.append(not_sent("a"))
    journal._connection.execute("PRAGMA max_page_count = 1")  # the least that SQLite allows: what is there now
    with pytest.raises(JournalFailed, match="full"):
        for _ in range(1_000):
            journal.append(not_sent("x" * 1_000))
    journal._connection.execute("PRAGMA max_page_count = 1000000")
    with pytest.raises(JournalFailed, match="earlier write failed"):
        journal.append(not_sent("b"))


def test_a_disk_without_room_is_not_taken_for_a_damaged_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, begin: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(JournalError, match="No space left on device: make room on the disk"):
        Journal(path, keeps_ahead=True)
    monkeypatch.undo()
    Journal(path, keeps_ahead=True).close()


def test_a_failed_sync_is_final(journal: Journal) -> None:
    journal._fail(OSError("input/output error"))
    with pytest.raises(JournalFailed, match="input/output error"):
        journal.append(not_sent("a"))


def test_the_log_before_the_checkpoint_is_bounded_even_when_appends_never_pause(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.runtime.journal.WAL_FRAMES_MAX", 100)
    journal = Journal(path, sync_period_s=0.001)
    for number in range(20_000):
        journal.append(not_sent(str(number)))
    log = journal.segment.with_name(journal.segment.name + "-wal")
    size = log.stat().st_size
    journal.close()
    assert size < 20_000 * 4_096 / 2


MOUNTS = """\
22 1 0:21 / / rw - ext4 /dev/root rw
30 22 0:40 / /mnt/nfs rw,relatime shared:1 - nfs4 server:/x rw
31 22 0:41 / /mnt/s\\040p rw - fuse.sshfs host: rw
32 30 0:42 / /mnt/nfs/local rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/x", None),
        ("/mnt/nfs/a/b", "nfs4"),
        ("/mnt/s p/a", "fuse.sshfs"),
        ("/mnt/nfs/local/a", None),
        ("/mnt/nfsx", None),
    ],
)
def test_network_file_systems_are_known_by_the_mount_that_holds_the_path(path: str, kind: str | None) -> None:
    assert network_file_system(Path(path), MOUNTS) == kind


def test_a_journal_on_a_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.runtime.journal.network_file_system", lambda folder: "nfs4")
    with pytest.raises(JournalError, match=r"network file system \(nfs4\)"):
        Journal(path)


def test_every_record_of_the_journal_has_its_place_in_it() -> None:
    kinds = {kind for kind in vars(journal_messages).values() if isinstance(kind, type) and issubclass(kind, Message)}
    assert kinds - {Message} <= set(get_args(AnyRecord))


@pytest.mark.parametrize(("stall_ns", "stalls"), [(-1, 2), (10**12, 0)])
def test_writes_that_held_the_process_up_are_counted(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, stall_ns: int, stalls: int
) -> None:
    monkeypatch.setattr(journal_module, "STALL_NS", stall_ns)
    journal.append(not_sent("a"))
    journal.append_all([not_sent("b"), not_sent("c")])
    assert journal.stalls == stalls


def test_a_sync_that_hangs_is_seen_to_be_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, let_go = threading.Event(), threading.Event()

    class Hanging:
        def execute(self, query: str) -> Hanging:
            entered.set()
            let_go.wait(20)
            return self

        def fetchone(self) -> tuple[int, int, int]:
            return 0, 0, 0

        def close(self) -> None: ...

    kept = Journal(tmp_path / "shard-0.sqlite", sync_period_s=3_600)
    assert kept.sync_began_ns == 0
    kept.close()
    connect = journal_module._connect
    opened: list[Path] = []

    def connected(file: Path) -> Any:
        opened.append(file)
        return connect(file) if len(opened) == 1 else Hanging()

    monkeypatch.setattr(journal_module, "_connect", connected)
    hung = Journal(tmp_path / "shard-0.sqlite", sync_period_s=0)
    assert entered.wait(20)
    assert 0 < hung.sync_began_ns <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    let_go.set()
    hung.close()
    assert hung.sync_began_ns == 0
