"""Where the files and sockets of a running system are."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from actors.runtime.state_dir import SOCKET_PATH_BYTES_MAX, StateDir, StateDirError


def test_folders_are_private(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state").create()
    for folder in (state.path, state.journal(0).parent, state.log("x").parent, state.spool("x").parent, state.run):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_short_path_keeps_its_sockets_inside() -> None:
    state = StateDir("/short")
    assert state.socket("order_manager-0") == "unix:/short/run/order_manager-0.sock"


def test_a_deep_path_gets_a_short_private_folder(tmp_path: Path) -> None:
    state = StateDir(tmp_path / ("d" * 120)).create()
    address = state.socket("order_manager-35")
    assert len(address.removeprefix("unix:").encode()) <= SOCKET_PATH_BYTES_MAX
    assert (state.path / "run").is_symlink()
    assert stat.S_IMODE(state.run.stat().st_mode) == 0o700


def test_the_short_folder_is_the_same_for_every_process_and_start(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    assert StateDir(deep).create().socket("a") == StateDir(deep).create().socket("a") == StateDir(deep).socket("a")


def test_a_lost_short_folder_is_made_anew(tmp_path: Path) -> None:
    state = StateDir(tmp_path / ("d" * 120)).create()
    state.run.rmdir()
    assert state.create().run.is_dir()


def test_a_deep_path_that_was_not_created_is_refused_with_its_length(tmp_path: Path) -> None:
    with pytest.raises(StateDirError, match="more than 107"):
        StateDir(tmp_path / ("d" * 120)).socket("a")


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateDirError, match="is not a folder"):
        StateDir(tmp_path / "state").create()


def test_a_directory_that_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    with pytest.raises(StateDirError, match="chmod 700"):
        StateDir(tmp_path / "state").create()
