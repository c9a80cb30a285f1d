"""Which node each actor runs on, and where its readers find it.

The actors of a shard stand side by side on one node; what serves the whole account, and the supervisor, stay on the first node. A shard
moves only when its node is lost, to the node that may trade and has the fewest shards. A system on one machine has no nodes, and
nothing here changes its specs.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from actors.supervisor.child import Child
from protocols.messages.control import ActorSpec, NodePlan, SystemPlan


class Placement:
    """The nodes of a plan, who of them is alive, and the node of each shard."""

    def __init__(self, plan: SystemPlan, assigned: dict[int, str]) -> None:
        """Args: assigned: what was on file: shard -> name of its node."""
        self.nodes: dict[str, NodePlan] = {node.name: node for node in plan.nodes}
        self.home = plan.nodes[0].name if plan.nodes else ""
        self.assigned = dict(assigned)
        self.alive: frozenset[str] = frozenset()
        self._ports = {child.spec.name: child.links_port for child in plan.children}
        self._shards = {child.spec.name: Child.shard_of(child.spec) for child in plan.children}

    def node_of(self, name: str) -> str:
        """The node of an actor; empty where there are no nodes, or none is chosen yet."""
        shard = self._shards.get(name)
        return self.home if shard is None else self.assigned.get(shard, "")

    def is_reachable(self, name: str) -> bool:
        """Whether the node of an actor is alive; always where there are no nodes."""
        return not self.nodes or self.node_of(name) in self.alive

    def choose(self, shards: Iterable[int]) -> dict[int, str]:
        """The assignment with a living node for each of `shards` that lacks one; as it is where none can be had."""
        chosen = dict(self.assigned)
        for shard in shards:
            if chosen.get(shard) in self.alive:
                continue
            candidates = [node for node in self.nodes.values() if node.name in self.alive and node.trades]
            if candidates:
                taken = [name for other, name in chosen.items() if other != shard]
                wanted = [node for node in candidates if shard in node.shards]
                best = wanted[0] if wanted else min(candidates, key=lambda node: self._burden(node, taken))
                chosen[shard] = best.name
        return chosen

    def spec(self, child: Child, epoch: int, now_ns: int) -> ActorSpec:
        """What an actor is started with: where it listens, where those whom it reads are, and since when its epoch was announced.

        Args:
            now_ns: the supervisor's clock; an actor on another node has another and counts from its own start.
        """
        spec = msgspec.structs.replace(child.plan.spec, epoch=epoch, started_ns=now_ns)
        if not self.nodes:
            return spec
        node = self.nodes[self.node_of(child.name)]
        return msgspec.structs.replace(
            spec,
            node=node.name,
            started_ns=now_ns if node.name == self.home else 0,
            address=f"local:{spec.name}",
            tcp_address=f"tcp:{_bracketed(node.host)}:{child.plan.links_port}",
            peers={peer: self.address(peer, child.name) for peer in spec.peers},
        )

    def address(self, peer: str, reader: str) -> str:
        """Where `reader` finds `peer`; empty where there are no nodes."""
        if not self.nodes:
            return ""
        node = self.node_of(peer) or self.home
        if node == self.node_of(reader) or peer not in self._ports:
            return f"local:{peer}"
        return f"tcp:{_bracketed(self.nodes[node].host)}:{self._ports[peer]}"

    def _burden(self, node: NodePlan, taken: list[str]) -> tuple[int, bool, int]:
        order = list(self.nodes).index(node.name)
        return taken.count(node.name) + len(node.shards), node.name == self.home, order


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
