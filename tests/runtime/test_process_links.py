"""Links between hosted cores: who hears what, in which order, after losses and restarts, and of which epoch."""

from __future__ import annotations

from pathlib import Path

from eventually import until
from runtime.fake_actor import ResumingShell, ScriptedCore, ScriptedShell
from runtime.house import accepted, alert, house_in, mark, of, publish, publisher

from protocols.arithmetic.sequences import era_begins_after
from protocols.effects import (
    LinkChanged,
    OutboxFull,
    Send,
)
from protocols.mailboxes import (
    AlertingMailbox,
    InventoryMailbox,
    RiskMonitorMailbox,
    StrategyMailbox,
)
from protocols.messages.alerts import Alert
from protocols.messages.control import Drain, EpochAnnounced
from protocols.messages.market import MarkPrice, VenueClock
from protocols.messages.orders import OrderAccepted


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
