"""Cores joined by real Unix sockets in one folder, and the small messages that they pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from loguru import logger
from runtime.fake_actor import ScriptedShell, settings_of, spec_of

from actors.runtime.exit_codes import ExitCode
from actors.runtime.process import ActorProcess
from protocols.effects import (
    Publish,
)
from protocols.envelope import Message
from protocols.mailboxes import (
    OrderManagerMailbox,
)
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import Drain
from protocols.messages.market import MarkPrice
from protocols.messages.orders import OrderAccepted
from protocols.values import Side, make_instrument_id

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
