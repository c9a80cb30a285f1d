"""The risk monitor's shell: its memory survives it, and a damaged one halts trading instead of being forgotten."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from account_samples import BTC, START_NS, lease_request, settings, spec
from loguru import logger

from actors.risk_monitor.actor import RiskMonitorActor
from actors.risk_monitor.memory import GrantRecord, Latch, RiskMemory
from actors.risk_monitor.spool import MEMORY_BYTES_MAX, MemoryDamaged, MemorySpool
from actors.runtime.journal_error import JournalFailed
from actors.runtime.line_journal import LINES_BYTES_MAX, LineJournal
from actors.runtime.state_dir import StateDir
from protocols.effects import Append
from protocols.messages.control import ActorState, EmergencyStop, EpochAnnounced
from protocols.messages.risk import LevelChanged, RiskLevel
from protocols.venue import CancelAll, NotSent, OutcomeUnknown, QueryPositions

MEMORY = RiskMemory(
    day=3,
    day_equity=Decimal("100.5"),
    loss_stopped=True,
    transfers=("a",),
    latches=(Latch(subject="account", level=RiskLevel.HALTED, reason="stop"),),
    epochs={0: 5},
    grants=(GrantRecord(shard=0, epoch=5, share_id=1, amount=Decimal("1.5")),),
    share_id_last=1,
)


class HostDouble:
    def __init__(self) -> None:
        self.log: Any = logger
        self.clock: Any = self
        self.origin_ns = 0
        self.delivered: asyncio.Queue[Any] = asyncio.Queue()

    def now_ns(self) -> int:
        return START_NS

    def deliver(self, message: Any, origin_ns: int = 0) -> None:
        self.delivered.put_nowait(message)


def actor(path: Path) -> RiskMonitorActor:
    StateDir(path).create()
    keys = path / "keys"
    keys.write_text("key\nsecret\n")
    keys.chmod(0o600)
    return RiskMonitorActor(spec("risk_monitor", state_dir=str(path)), settings(risk={"keys": {"file": str(keys)}}))


def test_a_memory_is_read_back_whole(tmp_path: Path) -> None:
    MemorySpool(tmp_path / "risk.msgpack").write(MEMORY)
    assert MemorySpool(tmp_path / "risk.msgpack").read() == MEMORY


def test_the_first_life_remembers_nothing(tmp_path: Path) -> None:
    assert MemorySpool(tmp_path / "risk.msgpack").read() is None


def test_a_half_written_successor_leaves_the_memory_alone(tmp_path: Path) -> None:
    spool = MemorySpool(tmp_path / "risk.msgpack")
    spool.write(MEMORY)
    (tmp_path / "risk.msgpack.next").write_bytes(b"\x93")
    assert spool.read() == MEMORY


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x91\xa3foo", bytes(MEMORY_BYTES_MAX + 1)], ids=len)
def test_a_damaged_memory_is_told_apart_from_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "risk.msgpack").write_bytes(content)
    with pytest.raises(MemoryDamaged, match="move the file away, then resume"):
        MemorySpool(tmp_path / "risk.msgpack").read()


def test_a_memory_that_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(MemoryDamaged, match="cannot be read: Is a directory"):
        MemorySpool(tmp_path).read()


def test_a_disk_that_does_not_take_the_memory_is_fatal(tmp_path: Path) -> None:
    with pytest.raises(JournalFailed, match="No such file or directory"):
        MemorySpool(tmp_path / "missing" / "risk.msgpack").write(MEMORY)


async def test_a_restarted_shell_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    first = actor(tmp_path)
    assert first.state() is ActorState.STARTING
    await first.start(HostDouble())
    announced = EpochAnnounced(name="order_manager-0", shard=0, epoch=5, announced_ns=0)
    for message in (announced, lease_request(1), EmergencyStop(reason="x")):
        for effect in first.core.handle(message, START_NS):
            if isinstance(effect, Append):
                first.append(effect.record)
    assert first.state() is ActorState.RUNNING
    assert first.extra_snapshot() == {
        "private_open": False,
        "private_failures_in_a_row": 0,
        "calls": 0,
        "bad_frames": 0,
        "memory_writes": 3,
        "memory_damaged": "",
    }
    assert first.replay("events", 0, 1) == []
    await first.stop()
    shard = actor(tmp_path).core.snapshot().shards[0]
    assert (shard.epoch, shard.share_id, shard.notional_counted) == (5, 1, "50000")


async def test_a_damaged_memory_is_set_aside_and_halts(tmp_path: Path) -> None:
    path = StateDir(tmp_path).create().risk_memory
    path.write_bytes(b"garbage")
    damaged = actor(tmp_path)
    await damaged.start(HostDouble())
    assert path.with_name(path.name + ".damaged").read_bytes() == b"garbage"
    assert "is damaged" in damaged.core.snapshot().latches["account"]
    await damaged.stop()


async def test_the_risk_monitor_can_only_look(tmp_path: Path) -> None:
    shell = actor(tmp_path)
    await shell.start(HostDouble())
    cancel = CancelAll(request_id=1, instrument_id=BTC, venue_time_ns=0, window_ms=1)
    with pytest.raises(AssertionError, match="asks no CancelAll"):
        shell.call(cancel)
    await shell.stop()


async def test_a_look_that_finds_no_venue_was_not_sent(tmp_path: Path) -> None:
    shell, host = actor(tmp_path), HostDouble()
    await shell.start(host)
    shell.call(QueryPositions(request_id=7, venue_time_ns=1_000_000))
    answer = await asyncio.wait_for(host.delivered.get(), 10)
    assert isinstance(answer, NotSent | OutcomeUnknown) and answer.request_id == 7
    await shell.stop()


def change(number: int) -> LevelChanged:
    return LevelChanged(
        subject="account",
        before=RiskLevel.NORMAL,
        after=RiskLevel.CAUTION,
        indicator="drawdown",
        value="0.02",
        threshold="0.015",
        reason="drawdown",
        changed_ns=number,
        venue_time_ns=number,
    )


def test_every_change_of_a_level_is_a_line_on_file(tmp_path: Path) -> None:
    journal = LineJournal(tmp_path / "levels.jsonl", "a change of level")
    for number in (1, 2):
        journal.write(change(number))
    lines = (tmp_path / "levels.jsonl").read_bytes().splitlines()
    assert [LevelChanged(**msgspec.json.decode(line)) for line in lines] == [change(1), change(2)]


def test_a_long_journal_of_levels_becomes_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "levels.jsonl"
    path.write_bytes(b"x" * LINES_BYTES_MAX)
    LineJournal(path, "a change of level").write(change(3))
    assert path.with_name("levels.jsonl.older").stat().st_size == LINES_BYTES_MAX
    assert len(path.read_bytes().splitlines()) == 1


def test_a_journal_of_levels_that_cannot_be_written_ends_the_process(tmp_path: Path) -> None:
    with pytest.raises(JournalFailed, match="a change of level cannot be written"):
        LineJournal(tmp_path / "absent" / "levels.jsonl", "a change of level").write(change(1))
