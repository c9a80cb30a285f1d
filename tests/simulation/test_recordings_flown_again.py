"""Flight recordings of every actor of a whole system, flown again: the same answers, byte for byte, in another process too."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from actors.runtime.flight_recording import (
    _HEAD,
    MAGIC,
    Begun,
    FlightRecorder,
    Handled,
    RecordingError,
    read_frames,
    recordings,
)
from actors.runtime.pure_pickle import NotPure, load_pure
from configs.loading import load_settings
from configs.schema import RecordingSettings
from ops.cli.app import app
from ops.flight_replay import Flown, fly
from ops.simulation.house import House
from protocols import mailboxes
from protocols.effects import Effect, TimerFired
from protocols.envelope import Message

ROOT = Path(__file__).resolve().parents[2]
ACTORS = ("alerting", "inventory", "risk_monitor", "order_manager-0", "market_data-0", "strategy-0")
MAILBOXES = {
    "market_data": mailboxes.MarketDataMailbox,
    "strategy": mailboxes.StrategyMailbox,
    "order_manager": mailboxes.OrderManagerMailbox,
    "risk_monitor": mailboxes.RiskMonitorMailbox,
    "inventory": mailboxes.InventoryMailbox,
    "alerting": mailboxes.AlertingMailbox,
}


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, text: str, *arguments: Any) -> None:
        self.lines.append(text.format(*arguments))


class Watched:
    """A core whose host keeps a recording, as actors/runtime/process.py does."""

    def __init__(self, core: Any, recorder: FlightRecorder) -> None:
        self.core, self.recorder = core, recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self.core, name)

    def handle(self, message: Message, now_ns: int) -> list[Effect]:
        effects: list[Effect] = self.core.handle(message, now_ns)
        self.recorder.handled(self.core, message, now_ns, effects)
        return effects


def record(folder: Path, seconds: float = 8.0, **changes: Any) -> Log:
    """A system under way, recorded from the middle of its life to an emergency stop, with a cut link between."""
    house, log = House(load_settings(ROOT / "configs" / "demo.yaml", {}), 5), Log()
    house.start()
    house.run_s(7)
    settings = RecordingSettings(actors=ACTORS, **changes)
    for name in ACTORS:
        inhabitant = house.world._inhabitants[name]
        role = name.partition("-")[0]
        recorder = FlightRecorder(folder, name, role, inhabitant.epoch, settings, MAILBOXES[role], log)
        assert inhabitant.core is not None
        recorder.begin(inhabitant.core)
        inhabitant.core = Watched(inhabitant.core, recorder)
    house.run_s(seconds / 2)
    house.cut_for("market_data-0", "strategy-0", 1.0)
    house.run_s(seconds / 2)
    house.emergency_stop()
    house.run_s(1)
    return log


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("flights")
    assert record(made).lines == []
    return made


def newest(folder: Path, name: str) -> Path:
    return recordings(folder, name)[-1]


@pytest.mark.parametrize("name", ACTORS)
def test_every_core_answers_the_same_again(folder: Path, name: str) -> None:
    flown = fly(newest(folder, name))
    assert (flown.name, flown.difference, flown.failure) == (name, "", "")
    assert flown.messages > (0 if name == "alerting" else 50)


def test_another_process_with_another_hash_seed_answers_the_same(folder: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom ops.flight_replay import fly\n"
        "print([fly(Path(path)).difference for path in sys.argv[1:]])"
    )
    paths = [str(newest(folder, name)) for name in ACTORS]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, *paths],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
        assert done.stdout.strip() == str([""] * len(ACTORS))


def rewritten(path: Path, target: Path, change: Callable[[int, Any], Any]) -> Path:
    """The same recording with its frames changed."""
    with target.open("wb") as file:
        file.write(MAGIC)
        for number, frame in enumerate(read_frames(path)):
            payload = msgspec.msgpack.encode(change(number, frame))
            file.write(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
    return target


def test_a_message_that_was_another_is_found_with_both_answers(folder: Path, tmp_path: Path) -> None:
    frames = list(read_frames(newest(folder, "strategy-0")))
    at = next(n for n, frame in enumerate(frames) if isinstance(frame, Handled) and b"QuoteTargets" in frame.effects)

    def change(number: int, frame: Any) -> Any:
        return msgspec.structs.replace(frame, effects=b"\x90") if number == at else frame

    path = rewritten(newest(folder, "strategy-0"), tmp_path / "changed.flight", change)
    flown = fly(path)
    assert flown.difference.startswith(f"message {at} (")
    assert "then: []" in flown.difference and "now:  [['Publish'" in flown.difference
    ran = CliRunner().invoke(app, ["replay", "--recording", str(path)])
    assert (ran.exit_code, "raymaker: the answers differ: message" in ran.stderr) == (4, True)


def test_the_command_tells_what_it_flew(folder: Path) -> None:
    path = str(newest(folder, "order_manager-0"))
    told = CliRunner().invoke(app, ["replay", "--recording", path])
    assert (told.exit_code, "the same answers, byte for byte" in told.stdout) == (0, True)
    shown = json.loads(CliRunner().invoke(app, ["replay", "--recording", path, "--json"]).stdout)
    assert msgspec.convert(shown, Flown).messages == sum(shown["kinds"].values())


def test_a_full_file_is_followed_by_one_that_stands_alone_and_the_oldest_goes(tmp_path: Path) -> None:
    assert record(tmp_path, 6.0, file_bytes_max=65_536, files_max=3).lines == []
    kept = recordings(tmp_path, "order_manager-0")
    numbers = [frame.number for path in kept for frame in read_frames(path) if isinstance(frame, Begun)]
    assert len(kept) == 3 and numbers[0] > 1
    assert [fly(path).difference for path in kept] == ["", "", ""]
    assert all(path.stat().st_size < 65_536 + 400_000 for path in kept)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in kept)


def test_a_file_that_the_death_of_its_process_has_torn_is_flown_to_its_last_whole_frame(
    folder: Path, tmp_path: Path
) -> None:
    whole = newest(folder, "inventory").read_bytes()
    torn = tmp_path / "torn.flight"
    torn.write_bytes(whole[:-7])
    assert (fly(torn).difference, fly(torn).messages) == ("", fly(newest(folder, "inventory")).messages - 1)


class Brittle:
    """A core that cannot take its third message."""

    def __init__(self) -> None:
        self.heard = 0

    def start(self, now_ns: int) -> list[Effect]:
        return []

    def handle(self, message: Message, now_ns: int) -> list[Effect]:
        self.heard += 1
        if self.heard == 3:
            raise ValueError("torn")
        return []


def test_a_core_that_failed_fails_again_in_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.runtime.pure_pickle.ROOMS", ("actors.", "protocols.", "configs.", __name__))
    recorder = FlightRecorder(tmp_path, "x", "strategy", 1, RecordingSettings(), mailboxes.StrategyMailbox, Log())
    core = Brittle()
    recorder.begin(core)  # type: ignore[arg-type]
    for number in range(3):
        message = TimerFired(name=str(number))
        try:
            recorder.handled(core, message, number, core.handle(message, number))  # type: ignore[arg-type]
        except ValueError as error:
            recorder.failed(message, number, error)
    flown = fly(newest(tmp_path, "x"))
    assert (flown.difference, flown.messages, flown.failure) == ("", 3, "ValueError('torn')")


def frames_of(path: Path, content: bytes) -> Iterator[Any]:
    path.write_bytes(content)
    return read_frames(path)


def test_a_file_that_is_none_or_damaged_is_bad_usage(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="is no flight recording"):
        list(frames_of(tmp_path / "a", b"hello"))
    whole = newest(folder, "alerting").read_bytes()
    with pytest.raises(RecordingError, match="damaged"):
        list(frames_of(tmp_path / "b", whole[:40] + b"\xff" * 40 + whole[80:]))
    ran = CliRunner().invoke(app, ["replay", "--recording", str(tmp_path / "absent")])
    assert (ran.exit_code, ran.stderr) == (
        2,
        f"raymaker: {tmp_path / 'absent'} cannot be read: No such file or directory.\n",
    )
    assert CliRunner().invoke(app, ["replay"]).exit_code == 2


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("echo harm",)


@pytest.mark.parametrize("harm", [Evil(), os.system, subprocess.Popen, CliRunner, Path("/etc")])
def test_a_file_that_names_anything_but_our_own_values_is_refused_before_it_is_called(harm: Any) -> None:
    with pytest.raises(NotPure):
        load_pure(pickle.dumps(harm))


def test_a_disk_that_takes_no_more_ends_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    recorder = FlightRecorder(tmp_path, "x", "strategy", 1, RecordingSettings(), mailboxes.StrategyMailbox, log)
    monkeypatch.setattr(os, "write", lambda descriptor, content: (_ for _ in ()).throw(OSError(28, "full")))
    recorder.begin(Brittle())  # type: ignore[arg-type]
    recorder.handled(Brittle(), TimerFired(name="a"), 1, [])  # type: ignore[arg-type]
    assert log.lines == ["the flight recording ends: [Errno 28] full"]
