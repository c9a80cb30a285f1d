"""`raymaker emergency-stop`, `raymaker flatten` and `raymaker resume`.

The stop file is written before anything heavy is imported: the gates shut whatever happens to the rest of the command.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ops.cli.options import DEFAULT_STATE, StateOption
from ops.cli.outcome import bad_usage, not_running, unconfirmed

if TYPE_CHECKING:
    from configs.schema import Settings
    from ops.direct_venue import DirectVenue

STOP_TIMEOUT_S = 20.0
"""How long the supervisor's answer is waited for; it holds nothing up."""

RESUME_TIMEOUT_S = 20.0
RESUME_ATTEMPTS_MAX = 3
RESUME_PAUSE_S = 1.5
"""Longer than the supervisor's period of reading snapshots, so that the status is of after the resume."""

DirectOption = Annotated[
    bool,
    typer.Option(
        "--direct",
        help="Without Ray and without any actor: kill order managers, on every node that can be reached, then cancel by REST.",
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
    """Lift an emergency stop or a halt.

    Given again, a few times, while somebody still holds the system back who has not heard of it.
    """
    from ops.cli.asking import Asking
    from ops.views import not_resumed
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
            still = not_resumed(status) if isinstance(status, SystemStatus) else {"supervisor": "no status"}
            if not still:
                print("resumed: the order managers recover and quote again")
                return
    told = "; ".join(f"{name}: {why}" for name, why in still.items())
    raise unconfirmed(f"resume was given, but not everything is lifted: {told}.")


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
    is_here = _shut(state, reason, needed=not (direct and config is not None))
    began_s = time.monotonic()
    if direct and is_here:
        _kill_order_managers(state)
    shut_ns = time.monotonic_ns()
    telling = None if direct else _Telling(state, reason)
    try:
        settings = _settings(state, config)
        doubt, shut_ns = _stop_other_nodes(settings, state, reason, direct, is_here, shut_ns)
        with _venue(settings, direct) as venue:
            _clear(venue, settings, shut_ns, began_s)
            if doubt:
                print(f"CLEAR for now: {doubt}", flush=True)
            if telling is not None:
                telling.end()
            if close or (direct and settings.flatten.on_emergency):
                _flatten(venue, settings, symbol, urgency, began_s)
    finally:
        if telling is not None:
            telling.end()


class _Telling:
    """Tells the supervisor, in a process of its own: neither Ray's slowness nor its death holds up what is done at the venue.

    The gates are shut already; the supervisor latches it, tells the actors and lets them cancel. Its silence stops nothing.
    """

    def __init__(self, state: Path, reason: str) -> None:
        import subprocess
        import sys

        command = [sys.executable, "-m", "ops.tell_stop", str(state), reason]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self._ended = False

    def end(self) -> None:
        """Print what came of it, once."""
        import subprocess

        if self._ended:
            return
        self._ended = True
        try:
            said, _ = self._process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            said = f"the supervisor did not answer within {STOP_TIMEOUT_S:.0f} s; the venue's word stands"
        print(said.strip())


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
    from actors.runtime.journal_holders import kill_order_managers
    from actors.runtime.state_dir import StateDir

    print(f"{kill_order_managers(StateDir(state)).text}.")


def _stop_other_nodes(
    settings: Settings, state: Path, reason: str, direct: bool, is_here: bool, shut_ns: int
) -> tuple[str, int]:
    """Knock at every other node of a cluster. What a person must know of one that was not reached, and when the last gate was shut.

    An order manager that nobody reached has a lease for so long, and writes nothing that adds risk when nobody renews it.
    """
    if settings.cluster is None:
        return "", shut_ns
    from actors.runtime.state_dir import StateDir
    from ops.other_nodes import node_here, stop_other_nodes

    here = node_here(StateDir(state), settings.cluster) if is_here else ""
    reached = stop_other_nodes(settings.cluster, here, StateDir(state).cluster_secret, reason, kills=direct)
    for line in reached.lines:
        print(line, flush=True)
    lease_ns = settings.risk.lease_ms * 1_000_000 if reached.away else 0
    return reached.doubt, time.monotonic_ns() + lease_ns


def _venue(settings: Settings, direct: bool) -> DirectVenue:
    from configs.keys import ApiKeyError
    from ops.direct_venue import DirectVenue
    from ops.emergency_stop import stop_keys

    try:
        keys = stop_keys(settings.venue)
    except ApiKeyError as error:
        failed = bad_usage if direct else unconfirmed
        raise failed(f"the venue cannot be asked: {error}.") from None
    return DirectVenue(settings.venue.rest_url, keys, settings.venue.request_timeout_ms)


def _clear(venue: DirectVenue, settings: Settings, shut_ns: int, began_s: float) -> None:
    """Cancel at the venue itself, and let the venue say that nothing is open."""
    from ops.emergency_stop import cancel_everything

    cleared = cancel_everything(venue, settings.symbols, settings.order_manager, say=print, shut_ns=shut_ns)
    if not cleared.clear:
        raise unconfirmed(f"{cleared.text}.")
    print(f"CLEAR after {time.monotonic() - began_s:.1f} s: {cleared.text}.", flush=True)


def _flatten(venue: DirectVenue, settings: Settings, symbol: str | None, urgency: str | None, began_s: float) -> None:
    from ops.flatten import flatten as close_positions

    if settings.dry_run:
        raise unconfirmed("dry_run is true in the configuration: no position is closed.")
    chosen = {"urgency": urgency} if urgency is not None else {}
    changed = settings.model_copy(update={"flatten": settings.flatten.model_copy(update=chosen)})
    symbols = (symbol,) if symbol is not None else settings.symbols
    flattened = close_positions(venue, symbols, changed, say=print)
    if not flattened.flat:
        raise unconfirmed(f"{flattened.text}.")
    print(f"FLAT after {time.monotonic() - began_s:.1f} s: {flattened.text}.")


def _known(symbol: str, state: Path, config: Path | None) -> str:
    """The symbol as the venue writes it; a wrong one stops nothing."""
    symbols = _settings(state, config).symbols
    if symbol.upper() not in symbols:
        raise bad_usage(f"{symbol} is not one of the system's symbols: {', '.join(symbols)}.")
    return symbol.upper()


def _settings(state: Path, config: Path | None) -> Settings:
    if config is not None:
        from ops.cli.settings import settings_from

        return settings_from(config)
    from actors.runtime.state_dir import StateDir
    from ops.saved_plan import SavedPlanError, saved_settings

    try:
        settings = saved_settings(StateDir(state))
    except SavedPlanError as error:
        raise bad_usage(f"{error}; name the venue and the symbols with --direct --config FILE.") from None
    if settings is None:
        raise not_running(
            f"{state} holds no plan of a system: name the venue and the symbols with --direct --config FILE."
        )
    return settings
