"""`raymaker up`: a system from a configuration, in the foreground or detached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.options import DEFAULT_STATE, ConfigOption, LiveOption, StateOption
from ops.cli.outcome import bad_usage, unconfirmed

if TYPE_CHECKING:
    from configs.schema import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up(
    config: ConfigOption,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it quotes, and leave it running.")] = False,
    state: StateOption = DEFAULT_STATE,
    live: LiveOption = None,
) -> None:
    """Start a system from a configuration.

    It stays in the foreground until Ctrl-C, which stops it, orders first; with --detach it goes on alone.
    """
    from ops.cli.settings import check_live, settings_from

    settings = settings_from(config)
    check_live(settings, live)
    _run(settings, state, detach)


def _run(settings: Settings, state: Path, detach: bool) -> None:
    from actors.runtime.state_dir import StateDir
    from ops.cli.session import Session
    from ops.cli.table import progress
    from ops.launch import AlreadyRunning, LaunchFailed

    directory = StateDir(state)
    try:
        with Session(settings, directory, progress) as session:
            session.start()
            if detach:
                session.leave_running()
                progress(f"running on {directory.path}: `raymaker status`, `raymaker down`")
                return
            session.watch(duration_s=None)
        ending = session.ending
    except (AlreadyRunning, LaunchFailed) as error:
        raise bad_usage(f"{error}") from None
    if ending is not None and not ending.confirmed:
        raise unconfirmed(f"stopped, but it is not confirmed that no order is left: {ending.text}")
