"""`raymaker up` and `raymaker down`: the life of a system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.options import DEFAULT_STATE, ConfigOption, LiveOption, StateOption
from ops.cli.outcome import CommandFailed, bad_usage, not_running, unconfirmed

if TYPE_CHECKING:
    from actors.runtime.state_dir import StateDir
    from configs.schema import Settings
    from ops.launch import Ending


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)


def up(
    config: ConfigOption,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it quotes, and leave it running.")] = False,
    state: StateOption = DEFAULT_STATE,
    live: LiveOption = None,
    new_state: Annotated[
        bool, typer.Option("--new-state", help="Start live on a new state directory although we have traded before.")
    ] = False,
) -> None:
    """Start a system from a configuration.

    It stays in the foreground until Ctrl-C, which stops it, orders first; with --detach it goes on alone.
    """
    from actors.runtime.state_dir import StateDir

    directory = StateDir(state)
    _refuse_second_start(directory)
    from ops.cli.settings import check_live, prepared, settings_from

    settings = settings_from(config)
    check_live(settings, live)
    _run(prepared(settings, directory), directory, detach, str(config.resolve()), new_state)


def down(state: StateOption = DEFAULT_STATE) -> None:
    """Stop the system, orders first."""
    from actors.runtime.state_dir import StateDir
    from ops.cli.asking import require_running

    directory = StateDir(state)
    try:
        require_running(state)
    except CommandFailed:
        _clear_away(directory)  # a Ray that was killed may have left processes behind
        raise
    _shut_down(directory)


def _run(settings: Settings, directory: StateDir, detach: bool, config_file: str, new_state: bool) -> None:
    from ops.cli.session import Session
    from ops.cli.table import progress
    from ops.launch import AlreadyRunning, LaunchFailed, StartAbandoned

    session = Session(settings, directory, progress, config_file=config_file, new_state=new_state)
    try:
        with session:
            session.start()
            if detach:
                session.leave_running()
                progress(f"running on {directory.path}: see `raymaker status`, end it with `raymaker down`")
                return
            session.watch(duration_s=None)
    except StartAbandoned:
        progress("stopped before anything was quoted")
        return
    except AlreadyRunning as error:
        raise bad_usage(f"{error}.") from None
    except LaunchFailed as error:
        if session.ending is None:
            raise bad_usage(f"{error}.") from None
        raise unconfirmed(f"{error}; {session.ending.text}.") from None
    if session.ended_elsewhere:
        progress("stopped by another command, which has said whether every order is gone")
        return
    _judge(session.ending)


def _refuse_second_start(directory: StateDir) -> None:
    """Say so before settings and Ray are imported, which takes seconds on a busy machine; the start itself takes the lock again."""
    import os

    from actors.runtime.ray_cluster import AlreadyRunning, take_lock

    if not directory.path.is_dir():
        return
    try:
        os.close(take_lock(directory))
    except AlreadyRunning as error:
        raise bad_usage(f"{error}.") from None


def _shut_down(directory: StateDir) -> None:
    from ops import launch
    from ops.saved_plan import SavedPlanError, saved_settings

    try:
        settings = saved_settings(directory)
    except SavedPlanError:
        settings = None
    try:
        client = launch.connect(directory.path)
        _judge(launch.shut_down(client, directory, settings, say=print))
    except launch.NotRunning as error:
        raise not_running(f"{error}.") from None
    except launch.RayHostError as error:
        doubt = launch.Ending(confirmed=False, text=str(error))
        _judge(launch.ended(directory, "", settings, print, doubt))
    except launch.LaunchFailed as error:
        raise unconfirmed(f"{error}.") from None


def _judge(ending: Ending | None) -> None:
    if ending is None or not ending.confirmed:
        text = ending.text if ending else "it did not end"
        raise unconfirmed(f"everything is stopped, but it is not confirmed that no order is left: {text}.")
    print(ending.text)


def _clear_away(directory: StateDir) -> None:
    from actors.runtime.ray_cluster import ClusterError, stop_cluster

    try:
        stop_cluster(directory)
    except ClusterError as error:
        raise unconfirmed(f"{error}.") from None
