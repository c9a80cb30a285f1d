"""Rows of the table, of `status`, `orders`, `positions`, `fills` and `alerts`, read from the one status."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console

from ops.cli.table import plain_lines, tables
from ops.views import (
    SymbolRow,
    actor_rows,
    alert_rows,
    fill_rows,
    live_symbols,
    order_rows,
    position_rows,
    stopped_order_managers,
    symbol_rows,
)
from protocols.messages.control import ActorState, ActorStatus, SystemStatus

ORDER = {"symbol": "BTCUSDC", "side": "BUY", "price": "63999.9", "quantity": "0.007", "filled": "0.000", "state": "NEW"}
FILL = {"symbol": "BTCUSDC", "side": "SELL", "price": "64000.1", "trade_id": 2, "venue_time_ns": 20}


def actor(role: str, snapshot: dict[str, Any], shard: int = 0, state: ActorState = ActorState.RUNNING) -> ActorStatus:
    return ActorStatus(
        name=f"{role}-{shard}",
        role=role,
        shard=shard,
        state=state,
        pid=4711,
        epoch=7,
        restarts=1,
        wanted=True,
        vitals=None,
        snapshot=snapshot,
        io={},
    )


def status(*actors: ActorStatus, stopped: bool = False, halted: dict[int, str] | None = None) -> SystemStatus:
    return SystemStatus(
        actors=actors,
        stopped=stopped,
        stop_reason="the desk burns" if stopped else "",
        halted_shards=halted or {},
        metrics_url="",
        now_ns=0,
    )


WHOLE = status(
    actor("market_data", {"symbols": {"BTCUSDC": {"state": "LIVE", "mid": "64000.05"}, "ETHUSDC": {"state": "STALE"}}}),
    actor(
        "order_manager",
        {
            "symbols": {
                "BTCUSDC": {"best_bid": "63999.9", "best_ask": "64000.2", "open_orders": 6, "quote_age_ms": 12},
                "ETHUSDC": {"best_bid": "", "best_ask": "", "open_orders": 0, "quote_age_ms": -1},
            },
            "orders": [ORDER],
            "fills": [FILL, FILL | {"trade_id": 1, "venue_time_ns": 10}],
        },
    ),
    actor("inventory", {"symbols": {"BTCUSDC": {"position": "-0.007", "fills": 3, "day_net": "-0.4005"}}}),
    actor(
        "risk_monitor",
        {"symbols": {"BTCUSDC": {"level": "NORMAL"}, "ETHUSDC": {"level": "HALTED"}}, "level": "CAUTION"},
    ),
    actor("alerting", {"alerts": [{"code": "FEED_STALE", "severity": "WARNING", "subject": "ETHUSDC"}]}),
)


def test_a_symbol_shows_what_each_actor_knows_of_it() -> None:
    assert symbol_rows(WHOLE) == [
        SymbolRow("BTCUSDC", "64000.05", "63999.9", "64000.2", "-0.007", "6", "3", "-0.40", "CAUTION", "12 ms"),
        SymbolRow("ETHUSDC", "-", "-", "-", "-", "0", "-", "-", "HALTED", "-"),
    ]


def test_only_a_synchronised_book_is_live() -> None:
    assert list(live_symbols(WHOLE.actors[0])) == ["BTCUSDC"]
    assert list(live_symbols(WHOLE.actors[1])) == []


def test_rows_of_orders_fills_positions_and_alerts() -> None:
    assert order_rows(WHOLE) == [ORDER]
    assert [row["trade_id"] for row in fill_rows(WHOLE)] == [1, 2]
    assert position_rows(WHOLE) == [
        {"symbol": "BTCUSDC", "position": "-0.007", "fills": 3, "day_net": "-0.4005", "net": "-0.4005"}
    ]
    assert [row["code"] for row in alert_rows(WHOLE)] == ["FEED_STALE"]


def test_an_actor_that_has_shown_nothing_yet_breaks_no_view() -> None:
    empty = status(*(actor(role, {}, state=ActorState.STARTING) for role in ("market_data", "order_manager")))
    assert (symbol_rows(empty), order_rows(empty), fill_rows(empty), alert_rows(empty)) == ([], [], [], [])
    assert plain_lines(empty) == [
        "market_data-0 STARTING epoch 7 restarts 1",
        "order_manager-0 STARTING epoch 7 restarts 1",
    ]


def test_a_snapshot_of_another_shape_breaks_no_view() -> None:
    odd = status(actor("order_manager", {"symbols": [1], "orders": "none", "fills": [3]}))
    assert (symbol_rows(odd), order_rows(odd), fill_rows(odd)) == ([], [], [])


def test_an_order_manager_that_holds_a_stop_is_named_with_its_reason() -> None:
    held = status(actor("order_manager", {"stopped": "stop file: x"}), actor("order_manager", {"stopped": ""}, shard=1))
    assert stopped_order_managers(held) == {"order_manager-0": "stop file: x"}


def test_a_stop_and_a_halted_shard_are_told_first() -> None:
    lines = plain_lines(status(*WHOLE.actors, stopped=True, halted={1: "restart intensity"}))
    assert lines[:2] == ["EMERGENCY STOP: the desk burns", "shard 1 HALTED: restart intensity"]


def test_the_table_fits_a_terminal_of_eighty_columns() -> None:
    console = Console(width=80, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(tables(WHOLE, "demo: 12 s of 60 s"))
    text = captured.get()
    row = next(line for line in text.splitlines() if line.startswith("BTCUSDC"))
    assert row.split() == [
        "BTCUSDC",
        "64000.05",
        "63999.9",
        "64000.2",
        "-0.007",
        "6",
        "3",
        "-0.40",
        "CAUTION",
        "12",
        "ms",
    ]
    assert "…" not in text
    assert "market_data-0" in text and "4711" in text


def test_the_memory_of_an_actor_is_in_its_row_once_it_was_measured() -> None:
    plain = actor("strategy", {})
    measured = msgspec.structs.replace(plain, memory_bytes=131_400_000)
    assert [row.memory for row in actor_rows(status(plain, measured))] == ["-", "131 MB"]
