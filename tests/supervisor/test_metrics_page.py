"""The metrics page: everything from the one status."""

from __future__ import annotations

import socket
import urllib.request
from typing import Any

import msgspec

from actors.supervisor.metrics import SAMPLES_MAX, Family, Histogram, Sample, families, histograms
from actors.supervisor.server import MetricsServer
from protocols.messages.control import ActorState, ActorStatus, SystemStatus, Vitals


def actor(name: str = "order_manager-0", snapshot: dict[str, Any] | None = None, **io: Any) -> ActorStatus:
    return ActorStatus(
        name=name,
        role=name.split("-")[0],
        shard=0,
        state=ActorState.RUNNING,
        pid=7,
        epoch=12,
        restarts=3,
        wanted=True,
        vitals=None,
        snapshot=snapshot or {},
        io=io,
    )


def system(*actors: ActorStatus) -> SystemStatus:
    return SystemStatus(
        actors=actors, stopped=True, stop_reason="test", halted_shards={1: "deaths"}, metrics_url="", now_ns=0
    )


def by_name(status: SystemStatus) -> dict[str, Family]:
    return {family.name: family for family in families(status)}


LABELS = {"actor": "order_manager-0", "role": "order_manager", "shard": "0"}


def test_every_actor_shows_whether_it_is_up_its_epoch_and_its_restarts() -> None:
    found = by_name(system(actor()))
    assert found["raymaker_actor_up"].samples == [Sample(LABELS, 1.0)]
    assert found["raymaker_actor_epoch"].samples == [Sample(LABELS, 12.0)]
    assert found["raymaker_actor_restarts"].samples == [Sample(LABELS, 3.0)]


def test_memory_is_shown_beside_its_bound_once_it_was_measured() -> None:
    measured = msgspec.structs.replace(actor(), memory_bytes=150_000_000, memory_bytes_max=1_000_000_000)
    found = by_name(system(measured))
    assert found["raymaker_memory_bytes"].samples == [Sample({"actor": "order_manager-0"}, 150e6)]
    assert found["raymaker_memory_bytes_max"].samples == [Sample({"actor": "order_manager-0"}, 1e9)]
    assert "raymaker_memory_bytes" not in by_name(system(actor()))


def test_the_stop_and_halted_shards_are_shown() -> None:
    found = by_name(system())
    assert found["raymaker_stopped"].samples == [Sample({}, 1.0)]
    assert found["raymaker_shard_halted"].samples == [Sample({"shard": "1"}, 1.0)]


def test_vitals_become_lag_link_ages_and_queue_depths() -> None:
    vitals = Vitals(
        name="order_manager-0",
        pid=7,
        epoch=12,
        state=ActorState.RUNNING,
        loop_lag_ns=2_000_000,
        messages_in=5,
        messages_out=6,
        refused=1,
        link_ages_ns={"strategy-0": 500_000_000},
        queue_depths={"alerts": 4},
        gc_pause_ns_max=1_000_000,
    )
    found = by_name(system(msgspec.structs.replace(actor(), vitals=vitals)))
    labels = {"actor": "order_manager-0"}
    assert found["raymaker_loop_lag_seconds"].samples == [Sample(labels, 0.002)]
    assert found["raymaker_link_age_seconds"].samples == [Sample({**labels, "peer": "strategy-0"}, 0.5)]
    assert found["raymaker_queue_depth"].samples == [Sample({**labels, "queue": "alerts"}, 4.0)]
    assert found["raymaker_messages_refused"].samples == [Sample(labels, 1.0)]


def test_numbers_of_a_snapshot_are_shown_by_symbol() -> None:
    snapshot = {
        "live_orders": 4,
        "name": "text",
        "symbols": {"binance_usdm:main:BTCUSDC": {"position_lots": -3, "pnl": "1.50", "state": "ACTIVE", "open": True}},
    }
    found = by_name(system(actor(snapshot=snapshot)))
    labels = {"actor": "order_manager-0", "key": "BTCUSDC"}
    assert found["raymaker_order_manager_live_orders"].samples == [Sample({"actor": "order_manager-0"}, 4.0)]
    assert found["raymaker_order_manager_symbols_position_lots"].samples == [Sample(labels, -3.0)]
    assert found["raymaker_order_manager_symbols_pnl"].samples == [Sample(labels, 1.5)]
    assert found["raymaker_order_manager_symbols_open"].samples == [Sample(labels, 1.0)]
    assert "raymaker_order_manager_name" not in found
    assert "raymaker_order_manager_symbols_state" not in found


def test_a_field_of_two_forms_keeps_the_first() -> None:
    found = by_name(system(actor("strategy-0", {"x": 1}), actor("strategy-1", {"x": {"BTCUSDC": 2}})))
    assert found["raymaker_strategy_x"].samples == [Sample({"actor": "strategy-0"}, 1.0)]


def test_the_page_is_bounded() -> None:
    snapshot = {"table": {f"S{number}": number for number in range(SAMPLES_MAX + 10)}}
    assert sum(len(family.samples) for family in families(system(actor(snapshot=snapshot)))) == SAMPLES_MAX


def test_the_tick_to_order_histogram_ends_with_everything() -> None:
    raw = {"buckets": [[100, 1], [250, 3]], "sum": 620, "count": 4}
    assert histograms(system(actor(tick_to_order_us=raw), actor("strategy-0"))) == [
        Histogram(
            "raymaker_tick_to_order_microseconds",
            "Receipt of the market frame to the order's bytes written",
            {"actor": "order_manager-0"},
            [("100", 1.0), ("250", 3.0), ("+Inf", 4.0)],
            620.0,
        )
    ]


def test_a_histogram_of_another_form_is_left_out() -> None:
    for raw in ({}, {"buckets": [1], "sum": 1, "count": 1}, {"buckets": [["x", 1]], "sum": 1, "count": 1}, 3):
        assert histograms(system(actor(tick_to_order_us=raw))) == []


def page_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as reply:
        return str(reply.read().decode())


def test_the_page_is_served_on_loopback() -> None:
    raw = {"buckets": [[100, 1]], "sum": 20, "count": 1}
    server = MetricsServer(lambda: system(actor(tick_to_order_us=raw)))
    url = server.start(0)
    page = page_of(url)
    server.stop()
    assert url.startswith("http://127.0.0.1:")
    assert 'raymaker_actor_up{actor="order_manager-0",role="order_manager",shard="0"} 1.0' in page
    assert 'raymaker_tick_to_order_microseconds_bucket{actor="order_manager-0",le="+Inf"} 1.0' in page


def test_a_busy_port_is_passed_over_with_a_warning() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = MetricsServer(lambda: system())
        url = server.start(port)
        server.stop()
    assert not url.endswith(f":{port}/metrics")
    assert server.warning.startswith(f"port {port} is in use: metrics are on port ")
