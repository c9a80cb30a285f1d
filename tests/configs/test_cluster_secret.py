"""The secret of a cluster is a private file of each node."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.cluster_secret import VARIABLE, ClusterSecretError, keep_cluster_secret, load_cluster_secret

SECRET = "0123456789abcdef" * 4


def test_the_first_node_makes_one_up_and_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "cluster.secret"
    keep_cluster_secret(file, make=True, environ={})
    made = load_cluster_secret(file)
    keep_cluster_secret(file, make=True, environ={})
    assert load_cluster_secret(file) == made
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_environment_fills_the_file(tmp_path: Path) -> None:
    file = tmp_path / "cluster.secret"
    keep_cluster_secret(file, make=False, environ={VARIABLE: SECRET})
    assert load_cluster_secret(file) == SECRET.encode()


def test_a_node_that_joins_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ClusterSecretError, match="copy the file from the state directory of the first node"):
        keep_cluster_secret(tmp_path / "cluster.secret", make=False, environ={})


def test_a_short_one_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ClusterSecretError, match="fewer than 32") as refused:
        keep_cluster_secret(tmp_path / "cluster.secret", make=False, environ={VARIABLE: "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_a_file_open_to_others_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cluster.secret"
    file.write_text(SECRET)
    file.chmod(0o644)
    with pytest.raises(ClusterSecretError, match="open to others"):
        load_cluster_secret(file)
