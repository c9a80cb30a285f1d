"""From a breach of a level to the quotes being gone, on a live system: by the level journal's time and the venue's ledger."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from actors.exchange.ledger import LedgerRecord, OrderAccepted, OrderCanceled, decode_lines
from actors.runtime.state_dir import StateDir
from configs.loading import load_settings
from ops.launch import launch, shut_down, wait_until_quoting
from ops.preparation import prepare
from protocols.messages.control import HoldLevel
from protocols.messages.risk import RiskLevel

BREACHES = 12
RUN_S_MAX = 180.0
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
    """Run the demo's system in a process of its own, halt and release the account again and again, and read its files.

    Raises:
        BreachFailed: nothing could be measured.
    """
    command = [sys.executable, "-m", "ops.bench.breach"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
    except subprocess.TimeoutExpired as error:
        raise BreachFailed(f"the run did not end within {RUN_S_MAX:g} s") from error
    if done.returncode:
        raise BreachFailed(f"the run failed: {done.stderr.strip()[-2_000:]}")
    return msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=BreachCost)


def _run() -> BreachCost:
    """What the process of its own does: it joins the one Ray of its life."""
    with tempfile.TemporaryDirectory(prefix="raymaker-breach-") as folder:
        state = StateDir(Path(folder))
        demo = load_settings(Path(str(files("configs").joinpath("demo.yaml"))), {})
        settings = prepare(demo, state)
        client = launch(settings, state, _silent)
        try:
            wait_until_quoting(client, settings, _silent, lambda: False)
            time.sleep(SETTLED_S)
            for _ in range(BREACHES):
                client.ask(HoldLevel(subject="account", level=RiskLevel.HALTED, reason="bench"))
                time.sleep(HELD_S)
                client.ask(HoldLevel(subject="account", level=None, reason="bench"))
                time.sleep(QUOTING_AGAIN_S)
        finally:
            shut_down(client, state, settings, _silent)
        return _read(state)


def _silent(text: str) -> None:
    """Progress is not told."""


def _read(state: StateDir) -> BreachCost:
    with state.ledger_file.open("rb") as lines:
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


if __name__ == "__main__":
    print(msgspec.json.encode(_run()).decode())
