"""The supervisor's shell without Ray: its files, and the arm that clears the venue."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest
from supervised_world import child_spec, system_plan

from actors.runtime.ray_cluster import write_durably
from actors.runtime.state_dir import StateDir
from actors.supervisor.actor import SupervisorActor, SupervisorError
from actors.supervisor.commands import (
    ClearVenue,
    Desired,
    FlattenRefused,
    FlattenVenue,
    StopLatch,
    SupervisorOutcome,
    VenueCleared,
    VenueFlattened,
)
from actors.supervisor.gateway import ChildGateway
from configs.schema import Settings, VenueSettings
from protocols.messages.control import ActorSpec

AT = "127.0.0.1:9"
SETTINGS = Settings(
    symbols=("BTCUSDC",),
    venue=VenueSettings(rest_url=f"http://{AT}", stream_url=f"ws://{AT}", ws_api_url=f"ws://{AT}/ws-fapi/v1"),
)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    made = StateDir(tmp_path / "state").create()
    write_durably(made.plan_file, msgspec.msgpack.encode(system_plan()))
    return made


def spec_in(state: StateDir) -> ActorSpec:
    spec = child_spec("supervisor", 0, 0, sharded=False).spec
    return msgspec.structs.replace(spec, state_dir=str(state.path))


def supervisor(state: StateDir) -> SupervisorActor:
    return SupervisorActor(spec_in(state), SETTINGS)


def test_without_a_plan_there_is_nothing_to_supervise(state: StateDir) -> None:
    state.plan_file.unlink()
    with pytest.raises(SupervisorError, match=r"plan.msgpack is missing: a system is started with `raymaker up`"):
        supervisor(state)


@pytest.mark.parametrize("name", ["plan.msgpack", "desired.msgpack"])
def test_a_damaged_file_is_named(state: StateDir, name: str) -> None:
    (state.path / name).write_bytes(b"\xff\xff")
    with pytest.raises(SupervisorError, match=f"{name} cannot be read"):
        supervisor(state)


def test_the_wishes_on_file_are_those_of_the_next_incarnation(state: StateDir) -> None:
    supervisor(state).append(Desired(stopped=True, stop_reason="test", halted_shards={1: "deaths"}, epochs={"a": 3}))
    status = supervisor(state).core.status()
    assert (status.stopped, status.stop_reason, status.halted_shards) == (True, "test", {1: "deaths"})


def test_the_stop_file_holds_the_reason_and_goes_with_resume(state: StateDir) -> None:
    shell = supervisor(state)
    shell.append(StopLatch(present=True, reason="test"))
    assert state.stop_file.read_text() == "test"
    shell.append(StopLatch(present=False, reason="over"))
    shell.append(StopLatch(present=False, reason="over"))
    assert not state.stop_file.exists()


async def test_bytes_that_are_no_command_are_refused(state: StateDir) -> None:
    answer = msgspec.msgpack.decode(await supervisor(state).ask(b"\xc1"))
    assert answer["done"] is False
    assert answer["text"].startswith("not a command: ")


async def clear_with(state: StateDir, arm: tuple[str, ...], wait_ms: int = 10_000) -> VenueCleared:
    outcome: asyncio.Future[SupervisorOutcome] = asyncio.get_running_loop().create_future()
    gateway = ChildGateway(state, "", arm, (), 1.0, outcome.set_result, lambda ask_id, answer: None)
    gateway.carry_out(ClearVenue(shard=1, symbols=("BTCUSDC", "ETHUSDC"), wait_ms=wait_ms))
    cleared = await asyncio.wait_for(outcome, 20)
    assert isinstance(cleared, VenueCleared)
    return cleared


async def test_the_stop_arm_is_given_the_symbols_to_clear(state: StateDir) -> None:
    arm = (sys.executable, "-c", "import sys; print('cleared', *sys.argv[1:])")
    cleared = await clear_with(state, arm)
    assert cleared == VenueCleared(shard=1, cleared=True, text="cleared BTCUSDC ETHUSDC")


async def test_a_stop_arm_that_fails_clears_nothing(state: StateDir) -> None:
    arm = (sys.executable, "-c", "import sys; sys.exit('2 orders left')")
    assert await clear_with(state, arm) == VenueCleared(shard=1, cleared=False, text="2 orders left")


async def test_a_stop_arm_that_hangs_is_cut_off(state: StateDir) -> None:
    cleared = await clear_with(state, (sys.executable, "-c", "import time; time.sleep(60)"), wait_ms=200)
    assert cleared == VenueCleared(shard=1, cleared=False, text="the stop arm did not end within 200 ms")


async def test_a_stop_arm_that_cannot_run_is_told(state: StateDir) -> None:
    cleared = await clear_with(state, (str(state.path / "absent"),))
    assert (cleared.cleared, cleared.text[:24]) == (False, "the stop arm cannot run:")


async def test_the_flatten_arm_says_how_it_ended(state: StateDir) -> None:
    outcome: asyncio.Future[SupervisorOutcome] = asyncio.get_running_loop().create_future()
    arm = (sys.executable, "-c", "import sys; sys.exit('BTCUSDC: 0.010 is left')")
    gateway = ChildGateway(state, "", (), arm, 1.0, outcome.set_result, lambda ask_id, answer: None)
    gateway.carry_out(FlattenVenue(wait_ms=10_000))
    assert await asyncio.wait_for(outcome, 20) == VenueFlattened(flat=False, text="BTCUSDC: 0.010 is left")


async def test_a_refused_slice_is_told_while_the_flatten_arm_goes_on(state: StateDir) -> None:
    heard: asyncio.Queue[SupervisorOutcome] = asyncio.Queue()
    script = "import time; print('ALERT BTCUSDC: a slice was refused (-1015): too many', flush=True); time.sleep(60)"
    gateway = ChildGateway(
        state, "", (), (sys.executable, "-c", script), 1.0, heard.put_nowait, lambda ask_id, answer: None
    )
    gateway.carry_out(FlattenVenue(wait_ms=5_000))
    refused = FlattenRefused(text="BTCUSDC: a slice was refused (-1015): too many")
    assert await asyncio.wait_for(heard.get(), 4) == refused
    assert await asyncio.wait_for(heard.get(), 20) == VenueFlattened(
        flat=False, text="the stop arm did not end within 5000 ms"
    )


async def test_without_a_stop_arm_the_answer_says_what_to_do(state: StateDir) -> None:
    cleared = await clear_with(state, ())
    assert not cleared.cleared
    assert "raymaker emergency-stop" in cleared.text
