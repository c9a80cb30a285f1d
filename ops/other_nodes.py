"""The other nodes of a cluster in an emergency stop: each is knocked at by its keeper's door, at the same time, without Ray."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from actors.runtime.links.proof import ClusterSecret
from actors.runtime.ray_cluster import ClusterError, last_cluster
from actors.runtime.state_dir import StateDir
from actors.runtime.stop_door import DoorClosed, StopAsked, StopDone, knock
from configs.cluster_secret import ClusterSecretError, cluster_secret_here
from configs.schema import ClusterSettings, NodeSettings


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What each node answered. `away`: by name, why it was not reached, or what it could not do."""

    told: dict[str, str]
    away: dict[str, str]

    @property
    def lines(self) -> list[str]:
        """One for each node."""
        return [f"node {name}: {text}." for name, text in {**self.told, **self.away}.items()]

    @property
    def doubt(self) -> str:
        """What a person has to know when a node is away; empty when none is."""
        if not self.away:
            return ""
        return (
            f"node {', '.join(self.away)} was not stopped: an order manager that lives there may trade again. "
            "End it there, or revoke the key at the venue."
        )


def node_here(state: StateDir, cluster: ClusterSettings) -> str:
    """Name of the node whose state directory this is, whether it runs or not; empty when that cannot be told."""
    try:
        return last_cluster(state).node
    except ClusterError:
        return cluster.nodes[0].name if state.plan_file.exists() else ""  # only the first node has the plan


def stop_other_nodes(cluster: ClusterSettings, here: str, secret_file: Path, reason: str, *, kills: bool) -> Reached:
    """Ask every node but `here` to shut, and to end its order managers where `kills`.

    Args:
        here: name of the node whose stop file is written already; empty when none is.
        secret_file: of the cluster secret, where the environment does not name one.
    """
    nodes = [node for node in cluster.nodes if node.name != here]
    try:
        secret = ClusterSecret(cluster_secret_here(secret_file))
    except ClusterSecretError as error:
        return Reached(told={}, away={node.name: f"not asked: {error}" for node in nodes})
    told: dict[str, str] = {}
    away: dict[str, str] = {}

    def ask(node: NodeSettings) -> StopDone | DoorClosed:
        try:
            return knock(node.host, cluster.stop_port, secret, StopAsked(reason, kills))
        except DoorClosed as closed:
            return closed

    if nodes:
        with ThreadPoolExecutor(len(nodes)) as pool:
            for node, done in zip(nodes, pool.map(ask, nodes), strict=True):
                if isinstance(done, DoorClosed):
                    away[node.name] = f"not reached: {done}"
                else:
                    (told if done.shut and not done.survived else away)[node.name] = done.text
    return Reached(told=told, away=away)
