"""SIGKILL at every point of the order path, in real child processes: before the journal's write, after it, before and after the send."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from order_manager_rig import MID, SECOND, Rig, settings, spec

from actors.order_manager.actor import OrderManagerActor
from actors.runtime.journal import Journal, read_journal
from actors.runtime.state_dir import StateDir
from protocols.envelope import Message
from protocols.messages.journal import OrderIntended
from protocols.messages.orders import OrderEvent
from protocols.venue import PlaceOrder

POINTS = 40
"""More than the path below has: the last ones kill nobody, and the child ends by itself."""


class SilentLog:
    def info(self, text: str, *arguments: Any) -> None: ...

    warning = error = info


class ChildHost:
    def __init__(self) -> None:
        self.log = SilentLog()
        self.clock = self
        self.origin_ns = 0

    def now_ns(self) -> int:
        return SECOND

    def deliver(self, message: Message, origin_ns: int = 0) -> None: ...


class Wire:
    """What left the process, in a file: the venue's side and the readers' side of the story."""

    shut = ""

    def __init__(self, folder: Path, point: Callable[[], None]) -> None:
        self._file = os.open(folder / "left", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._point = point
        self._gathered: list[str] = []

    def call(self, request: Message) -> None:
        if isinstance(request, PlaceOrder):
            self._gathered.append(request.client_order_id)

    def flush(self) -> None:
        for client_order_id in self._gathered:
            self._point()
            os.write(self._file, f"sent {client_order_id}\n".encode())
            self._point()
        self._gathered = []

    def publish(self, event: OrderEvent) -> None:
        os.write(self._file, f"told {event.event_seq}\n".encode())


def history() -> list[list[Message]]:
    """Turns of a core: what it wants journaled, placed and published, in its order."""
    rig = Rig(order_age_ms_min=0).come_up()
    for turn in range(3):
        rig.want([(MID - 5 - turn, 10)], [(MID + 5 + turn, 10)])
    rig.venue.fill(rig.venue.open()[0].client_order_id, 3)
    turns: list[list[Message]] = [[]]
    for record in rig.journal:
        turns[-1].append(record)
        if len(turns[-1]) == 4:
            turns.append([])
    return turns


def live(folder: Path, turns: list[list[Message]], point: Callable[[], None]) -> None:
    """The order path of the shell over a real journal, with `point` called between its steps."""

    async def run() -> None:
        made = msgspec.structs.replace(spec(), state_dir=str(folder))
        actor = OrderManagerActor(made, settings(dry_run=True))
        await actor.start(ChildHost())  # type: ignore[arg-type]
        wire = Wire(folder, point)
        actor._gateway = wire  # type: ignore[assignment]
        journal = actor._journal
        assert journal is not None
        for name in ("append", "append_all", "append_ahead", "settle", "snapshot"):
            setattr(journal, name, between(point, getattr(journal, name)))
        for number, turn in enumerate(turns):
            for record in turn:
                actor.append(record)
                if isinstance(record, OrderIntended):
                    wire._gathered.append(record.client_order_id)
                elif isinstance(record, OrderEvent):
                    actor.carried_out()
                    wire.publish(record)
            actor.carried_out()
            if number % 3 == 2:
                journal.snapshot(actor.core.checkpoint())

    asyncio.run(run())


def between(point: Callable[[], None], step: Callable[..., Any]) -> Callable[..., Any]:
    def stepped(*arguments: Any) -> Any:
        point()
        done = step(*arguments)
        point()
        return done

    return stepped


def child(folder: Path, work: Callable[[], None]) -> int:
    """Run `work` in a forked process; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    finally:
        os._exit(0)


def judge(folder: Path, turns: list[list[Message]]) -> int:
    """What must hold after any death; how many orders had left."""
    wanted = [record for turn in turns for record in turn]
    journal = Journal(StateDir(folder).journal(0))
    kept = [record for _, record in journal.read()]
    journal.close()
    assert kept == wanted[: len(kept)], "the journal is a prefix of what was decided"
    left = (folder / "left").read_text().split() if (folder / "left").exists() else []
    pairs = list(zip(left[::2], left[1::2], strict=True))
    sent = [what for kind, what in pairs if kind == "sent"]
    told = [int(what) for kind, what in pairs if kind == "told"]
    intents = {record.client_order_id for record in kept if isinstance(record, OrderIntended)}
    events = {record.event_seq for record in kept if isinstance(record, OrderEvent)}
    assert set(sent) <= intents, "an order left whose intent is in no journal"
    assert set(told) <= events, "an event was told that is in no journal"
    again = Rig(journal=kept, epoch=9, now_ns=SECOND)
    ended = {r.client_order_id for r in kept if isinstance(r, OrderEvent) and type(r).__name__ == "OrderCanceled"}
    assert set(sent) - ended <= set(again.states()), "an order that may live does not count"
    return len(sent)


def test_whatever_instant_it_dies_at_no_order_left_without_its_intent_and_no_event_is_lost(tmp_path: Path) -> None:
    turns = history()
    deaths = []
    for number in range(POINTS):
        folder = tmp_path / str(number)
        StateDir(folder).create()
        passed = [0]

        def point(dies_at: int = number * 3, passed: list[int] = passed) -> None:
            if passed[0] == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            passed[0] += 1

        _, status = os.waitpid(child(folder, lambda folder=folder, point=point: live(folder, turns, point)), 0)
        deaths.append(os.WIFSIGNALED(status))
        judge(folder, turns)
    assert deaths[0] and not deaths[-1], "some die, and the path has an end"
    assert judge(folder, turns) == sum(isinstance(r, OrderIntended) for turn in turns for r in turn)


@pytest.mark.parametrize("seed", range(8))
def test_a_kill_from_outside_at_any_time_leaves_the_same(tmp_path: Path, seed: int) -> None:
    StateDir(tmp_path).create()
    turns = history()
    pid = child(tmp_path, lambda: live(tmp_path, turns, lambda: None))
    time.sleep(random.Random(seed).uniform(0.002, 0.05))  # nothing is waited for: it is the instant of the kill
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert judge(tmp_path, turns) <= sum(isinstance(r, OrderIntended) for turn in turns for r in turn)


def test_a_successor_goes_on_where_the_dead_one_stopped(tmp_path: Path) -> None:
    turns = history()
    StateDir(tmp_path).create()
    left = [7]

    def point() -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(child(tmp_path, lambda: live(tmp_path, turns, point)), 0)
    before = [record for _, record in read_journal(StateDir(tmp_path).journal(0))]
    os.waitpid(child(tmp_path, lambda: live(tmp_path, turns, lambda: None)), 0)
    numbers = [number for number, _ in read_journal(StateDir(tmp_path).journal(0))]
    assert numbers == list(range(1, len(before) + sum(map(len, turns)) + 1))
