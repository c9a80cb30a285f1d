"""`raymaker start`, `stop` and `restart`: actors of a running system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.options import DEFAULT_STATE, StateOption
from ops.cli.outcome import bad_usage, unconfirmed

if TYPE_CHECKING:
    from protocols.messages.control import AnyCommand

ACTOR_TIMEOUT_S = 60.0

RoleArgument = Annotated[
    str, typer.Argument(metavar="ROLE", help="A role (order_manager) or one actor (order_manager-0).")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (start, stop, restart):
        app.command()(command)


def start(role: RoleArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Start actors that were stopped."""
    from protocols.messages.control import StartActor

    _carry_out(state, StartActor(name=_known(role)))


def stop(role: RoleArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Drain and stop actors until they are started again."""
    from protocols.messages.control import StopActor

    _carry_out(state, StopActor(name=_known(role)))


def restart(role: RoleArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Drain, stop and start actors under a new epoch."""
    from protocols.messages.control import RestartActor

    _carry_out(state, RestartActor(name=_known(role)))


def _known(role: str) -> str:
    from ops.system import SHARDED, START_ORDER

    kind, dash, shard = role.partition("-")
    if kind not in START_ORDER or (dash and (kind not in SHARDED or not shard.isdecimal())):
        raise bad_usage(f"{role} is no actor: name one of {', '.join(START_ORDER)}, or one shard's such as strategy-0.")
    return role


def _carry_out(state: Path, command: AnyCommand) -> None:
    from ops.cli.asking import ask
    from protocols.messages.control import Answer

    answer = ask(state, command, ACTOR_TIMEOUT_S)
    if not isinstance(answer, Answer):
        raise unconfirmed("the supervisor answered something else.")
    if not answer.done:
        raise bad_usage(f"{answer.text}.")
    if not answer.confirmed:
        raise unconfirmed(f"{answer.text}.")
    print(answer.text)
