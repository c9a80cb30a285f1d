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
from actors.runtime.ray_host import ActorGone, ActorRef, CallFailed, RayHostError
from actors.runtime.state_dir import StateDir
from actors.supervisor.commands import (
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
    EpochAllocated,
    EpochRefused,
    FindChildren,
    FoundChild,
    GiveAnswer,
    KillChild,
    ProbeChild,
    ReadChild,
    StartChild,
    StopChild,
    SupervisorOutcome,
    SupervisorRequest,
    TellChild,
    VenueCleared,
    WatchChild,
)
from protocols.messages.control import AnyAnswer

CALL_SLACK_S = 0.2
LOOP_SHARE = 0.8
"""Part of a probe's time that the child's main loop has; the rest is for the way there and back."""

WATCH_PAUSE_S = 0.05
NAME_POLL_S = 0.005
BEAT_TIMEOUT_S = 2.0
OUTPUT_BYTES_MAX = 2_000


class ChildGateway:
    """Requests in, outcomes out. Everything is bounded in time; what fails becomes an outcome, never an exception."""

    def __init__(
        self,
        state: StateDir,
        stop_arm: tuple[str, ...],
        watch_s: float,
        deliver: Callable[[SupervisorOutcome], None],
        answer: Callable[[int, AnyAnswer], None],
    ) -> None:
        """Args: stop_arm: SystemPlan.stop_arm; watch_s: length of one watch call."""
        self._state = state
        self._stop_arm = stop_arm
        self._watch_s = watch_s
        self._deliver = deliver
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()
        self._beating = False

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
            case ClearVenue():
                self._begin(self._clear(request))
            case GiveAnswer():
                self._answer(request.ask_id, request.answer)
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
        found = await asyncio.gather(*(self._look(name, request.wait_ms / 1_000) for name in request.names))
        self._deliver(ChildrenFound(found=tuple(child for child in found if child is not None)))

    async def _look(self, name: str, wait_s: float) -> FoundChild | None:
        actor = await _find(name)
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
            epoch = await asyncio.to_thread(ray_host.allocate_epoch, self._state, request.floor)
        except (RayHostError, EpochError, OSError) as error:
            self._deliver(EpochRefused(name=request.name, text=str(error)))
        else:
            self._deliver(EpochAllocated(name=request.name, epoch=epoch))

    async def _tell(self, request: TellChild) -> None:
        reached = False
        with contextlib.suppress(RayHostError):
            actor = await _find(request.name)
            if actor is not None:
                await actor.deliver(request.message, request.wait_ms / 1_000)
                reached = True
        self._deliver(ChildTold(name=request.name, epoch=request.epoch, message=request.message, reached=reached))

    async def _start(self, request: StartChild) -> None:
        spec = request.child.spec
        try:
            actor = await ray_host.place(request.child.shell, spec)
            pid = await actor.start(request.wait_ms / 1_000)
        except RayHostError as error:
            self._deliver(ChildFailed(name=spec.name, epoch=spec.epoch, text=str(error)))
        else:
            self._deliver(ChildStarted(name=spec.name, epoch=spec.epoch, pid=pid))

    async def _watch(self, request: WatchChild) -> None:
        """Wait in bounded calls until one of them breaks."""
        actor = await _find(request.name)
        text = "its process is gone"
        while actor is not None:
            try:
                await actor.watch(self._watch_s)
            except ActorGone as error:
                text = str(error)
                break
            except RayHostError:
                pass  # out of reach for now, or closing: the next call tells
            await asyncio.sleep(WATCH_PAUSE_S)
        self._deliver(ChildDied(name=request.name, epoch=request.epoch, text=text))

    async def _probe(self, request: ProbeChild) -> None:
        vitals, text = None, "no answer"
        wait_s = request.wait_ms / 1_000
        try:
            actor = await _find(request.name)
            if actor is not None:
                reply = await actor.health(LOOP_SHARE * wait_s, wait_s)
                vitals, text = reply.vitals, "its main loop is blocked"
        except RayHostError as error:
            text = str(error)
        self._deliver(ChildProbed(name=request.name, epoch=request.epoch, vitals=vitals, text="" if vitals else text))

    async def _read(self, request: ReadChild) -> None:
        read = ChildRead(name=request.name, epoch=request.epoch, snapshot=None, io={})
        with contextlib.suppress(RayHostError):
            actor = await _find(request.name)
            if actor is not None:
                reply = await actor.snapshot(request.wait_ms / 1_000)
                read = msgspec.structs.replace(read, snapshot=reply.snapshot, io=reply.io)
        self._deliver(read)

    async def _stop(self, request: StopChild) -> None:
        with contextlib.suppress(RayHostError):
            actor = await _find(request.name)
            if actor is not None:
                await actor.stop(request.wait_ms / 1_000)
        gone = await self._end(request.name, request.pid, request.wait_ms / 1_000)
        self._deliver(ChildGone(name=request.name, epoch=request.epoch, gone=gone))

    async def _kill(self, request: KillChild) -> None:
        gone = await self._end(request.name, request.pid, request.wait_ms / 1_000)
        self._deliver(ChildGone(name=request.name, epoch=request.epoch, gone=gone))

    async def _end(self, name: str, pid: int, wait_s: float) -> bool:
        """SIGKILL by the agent first, for Ray takes seconds with a frozen process; then the name must become free."""
        try:
            actor = await _find(name)
            if not pid and actor is not None:
                with contextlib.suppress(RayHostError):
                    pid = (await actor.health(0.0, CALL_SLACK_S)).pid
            agent = await ray_host.agent()
            gone = await agent.agent("kill", name, pid, wait_s, timeout_s=wait_s + CALL_SLACK_S)
            async with asyncio.timeout(wait_s):
                while (actor := await _find(name)) is not None:
                    actor.discard()
                    await asyncio.sleep(NAME_POLL_S)
        except (RayHostError, TimeoutError):
            return False
        return bool(gone)

    async def _beat(self, request: Beat) -> None:
        if self._beating:
            return
        self._beating = True
        try:
            agent = await ray_host.agent()
            await agent.agent("beat", os.getpid(), request.pids, timeout_s=BEAT_TIMEOUT_S)
        except CallFailed:
            pass  # Ray restarts the agent; the next beat tells it everything
        except RayHostError:
            await asyncio.sleep(1.0)
        finally:
            self._beating = False

    async def _clear(self, request: ClearVenue) -> None:
        if not self._stop_arm:
            text = (
                "no stop arm is configured: the venue's countdown will cancel; run `raymaker emergency-stop` to be sure"
            )
            self._deliver(VenueCleared(shard=request.shard, cleared=False, text=text))
            return
        try:
            process = await asyncio.create_subprocess_exec(
                *self._stop_arm,
                *request.symbols,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            self._deliver(VenueCleared(shard=request.shard, cleared=False, text=f"the stop arm cannot run: {error}"))
            return
        try:
            output, _ = await asyncio.wait_for(process.communicate(), request.wait_ms / 1_000)
            text = output[-OUTPUT_BYTES_MAX:].decode(errors="replace").strip()
        except TimeoutError:
            process.kill()
            await process.wait()
            text = f"the stop arm did not end within {request.wait_ms} ms"
        cleared = process.returncode == 0
        self._deliver(VenueCleared(shard=request.shard, cleared=cleared, text=text or "no open order is left"))


async def _find(name: str) -> ActorRef | None:
    return await asyncio.to_thread(ray_host.find, name)
