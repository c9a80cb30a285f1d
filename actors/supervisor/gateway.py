"""Carries out the core's requests: processes through the Ray host and the node's agent, the venue through the stop arm."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine
from typing import Any, assert_never

import msgspec

from actors.runtime import ray_host
from actors.runtime.epochs import EpochError
from actors.runtime.exit_codes import ExitCode
from actors.runtime.journal_error import JournalError
from actors.runtime.journal_reading import read_shard_events
from actors.runtime.ray_host import ActorGone, ActorRef, CallFailed, RayHostError, at_head
from actors.runtime.state_dir import StateDir
from actors.supervisor.commands import (
    SELF,
    AllocateEpoch,
    Beat,
    ChildDied,
    ChildFailed,
    ChildGone,
    ChildProbed,
    ChildRead,
    ChildrenFound,
    ChildStarted,
    ChildTold,
    ClearVenue,
    ConsiderChange,
    EndSelf,
    EpochAllocated,
    EpochRefused,
    FindChildren,
    FlattenRefused,
    FlattenVenue,
    FoundChild,
    GiveAnswer,
    HeadSilent,
    KillChild,
    LatchNode,
    LookAtNodes,
    NodeBeaten,
    NodeLatched,
    NodesSeen,
    ProbeChild,
    ReadChild,
    StartChild,
    StopChild,
    SupervisorOutcome,
    SupervisorRequest,
    TellChild,
    VenueCleared,
    VenueFlattened,
    WatchChild,
)
from actors.supervisor.second_copy import newest_positions
from actors.supervisor.sources import considered
from protocols.messages.control import AnyAnswer
from protocols.messages.orders import AnyAccountEvent, AnyOrderEvent, InstrumentTaken, VenuePosition

CALL_SLACK_S = 0.2
LOOP_SHARE = 0.8
"""Part of a probe's time that the child's main loop has; the rest is for the way there and back."""

WATCH_PAUSE_S = 0.05
NAME_POLL_S = 0.005
BEAT_TIMEOUT_S = 2.0
LOOK_TIMEOUT_S = 1.0
OUTPUT_BYTES_MAX = 2_000
ALERT = "ALERT "
"""How a line of the arm begins that a person is to hear of at once (ops/flatten.py)."""


class ChildGateway:
    """Requests in, outcomes out. Everything is bounded in time; what fails becomes an outcome, never an exception."""

    def __init__(
        self,
        state: StateDir,
        home: str,
        stop_arm: tuple[str, ...],
        flatten_arm: tuple[str, ...],
        watch_s: float,
        deliver: Callable[[SupervisorOutcome], None],
        answer: Callable[[int, AnyAnswer], None],
    ) -> None:
        """Args: home: this node's name, if it has one; stop_arm, flatten_arm: as in SystemPlan; watch_s: length of one watch call."""
        self._state = state
        self._home = home
        self._stop_arm = stop_arm
        self._flatten_arm = flatten_arm
        self._watch_s = watch_s
        self._deliver = deliver
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()
        self._actors: dict[str, ActorRef] = {}
        """Kept from their first use: a name is looked up at the head, which may be away while its actors live."""
        self._agents: dict[str, ActorRef] = {}
        self._beating: set[str] = set()

    def carry_out(self, request: SupervisorRequest) -> None:
        """Begin with a request and return; the core bounds how many are under way (a few for each child)."""
        match request:
            case FindChildren():
                self._begin(self._find(request))
            case AllocateEpoch():
                self._begin(self._allocate(request))
            case TellChild():
                self._begin(self._tell(request))
            case StartChild():
                self._begin(self._start(request))
            case WatchChild():
                self._begin(self._watch(request))
            case ProbeChild():
                self._begin(self._probe(request))
            case ReadChild():
                self._begin(self._read(request))
            case StopChild():
                self._begin(self._stop(request))
            case KillChild():
                self._begin(self._kill(request))
            case Beat():
                self._begin(self._beat(request))
            case EndSelf():
                os._exit(ExitCode.MEMORY_EXCEEDED)
            case LatchNode():
                self._begin(self._latch(request))
            case LookAtNodes():
                self._begin(self._look_at_nodes())
            case ClearVenue():
                self._begin(self._clear(request))
            case FlattenVenue():
                self._begin(self._flatten(request))
            case GiveAnswer():
                self._answer(request.ask_id, request.answer)
            case ConsiderChange():
                self._deliver(considered(request))
            case _:
                assert_never(request)

    async def close(self) -> None:
        """Drop everything that is under way; the children go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _find(self, request: FindChildren) -> None:
        found = await asyncio.gather(*(self._look_until_known(n, request.wait_ms / 1_000) for n in request.names))
        self._deliver(ChildrenFound(found=tuple(child for child in found if child is not None)))

    async def _look_until_known(self, name: str, wait_s: float) -> FoundChild | None:
        """Nothing may be started before it is known what lives: a silent head is asked again."""
        while True:
            with contextlib.suppress(CallFailed):
                return await self._look(name, wait_s)
            await asyncio.sleep(WATCH_PAUSE_S)

    async def _look(self, name: str, wait_s: float) -> FoundChild | None:
        actor = await self._actor(name)
        if actor is None:
            return None
        try:
            reply = await actor.health(wait_s, wait_s + CALL_SLACK_S)
        except ActorGone:
            return None
        except RayHostError:
            return FoundChild(name=name, pid=0, epoch=0, answered=False, started=False)
        epoch = reply.vitals.epoch if reply.vitals else 0
        answered = reply.vitals is not None or not reply.started
        return FoundChild(name=name, pid=reply.pid, epoch=epoch, answered=answered, started=reply.started)

    async def _allocate(self, request: AllocateEpoch) -> None:
        try:
            epoch = await at_head(ray_host.allocate_epoch, self._state, request.floor)
        except (RayHostError, EpochError, OSError) as error:
            self._deliver(EpochRefused(name=request.name, text=str(error)))
        else:
            self._deliver(EpochAllocated(name=request.name, epoch=epoch))

    async def _tell(self, request: TellChild) -> None:
        reached = False
        with contextlib.suppress(RayHostError):
            actor = await self._actor(request.name)
            if actor is not None:
                await actor.deliver(request.message, request.wait_ms / 1_000)
                reached = True
        self._deliver(ChildTold(name=request.name, epoch=request.epoch, message=request.message, reached=reached))

    async def _start(self, request: StartChild) -> None:
        spec = request.child.spec
        try:
            if spec.role == "order_manager" and spec.node != self._home:
                spec = msgspec.structs.replace(spec, second_copy=await asyncio.to_thread(self._second_copy, spec.shard))
            actor = self._actors[spec.name] = await ray_host.place(request.child.shell, spec)
            pid = await actor.start(request.wait_ms / 1_000)
        except RayHostError as error:
            self._deliver(ChildFailed(name=spec.name, epoch=spec.epoch, text=str(error)))
        else:
            self._deliver(ChildStarted(name=spec.name, epoch=spec.epoch, pid=pid))

    def _second_copy(self, shard: int) -> tuple[InstrumentTaken | VenuePosition, ...]:
        """Inventory is at home, as we are. A copy that cannot be read is as good as none."""
        try:
            return newest_positions(
                read_shard_events(self._state.inventory_journal, AnyOrderEvent | AnyAccountEvent, shard)
            )
        except JournalError:
            return ()

    async def _watch(self, request: WatchChild) -> None:
        """Wait in bounded calls until one of them breaks."""
        text = "its process is gone"
        while True:
            try:
                actor = await self._actor(request.name)
                if actor is None:
                    break
                await actor.watch(self._watch_s)
            except ActorGone as error:
                text = str(error)
                break
            except RayHostError:
                pass  # out of reach for now, or closing: the next call tells
            await asyncio.sleep(WATCH_PAUSE_S)
        self._actors.pop(request.name, None)
        self._deliver(ChildDied(name=request.name, epoch=request.epoch, text=text))

    async def _probe(self, request: ProbeChild) -> None:
        vitals, text = None, "no answer"
        wait_s = request.wait_ms / 1_000
        try:
            actor = await self._actor(request.name)
            if actor is not None:
                reply = await actor.health(LOOP_SHARE * wait_s, wait_s)
                vitals, text = reply.vitals, "its main loop is blocked"
        except RayHostError as error:
            text = str(error)
        self._deliver(ChildProbed(name=request.name, epoch=request.epoch, vitals=vitals, text="" if vitals else text))

    async def _read(self, request: ReadChild) -> None:
        read = ChildRead(name=request.name, epoch=request.epoch, snapshot=None, io={})
        with contextlib.suppress(RayHostError):
            actor = await self._actor(request.name)
            if actor is not None:
                reply = await actor.snapshot(request.wait_ms / 1_000)
                read = msgspec.structs.replace(read, snapshot=reply.snapshot, io=reply.io)
        self._deliver(read)

    async def _stop(self, request: StopChild) -> None:
        with contextlib.suppress(RayHostError):
            actor = await self._actor(request.name)
            if actor is not None:
                await actor.stop(request.wait_ms / 1_000)
        await self._kill(
            KillChild(
                name=request.name,
                epoch=request.epoch,
                pid=request.pid,
                wait_ms=request.wait_ms,
                node=request.node,
                frees_name=request.frees_name,
            )
        )

    async def _kill(self, request: KillChild) -> None:
        """SIGKILL by the agent first, for Ray takes seconds with a frozen process; then the name must become free."""
        wait_s = request.wait_ms / 1_000
        gone, text = True, ""
        try:
            if request.verify:
                gone = await self._end(request.name, request.pid, request.node, wait_s)
            async with asyncio.timeout(wait_s):
                while request.frees_name and (actor := await at_head(ray_host.find, request.name)) is not None:
                    actor.discard()
                    await asyncio.sleep(NAME_POLL_S)
        except TimeoutError:
            gone, text = False, "its name is not free in Ray"
        except RayHostError as error:
            gone, text = False, f"not verified gone: {error}"
        self._actors.pop(request.name, None)
        self._deliver(ChildGone(name=request.name, epoch=request.epoch, gone=gone, text=text))

    async def _end(self, name: str, pid: int, node: str, wait_s: float) -> bool:
        if not pid:
            with contextlib.suppress(RayHostError):
                actor = await self._actor(name)
                if actor is not None:
                    pid = (await actor.health(0.0, CALL_SLACK_S)).pid
        agent = await self._agent(node)
        return bool(await agent.agent("kill", name, pid, wait_s, timeout_s=wait_s + CALL_SLACK_S))

    async def _beat(self, request: Beat) -> None:
        node = request.node
        if node in self._beating:
            return
        self._beating.add(node)
        try:
            agent = await self._agent(node)
            own_pid = os.getpid() if node == self._home else 0
            pids = {**request.pids, SELF: own_pid} if own_pid else request.pids
            beaten = await agent.agent("beat", own_pid, pids, request.doubted, timeout_s=BEAT_TIMEOUT_S)
            hung, stop_file, memory_bytes, starved = beaten
            self._deliver(
                NodeBeaten(
                    node=node,
                    stop_file=stop_file,
                    memory_bytes=memory_bytes,
                    predecessor_hung=hung,
                    starved=starved,
                )
            )
        except CallFailed:
            pass  # Ray restarts the agent; the next beat tells it everything
        except RayHostError:
            self._agents.pop(node, None)
            await asyncio.sleep(1.0)
        finally:
            self._beating.discard(node)

    async def _latch(self, request: LatchNode) -> None:
        """What fails is asked for again at the next tick."""
        with contextlib.suppress(RayHostError):
            agent = await self._agent(request.node)
            await agent.agent("latch", request.present, request.reason, timeout_s=BEAT_TIMEOUT_S)
            self._deliver(NodeLatched(node=request.node, present=request.present))

    async def _look_at_nodes(self) -> None:
        try:
            self._deliver(NodesSeen(alive=await at_head(ray_host.alive_nodes, timeout_s=LOOK_TIMEOUT_S)))
        except RayHostError as error:
            self._deliver(HeadSilent(text=str(error)))

    async def _agent(self, node: str) -> ActorRef:
        if node not in self._agents:
            self._agents[node] = await ray_host.agent(node)
        return self._agents[node]

    async def _actor(self, name: str) -> ActorRef | None:
        """The living actor of that name; one that is known already is not looked up again.

        Raises:
            CallFailed: the head does not answer.
        """
        if name not in self._actors:
            found = await at_head(ray_host.find, name)
            if found is None:
                return None
            self._actors[name] = found
        return self._actors[name]

    async def _clear(self, request: ClearVenue) -> None:
        if not self._stop_arm:
            text = (
                "no stop arm is configured: the venue's countdown will cancel; run `raymaker emergency-stop` to be sure"
            )
            self._deliver(VenueCleared(shard=request.shard, cleared=False, text=text))
            return
        cleared, text = await _run_arm((*self._stop_arm, *request.symbols), request.wait_ms)
        self._deliver(VenueCleared(shard=request.shard, cleared=cleared, text=text or "no open order is left"))

    async def _flatten(self, request: FlattenVenue) -> None:
        flat, text = await _run_arm(self._flatten_arm, request.wait_ms, self._hear_arm)
        self._deliver(VenueFlattened(flat=flat, text=text or "no position is left"))

    def _hear_arm(self, line: str) -> None:
        if line.startswith(ALERT):
            self._deliver(FlattenRefused(text=line.removeprefix(ALERT)))


async def _run_arm(
    command: tuple[str, ...], wait_ms: int, hear: Callable[[str], None] = lambda line: None
) -> tuple[bool, str]:
    """Whether the arm confirmed what it is for, and the end of what it said; `hear` is told each line as it comes."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        return False, f"the stop arm cannot run: {error}"
    try:
        output = await asyncio.wait_for(_listen(process, hear), wait_ms / 1_000)
    except TimeoutError:
        process.kill()
        await process.wait()
        return False, f"the stop arm did not end within {wait_ms} ms"
    return process.returncode == 0, output.strip()


async def _listen(process: asyncio.subprocess.Process, hear: Callable[[str], None]) -> str:
    assert process.stdout is not None
    output = ""
    async for line in process.stdout:
        text = line.decode(errors="replace")
        hear(text.rstrip())
        output = (output + text)[-OUTPUT_BYTES_MAX:]
    await process.wait()
    return output
