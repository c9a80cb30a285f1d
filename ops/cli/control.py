"""`raymaker start`, `stop`, `restart` and `down`: commands to the supervisor of a running system."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.options import DEFAULT_STATE, StateOption
from ops.cli.outcome import bad_usage, not_running, unconfirmed

if TYPE_CHECKING:
    from actors.runtime.state_dir import StateDir
    from protocols.messages.control import AnyAnswer, AnyCommand

ACTOR_TIMEOUT_S = 60.0
ASK_TIMEOUT_S = 20.0

RoleArgument = Annotated[
    str, typer.Argument(metavar="ROLE", help="A role (order_manager) or one actor (order_manager-0).")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (start, stop, restart, down):
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


def down(state: StateOption = DEFAULT_STATE) -> None:
    """Stop the system, orders first."""
    from actors.runtime.state_dir import StateDir
    from ops import launch
    from ops.saved_plan import SavedPlanError, saved_settings

    directory = StateDir(state)
    try:
        settings = saved_settings(directory)
    except SavedPlanError:
        settings = None
    try:
        client = launch.connect(state)
    except launch.NotRunning as error:
        _clear_away(directory)
        raise not_running(f"{error}.") from None
    except launch.RayHostError as error:
        _clear_away(directory)
        raise unconfirmed(f"everything is stopped, but it is not confirmed that no order is left: {error}.") from None
    try:
        ending = launch.shut_down(client, directory, settings, say=print)
    except launch.LaunchFailed as error:
        raise unconfirmed(f"{error}.") from None
    if not ending.confirmed:
        raise unconfirmed(f"everything is stopped, but it is not confirmed that no order is left: {ending.text}")
    print(ending.text or "stopped")


class Asking:
    """A way to the supervisor of the system on a state directory, for one or more commands. Use as a context manager."""

    def __init__(self, state: Path) -> None:
        """
        Raises:
            CommandFailed: not running, or it does not answer.
        """
        from ops import launch

        try:
            self._client = launch.connect(state)
        except launch.NotRunning as error:
            raise not_running(f"{error}.") from None
        except launch.RayHostError as error:
            raise unconfirmed(f"{error}.") from None

    def __enter__(self) -> Asking:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, command: AnyCommand, timeout_s: float = ASK_TIMEOUT_S) -> AnyAnswer:
        """Give one command.

        Raises:
            CommandFailed: there is no supervisor, it refused, or it did not answer, so that the outcome is not known.
        """
        from ops import launch

        try:
            return self._client.ask(command, timeout_s)
        except launch.NotRunning as error:
            raise not_running(f"{error}.") from None
        except launch.CallRefused as error:
            raise bad_usage(f"{error}.") from None
        except launch.RayHostError as error:
            raise unconfirmed(f"{error}.") from None


def ask(state: Path, command: AnyCommand, timeout_s: float = ASK_TIMEOUT_S) -> AnyAnswer:
    """Give one command to the supervisor of the system on `state`.

    Raises:
        CommandFailed: as `Asking`.
    """
    with Asking(state) as asking:
        return asking.ask(command, timeout_s)


def _clear_away(directory: StateDir) -> None:
    from ops import launch

    try:
        launch.clear_away(directory)
    except launch.LaunchFailed as error:
        raise unconfirmed(f"{error}.") from None


def _known(role: str) -> str:
    from ops.system import SHARDED, START_ORDER

    kind, dash, shard = role.partition("-")
    if kind not in START_ORDER or (dash and (kind not in SHARDED or not shard.isdecimal())):
        raise bad_usage(f"{role} is no actor: name one of {', '.join(START_ORDER)}, or one shard's such as strategy-0.")
    return role


def _carry_out(state: Path, command: AnyCommand) -> None:
    from protocols.messages.control import Answer

    answer = ask(state, command, ACTOR_TIMEOUT_S)
    if not isinstance(answer, Answer):
        raise unconfirmed("the supervisor answered something else.")
    if not answer.done:
        raise bad_usage(f"{answer.text}.")
    if not answer.confirmed:
        raise unconfirmed(f"{answer.text}.")
    print(answer.text)
