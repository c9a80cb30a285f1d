"""From a breach of a level to the quotes being gone, on a live system: by the level journal's time and the venue's ledger."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from actors.exchange.ledger import LedgerRecord, OrderAccepted, OrderCanceled, decode_lines
from actors.runtime.state_dir import StateDir
from ops.cli.asking import Asking
from ops.cli.outcome import CommandFailed
from protocols.messages.control import GetStatus, HoldLevel, SystemStatus
from protocols.messages.risk import RiskLevel

BREACHES = 12
UP_S_MAX = 60.0
HELD_S = 0.7
QUOTING_AGAIN_S = 2.5
SETTLED_S = 6.0
WINDOW_NS = 500_000_000
"""Cancels later than this after a breach are not its own."""


class BreachCost(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from the recorded rise of the level to the last quote's end in the venue's ledger; over `breaches` that met quotes."""

    p50_ms: float
    p99_ms: float
    breaches: int


class BreachFailed(Exception):
    """The live system did not come up or had no quotes; the text says which."""


def measure_breaches() -> BreachCost:
    """Run the demo, let the account be HALTED and released again and again, and read what followed from its files.

    Raises:
        BreachFailed: nothing could be measured.
    """
    with tempfile.TemporaryDirectory(prefix="raymaker-breach-") as folder:
        state = Path(folder) / "state"
        duration_s = int(SETTLED_S + BREACHES * (HELD_S + QUOTING_AGAIN_S + 0.5)) + 5
        command = "from ops.cli.main import main; main()"
        arguments = ("demo", "--duration", str(duration_s), "--state", str(state))
        demo = subprocess.Popen(
            [sys.executable, "-c", command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _hold_and_release(state)
        finally:
            demo.terminate() if demo.poll() is not None else demo.wait(timeout=duration_s + UP_S_MAX)
        return _read(StateDir(state))


def _hold_and_release(state: Path) -> None:
    with _asking(state) as asking:
        time.sleep(SETTLED_S)
        for _ in range(BREACHES):
            asking.ask(HoldLevel(subject="account", level=RiskLevel.HALTED, reason="bench"))
            time.sleep(HELD_S)
            asking.ask(HoldLevel(subject="account", level=None, reason="bench"))
            time.sleep(QUOTING_AGAIN_S)


def _asking(state: Path) -> Asking:
    deadline = time.monotonic() + UP_S_MAX
    while time.monotonic() < deadline:
        try:
            asking = Asking(state)
            status = asking.ask(GetStatus())
        except (CommandFailed, OSError):
            time.sleep(0.5)
            continue
        if isinstance(status, SystemStatus) and _quotes(status):
            return asking
        asking.__exit__(None, None, None)
        time.sleep(0.5)
    raise BreachFailed(f"the demo did not quote within {UP_S_MAX:g} s")


def _quotes(status: SystemStatus) -> bool:
    managers = [actor.snapshot for actor in status.actors if actor.role == "order_manager"]
    return any(rows for snapshot in managers if isinstance(rows := snapshot.get("orders"), list | tuple))


def _read(state: StateDir) -> BreachCost:
    ledger = next(iter(sorted(state.path.rglob("*ledger*"))), None)
    if ledger is None:
        raise BreachFailed("the demo left no ledger")
    with ledger.open("rb") as lines:
        records = list(decode_lines(lines))
    rises = [
        int(change["venue_time_ns"])
        for line in state.risk_levels.read_bytes().splitlines()
        if (change := _change(line))["subject"] == "account" and change["after"] == RiskLevel.HALTED
    ]
    taken_ms = sorted(taken for rise_ns in rises if (taken := withdrawn_ms(records, rise_ns)) is not None)
    if not taken_ms:
        raise BreachFailed("no breach met any quote")
    cuts = statistics.quantiles(taken_ms, n=100, method="inclusive") if len(taken_ms) > 1 else taken_ms * 99
    return BreachCost(p50_ms=cuts[49], p99_ms=cuts[98], breaches=len(taken_ms))


def withdrawn_ms(records: Iterable[LedgerRecord], rise_ns: int) -> float | None:
    """Milliseconds from the rise of a level to the end of the last quote that rested then; None where none did."""
    resting: set[int] = set()
    last_ns = 0
    for record in records:
        if record.t > rise_ns + WINDOW_NS:
            break
        if isinstance(record, OrderAccepted):
            resting.add(record.order_id)
        elif isinstance(record, OrderCanceled) and record.order_id in resting:
            resting.discard(record.order_id)
            last_ns = record.t if record.t > rise_ns else last_ns
    return (last_ns - rise_ns) / 1e6 if last_ns else None


def _change(line: bytes) -> dict[str, Any]:
    change: dict[str, Any] = msgspec.json.decode(line)
    return change
