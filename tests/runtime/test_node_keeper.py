"""The keeper of a node: what it does when its part dies, is not reaped, or its head becomes another cluster's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime import node_keeper
from actors.runtime.node_keeper import HeadWatch, KeptPart, NodeKeeper
from actors.runtime.ray_cluster import MARKER, PART, is_alive, kill_marked

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def head() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def kept_part(tmp_path: Path, port: int) -> KeptPart:
    return KeptPart(
        part="node",
        node="left",
        host="127.0.0.3",
        head_host="127.0.0.1",
        head_port=port,
        state=str(tmp_path),
        temp_dir=str(tmp_path),
        token_file=str(tmp_path / "token"),
        marker=f"keeper-test-{os.getpid()}",
    )


class PretendedKeeper(NodeKeeper):
    """Starts a process with a worker beside it in Ray's place: the worker outlives its parent, as Ray's may."""

    def __init__(self, kept: KeptPart, lives: int) -> None:
        super().__init__(kept, self.told)
        self.said: list[str] = []
        self.started: list[int] = []
        self.workers: list[int] = []
        self._lives = lives

    def told(self, text: str) -> None:
        self.said.append(text)

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, MARKER: self._kept.marker, PART: self._kept.part}
        self.workers.append(subprocess.Popen(SLEEP, env=environment, start_new_session=True).pid)
        is_last = len(self.started) + 1 == self._lives
        process = subprocess.Popen(SLEEP if is_last else [sys.executable, "-c", "raise SystemExit(7)"], env=environment)
        self.started.append(process.pid)
        self._output.write_text("it said this last\n")
        if is_last:
            os.kill(os.getpid(), signal.SIGTERM)
        return process


@pytest.fixture
def signals() -> Iterator[None]:
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def test_a_part_that_died_is_cleared_away_and_begins_anew_until_the_keeper_is_told_to_end(
    tmp_path: Path, head: socket.socket, signals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_keeper, "RETRY_S", 0.01)
    monkeypatch.setattr(HeadWatch, "is_another", lambda self: False)
    keeper = PretendedKeeper(kept_part(tmp_path, head.getsockname()[1]), lives=3)
    assert keeper.run() == 0
    assert len(keeper.started) == 3
    assert not any(is_alive(pid) for pid in (*keeper.started, *keeper.workers))
    assert [line.partition(";")[0] for line in keeper.said] == ["node left ended: code 7: it said this last"] * 2


def test_a_part_whose_head_became_another_clusters_begins_anew(
    tmp_path: Path, head: socket.socket, signals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_keeper, "RETRY_S", 0.01)
    monkeypatch.setattr(HeadWatch, "is_another", lambda self: True)
    keeper = PretendedKeeper(kept_part(tmp_path, head.getsockname()[1]), lives=2)
    assert keeper.run() == 0
    assert len(keeper.started) == 2


def test_only_the_part_that_is_meant_is_killed(tmp_path: Path, head: socket.socket) -> None:
    kept = kept_part(tmp_path, head.getsockname()[1])
    of_node, of_head = (
        subprocess.Popen(SLEEP, env={**os.environ, MARKER: kept.marker, PART: part}) for part in ("node", "head")
    )
    try:
        kill_marked(kept.marker, "node")
        assert not is_alive(of_node.pid)
        assert is_alive(of_head.pid)
    finally:
        for process in (of_node, of_head):
            process.kill()
            process.wait()


def test_a_process_that_shows_no_marks_is_killed_with_its_session(tmp_path: Path, head: socket.socket) -> None:
    kept = kept_part(tmp_path, head.getsockname()[1])
    leader = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        kill_marked(kept.marker, "node", leader_pid=leader.pid)
        assert not is_alive(leader.pid)
    finally:
        leader.kill()
        leader.wait()


class Answers(HeadWatch):
    """A head whose identity is what the test says."""

    def __init__(self, kept: KeptPart, *identities: str) -> None:
        super().__init__(kept)
        self._identities = list(identities)

    def _ask(self) -> None:
        code = f"print({self._identities.pop(0)!r})"
        self._asking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        self._asking.wait()


@pytest.mark.parametrize(
    ("identities", "found"), [(("one", "one"), False), (("one", "two"), True), (("one", "", "one"), False)]
)
def test_a_head_that_comes_back_is_asked_who_it_is(
    tmp_path: Path,
    head: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    identities: tuple[str, ...],
    found: bool,
) -> None:
    monkeypatch.setattr(node_keeper, "HEAD_LOOK_PERIOD_S", 0.0)
    watch = Answers(kept_part(tmp_path, head.getsockname()[1]), *identities)
    seen = [watch.is_another() for _ in range(3)]
    watch._reachable = False  # it was away
    seen += [watch.is_another() for _ in range(6)]
    watch.close()
    assert any(seen) is found


def test_nobody_at_the_heads_address_is_told_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert HeadWatch(kept_part(tmp_path, port)).dial() == "Connection refused"
