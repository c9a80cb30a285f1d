"""The host: cores joined by real Unix sockets, effects in order, errors where they belong."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eventually import until
from runtime.fake_actor import ScriptedCore, ScriptedShell
from runtime.house import BTC, accepted, house_in, mark, of, publish, publisher

from actors.runtime.exit_codes import ExitCode
from actors.runtime.journal import JournalFailed
from actors.runtime.state_dir import StateDir
from protocols.effects import (
    Append,
    Call,
    Effect,
    LinkChanged,
    Log,
    LogLevel,
    Publish,
    SetTimer,
    ShutNode,
    TimerFired,
)
from protocols.envelope import Message
from protocols.mailboxes import (
    AlertingMailbox,
    OrderManagerMailbox,
    StrategyMailbox,
)
from protocols.messages.alerts import Alert, AlertCode
from protocols.messages.control import Drain, EmergencyStop, Resume, StopFileSeen
from protocols.messages.market import MarkPrice
from protocols.messages.quoting import QuoteTargets
from protocols.venue import NotSent, QueryTime, Usage


async def test_effects_are_carried_out_in_order_and_an_outcome_waits_for_the_rest_of_them(folder: Path) -> None:
    order: list[str] = []
    outcome = NotSent(request_id=1, received_ns=0, usage=Usage(), reason="closed")

    def react(message: Any) -> list[Effect]:
        order.append(type(message).__name__)
        if not isinstance(message, Drain):
            return []
        return [
            Append(accepted(1)),
            Call(QueryTime(request_id=1)),
            Append(accepted(2)),
            SetTimer("later", 1),
            Log(LogLevel.INFO, "written {last}"),
        ]

    shell = ScriptedShell(OrderManagerMailbox, ScriptedCore(react))
    shell.append = lambda record: order.append(f"append {record.event_seq}")  # type: ignore
    async with house_in(folder) as house:
        process = await house.open("order_manager-0", shell)
        shell.on_call = lambda request: (order.append("call"), process.deliver(outcome))[0]
        process.deliver(Drain())
        assert order == ["Drain", "append 1", "call", "append 2", "NotSent"]
        await until(lambda: of(shell, TimerFired))
        assert of(shell, TimerFired) == [TimerFired(name="later")]


async def test_the_origin_of_a_chain_passes_through_every_actor_of_it(folder: Path) -> None:
    targets = QuoteTargets(
        instrument_id=BTC, instrument_version=1, book_update_id=1, book_received_ns=1, bids=(), asks=()
    )
    origins: list[int] = []
    async with house_in(folder) as house:
        source = await house.open("market_data-0", ScriptedShell(OrderManagerMailbox))
        strategy = ScriptedShell(
            StrategyMailbox, ScriptedCore(lambda m: [Publish(targets)] if type(m) is MarkPrice else [])
        )
        await house.open("strategy-0", strategy, ("market_data-0",))
        orders = ScriptedShell(OrderManagerMailbox)
        manager = await house.open("order_manager-0", orders, ("strategy-0",))
        orders.core.react = lambda message: origins.append(manager.origin_ns) or []  # type: ignore
        await until(lambda: of(strategy, LinkChanged) and of(orders, LinkChanged))
        source._shell.core.react = lambda message: [Publish(mark(1))]  # type: ignore
        origins.clear()
        source.deliver(Drain(), origin_ns=123_456)
        await until(lambda: of(orders, QuoteTargets))
        assert 123_456 in origins
        assert manager.origin_ns == 0


async def test_a_failing_core_ends_the_process_and_hears_nothing_more(folder: Path) -> None:
    def react(message: Any) -> list[Effect]:
        raise AssertionError("torn")

    shell = ScriptedShell(OrderManagerMailbox, ScriptedCore(react))
    async with house_in(folder) as house:
        process = await house.open("order_manager-0", shell)
        process.deliver(Drain())
        process.deliver(Drain())
        assert [(code, str(error)) for code, error in house.fatal] == [(ExitCode.CORE_FAILED, "torn")]
        assert len(shell.core.heard) == 1


async def test_a_failed_journal_ends_the_process_and_leaves_an_alert(folder: Path) -> None:
    def failing(record: Message) -> None:
        raise JournalFailed("disk full")

    shell = ScriptedShell(
        OrderManagerMailbox, ScriptedCore(lambda message: [Append(accepted(1)), Publish(accepted(1))])
    )
    shell.append = failing  # type: ignore
    async with house_in(folder) as house:
        process = await house.open("order_manager-0", shell)
        process.deliver(Drain())
        assert [code for code, _ in house.fatal] == [ExitCode.JOURNAL_FAILED]
        assert [kept.code for _, kept in process._writer._spool.queue.after(0, 10)] == [AlertCode.JOURNAL_FAILED]
        assert StateDir(folder).stop_file.read_text() == "order_manager-0: the journal failed: disk full\n"


async def test_a_core_that_wants_everything_stopped_has_the_stop_file_written_and_sees_it_next(folder: Path) -> None:
    def react(message: Any) -> list[Effect]:
        return [ShutNode("the clock is lost")] if isinstance(message, Drain) else []

    shell = ScriptedShell(OrderManagerMailbox, ScriptedCore(react))
    async with house_in(folder) as house:
        process = await house.open("order_manager-0", shell)
        process.deliver(Drain())
        told = "order_manager-0: the clock is lost"
        assert StateDir(folder).stop_file.read_text() == f"{told}\n"
        assert shell.core.heard == [Drain(), StopFileSeen(present=True, text=told)]


async def test_where_no_stop_file_can_be_written_the_core_itself_is_stopped(folder: Path) -> None:
    def react(message: Any) -> list[Effect]:
        return [ShutNode("the clock is lost")] if isinstance(message, Drain) else []

    shell = ScriptedShell(OrderManagerMailbox, ScriptedCore(react))
    async with house_in(folder) as house:
        process = await house.open("order_manager-0", shell)
        process._state = StateDir(folder / "gone")
        process.deliver(Drain())
        assert shell.core.heard == [Drain(), EmergencyStop(reason="the clock is lost")]


async def test_the_stop_file_is_seen_and_its_end_too(folder: Path) -> None:
    shell = publisher()
    async with house_in(folder) as house:
        await house.open("order_manager-0", shell)
        StateDir(folder).stop_file.write_text("by hand\n")
        await until(lambda: of(shell, StopFileSeen))
        StateDir(folder).stop_file.unlink()
        await until(lambda: len(of(shell, StopFileSeen)) == 2)
        assert of(shell, StopFileSeen) == [StopFileSeen(present=True, text="by hand"), StopFileSeen(present=False)]


async def test_a_stop_file_that_is_there_at_the_start_is_seen_at_once(folder: Path) -> None:
    StateDir(folder).stop_file.write_text("")
    shell = publisher()
    async with house_in(folder) as house:
        await house.open("order_manager-0", shell)
        assert of(shell, StopFileSeen) == [StopFileSeen(present=True)]


async def test_a_resume_is_told_after_the_stop_file_as_it_is_now(folder: Path) -> None:
    shell = publisher()
    async with house_in(folder) as house:
        process = await house.open("order_manager-0", shell)
        StateDir(folder).stop_file.write_text("by hand")
        process.deliver(Resume(reason="too early"))
        StateDir(folder).stop_file.unlink()
        process.deliver(Resume(reason="now"))
        assert shell.core.heard == [
            StopFileSeen(present=True, text="by hand"),
            Resume(reason="too early"),
            StopFileSeen(present=False),
            Resume(reason="now"),
        ]


async def test_what_arrives_while_the_shell_starts_waits_for_the_core(folder: Path) -> None:
    class Eager(ScriptedShell):
        async def start(self, host: Any) -> None:
            host.deliver(Drain())
            assert self.core.heard == []

    shell = Eager(OrderManagerMailbox)
    async with house_in(folder) as house:
        await house.open("order_manager-0", shell)
        assert shell.core.heard == [Drain()]


async def test_undecodable_messages_are_left_out_counted_and_alerted(folder: Path) -> None:
    async with house_in(folder) as house:
        source = await house.open("inventory", publisher())
        narrow = ScriptedShell(AlertingMailbox)  # does not know MarkPrice, but says it is a strategy
        reader = await house.open("strategy-0", narrow, ("inventory",))
        await until(lambda: of(narrow, LinkChanged))
        publish(source, mark(1), mark(2), mark(3))
        await until(lambda: reader.vitals().refused == 3)
        assert house.fatal == []
        assert [(one.code, one.subject) for one in of(narrow, Alert)] == [(AlertCode.BAD_DATA, "inventory")]


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 64, b"\x05\0\0\0\x01" + b"\0" * 8 + b"\xc1\xc1\xc1\xc1\xc1", b"GET / HTTP"]
)
async def test_garbage_on_the_socket_is_counted_and_harms_nobody(folder: Path, garbage: bytes) -> None:
    async with house_in(folder) as house:
        source = await house.open("market_data-0", publisher())
        strategy = ScriptedShell(StrategyMailbox)
        await house.open("strategy-0", strategy, ("market_data-0",))
        await until(lambda: of(strategy, LinkChanged))
        _, writer = await asyncio.open_unix_connection(str(folder / "market_data-0.sock"))
        writer.write(garbage)
        if garbage.startswith(b"GET"):
            writer.close()  # shorter than a header: nothing to refuse
        else:
            await until(lambda: source.vitals().refused > 0)
        publish(source, mark(1))
        await until(lambda: of(strategy, MarkPrice))
        assert house.fatal == []
        writer.close()


async def test_vitals_and_snapshot_tell_what_the_host_knows(folder: Path) -> None:
    async with house_in(folder) as house:
        await house.open("market_data-0", publisher())
        strategy = ScriptedShell(StrategyMailbox)
        process = await house.open("strategy-0", strategy, ("market_data-0",))
        await until(lambda: of(strategy, LinkChanged))
        vitals = process.vitals()
        assert (vitals.name, vitals.epoch, vitals.state) == ("strategy-0", 1, "RUNNING")
        assert list(vitals.link_ages_ns) == ["market_data-0"]
        assert 0 <= vitals.link_ages_ns["market_data-0"] < 10**10
        assert msgspec.msgpack.decode(process.snapshot_bytes()) == {
            "snapshot": {"messages": len(strategy.core.heard)},
            "io": {"records": 0},
        }


def test_a_process_ends_although_its_last_words_find_no_place() -> None:
    """As on a full disk: standard error refuses what is written to it."""
    program = (
        "import sys\n"
        "from actors.runtime.exit_codes import ExitCode\n"
        "from actors.runtime.process import end_process\n"
        "sys.stderr = open('/dev/full', 'w')\n"
        "end_process(ExitCode.JOURNAL_FAILED, OSError('no space left'))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False, timeout=60)
    assert ended.returncode == ExitCode.JOURNAL_FAILED
