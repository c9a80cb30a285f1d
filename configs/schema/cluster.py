"""Section `cluster`: the nodes of a system of several machines."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from configs.schema.section import Milliseconds, Section


class NodeSettings(Section):
    """One node of a cluster. `host` is the address at which the other nodes reach it.

    `shards` are those that it takes first; what no node asks for, and what a lost node leaves, goes to the nodes that may trade,
    the one with the fewest shards first.
    """

    name: str = Field(pattern=r"^[a-z0-9]{1,12}$")
    host: str
    shards: tuple[Annotated[int, Field(ge=0, le=35)], ...] = ()
    trades: bool = True

    @field_validator("host")
    @classmethod
    def _host_is_an_address(cls, host: str) -> str:
        try:
            address = ip_address(host)
        except ValueError:
            raise ValueError("must be an IP address: a name could be answered by somebody else") from None
        if address.is_unspecified or address.is_multicast:
            raise ValueError("must be the address of one machine")
        if host == "127.0.0.1":
            raise ValueError(
                "127.0.0.1 is taken by Ray for the outer address: use another one of 127.0.0.0/8 on one machine"
            )
        return host


class ClusterSettings(Section):
    """Several nodes. The first one has the head, the supervisor and the actors that serve the whole account.

    `links_port` is the first of as many ports as there are actors, the same on every node; `ray_port` is the head's.
    At `stop_port` each node's keeper hears of an emergency stop when Ray and the supervisor cannot tell it.
    """

    nodes: tuple[NodeSettings, ...] = Field(min_length=1, max_length=64)
    ray_port: int = Field(default=6380, ge=1_024, le=9_999)
    links_port: int = Field(default=7_100, ge=1_024, le=9_800)
    stop_port: int = Field(default=7_090, ge=1_024, le=65_535)
    join_timeout_ms: Milliseconds = 120_000

    @model_validator(mode="after")
    def _nodes_are_distinct(self) -> ClusterSettings:
        for what, values in (
            ("name", [node.name for node in self.nodes]),
            ("host", [node.host for node in self.nodes]),
            ("shard", [shard for node in self.nodes for shard in node.shards]),
        ):
            if len(set(values)) != len(values):
                raise ValueError(f"two nodes have the same {what}")
        if not any(node.trades for node in self.nodes):
            raise ValueError("no node may trade")
        return self
