"""The one file that imports Ray: named actor processes, calls to them with a bound in time, and the store of epochs.

Ray places, names, starts and ends processes; no market data and no order passes through it. Children are detached and never
restarted by Ray (`max_restarts=0`): the supervisor alone does that. Whatever Ray raises becomes one of the errors below.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from actors.runtime.bounded_call import NotBack, bounded
from actors.runtime.epochs import EpochFile
from actors.runtime.hosted_actor import HostedActor, HostError, ProbeReply, SnapshotReply
from actors.runtime.node_agent import NodeAgent
from actors.runtime.ray_cluster import ENVIRONMENT, NODE_RESOURCE, RayCluster, running_cluster
from actors.runtime.state_dir import StateDir
from protocols.envelope import Message
from protocols.messages.control import (
    ActorSpec,
)

os.environ.update(ENVIRONMENT)  # Ray reads its way of authentication when it is imported

import ray
from ray._raylet import AuthenticationTokenLoader, GcsClient  # type: ignore[attr-defined]  # a compiled module
from ray.exceptions import ActorDiedError, ActorUnavailableError, GetTimeoutError, RayError, RayTaskError
from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

NAMESPACE = "raymaker"
AGENT_NAME = "node_agent"
CALL_TIMEOUT_S = 10.0
CREATE_TIMEOUT_S = 30.0
ATTACH_TIMEOUT_S = 60.0
DETACH_TIMEOUT_S = 15.0
HEAD_TIMEOUT_S = 5.0
HEAD_DIAL_S = 2.0
HEAD_CALLS_MAX = 16
"""Calls to the head that may be under way: while it is away each one hangs until it is back."""

NODE_SHARE = 0.001
"""What an actor takes of its node's own resource: it only says where it has to be."""

EPOCH_TRIES_MAX = 10_000

Result = TypeVar("Result")
_epochs_in_turn = threading.Lock()


class RayHostError(Exception):
    """A call through Ray did not do what it should; the text says which."""


class ActorGone(RayHostError):
    """The actor is dead, or there is none of that name."""


class CallFailed(RayHostError):
    """No answer: the call may or may not have been carried out."""


class CallRefused(RayHostError):
    """The actor itself answered with an error."""


class ActorRef:
    """One actor by name. Every call is bounded; errors are those of this file."""

    def __init__(self, name: str, handle: Any) -> None:
        self.name = name
        self._handle = handle

    async def start(self, timeout_s: float) -> int:
        """Bring a placed actor to life; returns its pid."""
        pid: int = await self._call(self._handle.start.remote(), timeout_s)
        return pid

    async def deliver(self, message: Message, timeout_s: float) -> None:
        """Give a control message to the actor's core."""
        await self._call(self._handle.deliver.remote(msgspec.msgpack.encode(message)), timeout_s)

    async def health(self, wait_s: float, timeout_s: float) -> ProbeReply:
        """Ask beside the main loop, which gets `wait_s` to show a sign of life."""
        method = self._handle.health.options(concurrency_group="health")
        return msgspec.msgpack.decode(await self._call(method.remote(wait_s), timeout_s), type=ProbeReply)

    async def snapshot(self, timeout_s: float) -> SnapshotReply:
        """What the core and the shell show."""
        reply = await self._call(self._handle.snapshot.remote(), timeout_s)
        return msgspec.msgpack.decode(reply, type=SnapshotReply)

    async def watch(self, wait_s: float) -> None:
        """Return after about `wait_s`; raises ActorGone some 15 ms after the process died."""
        await self._call(self._handle.watch.remote(wait_s), wait_s + CALL_TIMEOUT_S)

    async def stop(self, timeout_s: float) -> None:
        """Close the shell; the process goes on until it is discarded."""
        await self._call(self._handle.stop.remote(), timeout_s)

    async def agent(self, method: str, *arguments: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Call a method of a node agent."""
        return await self._call(getattr(self._handle, method).remote(*arguments), timeout_s)

    def ask(self, command: bytes, timeout_s: float) -> bytes:
        """Give the shell's `ask` some bytes and wait for its answer, outside of any loop."""
        reply: bytes = _get(self.name, self._handle.ask.remote(command), timeout_s)
        return reply

    def ask_unheard(self, command: bytes) -> None:
        """Give the shell's `ask` some bytes and never look at the answer: how a data path over Ray would be (make bench)."""
        self._handle.ask.remote(command)

    def run_inside(self, function: Callable[[Any], None]) -> None:
        """Run a function with the HostedActor in its process, beside its loop, and never look at the outcome (make chaos)."""
        self._handle.__ray_call__.remote(function)

    def discard(self) -> None:
        """Tell Ray to end the process and forget the name. Does not wait: verify that the pid is gone."""
        with contextlib.suppress(RayError, ValueError):
            ray.kill(self._handle, no_restart=True)

    async def _call(self, reference: Any, timeout_s: float) -> Any:
        return await _translated_async(self.name, asyncio.wait_for(asyncio.wrap_future(reference.future()), timeout_s))


def find(name: str) -> ActorRef | None:
    """The living actor of that name."""
    try:
        return ActorRef(name, ray.get_actor(name, namespace=NAMESPACE))
    except ValueError:
        return None


async def at_head(call: Callable[..., Result], *arguments: Any, timeout_s: float = HEAD_TIMEOUT_S) -> Result:
    """Run a blocking call to Ray's head beside the loop.

    Raises:
        CallFailed: no answer in time; the call may still be carried out when the head is back.
        RayHostError: what the call itself raises.
    """
    if _head_calls.waiting >= HEAD_CALLS_MAX:
        raise CallFailed(f"Ray's head has left {HEAD_CALLS_MAX} calls without an answer")
    answer = asyncio.get_running_loop().run_in_executor(_head_calls.threads, call, *arguments)
    _head_calls.waiting += 1
    answer.add_done_callback(_head_calls.done)
    try:
        return await asyncio.wait_for(asyncio.shield(answer), timeout_s)
    except TimeoutError as error:
        raise CallFailed(f"Ray's head has not answered for {timeout_s:g} s") from error


class _HeadCalls:
    """Threads in which calls to the head wait; of its own, so that a silent head holds up nothing else."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(HEAD_CALLS_MAX, thread_name_prefix="head")
        self.waiting = 0

    def done(self, answer: asyncio.Future[Any]) -> None:
        """A call came back; what it raised, too late for anybody, is let be."""
        self.waiting -= 1
        if not answer.cancelled():
            answer.exception()


_head_calls = _HeadCalls()


def at_head_now(call: Callable[[], Result], timeout_s: float = HEAD_TIMEOUT_S) -> Result:
    """For a command, as `at_head` for an actor.

    Raises:
        CallFailed: no answer in time.
    """
    try:
        return bounded(call, timeout_s)
    except NotBack as error:
        raise CallFailed(f"Ray's head has not answered for {timeout_s:g} s") from error


def _nodes() -> list[dict[str, Any]]:
    nodes: Any = ray.nodes
    found: list[dict[str, Any]] = nodes()
    return found


async def place(shell: str, spec: ActorSpec) -> ActorRef:
    """Create the process of an actor that is not there yet, on its node; `ActorRef.start` then brings it to life.

    Raises:
        RayHostError: an actor of that name exists, or the head does not answer.
    """
    return await at_head(_place, shell, spec)


def _place(shell: str, spec: ActorSpec) -> ActorRef:
    options = _options(spec.name, max_restarts=0, node=spec.node)
    return ActorRef(spec.name, _create(_remote(HostedActor), options, shell, msgspec.msgpack.encode(spec)))


async def agent(node: str = "") -> ActorRef:
    """A node's agent; placed when there is none. Ray restarts it, for it holds nothing that it is not told again.

    Args:
        node: empty for the one node of a system on one machine.
    """
    name = agent_name(node)
    found = await at_head(find, name)
    return found if found is not None else ActorRef(name, await at_head(_create_agent, node))


def agent_name(node: str) -> str:
    """Name of a node's agent."""
    return f"{AGENT_NAME}@{node}" if node else AGENT_NAME


def head_identity(address: str) -> str:
    """Which cluster the head at an address is the head of: a head that was restarted on its tables says the same as before.

    Raises:
        RayHostError: it does not answer.
    """
    try:
        client: Any = GcsClient(address=address)
        return str(client.cluster_id.hex())
    except (RayError, ConnectionError, OSError, RuntimeError) as error:
        raise CallFailed(f"the head at {address} does not answer: {error}") from error


def alive_nodes_now() -> tuple[str, ...]:
    """Names of the cluster's living nodes.

    Raises:
        CallFailed: the head does not answer.
    """
    return at_head_now(alive_nodes)


def alive_nodes() -> tuple[str, ...]:
    """Names of the cluster's living nodes. Blocks for as long as the head is away."""
    resources = [name for node in _nodes() if node["Alive"] for name in node["Resources"]]
    return tuple(sorted(name.removeprefix(NODE_RESOURCE) for name in resources if name.startswith(NODE_RESOURCE)))


def allocate_epoch(state: StateDir, floor: int) -> int:
    """The next epoch of the account: above `floor`, above the file, and given once by Ray's store. Blocks some milliseconds.

    Raises:
        EpochError: the file is damaged.
        RayHostError: Ray's store does not answer, or knows no free epoch.
    """
    book = EpochFile(state.epochs_file)
    with _epochs_in_turn, _readable_store():
        stored = _internal_kv_get(b"epoch/greatest", namespace=NAMESPACE.encode())
        first = max(book.greatest(), floor, int(stored or 0)) + 1
        for epoch in range(first, first + EPOCH_TRIES_MAX):
            taken = _internal_kv_put(f"epoch/{epoch}".encode(), b"", overwrite=False, namespace=NAMESPACE.encode())
            if not taken:
                book.record(epoch)
                _internal_kv_put(b"epoch/greatest", str(epoch).encode(), namespace=NAMESPACE.encode())
                return epoch
    raise RayHostError(f"no epoch: {EPOCH_TRIES_MAX} in a row from {first} are taken")


@contextlib.contextmanager
def _readable_store() -> Iterator[None]:
    try:
        yield
    except (RayError, ConnectionError) as error:
        raise RayHostError(f"no epoch: Ray's store does not answer: {error}") from error


class SupervisorHost(HostedActor):
    """The supervisor's process: comes to life by itself, also when Ray restarts it, each time under an epoch of its own."""

    async def __init__(self, shell: str, spec: bytes) -> None:  # type: ignore[misc]  # Ray awaits it
        super().__init__(shell, spec)
        try:
            epoch = await asyncio.to_thread(allocate_epoch, StateDir(self._spec.state_dir), self._spec.epoch)
            self._spec = msgspec.structs.replace(self._spec, epoch=epoch, started_ns=_boot_ns())
            await self.start()
        except Exception:
            if not ray.get_runtime_context().was_current_actor_reconstructed:
                raise
            await asyncio.sleep(1.0)
            os._exit(1)  # an error here would make Ray give the supervisor up; an ended process is tried again


def attach(state: StateDir) -> RayCluster:
    """Make this process a client of the Ray that runs for `state`, and of no other.

    Raises:
        NotRunning: there is none.
        RayHostError: it runs and does not answer.
    """
    cluster = running_cluster(state)
    check_head(cluster.address)
    os.environ["RAY_AUTH_TOKEN_PATH"] = cluster.token_file
    AuthenticationTokenLoader.instance().reset_cache()  # Ray keeps the first token that a process ever used
    os.environ.pop("RAY_ADDRESS", None)
    which: dict[str, Any] = {"_node_ip_address": cluster.host} if cluster.node else {}
    logging.getLogger("ray").setLevel(logging.ERROR)  # it would tell people that it leaves SIGTERM to us

    def join() -> None:
        ray.init(
            address=cluster.address,
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.ERROR,
            **which,
        )

    try:
        bounded(join, ATTACH_TIMEOUT_S)
    except (RayError, NotBack, ConnectionError, OSError, ValueError, RuntimeError) as error:
        raise RayHostError(f"Ray at {cluster.address} runs and does not answer: {error}") from error
    return cluster


def check_head(address: str) -> None:
    """Ray itself would wait for minutes, deaf to signals.

    Raises:
        CallFailed: nobody listens there.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), HEAD_DIAL_S).close()
    except OSError as error:
        raise CallFailed(f"Ray's head at {address} does not answer ({error.strerror or error})") from error


def detach() -> None:
    """End this process's connection to Ray, as far as Ray lets go; the actors go on."""
    with contextlib.suppress(NotBack):
        bounded(ray.shutdown, DETACH_TIMEOUT_S)


def start_actor(shell: str, spec: ActorSpec, timeout_s: float = CREATE_TIMEOUT_S) -> int:
    """Place and start one actor before there is a supervisor, which will adopt it by its name; returns the pid.

    Needs `attach`. This is for what must exist before the plan can be made: the simulated venue.
    """
    started = at_head_now(lambda: _place(shell, spec), CREATE_TIMEOUT_S)
    pid: int = _get(spec.name, started._handle.start.remote(), timeout_s)
    return pid


def start_supervisor(shell: str, spec: ActorSpec, timeout_s: float = CREATE_TIMEOUT_S) -> None:
    """Place the node agent and the supervisor and wait until it answers. Needs `attach`, and the plan on file.

    Raises:
        RayHostError: it did not come to life; the text has its reason.
    """
    small = msgspec.structs.replace(spec, instruments=(), symbol_codes={}, shards=())
    if at_head_now(lambda: find(agent_name(spec.node))) is None:
        at_head_now(lambda: _create_agent(spec.node), CREATE_TIMEOUT_S)
    options = _options(spec.name, max_restarts=-1, node=spec.node)
    encoded = msgspec.msgpack.encode(small)
    handle = at_head_now(lambda: _create(_remote(SupervisorHost), options, shell, encoded), CREATE_TIMEOUT_S)
    _get(spec.name, handle.health.options(concurrency_group="health").remote(timeout_s), timeout_s)
    detach()  # Ray prints what happens to actors of a client's job on that client's terminal: come back under another
    attach(StateDir(spec.state_dir))


def _remote(actor_class: type[HostedActor]) -> Any:
    hosted: Any = ray.remote
    return hosted(concurrency_groups={"health": 2})(actor_class)


def _options(name: str, max_restarts: int, node: str) -> dict[str, Any]:
    return {
        **({"resources": {NODE_RESOURCE + node: NODE_SHARE}} if node else {}),
        "name": name,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "max_restarts": max_restarts,
        "max_task_retries": 0,
        "num_cpus": 0,
        "enable_task_events": False,
    }


def _create(actor_class: Any, options: dict[str, Any], *arguments: Any) -> Any:
    try:
        return actor_class.options(**options).remote(*arguments)
    except ValueError as error:
        raise RayHostError(f"an actor named {options['name']} exists already") from error
    except RayError as error:
        raise RayHostError(f"{options['name']} could not be placed: {error}") from error


def _create_agent(node: str) -> Any:
    return _create(ray.remote(NodeAgent), _options(agent_name(node), max_restarts=-1, node=node))


def _get(name: str, reference: Any, timeout_s: float) -> Any:
    return _translated(name, lambda: ray.get(reference, timeout=timeout_s))


def _translated(name: str, call: Callable[[], Result]) -> Result:
    try:
        return call()
    except (RayError, TimeoutError) as error:
        raise _readable(name, error) from error


async def _translated_async(name: str, call: Awaitable[Result]) -> Result:
    try:
        return await call
    except (RayError, TimeoutError) as error:
        raise _readable(name, error) from error


def _readable(name: str, error: BaseException) -> RayHostError:
    match error:
        case GetTimeoutError() | TimeoutError():
            return CallFailed(f"{name} did not answer in time")
        case ActorDiedError() if error.actor_init_failed:
            return CallRefused(_reason(str(error)))
        case ActorDiedError():
            return ActorGone(f"{name} is dead")
        case ActorUnavailableError():
            return CallFailed(f"{name} cannot be reached")
        case RayTaskError():
            cause = error.cause
            return CallRefused(
                str(cause) if isinstance(cause, HostError) else f"{name}: {cause or _reason(str(error))}"
            )
        case _:
            return CallFailed(f"{name}: {_reason(str(error))}")


def _reason(text: str) -> str:
    """The last line of one of Ray's long texts: the error itself below the traceback."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def _boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
