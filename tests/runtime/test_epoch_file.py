"""The file half of the epoch sequence."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.runtime.epochs import EpochError, EpochFile
from actors.runtime.ray_cluster import ClusterError, NotRunning, running_cluster, stop_cluster, write_durably
from actors.runtime.state_dir import StateDir


def test_a_new_file_has_given_none(tmp_path: Path) -> None:
    assert EpochFile(tmp_path / "epochs.json").greatest() == 0


def test_a_recorded_epoch_is_read_by_the_next_process(tmp_path: Path) -> None:
    EpochFile(tmp_path / "epochs.json").record(41)
    assert EpochFile(tmp_path / "epochs.json").greatest() == 41


def test_a_lower_epoch_never_replaces_a_greater_one(tmp_path: Path) -> None:
    book = EpochFile(tmp_path / "epochs.json")
    book.record(41)
    book.record(7)
    assert book.greatest() == 41


@pytest.mark.parametrize("content", [b"", b"{", b'{"greatest": "x"}', b'{"greatest": 1.5}', b"\xff"])
def test_a_damaged_file_is_not_guessed_at(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "epochs.json"
    path.write_bytes(content)
    with pytest.raises(EpochError, match=r"epochs.json cannot be read .* above every epoch"):
        EpochFile(path).greatest()


def test_a_durable_write_replaces_the_whole_file_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, b"a long first content")
    write_durably(path, b"short")
    assert path.read_bytes() == b"short"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_runs_on_a_new_state_directory(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state").create()
    with pytest.raises(NotRunning, match=r"nothing is running on .*state: start it with `raymaker up`"):
        running_cluster(state)
    stop_cluster(state)


def test_a_damaged_ray_file_is_told(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state").create()
    state.ray_file.write_bytes(b"{}")
    with pytest.raises(ClusterError, match=r"ray.json is damaged"):
        running_cluster(state)
