"""A WebSocket that stays open: one connection after the other, with the newest URL, a growing delay and a bound on silence."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from actors.runtime.clock import BootClock
from actors.runtime.shell import Clock
from actors.runtime.web_socket_client import OnChange, OnFrame
from actors.runtime.web_socket_client import WebSocketClient as WebSocketClient
from actors.runtime.web_socket_client import WebSocketError as WebSocketError


class ReconnectingWebSocket:
    """Keeps one connection open: reconnects with a growing, jittered delay, and drops a connection that has gone mute."""

    def __init__(
        self,
        url: str | Callable[[], str | None],
        on_frame: OnFrame,
        on_change: OnChange,
        *,
        headers: Mapping[str, str] | None = None,
        linger_off: bool = True,
        user_timeout_ms: int | None = None,
        frame_bytes_max: int = 4_194_304,
        clock: Clock | None = None,
        delay_ms: int = 250,
        delay_ms_max: int = 5_000,
        ping_period_ms: int = 1_000,
        silence_ms_max: int = 5_000,
        open_timeout_ms: int = 5_000,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Describe the connection; `start` begins to keep it.

        Args:
            url: or a callable that gives the newest one before each attempt; None means "not yet known".
            delay_ms: wait after the first failure; doubled up to `delay_ms_max`, each wait between half and the whole of it.
            silence_ms_max: a connection on which nothing arrived for so long is dropped; pings make a healthy one speak.
        """
        self._url = url
        self._make: Callable[[str], WebSocketClient] = partial(
            WebSocketClient,
            on_frame=on_frame,
            on_change=self._changed,
            headers=headers,
            linger_off=linger_off,
            user_timeout_ms=user_timeout_ms,
            frame_bytes_max=frame_bytes_max,
            clock=clock,
            open_timeout_ms=open_timeout_ms,
        )
        self._on_change = on_change
        self._clock: Clock = clock or BootClock()
        self._delay_s = delay_ms / 1_000
        self._delay_s_max = delay_ms_max / 1_000
        self._ping_period_s = ping_period_ms / 1_000
        self._silence_ns_max = silence_ms_max * 1_000_000
        self._jitter = jitter
        self._client: WebSocketClient | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self.failures = 0
        """Attempts that failed since the last success."""
        self.error = ""
        """What the last failed attempt said."""

    @property
    def is_open(self) -> bool:
        """Whether `write` can succeed."""
        return self._client is not None and self._client.is_open

    @property
    def heard_ns(self) -> int:
        """When the last bytes of any kind arrived on the present connection; 0 when there is none."""
        return self._client.heard_ns if self._client is not None else 0

    def start(self) -> None:
        """Begin to connect. Call once, inside the loop."""
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="web socket")

    async def stop(self) -> None:
        """Close and stay closed."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self._client is not None:
            await self._client.close()

    def write(self, payload: bytes) -> bool:
        """Send one text message; False means that nothing of it was written and nothing will be."""
        return self._client is not None and self._client.write(payload)

    def write_all(self, payloads: Sequence[bytes]) -> bool:
        """Send several text messages in one go; False means that nothing of any was written and nothing will be."""
        return self._client is not None and self._client.write_all(payloads)

    def reconnect(self, reason: str) -> None:
        """Drop the present connection; a new one (with the newest URL) follows at once."""
        if self._client is not None:
            self._client.abort(reason)

    async def _keep(self) -> None:
        delay_s = 0.0
        while True:
            if delay_s:
                await asyncio.sleep(delay_s * (0.5 + self._jitter() / 2))
            delay_s = min(delay_s * 2 or self._delay_s, self._delay_s_max)
            target = self._url() if callable(self._url) else self._url
            if target is None:
                delay_s = self._delay_s
                continue
            self._lost.clear()
            try:
                self._client = self._make(target)
                await self._client.open()
            except WebSocketError as error:
                self.failures += 1
                self.error = str(error)
                continue
            self.failures = 0
            delay_s = self._delay_s
            await self._watch(self._client)

    async def _watch(self, client: WebSocketClient) -> None:
        opened_ns = self._clock.now_ns()
        waiting = asyncio.ensure_future(self._lost.wait())
        try:
            while not waiting.done():
                await asyncio.wait([waiting], timeout=self._ping_period_s)
                heard_ns = max(client.heard_ns, opened_ns)
                if not waiting.done() and self._clock.now_ns() - heard_ns > self._silence_ns_max:
                    client.abort(f"nothing heard for {self._silence_ns_max // 1_000_000} ms")
                client.ping()
        finally:
            waiting.cancel()

    def _changed(self, up: bool, reason: str) -> None:
        if not up:
            self._lost.set()
        self._on_change(up, reason)
