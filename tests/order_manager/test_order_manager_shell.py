"""The shell: journal, replay for readers, and what happens when the journal fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from order_manager_rig import MID, MS, SECOND, Rig, settings, spec

from actors.order_manager import actor as order_manager_shell
from actors.order_manager.actor import OrderManagerActor
from actors.runtime import journal as journal_file
from actors.runtime.journal import Journal, JournalError, JournalFailed, segments
from actors.runtime.state_dir import StateDir
from protocols.arithmetic.sequences import era_begins_after
from protocols.effects import JournalStalled
from protocols.envelope import Message
from protocols.messages.control import ActorSpec, ActorState, EmergencyStop
from protocols.messages.journal import EpochBegan, OrderWritten
from protocols.messages.orders import OrderAccepted, OrderCanceled
from protocols.venue import QueryTime


class KeptLog:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str, *arguments: Any) -> None:
        self.lines.append(text.format(*arguments))

    warning = info


class SetClock:
    ns = SECOND

    def now_ns(self) -> int:
        return self.ns


class FakeHost:
    def __init__(self) -> None:
        self.clock = SetClock()
        self.log = KeptLog()
        self.origin_ns = 0
        self.heard: list[Message] = []

    def deliver(self, message: Message, origin_ns: int = 0) -> None:
        self.heard.append(message)


class FakeGateway:
    def __init__(self) -> None:
        self.shut = ""
        self.calls: list[Message | str] = []
        self.cancelled: list[str] = []

    def call(self, request: Message) -> None:
        self.calls.append(request)

    def read_first(self) -> None:
        self.calls.append("read first")

    def flush(self) -> None:
        self.calls.append("flush")

    def cancel_now(self, request: Any) -> bool:
        self.cancelled.append(request.client_order_id)
        return True

    def snapshot(self) -> dict[str, Any]:
        return {"orders_open": True}

    async def stop(self) -> None: ...


def made(path: Path) -> ActorSpec:
    StateDir(path).create()
    return msgspec.structs.replace(spec(), state_dir=str(path))


async def started(path: Path) -> tuple[OrderManagerActor, FakeHost, FakeGateway]:
    actor, host, gateway = OrderManagerActor(made(path), settings(dry_run=True)), FakeHost(), FakeGateway()
    assert actor.state() is ActorState.STARTING
    await actor.start(host)  # type: ignore[arg-type]
    actor._gateway = gateway  # type: ignore[assignment]
    return actor, host, gateway


async def test_records_are_read_back_by_the_next_incarnation(tmp_path: Path) -> None:
    rig = Rig().come_up()
    rig.want([(MID - 5, 10)], [])
    rig.venue.fill("rm1-7-000-1", 3)
    actor, _, _ = await started(tmp_path)
    for record in rig.journal:
        actor.append(record)
    await actor.stop()
    again, _, _ = await started(tmp_path)
    shown = again.core.snapshot()
    assert shown.symbols["BTCUSDC"].position_lots == 3
    assert [row.client_order_id for row in shown.orders] == ["rm1-7-000-1"]
    assert again.core.event_seq == rig.core.event_seq
    assert again.extra_snapshot() == {"orders_open": True, "journal_records": len(rig.journal)}
    await again.stop()


@pytest.mark.parametrize("bound", ["SEGMENT_RECORDS_MAX", "CHECKPOINT_RECORDS"])
async def test_a_long_journal_is_kept_as_a_checkpoint_that_the_next_incarnation_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    rig = Rig().come_up()
    rig.want([(MID - 5, 10)], [(MID + 5, 4)])
    rig.venue.fill("rm1-7-000-1", 3)
    actor, _, _ = await started(tmp_path)
    for record in rig.journal:
        actor.append(record)
    actor.core = rig.core
    monkeypatch.setattr(order_manager_shell, bound, 1)
    actor.keep_journal_short()
    assert len(segments(StateDir(tmp_path).journal(0))) == (2 if bound == "SEGMENT_RECORDS_MAX" else 1)
    before = len(rig.journal)
    rig.venue.fill("rm1-7-000-1", 7)
    for record in rig.journal[before:]:
        actor.append(record)
    await actor.stop()
    again, host, _ = await started(tmp_path)
    assert host.log.lines[0] == f"{len(rig.journal) - before} journal records loaded after record {before}"
    plain = Rig(journal=rig.journal, epoch=9, now_ns=rig.now_ns)
    shown, wanted = again.core.snapshot(), plain.core.snapshot()
    assert shown.symbols["BTCUSDC"].position_lots == wanted.symbols["BTCUSDC"].position_lots == 10
    assert {row.client_order_id for row in shown.orders} == {row.client_order_id for row in wanted.orders}
    assert again.core.event_seq == rig.core.event_seq
    assert again.core._shard.older_deadline_venue_ns == plain.core._shard.older_deadline_venue_ns
    assert [fill.trade_id for fill in shown.fills] == [fill.trade_id for fill in wanted.fills]
    await again.stop()


async def test_a_new_segment_begins_at_the_latest_after_a_day(tmp_path: Path) -> None:
    actor, host, _ = await started(tmp_path)
    path = StateDir(tmp_path).journal(0)
    actor.append(EpochBegan(epoch=7, began_ns=1, venue_time_ns=1))
    host.clock.ns += 86_400 * SECOND - 1
    actor.keep_journal_short()
    assert len(segments(path)) == 1
    host.clock.ns += 1
    actor.keep_journal_short()
    assert len(segments(path)) == 2
    host.clock.ns += 86_400 * SECOND - 1
    actor.keep_journal_short()
    assert len(segments(path)) == 2
    await actor.stop()


async def test_a_start_reads_nothing_before_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_manager_shell, "CHECKPOINT_RECORDS", 10)
    actor, _, _ = await started(tmp_path)
    for number in range(1, 1_001):
        actor.append(EpochBegan(epoch=number, began_ns=1, venue_time_ns=1))
        actor.keep_journal_short()
    actor.append(EpochBegan(epoch=1_001, began_ns=1, venue_time_ns=1))
    await actor.stop()
    again, host, _ = await started(tmp_path)
    assert host.log.lines[0] == "1 journal records loaded after record 1000"
    await again.stop()


async def test_readers_are_served_events_by_their_number(tmp_path: Path) -> None:
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want([(MID - 5, 10)], [])
    rig.want([], [])
    actor, _, _ = await started(tmp_path)
    for record in rig.journal:
        actor.append(record)
    first = era_begins_after(7) + 1
    events = actor.replay("events", first + 2, 10)
    assert [(seq, type(event)) for seq, event in events] == [(first + 2, OrderAccepted), (first + 3, OrderCanceled)]
    await actor.stop()


async def test_writes_are_journaled_after_the_turn(tmp_path: Path) -> None:
    actor, _, _ = await started(tmp_path)
    assert actor._journal is not None
    record = OrderWritten(client_order_id="rm1-7-000-1", origin_ns=1, written_ns=2)
    actor._note_written(record)
    actor._note_written(record)
    assert actor._journal.last_seq == 0
    import asyncio

    await asyncio.sleep(0)
    assert actor._journal.last_seq == 2
    await actor.stop()


async def test_requests_go_to_the_gateway(tmp_path: Path) -> None:
    actor, _, gateway = await started(tmp_path)
    actor.call(QueryTime(request_id=1))
    assert gateway.calls == [QueryTime(request_id=1)]
    await actor.stop()


def broken(journal: Journal | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(records: object) -> int:
        raise JournalFailed("no space left")

    monkeypatch.setattr(journal, "append", fail)
    monkeypatch.setattr(journal, "append_all", fail)


async def test_after_a_write_that_held_the_process_up_the_venues_answers_are_read_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, _, gateway = await started(tmp_path)
    record = EpochBegan(epoch=7, began_ns=0, venue_time_ns=0)
    actor.append(record)
    actor.carried_out()
    assert gateway.calls == ["flush"]
    monkeypatch.setattr(journal_file, "STALL_NS", -1)
    actor.append(record)
    monkeypatch.undo()
    actor.carried_out()
    actor.carried_out()
    assert gateway.calls == ["flush", "read first", "flush", "flush"]
    await actor.stop()


async def test_when_the_journal_fails_everything_is_cancelled_from_memory_and_the_process_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig().come_up()
    rig.want([(MID - 5, 10)], [(MID + 5, 10)])
    actor, _, gateway = await started(tmp_path)
    actor.core = rig.core
    broken(actor._journal, monkeypatch)
    with pytest.raises(JournalFailed):
        actor.append(EpochBegan(epoch=1, began_ns=1, venue_time_ns=1))
    assert gateway.shut == "the journal failed"
    assert sorted(gateway.cancelled) == ["rm1-7-000-1", "rm1-7-000-2"]
    with pytest.raises(JournalFailed):
        actor.append(EpochBegan(epoch=1, began_ns=1, venue_time_ns=1))
    assert len(gateway.cancelled) == 2
    await actor.stop()


async def test_when_a_write_cannot_be_journaled_the_core_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, host, gateway = await started(tmp_path)
    broken(actor._journal, monkeypatch)
    actor._note_written(OrderWritten(client_order_id="rm1-7-000-1", origin_ns=1, written_ns=2))
    actor._flush_written()
    assert [type(message) for message in host.heard] == [EmergencyStop]
    assert gateway.shut
    await actor.stop()


def copy_at_inventory(path: Path, records: list[Message]) -> None:
    """Inventory's journal with its copy of our events, and another shard's between them."""
    journal = Journal(StateDir(path).inventory_journal)
    for record in records:
        journal.append(record)
        if isinstance(record, OrderAccepted):
            journal.append(msgspec.structs.replace(record, shard=1))
    journal.close()


async def test_without_a_journal_it_begins_from_inventorys_copy_and_keeps_that_before_anything_else(
    tmp_path: Path,
) -> None:
    rig = Rig().come_up(position_lots=2)
    rig.want([(MID - 5, 10)], [])
    rig.venue.fill("rm1-7-000-1", 3)
    made(tmp_path)
    copy_at_inventory(tmp_path, [record for record in rig.journal if hasattr(record, "event_seq")])
    for _ in range(2):
        actor, _, _ = await started(tmp_path)
        shown = actor.core.snapshot()
        assert shown.symbols["BTCUSDC"].position_lots == 5
        assert [fill.trade_id for fill in shown.fills] == [1]
        await actor.stop()


async def test_a_copy_that_cannot_be_read_is_as_good_as_none(tmp_path: Path) -> None:
    made(tmp_path)
    copy_at_inventory(tmp_path, [EpochBegan(epoch=1, began_ns=1, venue_time_ns=1)])
    segments(StateDir(tmp_path).inventory_journal)[0].write_bytes(b"no database" * 1_000)
    actor, host, _ = await started(tmp_path)
    assert any(line.startswith("inventory's copy is of no use: ") for line in host.log.lines)
    await actor.stop()


async def test_a_damaged_journal_is_never_traded_on(tmp_path: Path) -> None:
    actor, _, _ = await started(tmp_path)
    for number in range(50):
        actor.append(EpochBegan(epoch=number, began_ns=1, venue_time_ns=1))
    await actor.stop()
    file = segments(StateDir(tmp_path).journal(0))[0]
    content = bytearray(file.read_bytes())
    at = content.rindex(b"EpochBegan")
    content[at] ^= 1
    file.write_bytes(content)
    with pytest.raises(JournalError, match="move its files away to start from the venue and inventory's copy"):
        await OrderManagerActor(made(tmp_path), settings(dry_run=True)).start(FakeHost())  # type: ignore[arg-type]


async def test_a_second_order_manager_on_the_same_journal_does_not_start(tmp_path: Path) -> None:
    actor, _, _ = await started(tmp_path)
    with pytest.raises(JournalError):
        await OrderManagerActor(made(tmp_path), settings(dry_run=True)).start(FakeHost())  # type: ignore[arg-type]
    await actor.stop()


async def test_a_sync_that_does_not_end_is_told_once_and_its_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, host, _ = await started(tmp_path)
    began = 0
    monkeypatch.setattr(Journal, "sync_began_ns", property(lambda journal: began))
    bound_ns = settings().order_manager.journal_sync_ms_max * MS
    began = host.clock.ns
    host.clock.ns += bound_ns
    actor.watch_sync()
    assert host.heard == []
    host.clock.ns += MS
    actor.watch_sync()
    actor.watch_sync()
    assert host.heard == [JournalStalled(stalled=True, age_ns=bound_ns + MS)]
    host.clock.ns += SECOND
    began = host.clock.ns
    actor.watch_sync()
    actor.watch_sync()
    assert host.heard[1:] == [JournalStalled(stalled=False, age_ns=bound_ns + MS + SECOND)]
    await actor.stop()
