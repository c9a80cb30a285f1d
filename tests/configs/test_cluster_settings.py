"""What a configuration may say of its nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.loading import ConfigError, parse_settings
from configs.schema import Settings

DEMO = yaml.safe_load((Path(__file__).parents[2] / "configs" / "demo.yaml").read_text())


def with_nodes(*nodes: dict[str, Any], **cluster: Any) -> Settings:
    return parse_settings({**DEMO, "cluster": {"nodes": list(nodes), **cluster}}, {}, source="test")


def test_a_system_is_on_one_machine_unless_it_says_more() -> None:
    assert parse_settings(DEMO, {}, source="test").cluster is None


def test_two_machines() -> None:
    cluster = with_nodes(
        {"name": "home", "host": "10.0.0.1", "trades": False}, {"name": "b", "host": "10.0.0.2"}
    ).cluster
    assert cluster is not None
    assert [(node.name, node.host, node.trades) for node in cluster.nodes] == [
        ("home", "10.0.0.1", False),
        ("b", "10.0.0.2", True),
    ]


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([], "at least 1 item"),
        ([{"name": "a", "host": "10.0.0.1"}, {"name": "a", "host": "10.0.0.2"}], "two nodes have the same name"),
        ([{"name": "a", "host": "10.0.0.1"}, {"name": "b", "host": "10.0.0.1"}], "two nodes have the same host"),
        (
            [{"name": "a", "host": "10.0.0.1", "shards": [0]}, {"name": "b", "host": "10.0.0.2", "shards": [0]}],
            "two nodes have the same shard",
        ),
        ([{"name": "a", "host": "10.0.0.1", "shards": [1]}], "shard 1 does not exist"),
        ([{"name": "a", "host": "10.0.0.1", "trades": False}], "no node may trade"),
        ([{"name": "a", "host": "trader.example"}], "must be an IP address"),
        ([{"name": "a", "host": "0.0.0.0"}], "must be the address of one machine"),
        ([{"name": "a", "host": "127.0.0.1"}], "127.0.0.1 is taken by Ray"),
        ([{"name": "A b", "host": "10.0.0.1"}], "pattern"),
    ],
)
def test_what_cannot_work_is_refused_with_its_reason(nodes: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        with_nodes(*nodes)


def test_the_heads_port_stays_clear_of_rays_own() -> None:
    with pytest.raises(ConfigError, match="ray_port"):
        with_nodes({"name": "a", "host": "10.0.0.1"}, ray_port=10_500)
