"""`raymaker node`: what it refuses before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from actors.runtime.ray_cluster import take_lock
from actors.runtime.state_dir import StateDir
from configs.cluster_secret import VARIABLE
from ops.cli.app import app

DEMO = (Path(__file__).parents[3] / "configs" / "demo.yaml").read_text()
NODES = """
cluster:
  nodes:
    - {name: home, host: 127.0.0.2}
    - {name: left, host: 127.0.0.3}
"""


def refused(tmp_path: Path, name: str, text: str = DEMO + NODES) -> str:
    config = tmp_path / "cluster.yaml"
    config.write_text(text)
    arguments = ["node", name, "--config", str(config), "--state", str(tmp_path / "state")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    return result.stderr


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("right", "no node is named 'right': there are home, left."),
        ("home", "home is the first node: it is started by `raymaker up`."),
    ],
)
def test_only_a_node_of_the_configuration_besides_the_first(tmp_path: Path, name: str, sentence: str) -> None:
    assert sentence in refused(tmp_path, name)


def test_a_configuration_without_a_cluster_is_for_up(tmp_path: Path) -> None:
    assert "has no cluster: a system on one machine is started by `raymaker up`" in refused(tmp_path, "left", DEMO)


def test_without_the_secret_it_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert "copy the file from the state directory of the first node" in refused(tmp_path, "left")


def test_a_second_one_on_the_same_state_directory_is_one_sentence(tmp_path: Path) -> None:
    take_lock(StateDir(tmp_path / "state").create())
    assert "a system is running on" in refused(tmp_path, "left")
