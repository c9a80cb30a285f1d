"""A disk that takes no more, under a live process (RLIMIT_FSIZE): cancel from memory, alert, exit; nothing is written twice."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from order_manager_rig import MID, Rig, settings, spec

from actors.order_manager.actor import OrderManagerActor
from actors.runtime.exit_codes import ExitCode
from actors.runtime.journal import Journal, read_journal
from actors.runtime.links.alert_spool import AlertSpool
from actors.runtime.process import ActorProcess
from actors.runtime.state_dir import StateDir
from protocols.effects import Append, Effect
from protocols.messages.alerts import AlertCode
from protocols.messages.control import PullQuotes
from protocols.messages.journal import OrderNotSent

RECORDS_MAX = 10_000


class WritingCore:
    """Journals a record for each message; its orders are those of a core that has some at the venue."""

    def __init__(self, rig: Rig) -> None:
        self.farewell = rig.core.farewell
        self.snapshot = rig.core.snapshot
        self.state = rig.core.state

    def start(self, now_ns: int) -> list[Effect]:
        return []

    def handle(self, message: Any, now_ns: int) -> list[Effect]:
        return [Append(OrderNotSent(client_order_id=message.reason, reason="x" * 200))]


class CancelsOnly:
    """A gateway whose cancels go to a pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self.shut = ""

    def cancel_now(self, request: Any) -> bool:
        os.write(self._pipe, f"{request.client_order_id}\n".encode())
        return True

    def flush(self) -> None:
        assert not self.shut, "an order left after the journal had failed"


def run_until_the_disk_is_full(folder: Path, pipe: int, limit_bytes: int) -> None:
    rig = Rig().come_up()
    rig.want([(MID - 5, 10)], [(MID + 5, 10)])
    made = settings(dry_run=True)

    async def live() -> None:
        changed = {"state_dir": str(folder), "address": "", "peers": {}, "config_json": made.model_dump_json()}
        own = msgspec.structs.replace(spec(), **changed)
        shell = OrderManagerActor(own, made)
        process = ActorProcess(own, shell, made)
        await process.start()
        shell.core = WritingCore(rig)  # type: ignore[assignment]
        shell._gateway = CancelsOnly(pipe)  # type: ignore[assignment]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
        for number in range(RECORDS_MAX):
            process.deliver(PullQuotes(reason=str(number), hold_ms=1))

    asyncio.run(live())


def in_a_child(folder: Path, limit_bytes: int) -> tuple[int, list[str]]:
    """Exit code of the live process and the cancels that it wrote; its standard error is a file too, as under Ray."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.dup2(os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
            sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 - for as long as the child lives
            run_until_the_disk_is_full(folder, writing, limit_bytes)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        cancels = pipe.read().split()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), cancels


@pytest.mark.parametrize("limit_bytes", [400_000, 4_096], ids=["the journal alone", "logs and standard error too"])
def test_a_full_disk_ends_the_process_after_its_orders_are_cancelled_and_it_has_told_why(
    tmp_path: Path, limit_bytes: int
) -> None:
    state = StateDir(tmp_path).create()
    code, cancels = in_a_child(tmp_path, limit_bytes)
    assert code == ExitCode.JOURNAL_FAILED
    assert sorted(cancels) == ["rm1-7-000-1", "rm1-7-000-2"]
    alerts = AlertSpool(state.spool("order_manager-0"), 1_000_000, 9).queue.after(-1, 10)
    assert [alert.code for _, alert in alerts] == [AlertCode.JOURNAL_FAILED]
    assert state.stop_file.read_text().startswith("order_manager-0: the journal failed: ")
    assert list(numbers(state)) == [str(number) for number in range(len(list(numbers(state))))]
    Journal(state.journal(0)).close()


def numbers(state: StateDir) -> Iterator[str]:
    return (r.client_order_id for _, r in read_journal(state.journal(0)) if isinstance(r, OrderNotSent))
