"""From a breach to the quotes being gone, on a live system, by the venue's ledger: of a level, and of a position limit."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from actors.exchange.ledger import LedgerRecord, OrderAccepted, OrderCanceled, OrderFilled, decode_lines
from actors.runtime.state_dir import StateDir
from actors.runtime.supervisor_client import SupervisorClient
from configs.loading import load_settings
from configs.schema import Settings
from ops.direct_venue import DirectVenue
from ops.emergency_stop import stop_keys
from ops.flatten import instruments_of
from ops.launch import launch, shut_down, status_of, wait_until_quoting
from ops.preparation import prepare
from ops.risk_view import risk_document
from protocols.messages.control import HoldLevel
from protocols.messages.risk import RiskLevel
from protocols.values import Side

BREACHES = 12
LIMIT_BREACHES = 8
RUN_S_MAX = 300.0
HELD_S = 0.7
QUOTING_AGAIN_S = 2.5
SETTLED_S = 6.0
NORMAL_AGAIN_S = 9.0
"""Two levels fall after a quiet time each, and the ladder is whole again."""

LIMIT_SHARE = Decimal("1.4")
"""Part of the position limit that somebody else's order buys or sells at once."""

FOREIGN = "bench-"
"""How the ids of those orders begin."""

WINDOW_NS = 500_000_000
"""Cancels later than this after a breach are not its own."""


class BreachCost(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds to the last quote's end in the venue's ledger, over the breaches that met quotes.

    `p50_ms` and `p99_ms`: from the recorded rise of the level, of all quotes. `limit_p50_ms` and `limit_p99_ms`: from the fill of somebody
    else that takes the position beyond its limit, of the quotes that would raise it.
    """

    p50_ms: float
    p99_ms: float
    breaches: int
    limit_p50_ms: float
    limit_p99_ms: float
    limit_breaches: int


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
            limit = _position_limit(client, settings.symbols[0])
            with DirectVenue(
                settings.venue.rest_url, stop_keys(settings.venue), settings.venue.request_timeout_ms
            ) as venue:
                for number in range(LIMIT_BREACHES):
                    _trade_beyond(venue, settings, limit, number)
        finally:
            shut_down(client, state, settings, _silent)
        return _read(state, limit)


def _position_limit(client: SupervisorClient, symbol: str) -> Decimal:
    """What the risk monitor says of it now, in quote currency."""
    shown = risk_document(status_of(client))
    return Decimal(shown["symbols"][symbol]["position_notional_max"])


def _trade_beyond(venue: DirectVenue, settings: Settings, limit: Decimal, number: int) -> None:
    """Somebody else trades the position beyond its limit and, a moment later, back."""
    symbol = settings.symbols[0]
    (instrument,) = instruments_of(venue, [symbol], settings.venue.account_alias)
    sides = (Side.BUY, Side.SELL) if number % 2 else (Side.SELL, Side.BUY)
    lots = instrument.lots_down(limit * LIMIT_SHARE / venue.mark_price(symbol))
    for side, wait_s in zip(sides, (HELD_S, NORMAL_AGAIN_S), strict=True):
        price = venue.mark_price(symbol) * (1 + side.sign * Decimal("0.003"))
        ticks = instrument.ticks_up(price) if side is Side.BUY else instrument.ticks_down(price)
        venue.place(
            [
                ("symbol", symbol),
                ("side", side.value),
                ("type", "LIMIT"),
                ("timeInForce", "IOC"),
                ("quantity", str(instrument.quantity(lots))),
                ("price", str(instrument.price(ticks))),
                ("newClientOrderId", f"{FOREIGN}{number}-{side.value}"),
            ],
            settings.order_manager.window_ms,
        )
        time.sleep(wait_s)


def _silent(text: str) -> None:
    """Progress is not told."""


def _read(state: StateDir, limit: Decimal) -> BreachCost:
    with state.ledger_file.open("rb") as lines:
        records = list(decode_lines(lines))
    rises = [
        int(change["venue_time_ns"])
        for line in state.risk_levels.read_bytes().splitlines()
        if (change := _change(line))["subject"] == "account" and change["after"] == RiskLevel.HALTED
    ]
    taken_ms = sorted(taken for rise_ns in rises if (taken := withdrawn_ms(records, rise_ns)) is not None)
    limit_ms = sorted(beyond_ms(records, limit))
    if not taken_ms or not limit_ms:
        raise BreachFailed("no breach met any quote")
    cuts, limit_cuts = _cuts(taken_ms), _cuts(limit_ms)
    return BreachCost(
        p50_ms=cuts[49],
        p99_ms=cuts[98],
        breaches=len(taken_ms),
        limit_p50_ms=limit_cuts[49],
        limit_p99_ms=limit_cuts[98],
        limit_breaches=len(limit_ms),
    )


def _cuts(taken_ms: list[float]) -> list[float]:
    return statistics.quantiles(taken_ms, n=100, method="inclusive") if len(taken_ms) > 1 else taken_ms * 99


def beyond_ms(records: Sequence[LedgerRecord], limit: Decimal) -> list[float]:
    """Milliseconds from each foreign fill that takes a position beyond its limit to the end of the last quote that would raise it."""
    found = []
    beyond: dict[str, bool] = {}
    for record in records:
        if not isinstance(record, OrderFilled):
            continue
        was_beyond = beyond.get(record.symbol, False)
        beyond[record.symbol] = abs(record.position_after) * record.price > limit
        if beyond[record.symbol] and not was_beyond and record.client_order_id.startswith(FOREIGN):
            taken = withdrawn_ms(records, record.t, record.side)
            found += [] if taken is None else [taken]
    return found


def withdrawn_ms(records: Iterable[LedgerRecord], rise_ns: int, side: str = "") -> float | None:
    """Milliseconds from a breach to the end of the last quote, of one side or of both, that rested then; None where none did."""
    resting: set[int] = set()
    last_ns = 0
    for record in records:
        if record.t > rise_ns + WINDOW_NS:
            break
        if isinstance(record, OrderAccepted) and side in ("", record.side) and record.t <= rise_ns:
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
