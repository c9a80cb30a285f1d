"""`raymaker node`: a machine of a cluster, besides the first."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.cli.options import DEFAULT_STATE, ConfigOption, StateOption
from ops.cli.outcome import bad_usage, unconfirmed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(node)


def node(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of cluster.nodes.")],
    config: ConfigOption,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Be a node of the cluster of a configuration, until Ctrl-C.

    The first node is started by `up`; every other one by this, with the same configuration. It waits for the head, and joins again
    whenever its Ray dies. The cluster secret has to be in cluster.secret of its state directory, or in RAYMAKER_CLUSTER_SECRET.
    """
    from actors.runtime.ray_cluster import AlreadyRunning, ClusterError
    from actors.runtime.ray_nodes import NodeRefused, keep_node
    from actors.runtime.state_dir import StateDir, StateDirError
    from ops.cli.settings import settings_from
    from ops.cli.table import progress

    settings = settings_from(config)
    if settings.cluster is None:
        raise bad_usage(f"{config} has no cluster: a system on one machine is started by `raymaker up`.")
    try:
        code = keep_node(StateDir(state).create(), settings.cluster, name, progress)
    except (AlreadyRunning, NodeRefused, StateDirError) as error:
        raise bad_usage(f"{error}.") from None
    except ClusterError as error:
        raise unconfirmed(f"{error}.") from None
    raise typer.Exit(code)
