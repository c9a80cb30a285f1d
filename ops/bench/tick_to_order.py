"""Tick to order in alternating blocks: the floor, raymaker, and raymaker over Ray calls, on the same recorded minutes.

Each block is a fresh system on a fresh venue that plays the capture from its start, so every variant sees the same frames. The floor's
block runs the same other processes (venue, inventory, risk monitor, alerting, supervisor, Ray) with the three of the order path
replaced by three that only pass bytes on.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
from websockets.asyncio.server import ServerConnection, serve

from actors.runtime.journal import read_journal
from actors.runtime.state_dir import StateDir
from actors.runtime.supervisor_client import SupervisorClient
from configs.loading import load_settings, with_changes
from configs.schema import Settings
from ops.bench.ray_variant import over_ray
from ops.launch import launch, shut_down, status_of, wait_until_quoting
from ops.preparation import prepare
from protocols.binance_usdm.urls import VenueUrls, market_streams, market_url, public_streams, public_url
from protocols.messages.control import ActorState, SystemPlan, SystemStatus
from protocols.messages.journal import OrderWritten

BLOCK_S = 30.0
BLOCKS = 5
WARM_UP_S = 8.0
"""Time from the first order on that belongs to no block: recovery, first ladders, cold caches."""
VARIANTS = ("floor", "raymaker", "ray calls")
MEASURED = frozenset(("market_data", "strategy", "order_manager"))
READY_S_MAX = 60.0
BLOCK_OVERHEAD_S_MAX = 240.0
STOP_S_MAX = 10.0

Say = Callable[[str], None]


class BlockFailed(Exception):
    """A block of the benchmark did not run."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One variant over one block. Times in microseconds; memory and processor of all our actors, Ray's processes not counted."""

    variant: str
    p50_us: float
    p95_us: float
    p99_us: float
    orders: int
    memory_mb: float = 0.0
    cpu_share: float = 0.0
    gc_pause_us_max: float = 0.0


def block_of(variant: str, taken_us: list[float]) -> Block:
    """Percentiles of one block.

    Raises:
        ValueError: fewer than 20 orders: no percentile means anything.
    """
    if len(taken_us) < 20:
        raise ValueError(f"{variant}: only {len(taken_us)} orders in a block")
    cuts = statistics.quantiles(taken_us, n=100, method="inclusive")
    return Block(variant=variant, p50_us=cuts[49], p95_us=cuts[94], p99_us=cuts[98], orders=len(taken_us))


def run_blocks(capture: Path, say: Say, blocks: int = BLOCKS, block_s: float = BLOCK_S) -> list[Block]:
    """All blocks of all variants, alternating.

    Raises:
        BlockFailed: a block did not run; the text is its own.
    """
    found = []
    for number in range(1, blocks + 1):
        for variant in VARIANTS:
            block = _in_a_process(variant, capture, block_s)
            say(
                f"block {number} of {blocks}, {variant}: p50 {block.p50_us:.0f} us, p99 {block.p99_us:.0f} us, "
                f"{block.orders} orders"
            )
            found.append(block)
    return found


def _in_a_process(variant: str, capture: Path, block_s: float) -> Block:
    """A process joins one Ray in its life, so every block has a process of its own."""
    command = [sys.executable, "-m", "ops.bench.tick_to_order", variant, str(capture), str(block_s)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=block_s + BLOCK_OVERHEAD_S_MAX, check=False)
    if done.returncode:
        raise BlockFailed(f"a block of {variant} did not run: {done.stderr.strip()[-2_000:]}")
    return msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=Block)


def bench_settings(capture: Path, state: StateDir) -> Settings:
    """The shipped replay configuration on this capture, quoting so that orders are many."""
    shipped = load_settings(Path(__file__).resolve().parents[2] / "configs" / "replay.yaml", {})
    changes = {
        "exchange": {"source": str(capture), "orders_per_10s": 100_000, "orders_per_minute": 1_000_000},
        "strategy": {
            "levels": 1,
            "half_spread_bps_min": 0.5,
            "volatility_multiplier": 50.0,
            "volatility_halflife_ms": 2_000,
        },
        "order_manager": {"price_tolerance_bps": 0.0, "order_age_ms_min": 0},
    }
    return prepare(with_changes(shipped, changes, source="the benchmark"), state)


def run_block(variant: str, capture: Path, block_s: float) -> Block:
    """One block of one variant of VARIANTS, on a fresh system."""
    match variant:
        case "floor":
            return _floor(capture, block_s)
        case "raymaker":
            return _live(variant, capture, block_s, None)
        case "ray calls":
            return _live(variant, capture, block_s, over_ray)
        case _:
            raise ValueError(f"{variant} is none of {', '.join(VARIANTS)}")


def _live(variant: str, capture: Path, block_s: float, revise: Callable[[SystemPlan], SystemPlan] | None) -> Block:
    with _system(capture, revise) as (client, state, settings):
        ready = wait_until_quoting(client, settings, _silent, lambda: False)
        assert ready is not None
        time.sleep(WARM_UP_S)
        began_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        usage = _Usage(ready)
        time.sleep(block_s)
        ended_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        memory_mb, cpu_share = usage.since(block_s)
        pause_us = _gc_pause_us(status_of(client))
        shut_down(client, state, settings, _silent)
        taken_us = [
            (record.written_ns - record.origin_ns) / 1_000
            for shard in range(settings.shards)
            for _, record in read_journal(state.journal(shard))
            if isinstance(record, OrderWritten) and record.origin_ns and began_ns <= record.written_ns <= ended_ns
        ]
    block = block_of(variant, taken_us)
    return msgspec.structs.replace(block, memory_mb=memory_mb, cpu_share=cpu_share, gc_pause_us_max=pause_us)


def _floor(capture: Path, block_s: float) -> Block:
    with _system(capture, _without_the_order_path) as (client, state, settings), _sink() as sink_url:
        _wait_for_the_others(client)
        folder = state.path
        urls = VenueUrls(
            rest=settings.venue.rest_url, streams=settings.venue.stream_url, ws_api=settings.venue.ws_api_url
        )
        feeds = ",".join(
            (
                public_url(urls, public_streams(settings.symbols, settings.venue.book_stream)),
                market_url(urls, market_streams(settings.symbols)),
            )
        )
        out = folder / "floor.json"
        near, far = str(folder / "floor-1.sock"), str(folder / "floor-2.sock")
        processes = [
            _relay("last", far, sink_url, str(out)),
            _relay("middle", near, far),
            _relay("first", feeds, near),
        ]
        time.sleep(WARM_UP_S + block_s)
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(STOP_S_MAX)
        taken_us: list[float] = json.loads(out.read_text("utf-8"))
        shut_down(client, state, settings, _silent)
    return block_of("floor", taken_us[int(len(taken_us) * WARM_UP_S / (WARM_UP_S + block_s)) :])


def _relay(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "ops.bench.floor", *arguments])


def _without_the_order_path(plan: SystemPlan) -> SystemPlan:
    children = tuple(child for child in plan.children if child.spec.role not in MEASURED)
    return msgspec.structs.replace(plan, children=children)


def _wait_for_the_others(client: SupervisorClient) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline:
        actors = [actor for actor in status_of(client).actors if actor.role not in ("supervisor", "node_agent")]
        if actors and all(actor.state is ActorState.RUNNING for actor in actors):
            return
        time.sleep(0.25)
    raise TimeoutError(f"the actors beside the floor did not start within {READY_S_MAX:.0f} s")


@contextmanager
def _system(
    capture: Path, revise: Callable[[SystemPlan], SystemPlan] | None
) -> Iterator[tuple[SupervisorClient, StateDir, Settings]]:
    folder = Path(tempfile.mkdtemp(prefix="raymaker-bench-"))
    state = StateDir(folder)
    settings = bench_settings(capture, state)
    client = launch(settings, state, _silent, revise)
    try:
        yield client, state, settings
    except BaseException:
        shut_down(client, state, settings, _silent)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _sink() -> Iterator[str]:
    """A WebSocket server in a thread that reads the floor's orders and throws them away."""
    started = threading.Event()
    address: list[str] = []
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def swallow(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    async def run() -> None:
        async with serve(swallow, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            address.append(f"ws://127.0.0.1:{port}/")
            started.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), name="sink")
    thread.start()
    started.wait()
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(STOP_S_MAX)


class _Usage:
    """Memory and processor time of our actors over a block."""

    def __init__(self, status: SystemStatus) -> None:
        pids = {actor.pid for actor in status.actors if actor.pid and actor.role not in ("exchange",)}
        self._processes = [psutil.Process(pid) for pid in pids]
        self._began = self._cpu_s()

    def _cpu_s(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._processes)

    def since(self, seconds: float) -> tuple[float, float]:
        """Proportional memory in MB now, and the share of one core used since the beginning."""
        memory = sum(process.memory_full_info().pss for process in self._processes)
        return memory / 1_000_000, (self._cpu_s() - self._began) / seconds


def _gc_pause_us(status: SystemStatus) -> float:
    pauses = [a.vitals.gc_pause_ns_max for a in status.actors if a.role == "order_manager" and a.vitals is not None]
    return max(pauses, default=0) / 1_000


def _silent(text: str) -> None:
    """Progress of a block is not told."""


if __name__ == "__main__":
    print(msgspec.json.encode(run_block(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))).decode())
