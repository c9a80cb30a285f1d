"""The door of a node for an emergency stop without Ray: who proves the secret is obeyed, nobody else is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime.links.proof import ClusterSecret
from actors.runtime.state_dir import StateDir
from actors.runtime.stop_door import DoorClosed, StopAsked, StopDone, StopDoor, knock
from configs.loading import load_settings, with_changes
from configs.schema import ClusterSettings
from ops.other_nodes import Reached, node_here, stop_other_nodes

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
SECRET = "a secret of more than thirty-two characters"
ASKED = StopAsked(reason="a person said so", kills=False)
HOLD = """
import sys
from pathlib import Path
from actors.runtime.journal import Journal
journal = Journal(Path(sys.argv[1]))
print("holds", flush=True)
sys.stdin.read()
"""


def secret(text: str = SECRET) -> ClusterSecret:
    return ClusterSecret(text.encode())


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "state").create()


@pytest.fixture
def door(state: StateDir) -> Iterator[StopDoor]:
    opened = StopDoor(state, HOST, 0, secret())
    yield opened
    opened.close()


@pytest.fixture
def holder(state: StateDir) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the journal of shard 0, as an order manager does."""
    command = [sys.executable, "-c", HOLD, str(state.journal(0))]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"holds\n"
    yield process
    process.kill()
    process.communicate()


def test_a_knock_writes_the_stop_file_with_its_reason(state: StateDir, door: StopDoor) -> None:
    assert knock(HOST, door.port, secret(), ASKED) == StopDone(shut=True, survived=False, text="shut")
    assert state.stop_file.read_text() == "a person said so\n"


def test_order_managers_are_ended_only_where_that_is_asked(
    state: StateDir, door: StopDoor, holder: subprocess.Popen[bytes]
) -> None:
    knock(HOST, door.port, secret(), ASKED)
    assert holder.poll() is None
    done = knock(HOST, door.port, secret(), StopAsked(reason="again", kills=True))
    assert done == StopDone(True, False, f"shut; order_manager-0 (pid {holder.pid}) is killed")
    assert holder.wait(5) == -signal.SIGKILL


def test_whoever_has_another_secret_is_not_heard(state: StateDir, door: StopDoor) -> None:
    with pytest.raises(DoorClosed, match="it hung up"):
        knock(HOST, door.port, secret("another one of more than thirty-two characters"), ASKED)
    assert not state.stop_file.exists()


def test_a_proof_for_a_link_opens_no_door(state: StateDir, door: StopDoor) -> None:
    import msgspec

    from actors.runtime.links.proof import Challenge, new_nonce
    from actors.runtime.stop_door import _read, _write

    with socket.create_connection((HOST, door.port), 5.0) as line:
        challenge = _read(line, Challenge)
        _write(line, secret().prove_hello(challenge.nonce, new_nonce(), msgspec.msgpack.encode(ASKED)))
        assert line.recv(1) == b""
    assert not state.stop_file.exists()


@pytest.mark.parametrize(
    "words", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc1", os.urandom(64)]
)
def test_noise_is_hung_up_on_and_the_next_one_is_served(state: StateDir, door: StopDoor, words: bytes) -> None:
    with socket.create_connection((HOST, door.port), 5.0) as line:
        line.sendall(words)
    assert knock(HOST, door.port, secret(), ASKED).shut


def test_a_stop_file_that_cannot_be_written_is_told(state: StateDir, door: StopDoor) -> None:
    state.stop_file.mkdir()
    done = knock(HOST, door.port, secret(), ASKED)
    assert not done.shut
    assert done.text.startswith("NOT shut (")


def test_a_closed_door_is_told_from_a_stranger(door: StopDoor) -> None:
    with socket.create_server((HOST, 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(DoorClosed, match="cannot be reached"):
        knock(HOST, port, secret(), ASKED)


def cluster(port: int) -> ClusterSettings:
    settings = load_settings(ROOT / "configs" / "demo.yaml", {})
    nodes = [
        {"name": "first", "host": "127.7.7.2"},
        {"name": "second", "host": "127.7.7.3"},
        {"name": "third", "host": "127.7.7.4"},
    ]
    changed = with_changes(settings, {"cluster": {"nodes": nodes, "stop_port": port}}, "test").cluster
    assert changed is not None
    return changed


def test_every_other_node_is_asked_and_who_is_away_is_named(
    tmp_path: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = StopDoor(state, "127.7.7.3", 0, secret())
    monkeypatch.setenv("RAYMAKER_CLUSTER_SECRET", SECRET)
    try:
        reached = stop_other_nodes(cluster(second.port), "first", tmp_path / "none", "told to", kills=True)
    finally:
        second.close()
    assert reached.told == {"second": "shut; no order manager runs here"}
    assert reached.away.keys() == {"third"}
    assert reached.away["third"].startswith(f"not reached: 127.7.7.4:{second.port} cannot be reached")
    assert reached.doubt.startswith("node third was not stopped")
    assert state.stop_file.read_text() == "told to\n"


def test_without_the_secret_nobody_is_asked_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAYMAKER_CLUSTER_SECRET", raising=False)
    reached = stop_other_nodes(cluster(7_090), "first", tmp_path / "none", "told to", kills=True)
    assert reached.told == {}
    assert reached.away.keys() == {"second", "third"}
    assert all("not asked: the cluster secret" in why for why in reached.away.values())


def test_nobody_is_in_doubt_when_all_were_reached() -> None:
    assert Reached(told={"second": "shut"}, away={}).doubt == ""


def test_the_node_of_a_stopped_system_is_known_by_its_plan(state: StateDir) -> None:
    assert node_here(state, cluster(7_090)) == ""
    state.plan_file.write_bytes(b"")
    assert node_here(state, cluster(7_090)) == "first"
