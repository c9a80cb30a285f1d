"""`raymaker emergency-stop`, `raymaker flatten` and `raymaker resume`.

The stop file is written before anything heavy is imported: the gates shut whatever happens to the rest of the command.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ops.cli.options import DEFAULT_STATE, StateOption
from ops.cli.outcome import CommandFailed, bad_usage, not_running, unconfirmed

if TYPE_CHECKING:
    from configs.schema import Settings

STOP_TIMEOUT_S = 20.0
RESUME_TIMEOUT_S = 20.0
RESUME_ATTEMPTS_MAX = 3
RESUME_PAUSE_S = 1.5
"""Longer than the supervisor's period of reading snapshots, so that the status is of after the resume."""

DirectOption = Annotated[
    bool,
    typer.Option(
        "--direct", help="Without Ray and without any actor: kill this node's order managers, then cancel by REST."
    ),
]
StopConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="With --direct: take venue and symbols from here.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("emergency-stop")(emergency_stop)
    app.command()(flatten)
    app.command()(resume)


def emergency_stop(
    state: StateOption = DEFAULT_STATE,
    direct: DirectOption = False,
    close: Annotated[bool, typer.Option("--flatten", help="Close every position too, by reduce-only orders.")] = False,
    config: StopConfigOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is shown until resume.")] = "emergency-stop command",
) -> None:
    """Shut every gate and cancel everything.

    Confirms that nothing is open, and is latched until resume.
    """
    _stop(state, config, reason, direct=direct, close=close)


def flatten(
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="Close this one only.")] = None,
    state: StateOption = DEFAULT_STATE,
    urgency: Annotated[
        Literal["passive", "crossing"] | None,
        typer.Option("--urgency", help="Rest at the touch first, or cross at once; the configuration's otherwise."),
    ] = None,
    direct: DirectOption = False,
    config: StopConfigOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is shown until resume.")] = "flatten command",
) -> None:
    """Stop everything as emergency-stop does, then close positions.

    Whoever opened them: the venue's own word counts. Quoting is stopped until resume, also of symbols that are not closed.
    """
    if symbol is not None:
        symbol = _known(symbol, state, config)
    _stop(state, config, reason, direct=direct, close=True, symbol=symbol, urgency=urgency)


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


def _stop(
    state: Path,
    config: Path | None,
    reason: str,
    *,
    direct: bool,
    close: bool,
    symbol: str | None = None,
    urgency: str | None = None,
) -> None:
    if config is not None and not direct:
        raise bad_usage("--config is for --direct; without it the running system knows its venue.")
    shut_s = time.monotonic()
    is_here = _shut(state, reason, needed=not (direct and config is not None))
    if direct and is_here:
        _kill_order_managers(state)
    tell = _nothing if direct else lambda: _tell_supervisor(state, reason)
    try:
        settings = _settings(state, config)
        _at_the_venue(settings, symbol, urgency, close=close, direct=direct, shut_s=shut_s, meanwhile=tell)
    except _Untold as untold:
        tell()
        raise untold.failure from None


class _Untold(Exception):
    """The venue could not be turned to at all: the supervisor must at least be told."""

    def __init__(self, failure: CommandFailed) -> None:
        super().__init__(failure.sentence)
        self.failure = failure


def _nothing() -> None:
    pass


def _shut(state: Path, reason: str, needed: bool) -> bool:
    """Write the stop file with the standard library alone; whether there is a state directory here at all."""
    from actors.runtime.shut import write_stop_file

    if not state.is_dir():
        if needed:
            raise not_running(f"{state} is no state directory: name the system's with --state.")
        print(f"{state} is no state directory: no gate is shut here, and what trades elsewhere is not stopped by this.")
        return False
    path = Path(os.path.abspath(state)) / "STOP"  # noqa: PTH100 - as the state directory itself computes it
    try:
        doubt = write_stop_file(path, reason)
    except OSError as error:
        print(f"{path} could not be written ({error.strerror}): the gates may be open; going on to cancel.")
        return True
    print(f"SHUT: {path} is written; every gate on this node refuses.")
    if doubt:
        print(f"It may not outlive a crash of this machine: {doubt}.")
    return True


def _kill_order_managers(state: Path) -> None:
    from actors.runtime.state_dir import StateDir
    from ops.order_managers import kill_order_managers

    print(f"{kill_order_managers(StateDir(state)).text}.")


def _tell_supervisor(state: Path, reason: str) -> None:
    """The gates are shut already; the supervisor latches it, tells the actors and lets them cancel. Its silence stops nothing."""
    from ops.cli.asking import ask
    from protocols.messages.control import Answer, EmergencyStop

    try:
        answer = ask(state, EmergencyStop(reason=reason), STOP_TIMEOUT_S)
    except CommandFailed as failure:
        print(f"the supervisor was not told ({failure.sentence}); going on at the venue.")
        return
    print(f"told the supervisor: {answer.text if isinstance(answer, Answer) else 'no answer'}")


def _at_the_venue(
    settings: Settings,
    symbol: str | None,
    urgency: str | None,
    *,
    close: bool,
    direct: bool,
    shut_s: float,
    meanwhile: Callable[[], None],
) -> None:
    """Cancel at the venue itself, let the venue say that nothing is open, and close what is to be closed."""
    from configs.keys import ApiKeyError
    from ops.direct_venue import DirectVenue
    from ops.emergency_stop import cancel_everything, stop_keys
    from ops.flatten import flatten as close_positions

    try:
        keys = stop_keys(settings.venue)
    except ApiKeyError as error:
        failed = bad_usage if direct else unconfirmed
        raise _Untold(failed(f"the venue cannot be asked: {error}.")) from None
    with DirectVenue(settings.venue.rest_url, keys, settings.venue.request_timeout_ms) as venue:
        cleared = cancel_everything(venue, settings.symbols, settings.order_manager, say=print, meanwhile=meanwhile)
        if not cleared.clear:
            raise unconfirmed(f"{cleared.text}.")
        print(f"CLEAR after {time.monotonic() - shut_s:.1f} s: {cleared.text}.")
        if not close and not (direct and settings.flatten.on_emergency):
            return
        if settings.dry_run:
            raise unconfirmed("dry_run is true in the configuration: no position is closed.")
        chosen = {"urgency": urgency} if urgency is not None else {}
        changed = settings.model_copy(update={"flatten": settings.flatten.model_copy(update=chosen)})
        symbols = (symbol,) if symbol is not None else settings.symbols
        flattened = close_positions(venue, symbols, changed, say=print)
    if not flattened.flat:
        raise unconfirmed(f"{flattened.text}.")
    print(f"FLAT after {time.monotonic() - shut_s:.1f} s: {flattened.text}.")


def _known(symbol: str, state: Path, config: Path | None) -> str:
    """The symbol as the venue writes it; a wrong one stops nothing."""
    try:
        symbols = _settings(state, config).symbols
    except _Untold as untold:
        raise untold.failure from None
    if symbol.upper() not in symbols:
        raise bad_usage(f"{symbol} is not one of the system's symbols: {', '.join(symbols)}.")
    return symbol.upper()


def _settings(state: Path, config: Path | None) -> Settings:
    if config is not None:
        from ops.cli.settings import settings_from

        try:
            return settings_from(config)
        except CommandFailed as failure:
            raise _Untold(failure) from None
    from actors.runtime.state_dir import StateDir
    from ops.saved_plan import SavedPlanError, saved_settings

    try:
        settings = saved_settings(StateDir(state))
    except SavedPlanError as error:
        raise _Untold(bad_usage(f"{error}; name the venue and the symbols with --direct --config FILE.")) from None
    if settings is None:
        raise _Untold(
            not_running(
                f"{state} holds no plan of a system: name the venue and the symbols with --direct --config FILE."
            )
        )
    return settings
