"""`raymaker emergency-stop` and `raymaker resume`.

The stop file is written before anything heavy is imported: the gates shut whatever happens to the rest of the command.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.options import DEFAULT_STATE, StateOption
from ops.cli.outcome import bad_usage, not_running, unconfirmed

if TYPE_CHECKING:
    from configs.schema import Settings

STOP_TIMEOUT_S = 20.0
RESUME_TIMEOUT_S = 20.0
RESUME_ATTEMPTS_MAX = 3
RESUME_PAUSE_S = 1.5
"""Longer than the supervisor's period of reading snapshots, so that the status is of after the resume."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("emergency-stop")(emergency_stop)
    app.command()(resume)


def emergency_stop(
    state: StateOption = DEFAULT_STATE,
    direct: Annotated[
        bool,
        typer.Option("--direct", help="Cancel at the venue by REST with the keys, without Ray and without any actor."),
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="With --direct: take venue and symbols from here.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is shown until resume.")] = "emergency-stop command",
) -> None:
    """Shut every gate and cancel everything.

    Confirms that nothing is open, and is latched until resume.
    """
    if config is not None and not direct:
        raise bad_usage("--config is for --direct; without it the running system knows its venue.")
    _shut(state, reason, needed=not (direct and config is not None))
    if not direct:
        _tell_supervisor(state, reason)
    _clear(state, config, direct)


def resume(
    state: StateOption = DEFAULT_STATE,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is logged.")] = "resume command",
) -> None:
    """Lift an emergency stop or a halt."""
    from ops.cli.asking import Asking
    from ops.views import stopped_order_managers
    from protocols.messages.control import Answer, GetStatus, Resume, SystemStatus

    still: dict[str, str] = {}
    with Asking(state) as asking:
        for _ in range(RESUME_ATTEMPTS_MAX):
            answer = asking.ask(Resume(reason=reason), RESUME_TIMEOUT_S)
            if not isinstance(answer, Answer) or not answer.done:
                raise unconfirmed(
                    answer.text if isinstance(answer, Answer) else "the supervisor answered something else."
                )
            time.sleep(RESUME_PAUSE_S)
            status = asking.ask(GetStatus(), RESUME_TIMEOUT_S)
            still = stopped_order_managers(status) if isinstance(status, SystemStatus) else {"supervisor": "no status"}
            if not still:
                print("resumed: the order managers recover and quote again")
                return
    told = "; ".join(f"{name}: {why}" for name, why in still.items())
    raise unconfirmed(f"resume was given, but not every order manager has lifted its stop: {told}.")


def _shut(state: Path, reason: str, needed: bool) -> None:
    """Write the stop file with the standard library alone."""
    from ops.stop_file import write_stop_file

    if not state.is_dir():
        if needed:
            raise not_running(f"{state} is no state directory: name the system's with --state.")
        return
    path = Path(os.path.abspath(state)) / "STOP"  # noqa: PTH100 - as the state directory itself computes it
    try:
        write_stop_file(path, reason)
    except OSError as error:
        print(f"{path} could not be written ({error.strerror}): the gates may be open; going on to cancel.")
        return
    print(f"SHUT: {path} is written; every gate on this node refuses.")


def _tell_supervisor(state: Path, reason: str) -> None:
    """The gates are shut already; the supervisor latches it, tells the actors and lets them cancel. Its silence stops nothing."""
    from ops.cli.asking import ask
    from ops.cli.outcome import CommandFailed
    from protocols.messages.control import Answer, EmergencyStop

    try:
        answer = ask(state, EmergencyStop(reason=reason), STOP_TIMEOUT_S)
    except CommandFailed as failure:
        print(f"the supervisor was not told ({failure.sentence}); going on at the venue.")
        return
    print(f"told the supervisor: {answer.text if isinstance(answer, Answer) else 'no answer'}")


def _clear(state: Path, config: Path | None, direct: bool) -> None:
    """Cancel at the venue itself, and let the venue say that nothing is open."""
    from configs.keys import ApiKeyError, load_keys
    from ops.direct_venue import DirectVenue
    from ops.emergency_stop import cancel_everything

    settings = _settings(state, config)
    try:
        keys = load_keys(settings.venue.keys)
    except ApiKeyError as error:
        if direct:
            raise bad_usage(f"{error}.") from None
        raise unconfirmed(f"the gates are shut, but the venue cannot be asked: {error}.") from None
    with DirectVenue(settings.venue.rest_url, keys, settings.venue.request_timeout_ms) as venue:
        cleared = cancel_everything(venue, settings.symbols, settings.order_manager, say=print)
    if not cleared.clear:
        raise unconfirmed(f"{cleared.text}.")
    print(f"CLEAR: {cleared.text}.")


def _settings(state: Path, config: Path | None) -> Settings:
    if config is not None:
        from ops.cli.settings import settings_from

        return settings_from(config)
    from actors.runtime.state_dir import StateDir
    from ops.saved_plan import SavedPlanError, saved_settings

    try:
        settings = saved_settings(StateDir(state))
    except SavedPlanError as error:
        raise bad_usage(f"{error}; name the venue and the symbols with --config.") from None
    if settings is None:
        raise not_running(f"{state} holds no plan of a system: name the venue and the symbols with --config.")
    return settings
