"""The host: cores joined by real Unix sockets, effects in order, errors where they belong."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eventually import until
from loguru import logger
from runtime.fake_actor import ResumingShell, ScriptedCore, ScriptedShell, settings_of, spec_of

from actors.runtime.exit_codes import ExitCode
from actors.runtime.journal import JournalFailed
from actors.runtime.process import ActorProcess
from actors.runtime.state_dir import StateDir
from protocols.arithmetic.sequences import era_begins_after
from protocols.effects import (
    Append,
    Call,
    Effect,
    LinkChanged,
    Log,
    LogLevel,
    OutboxFull,
    Publish,
    Send,
    SetTimer,
    ShutNode,
    TimerFired,
)
from protocols.envelope import Message
from protocols.mailboxes import (
    AlertingMailbox,
    InventoryMailbox,
    OrderManagerMailbox,
    RiskMonitorMailbox,
    StrategyMailbox,
)
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import Drain, EmergencyStop, EpochAnnounced, Resume, StopFileSeen
from protocols.messages.market import MarkPrice, VenueClock
from protocols.messages.orders import OrderAccepted
from protocols.messages.quoting import QuoteTargets
from protocols.values import Side, make_instrument_id
from protocols.venue import NotSent, QueryTime, Usage

BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")


def mark(price: int, symbol: str = "BTCUSDC") -> MarkPrice:
    return MarkPrice(
        instrument_id=make_instrument_id("binance_usdm", "main", symbol),
        mark_price=Decimal(price),
        index_price=Decimal(price),
        funding_rate=Decimal(0),
        next_funding_venue_ms=0,
        venue_time_ns=0,
        received_ns=0,
    )


def accepted(number: int) -> OrderAccepted:
    return OrderAccepted(
        shard=0,
        event_seq=number,
        instrument_id=BTC,
        client_order_id=f"rm1-1-000-{number}",
        venue_order_id=number,
        venue_time_ns=0,
        side=Side.BUY,
        price_ticks=1,
        quantity_lots=1,
    )


def alert(text: str) -> Alert:
    return Alert(code=AlertCode.FEED_LOST, severity=Severity.WARNING, subject=text, text=text, raised_ns=1)


class House:
    """Several actors in one process, joined by real sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fatal: list[tuple[ExitCode, BaseException]] = []
        self.running: list[ActorProcess] = []

    async def open(
        self, name: str, shell: ScriptedShell, peers: tuple[str, ...] = (), epoch: int = 1, **links: int
    ) -> ActorProcess:
        process = ActorProcess(
            spec_of(self.folder, name, peers, epoch),
            shell,
            settings_of(**links),
            log=logger,
            on_fatal=lambda code, error: self.fatal.append((code, error)),
        )
        await process.start()
        self.running.append(process)
        return process


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rm-") as path:
        StateDir(path).create()
        yield Path(path)


@asynccontextmanager
async def house_in(folder: Path) -> AsyncIterator[House]:
    house = House(folder)
    try:
        yield house
    finally:
        for process in reversed(house.running):
            await process.stop()


def publisher(mailbox: Any = OrderManagerMailbox) -> ScriptedShell:
    return ScriptedShell(mailbox)


def of(shell: ScriptedShell, *kinds: type[Message]) -> list[Any]:
    return [message for message in shell.core.heard if isinstance(message, kinds)]


def publish(process: ActorProcess, *messages: Message) -> None:
    """Let the core publish `messages` now."""
    core: Any = process._shell.core
    core.react = lambda message: [Publish(one) for one in messages]
    process.deliver(Drain())
    core.react = lambda message: []


async def test_a_latest_message_reaches_its_readers_and_no_other(folder: Path) -> None:
    async with house_in(folder) as house:
        source = await house.open("market_data-0", publisher())
        strategy, alerting = ScriptedShell(StrategyMailbox), ScriptedShell(AlertingMailbox)
        await house.open("strategy-0", strategy, ("market_data-0",))
        await house.open("alerting", alerting, ("market_data-0",))
        await until(lambda: of(strategy, LinkChanged) and of(alerting, LinkChanged))
        publish(source, mark(60_000))
        await until(lambda: of(strategy, MarkPrice))
        assert of(strategy, MarkPrice) == [mark(60_000)]
        assert of(alerting, MarkPrice) == []


async def test_who_comes_later_gets_the_newest_value_of_each_key(folder: Path) -> None:
    async with house_in(folder) as house:
        source = await house.open("market_data-0", publisher())
        publish(source, mark(1), mark(2), mark(9, "ETHUSDC"), mark(3))
        strategy = ScriptedShell(StrategyMailbox)
        await house.open("strategy-0", strategy, ("market_data-0",))
        await until(lambda: len(of(strategy, MarkPrice)) == 2)
        assert of(strategy, MarkPrice) == [mark(3), mark(9, "ETHUSDC")]


async def test_a_link_tells_both_ways_of_its_state_with_the_peers_epoch(folder: Path) -> None:
    async with house_in(folder) as house:
        strategy = ScriptedShell(StrategyMailbox)
        await house.open("strategy-0", strategy, ("market_data-0",))
        first = await house.open("market_data-0", publisher(), epoch=4)
        await until(lambda: of(strategy, LinkChanged))
        await first.stop()
        house.running.remove(first)
        await until(lambda: len(of(strategy, LinkChanged)) == 2)
        await house.open("market_data-0", publisher(), epoch=5)
        await until(lambda: len(of(strategy, LinkChanged)) == 3)
        assert of(strategy, LinkChanged) == [
            LinkChanged(peer="market_data-0", up=True, epoch=4),
            LinkChanged(peer="market_data-0", up=False, epoch=4),
            LinkChanged(peer="market_data-0", up=True, epoch=5),
        ]


async def test_a_message_to_one_reader_reaches_only_that_one(folder: Path) -> None:
    async with house_in(folder) as house:
        core = ScriptedCore(
            lambda message: [Send("order_manager-1", VenueClock(offset_ns=1, error_ns=2, sampled_ns=3))]
        )
        source = await house.open("risk_monitor", ScriptedShell(RiskMonitorMailbox, core))
        zero, one = publisher(), publisher()
        await house.open("order_manager-0", zero, ("risk_monitor",))
        await house.open("order_manager-1", one, ("risk_monitor",))
        await until(lambda: of(zero, LinkChanged) and of(one, LinkChanged))
        source.deliver(Drain())
        await until(lambda: of(one, VenueClock))
        assert of(zero, VenueClock) == []


async def test_events_come_once_and_in_order_over_a_lost_link(folder: Path) -> None:
    async with house_in(folder) as house:
        orders = publisher()
        source = await house.open("order_manager-0", orders)
        inventory = ResumingShell(InventoryMailbox)
        await house.open("inventory", inventory, ("order_manager-0",))
        await until(lambda: of(inventory, LinkChanged))
        publish(source, accepted(1), accepted(2))
        await until(lambda: len(of(inventory, OrderAccepted)) == 2)
        for session in source._writer._sessions.values():
            session.drop("test")
        publish(source, accepted(3), accepted(4))
        await until(lambda: len(of(inventory, OrderAccepted)) == 4)
        assert of(inventory, OrderAccepted) == [accepted(number) for number in (1, 2, 3, 4)]


async def test_a_reader_that_begins_with_nothing_is_served_from_the_journal(folder: Path) -> None:
    async with house_in(folder) as house:
        orders = publisher()
        orders.records = [accepted(number) for number in range(1, 1_001)]
        await house.open("order_manager-0", orders, epoch=2)
        inventory = ResumingShell(InventoryMailbox)
        await house.open("inventory", inventory, ("order_manager-0",))
        await until(lambda: len(of(inventory, OrderAccepted)) == 1_000)
        assert of(inventory, OrderAccepted) == orders.records


async def test_a_writer_that_restarts_goes_on_where_the_reader_stopped(folder: Path) -> None:
    async with house_in(folder) as house:
        inventory = ResumingShell(InventoryMailbox)
        await house.open("inventory", inventory, ("order_manager-0",))
        first = await house.open("order_manager-0", publisher())
        await until(lambda: of(inventory, LinkChanged))
        publish(first, accepted(1))
        await until(lambda: of(inventory, OrderAccepted))
        await first.stop()
        house.running.remove(first)
        restarted = publisher()
        restarted.records = [
            accepted(1),
            accepted(2),
        ]  # the second was journaled, and its process died before sending it
        second = await house.open("order_manager-0", restarted, epoch=2)
        await until(lambda: len(of(inventory, OrderAccepted)) == 2)
        publish(second, accepted(3))
        await until(lambda: len(of(inventory, OrderAccepted)) == 3)
        assert of(inventory, OrderAccepted) == [accepted(1), accepted(2), accepted(3)]


async def test_a_reader_without_a_number_gets_what_is_new_and_no_history(folder: Path) -> None:
    async with house_in(folder) as house:
        orders = publisher()
        orders.records = [accepted(1), accepted(2)]
        source = await house.open("order_manager-0", orders, epoch=2)
        strategy = ScriptedShell(StrategyMailbox)
        await house.open("strategy-0", strategy, ("order_manager-0",))
        await until(lambda: of(strategy, LinkChanged))
        publish(source, accepted(3))
        await until(lambda: of(strategy, OrderAccepted))
        for session in source._writer._sessions.values():
            session.drop("test")
        publish(source, accepted(4))
        await until(lambda: len(of(strategy, OrderAccepted)) == 2)
        assert of(strategy, OrderAccepted) == [accepted(3), accepted(4)]


async def test_a_reader_that_is_away_too_long_fills_the_outbox_until_it_is_back(folder: Path) -> None:
    async with house_in(folder) as house:
        orders = publisher()
        source = await house.open("order_manager-0", orders, ordered_messages_max=10)
        inventory = ResumingShell(InventoryMailbox)
        reader = await house.open("inventory", inventory, ("order_manager-0",))
        await until(lambda: of(inventory, LinkChanged))
        await reader.stop()
        house.running.remove(reader)
        orders.records = [accepted(number) for number in range(1, 51)]
        publish(source, *orders.records)
        assert of(orders, OutboxFull) == [OutboxFull(reader="inventory", full=True)]
        back = ResumingShell(InventoryMailbox)
        await house.open("inventory", back, ("order_manager-0",), epoch=2)
        await until(lambda: len(of(back, OrderAccepted)) == 50)
        await until(lambda: len(of(orders, OutboxFull)) == 2)
        assert of(orders, OutboxFull)[1] == OutboxFull(reader="inventory", full=False)
        assert of(back, OrderAccepted) == orders.records


async def test_numbers_that_go_back_raise_an_alert_and_are_not_lost_in_silence(folder: Path) -> None:
    async with house_in(folder) as house:
        source = await house.open("order_manager-0", publisher())
        inventory = ResumingShell(InventoryMailbox)
        inventory.booked = 100
        await house.open("inventory", inventory, ("order_manager-0",))
        await until(lambda: of(inventory, LinkChanged))
        publish(source, accepted(1))
        await until(lambda: len(source._writer._spool.queue))
        assert "gone back" in source._writer._spool.queue.after(0, 10)[0][1].text


async def test_events_that_nobody_holds_raise_an_alert(folder: Path) -> None:
    async with house_in(folder) as house:
        orders = publisher()
        orders.records = [accepted(7)]
        source = await house.open("order_manager-0", orders)
        inventory = ResumingShell(InventoryMailbox)
        await house.open("inventory", inventory, ("order_manager-0",))
        await until(lambda: of(inventory, OrderAccepted))
        await until(lambda: len(source._writer._spool.queue))
        assert "lacks at least 6 ordered messages" in source._writer._spool.queue.after(0, 10)[0][1].text


async def test_a_first_event_above_all_earlier_epochs_is_no_loss_and_fills_no_outbox(folder: Path) -> None:
    first = era_begins_after(5) + 1
    async with house_in(folder) as house:
        orders = publisher()
        source = await house.open("order_manager-0", orders)
        inventory = ResumingShell(InventoryMailbox)
        await house.open("inventory", inventory, ("order_manager-0",))
        await until(lambda: of(inventory, LinkChanged))
        for number in (first, first + 1):
            orders.records.append(accepted(number))
            publish(source, accepted(number))
        await until(lambda: len(of(inventory, OrderAccepted)) == 2)
        assert len(source._writer._spool.queue) == 0
        assert of(orders, OutboxFull) == []


async def test_events_of_a_lost_journal_are_missed_with_an_alert_and_what_follows_is_read(folder: Path) -> None:
    first = era_begins_after(5) + 1
    async with house_in(folder) as house:
        orders = publisher()
        source = await house.open("order_manager-0", orders)
        inventory = ResumingShell(InventoryMailbox)
        inventory.booked = 500
        await house.open("inventory", inventory, ("order_manager-0",))
        await until(lambda: of(inventory, LinkChanged))
        orders.records.append(accepted(first))
        publish(source, accepted(first))
        await until(lambda: of(inventory, OrderAccepted))
        await until(lambda: len(source._writer._spool.queue))
        assert "lacks at least 1 ordered messages" in source._writer._spool.queue.after(0, 10)[0][1].text
        assert of(orders, OutboxFull) == []


async def test_alerts_wait_for_alerting_and_go_once(folder: Path) -> None:
    async with house_in(folder) as house:
        source = await house.open("market_data-0", publisher())
        publish(source, alert("one"), alert("two"))
        assert source.vitals().queue_depths["alerts"] == 2
        alerting = ScriptedShell(AlertingMailbox)
        await house.open("alerting", alerting, ("market_data-0",))
        await until(lambda: len(of(alerting, Alert)) == 2)
        await until(lambda: source.vitals().queue_depths["alerts"] == 0)
        assert [(one.text, one.source) for one in of(alerting, Alert)] == [
            ("one", "market_data-0"),
            ("two", "market_data-0"),
        ]


async def test_alerts_outlive_their_sender(folder: Path) -> None:
    async with house_in(folder) as house:
        first = await house.open("market_data-0", publisher())
        publish(first, alert("one"))
        await first.stop()
        house.running.remove(first)
        await house.open("market_data-0", publisher(), epoch=2)
        alerting = ScriptedShell(AlertingMailbox)
        await house.open("alerting", alerting, ("market_data-0",))
        await until(lambda: of(alerting, Alert))
        assert [one.text for one in of(alerting, Alert)] == ["one"]


async def test_an_announced_epoch_ends_the_links_of_the_older_one(folder: Path) -> None:
    async with house_in(folder) as house:
        old = publisher()
        await house.open("market_data-0", old, epoch=3)
        strategy = ScriptedShell(StrategyMailbox)
        reader = await house.open("strategy-0", strategy, ("market_data-0",))
        await until(lambda: of(strategy, LinkChanged))
        reader.deliver(EpochAnnounced(name="market_data-0", shard=0, epoch=4, announced_ns=0))
        await until(lambda: len(of(strategy, LinkChanged)) == 2)
        await until(lambda: reader.vitals().refused > 0)  # the old one still answers, and is not listened to
        await house.open("market_data-0", publisher(), epoch=4)
        await until(lambda: len(of(strategy, LinkChanged)) == 3)
        assert of(strategy, LinkChanged)[-1] == LinkChanged(peer="market_data-0", up=True, epoch=4)


async def test_a_reader_of_an_older_epoch_is_refused(folder: Path) -> None:
    async with house_in(folder) as house:
        source = await house.open("market_data-0", publisher())
        source.deliver(EpochAnnounced(name="strategy-0", shard=0, epoch=9, announced_ns=0))
        strategy = ScriptedShell(StrategyMailbox)
        await house.open("strategy-0", strategy, ("market_data-0",), epoch=8)
        await until(lambda: source.vitals().refused > 0)
        assert of(strategy, LinkChanged) == []


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
