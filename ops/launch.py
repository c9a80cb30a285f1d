"""Bring a whole system up, wait until it quotes, and take it down with its orders confirmed gone.

A system is a Ray of its own on one state directory, the simulated venue where the configuration has one, a supervisor, and the actors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from actors.runtime.ray_cluster import (
    AlreadyRunning,
    ClusterError,
    NotRunning,
    start_cluster,
    stop_cluster,
    write_durably,
)
from actors.runtime.ray_host import (
    CallFailed,
    CallRefused,
    RayHostError,
    alive_nodes_now,
    attach,
    detach,
    start_actor,
    start_supervisor,
)
from actors.runtime.ray_nodes import start_head_and_home
from actors.runtime.state_dir import StateDir
from actors.runtime.supervisor_client import SupervisorClient, connect
from configs.keys import ApiKeyError, load_keys
from configs.schema import ClusterSettings, Settings, SupervisionSettings
from ops.direct_venue import DirectVenue
from ops.emergency_stop import cancel_everything, stop_keys
from ops.filter_change import changed_units, versioned
from ops.preflight import PreflightFailed, check_venue, wait_for_venue
from ops.saved_plan import SavedPlanError, saved_plan
from ops.system import SHARDED, SHELLS, START_ORDER, build_plan, exchange_spec, supervisor_spec
from ops.views import live_symbols
from protocols.messages.control import ActorState, ActorStatus, Answer, GetStatus, Shutdown, SystemPlan, SystemStatus

__all__ = [
    "AlreadyRunning",
    "CallRefused",
    "Ending",
    "LaunchFailed",
    "NotRunning",
    "RayHostError",
    "StartAbandoned",
    "SupervisorClient",
    "clear_away",
    "connect",
    "ended",
    "launch",
    "shut_down",
    "status_of",
    "wait_until_quoting",
]

Say = Callable[[str], None]

VENUE_ATTEMPTS_MAX = 100
VENUE_PAUSE_S = 0.1
READY_TIMEOUT_S = 60.0
READY_PERIOD_S = 0.25
STATUS_TIMEOUT_S = 10.0
SHUTDOWN_SLACK_S = 15.0


class LaunchFailed(Exception):
    """The system did not come up, or did not go down; the text says what and why. Nothing is left running after a failed start."""


class StartAbandoned(Exception):
    """The start was given up between two of its steps because somebody asked for it; nothing is left running."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a system ended. `confirmed` is true when the venue was seen without an order of ours."""

    confirmed: bool
    text: str


def launch(
    settings: Settings,
    state: StateDir,
    say: Say,
    revise: Callable[[SystemPlan], SystemPlan] | None = None,
    go_on: Callable[[], bool] = lambda: True,
    ends_with_us: bool = False,
    config_file: str = "",
    new_state: bool = False,
) -> SupervisorClient:
    """Start everything of prepared settings and return the way to its supervisor; the actors may still be starting.

    Args:
        revise: changes the plan before anything of it starts (benchmarks leave actors out, or host them differently).
        go_on: asked between the steps, each of some seconds at most; false abandons the start. An exception out of a signal
            handler, raised inside Ray's own code, would crash the process instead.
        config_file: where the settings came from; an edit of it then applies while the system runs.
        new_state: the state directory may be a new one although our orders are known at a live venue.
        ends_with_us: nothing of it outlives this process, however that dies. Only for a venue that ends with it too.

    Raises:
        StartAbandoned: `go_on` said so.
        AlreadyRunning: a system runs on this directory.
        LaunchFailed: anything else; what was started is stopped again.
    """
    try:
        if settings.cluster is None:
            start_cluster(state, say, ends_with_us=ends_with_us)
        else:
            start_head_and_home(state, settings.cluster, say, ends_with_us=ends_with_us)
    except AlreadyRunning:
        raise
    except ClusterError as error:
        raise LaunchFailed(str(error)) from error
    try:
        with _readable():
            _step(go_on)
            marker = attach(state).marker
            _step(go_on)
            if settings.cluster is not None:
                _await_nodes(settings.cluster, say, go_on)
            if settings.exchange is not None:
                say("starting the simulated venue")
                _start_venue(settings, state)
                _step(go_on)
            say("checking the venue")
            found = check_venue(settings, load_keys(settings.venue.keys))
            is_new = not state.plan_file.exists()
            if is_new and (unknown := unknown_past(settings, found.epoch_floor, state)):
                if settings.venue.live and not new_state:
                    raise LaunchFailed(f"{unknown}. Start on that directory, or say --new-state")
                say(unknown)
            earlier = _earlier_plan(state, say)
            for sentence in changed_units(found.instruments, earlier):
                say(sentence)
            instruments = versioned(found.instruments, earlier)
            plan = build_plan(settings, instruments, found.epoch_floor, state, found.rate_limits)
            plan = msgspec.structs.replace(plan, config_file=config_file)
            if revise is not None:
                plan = revise(plan)
            write_durably(state.plan_file, msgspec.msgpack.encode(plan))
            _step(go_on)
            say("starting actors")
            start_supervisor(SHELLS["supervisor"], supervisor_spec(settings, found.epoch_floor, state))
            return SupervisorClient("supervisor", state, marker)
    except BaseException:
        detach()
        stop_cluster(state)
        raise


def wait_until_quoting(
    client: SupervisorClient, settings: Settings, say: Say, is_over: Callable[[], bool]
) -> SystemStatus | None:
    """Wait, with a line at each step, until every actor runs and every book is synchronised; None when `is_over` came first.

    Raises:
        LaunchFailed: it takes longer than READY_TIMEOUT_S, with what is missing, or a shard was given up.
    """
    deadline = time.monotonic() + READY_TIMEOUT_S
    told = ""
    while not is_over():
        status = status_of(client)
        if status.halted_shards:
            raise LaunchFailed("; ".join(sorted(set(status.halted_shards.values()))))
        missing = _missing(status, settings)
        if not missing:
            return status
        if missing != told:
            say(missing)
            told = missing
        if time.monotonic() > deadline:
            raise LaunchFailed(f"not ready after {READY_TIMEOUT_S:.0f} s: {missing}")
        time.sleep(READY_PERIOD_S)
    return None


def status_of(client: SupervisorClient) -> SystemStatus:
    """The system's state now.

    Raises:
        RayHostError: the supervisor does not answer.
    """
    status = client.ask(GetStatus(), STATUS_TIMEOUT_S)
    if not isinstance(status, SystemStatus):
        raise RayHostError(f"the supervisor has no status: {status.text}")
    return status


def shut_down(client: SupervisorClient, state: StateDir, settings: Settings | None, say: Say) -> Ending:
    """Stop the system, orders first, then end its Ray; whatever the supervisor answers, nothing is left running.

    Args:
        settings: of the system; None when they cannot be known, then the patience is the default's.

    Raises:
        LaunchFailed: a process could not be ended.
    """
    say("stopping: cancelling orders")
    drain_ms = (settings.supervision if settings else SupervisionSettings()).drain_timeout_ms
    try:
        answer = client.ask(Shutdown(), SHUTDOWN_SLACK_S + 2 * drain_ms / 1_000)
        ending = (
            Ending(confirmed=answer.done and answer.confirmed, text=answer.text)
            if isinstance(answer, Answer)
            else Ending(confirmed=False, text="the supervisor answered something else")
        )
    except (RayHostError, NotRunning) as error:
        ending = Ending(confirmed=False, text=str(error))
    finally:
        client.close()
    return ended(state, client.marker, settings, say, ending)


def ended(state: StateDir, marker: str, settings: Settings | None, say: Say, ending: Ending) -> Ending:
    """End the Ray on `state`; where nobody has confirmed that no order is left, clear the venue without it and let the venue say so.

    Args:
        marker: as in `clear_away`. settings: None when they cannot be known; then nothing can be cleared.
        ending: what the supervisor said, or why it said nothing.

    Raises:
        LaunchFailed: a process could not be ended.
    """
    say("stopping Ray")
    clear_away(state, marker)
    if ending.confirmed or settings is None or settings.exchange is not None or settings.dry_run:
        return ending
    say(f"not confirmed by the supervisor ({ending.text}): cancelling at the venue itself")
    lease_ns = settings.risk.lease_ms * 1_000_000 if settings.cluster is not None else 0
    try:
        keys = stop_keys(settings.venue)
    except ApiKeyError as error:
        return Ending(confirmed=False, text=f"{ending.text}; the venue cannot be asked: {error}")
    with DirectVenue(settings.venue.rest_url, keys, settings.venue.request_timeout_ms) as venue:
        cleared = cancel_everything(
            venue, settings.symbols, settings.order_manager, say, shut_ns=time.monotonic_ns() + lease_ns
        )
    return Ending(confirmed=cleared.clear, text=cleared.text if cleared.clear else f"{ending.text}; {cleared.text}")


def clear_away(state: StateDir, marker: str = "") -> None:
    """End every process of the Ray on `state`, also those that a killed Ray left behind.

    Args:
        marker: of the Ray that is meant, so that a later one on the same directory is let be; empty means whichever is there.

    Raises:
        LaunchFailed: a process could not be ended.
    """
    try:
        stop_cluster(state, marker)
    except ClusterError as error:
        raise LaunchFailed(str(error)) from error


def _step(go_on: Callable[[], bool]) -> None:
    if not go_on():
        raise StartAbandoned


def _await_nodes(cluster: ClusterSettings, say: Say, go_on: Callable[[], bool]) -> None:
    """Wait until every node of the configuration has joined.

    Raises:
        LaunchFailed: one did not come in time.
    """
    deadline = time.monotonic() + cluster.join_timeout_ms / 1_000
    told = ""
    while True:
        _step(go_on)
        try:
            missing = ", ".join(sorted({node.name for node in cluster.nodes} - set(alive_nodes_now())))
            waits_for = f"node {missing}: run `raymaker node NAME --config FILE` there"
        except CallFailed as error:
            missing, waits_for = "head", f"Ray's head, which was there and is away ({error}): see logs/keeper-head.log"
        if not missing:
            return
        if time.monotonic() > deadline:
            raise LaunchFailed(f"not begun within {cluster.join_timeout_ms / 1_000:g} s, still waiting for {waits_for}")
        if missing != told:
            say(f"waiting for {waits_for}")
            told = missing
        time.sleep(READY_PERIOD_S)


def unknown_past(settings: Settings, epoch_floor: int, state: StateDir) -> str:
    """What a new state directory does not know of an account on which we have traded before; empty where there is no such past."""
    if not epoch_floor:
        return ""
    return (
        f"{state.path} is a new state directory, but orders of install {settings.install} up to epoch {epoch_floor} are known at the "
        "venue: a stop that is latched in another directory, the day's loss, the equity's peak, held levels and what was agreed of the "
        "account are not known here"
    )


def _earlier_plan(state: StateDir, say: Say) -> SystemPlan | None:
    try:
        return saved_plan(state)
    except SavedPlanError as error:
        say(f"whether filters have changed since the last run is not known: {error}")
        return None


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (RayHostError, NotRunning, PreflightFailed, ApiKeyError) as error:
        raise LaunchFailed(str(error)) from error


def _start_venue(settings: Settings, state: StateDir) -> None:
    start_actor(SHELLS["exchange"], exchange_spec(settings, state))
    wait_for_venue(
        settings.venue.rest_url,
        settings.venue.request_timeout_ms,
        attempts=VENUE_ATTEMPTS_MAX,
        pause=lambda: time.sleep(VENUE_PAUSE_S),
    )


def _missing(status: SystemStatus, settings: Settings) -> str:
    """What is not ready yet, in words; empty when everything is."""
    children = [actor for actor in status.actors if actor.role not in ("supervisor", "node_agent", "exchange")]
    running = [actor for actor in children if actor.state is ActorState.RUNNING]
    wanted = sum(settings.shards if role in SHARDED else 1 for role in START_ORDER)
    if len(running) < wanted:
        waiting = ", ".join(_named(actor) for actor in children if actor.state is not ActorState.RUNNING)
        return f"starting actors: {len(running)} of {wanted} run" + (f", waiting for {waiting}" if waiting else "")
    live = {symbol for actor in children for symbol in live_symbols(actor)}
    unsynchronised = [symbol for symbol in settings.symbols if symbol not in live]
    return f"synchronising books: {', '.join(unsynchronised)}" if unsynchronised else ""


def _named(actor: ActorStatus) -> str:
    return f"{actor.name} ({actor.text})" if actor.text else actor.name
