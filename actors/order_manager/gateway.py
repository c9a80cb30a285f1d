"""The order manager's sockets to the venue: orders by WebSocket API, REST beside it, and the private stream.

An intent whose bytes were given to any socket is never written again, by no way. Signing comes first; the last check (stop file, age of
the decision) stands immediately before the write, so that what is delayed after it dies by its window.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from actors.order_manager.event_watch import EventWatch
from actors.order_manager.latency import Histogram
from actors.runtime.address_ledger import join_address
from actors.runtime.rest_client import RestClient, read_sockets
from actors.runtime.shell import Host
from actors.runtime.stop_file import StopFile
from actors.runtime.web_socket import ReconnectingWebSocket
from actors.runtime.web_socket_stage import StageWebSocket
from configs.keys import ApiKeys
from configs.schema import Settings
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.order_frames import OrderFrames
from protocols.binance_usdm.responses import decode_ws_api, ws_outcome
from protocols.binance_usdm.signing import HmacSigner
from protocols.binance_usdm.urls import VenueUrls, private_url
from protocols.binance_usdm.user_stream import UserStreamDecoder
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.envelope import Message
from protocols.messages.control import ActorSpec
from protocols.messages.journal import OrderWritten
from protocols.venue import (
    AmendOrder,
    AnyOutcome,
    BadFrame,
    CancelOrder,
    NotSent,
    OrderUpdate,
    OutcomeUnknown,
    PlaceOrder,
    StreamChanged,
    StreamHeard,
    Throttled,
    Usage,
    UserStreamExpired,
    VenueRequest,
)

ORDERS = "orders"
PRIVATE = "private"

DECISION_AGE_NS_MAX = 250_000_000
"""A new order that reaches its socket later than this after its decision is not written."""

REST_CALLS_MAX = 64
"""REST calls at one time."""

WAITING_MAX = 2_000
"""Requests on the WebSocket API whose answer is remembered as outstanding."""

BAD_FRAMES_MAX = 5
BAD_FRAMES_WINDOW_NS = 60_000_000_000
"""More damaged frames than this in a minute have the socket opened anew."""

PERIOD_S = 0.1
"""Period of passing on signs of life and of the watches."""

READ_ROUNDS_MAX = 3
"""How often in a row the sockets are read first; a disk that holds each turn up must not hold cancels back for ever."""

REASON_CHARACTERS_MAX = 200

SILENCE = "the venue wants silence from this address"

NO_KEY = "a key that opens nothing: for orders that are rehearsed"

NOBODYS_REQUEST = 0
"""Number of an outcome that answers no request of ours."""

_GATHERED = (PlaceOrder, AmendOrder, CancelOrder)
"""Requests of which all that one message caused leave in one write."""


class Gateway:
    """Carries requests out and brings outcomes and events back, all on one loop."""

    def __init__(
        self,
        spec: ActorSpec,
        settings: Settings,
        keys: ApiKeys,
        host: Host,
        stop_file: StopFile,
        *,
        venue_offset_ns: Callable[[], int],
        listen_key: Callable[[], str],
        written: Callable[[OrderWritten], None],
    ) -> None:
        """Describe the connections; `start` opens them.

        Args:
            venue_offset_ns: the venue's time minus ours, as the core knows it.
            listen_key: the newest key of the private stream; "" means not yet known.
            written: told after an order's bytes were given to a socket.
        """
        venue = settings.venue
        self._host = host
        self._stop_file = stop_file
        self._offset_ns = venue_offset_ns
        self._listen_key = listen_key
        self._written = written
        self._urls = VenueUrls(rest=venue.rest_url, streams=venue.stream_url, ws_api=venue.ws_api_url)
        self._wires = WireInstruments(spec.instruments)
        self._frames = OrderFrames(self._wires, keys.api_key, keys.signer)
        self._imagined = OrderFrames(self._wires, NO_KEY, HmacSigner(NO_KEY))
        self._stage: StageWebSocket | None = None
        self._decoder = UserStreamDecoder(self._wires)
        self._ledger = join_address(spec.state_dir, spec.name)
        self._silent_until_ns = 0
        self._rest = RestClient(
            venue.rest_url,
            keys.api_key,
            keys.signer,
            spec.instruments,
            host.clock,
            venue.request_timeout_ms,
            user_timeout_ms=settings.order_manager.window_ms,
            ledger=self._ledger,
        )
        market_data = settings.market_data
        self._orders = ReconnectingWebSocket(
            venue.ws_api_url,
            self._order_frame,
            self._orders_changed,
            linger_off=True,
            user_timeout_ms=settings.order_manager.window_ms,
            frame_bytes_max=market_data.frame_bytes_max,
            clock=host.clock,
            delay_ms=market_data.reconnect_delay_ms,
            delay_ms_max=market_data.reconnect_delay_ms_max,
        )
        self._private = ReconnectingWebSocket(
            self._private_url,
            self._private_frame,
            self._private_changed,
            frame_bytes_max=market_data.frame_bytes_max,
            clock=host.clock,
            delay_ms=market_data.reconnect_delay_ms,
            delay_ms_max=market_data.reconnect_delay_ms_max,
        )
        self._gathered: list[tuple[PlaceOrder | AmendOrder | CancelOrder, bytes]] = []
        self._waiting: dict[int, VenueRequest] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._reading: asyncio.Task[None] | None = None
        self._must_read = False
        self._watch: asyncio.Task[None] | None = None
        self._key_in_use = self._dead_key = ""
        self._events = EventWatch()
        self._heard_told_ns = 0
        self._bad_since_ns = 0
        self._bad_frames = self._bad_frames_total = 0
        self._not_sent_total = 0
        self.tick_to_order = Histogram()
        self.shut = ""
        """Why no new order may be written any more; "" while it may."""

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._orders.start()
        self._private.start()
        self._watch = asyncio.get_running_loop().create_task(self._look(), name="gateway watches")

    async def stop(self) -> None:
        """Close every socket and drop calls on their way."""
        self.shut = self.shut or "stopping"
        ending = [task for task in (self._watch, self._reading) if task is not None]
        for each in ending:
            each.cancel()
        if ending:
            await asyncio.wait(ending)
        await self._orders.stop()
        await self._private.stop()
        if self._calls:
            for task in self._calls:
                task.cancel()
            await asyncio.wait(self._calls)
        await self._rest.close()
        if self._stage is not None:
            self._stage.close()
            self._stage = None
        if self._ledger is not None:
            self._ledger.close()

    def call(self, request: VenueRequest) -> None:
        """Carry out one request; exactly one outcome is delivered for it. Orders and cancels leave with `flush`."""
        if self._silent_until_ns and self._host.clock.now_ns() < self._silent_until_ns:
            self._not_sent(request, SILENCE)
            return
        if not isinstance(request, _GATHERED) or not self._orders.is_open:
            self._call_rest(request)
        elif isinstance(request, PlaceOrder):
            self._gathered.append((request, self._frames.place(request)))
        elif isinstance(request, AmendOrder):
            self._gathered.append((request, self._frames.amend(request)))
        else:
            self._gathered.append((request, self._frames.cancel(request)))

    def flush(self) -> None:
        """Write what was gathered, in its order and in one go: signed before, checked last."""
        if not self._gathered or self._reading is not None:
            return
        gathered, self._gathered = self._gathered, []
        if self._silent_until_ns and self._host.clock.now_ns() < self._silent_until_ns:
            for request, _ in gathered:
                self._not_sent(request, SILENCE)
            return
        places = [request for request, _ in gathered if not isinstance(request, CancelOrder)]
        reason = self._last_check(min(request.venue_time_ns for request in places)) if places else ""
        if reason:
            gathered = [(request, frame) for request, frame in gathered if isinstance(request, CancelOrder)]
            for place in places:
                self._not_sent(place, reason)
            places = []
        if not self._orders.write_all([frame for _, frame in gathered]):
            for request, _ in gathered:
                self._call_rest(request)
            return
        written_ns = self._host.clock.now_ns()
        for request, _ in gathered:
            self._waiting[request.request_id] = request
        for place in places:
            self._note_written(place, written_ns)
        while len(self._waiting) > WAITING_MAX:
            del self._waiting[next(iter(self._waiting))]

    def read_first(self) -> None:
        """The process was held up: nothing leaves before what the venue has said meanwhile, which lies in the sockets, is read."""
        self._must_read = True
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read(), name="read first")

    async def _read(self) -> None:
        rounds = 0
        while self._must_read and rounds < READ_ROUNDS_MAX:
            self._must_read = False
            rounds += 1
            await read_sockets()
        self._must_read, self._reading = False, None
        self._hear_others(self._host.clock.now_ns())
        self.flush()

    def rehearse(self, requests: Sequence[Message]) -> None:
        """Make the bytes of imagined orders, look at everything that a real one is checked against last, and send them to ourselves.

        They are signed with a key that opens nothing.
        """
        if self._stage is None:
            self._stage = StageWebSocket(lambda payload, received_ns: None, self._host.clock)
        frames = self._imagined
        gathered: list[tuple[PlaceOrder | AmendOrder | CancelOrder, bytes]] = []
        for request in requests:
            if isinstance(request, PlaceOrder):
                gathered.append((request, frames.place(request)))
            elif isinstance(request, AmendOrder):
                gathered.append((request, frames.amend(request)))
            elif isinstance(request, CancelOrder):
                gathered.append((request, frames.cancel(request)))
        self._last_check(self._host.clock.now_ns() + self._offset_ns())
        self._stage.write_all([frame for _, frame in gathered])

    def cancel_now(self, request: CancelOrder) -> bool:
        """Write a cancel whose answer nobody will read, from a process that is about to end."""
        return self._orders.write(self._frames.cancel(request))

    def snapshot(self) -> dict[str, Any]:
        """State of the sockets and the tick-to-order histogram (microseconds; counts are cumulative), builtins only."""
        return {
            "tick_to_order_us": self.tick_to_order.view(),
            "orders_open": self._orders.is_open,
            "orders_failures_in_a_row": self._orders.failures,
            "private_open": self._private.is_open,
            "private_failures_in_a_row": self._private.failures,
            "waiting": len(self._waiting),
            "rest_calls": len(self._calls),
            "not_sent": self._not_sent_total,
            "bad_frames": self._bad_frames_total,
            "unmodelled": dict(self._decoder.unmodelled),
        }

    def _last_check(self, decided_venue_ns: int) -> str:
        """Why orders decided at this time of the venue may not be written now; "" lets them go."""
        if self.shut:
            return self.shut
        if self._stop_file.is_present():
            return "the stop file is there, or cannot be looked at"
        age_ns = self._host.clock.now_ns() + self._offset_ns() - decided_venue_ns
        if age_ns > DECISION_AGE_NS_MAX:
            return f"decided {age_ns // 1_000_000} ms ago"
        return ""

    def _note_written(self, request: PlaceOrder | AmendOrder, written_ns: int) -> None:
        origin_ns = self._host.origin_ns
        if origin_ns:
            self.tick_to_order.observe((written_ns - origin_ns) // 1_000)
        self._written(OrderWritten(client_order_id=request.client_order_id, origin_ns=origin_ns, written_ns=written_ns))

    def _not_sent(self, request: VenueRequest, reason: str) -> None:
        self._not_sent_total += 1
        self._host.deliver(
            NotSent(request_id=request.request_id, received_ns=self._host.clock.now_ns(), usage=Usage(), reason=reason)
        )

    def _order_frame(self, payload: bytes, received_ns: int) -> None:
        try:
            answer = decode_ws_api(payload)
        except DamagedPayload as damage:
            self._damaged(ORDERS, damage, received_ns)
            return
        request = self._waiting.pop(answer.request_id, None) if answer.request_id is not None else None
        if request is None:
            if answer.request_id is None:
                self._damaged(ORDERS, DamagedPayload(field="id", reason=answer.text or "names no request"), received_ns)
                self._orders.reconnect("the venue refused the session")
            return
        outcome = ws_outcome(answer, request, received_ns, self._wires)
        self._expect_event(request, outcome)
        self._pass_on(outcome)
        self._host.deliver(outcome)

    def _orders_changed(self, up: bool, reason: str) -> None:
        now_ns = self._host.clock.now_ns()
        if not up:
            lost, self._waiting = self._waiting, {}
            for request in lost.values():
                self._host.deliver(
                    OutcomeUnknown(
                        request_id=request.request_id,
                        received_ns=now_ns,
                        usage=Usage(),
                        reason=f"the order socket was lost: {reason[:REASON_CHARACTERS_MAX]}",
                    )
                )
        self._host.deliver(
            StreamChanged(stream=ORDERS, up=up, changed_ns=now_ns, reason=reason[:REASON_CHARACTERS_MAX])
        )

    def _call_rest(self, request: VenueRequest) -> None:
        if len(self._calls) >= REST_CALLS_MAX:
            self._not_sent(request, f"{REST_CALLS_MAX} calls are already on their way")
            return
        task = asyncio.get_running_loop().create_task(self._ask(request), name=type(request).__name__)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _ask(self, request: VenueRequest) -> None:
        if self._reading is not None:
            await asyncio.wait([self._reading])
            if self._host.clock.now_ns() < self._silent_until_ns:
                self._not_sent(request, SILENCE)
                return
        if isinstance(request, PlaceOrder | AmendOrder):
            origin_ns = self._host.origin_ns
            outcome = await self._rest.send(request, last_check=lambda: self._check_and_note(request, origin_ns))
        else:
            outcome = await self._rest.send(request)
        self._expect_event(request, outcome)
        self._host.deliver(outcome)

    def _check_and_note(self, request: PlaceOrder | AmendOrder, origin_ns: int) -> str:
        reason = self._last_check(request.venue_time_ns)
        if not reason:
            written_ns = self._host.clock.now_ns()
            record = OrderWritten(client_order_id=request.client_order_id, origin_ns=origin_ns, written_ns=written_ns)
            asyncio.get_running_loop().call_soon(self._written, record)
        return reason

    def _private_url(self) -> str | None:
        newest = self._listen_key()
        self._key_in_use = newest if newest != self._dead_key else ""
        return private_url(self._urls, self._key_in_use) if self._key_in_use else None

    def _private_frame(self, payload: bytes, received_ns: int) -> None:
        try:
            events = self._decoder.decode(payload, received_ns)
        except DamagedPayload as damage:
            self._damaged(PRIVATE, damage, received_ns)
            return
        for event in events:
            if isinstance(event, OrderUpdate):
                self._events.told(event.order)
            self._host.deliver(event)
            if isinstance(event, UserStreamExpired):
                self._dead_key, self._key_in_use = self._key_in_use, ""
                self._private.reconnect("the key has expired")

    def _private_changed(self, up: bool, reason: str) -> None:
        now_ns = self._host.clock.now_ns()
        if up:
            self._events.opened(now_ns)
        else:
            self._events.closed()
        self._host.deliver(
            StreamChanged(stream=PRIVATE, up=up, changed_ns=now_ns, reason=reason[:REASON_CHARACTERS_MAX])
        )

    def _damaged(self, stream: str, damage: DamagedPayload, received_ns: int) -> None:
        self._bad_frames_total += 1
        if received_ns - self._bad_since_ns > BAD_FRAMES_WINDOW_NS:
            self._bad_since_ns, self._bad_frames = received_ns, 0
        self._bad_frames += 1
        self._host.deliver(
            BadFrame(
                stream=stream,
                reason=damage.reason[:REASON_CHARACTERS_MAX],
                field=damage.field,
                received_ns=received_ns,
            )
        )
        if self._bad_frames > BAD_FRAMES_MAX:
            self._bad_frames = 0
            (self._private if stream == PRIVATE else self._orders).reconnect("too many damaged frames")

    def _expect_event(self, request: VenueRequest, outcome: AnyOutcome) -> None:
        if isinstance(request, _GATHERED):
            self._events.acknowledged(request, outcome, request.venue_time_ns - self._offset_ns())

    def _pass_on(self, outcome: AnyOutcome) -> None:
        """Let the other processes of this address hear what the venue told by the order socket."""
        if isinstance(outcome, Throttled) and not outcome.orders_only:
            self._silent_until_ns = max(self._silent_until_ns, outcome.retry_at_ns)
            if self._ledger is not None:
                self._ledger.shut(outcome.retry_at_ns, banned=outcome.banned)
        if outcome.usage.weight_1m >= 0 and self._ledger is not None:
            self._ledger.tell(outcome.usage.weight_1m, outcome.received_ns)

    def _hear_others(self, now_ns: int) -> None:
        """What another process of this address was told holds for this one too."""
        until_ns = self._ledger.shut_until_ns() if self._ledger is not None else 0
        if until_ns <= max(now_ns, self._silent_until_ns):
            return
        self._silent_until_ns = until_ns
        self._host.deliver(
            Throttled(
                request_id=NOBODYS_REQUEST,
                received_ns=now_ns,
                usage=Usage(),
                retry_at_ns=until_ns,
                banned=False,
                orders_only=False,
                venue_code=0,
                text="told to a process of this address",
            )
        )

    async def _look(self) -> None:
        self._hear_others(self._host.clock.now_ns())  # and what was told to the process before this one
        while True:
            await asyncio.sleep(PERIOD_S)
            now_ns = self._host.clock.now_ns()
            self._hear_others(now_ns)
            if self._private.is_open:
                newest_key = self._listen_key()
                if newest_key and newest_key != self._key_in_use:
                    self._private.reconnect("the key has changed")
                    continue
                missing = self._events.missing(now_ns)
                if missing:
                    self._events.closed()
                    for each in missing:
                        self._host.deliver(each)
                    self._private.reconnect("what was acknowledged was not told")
                    continue
            heard_ns = self._private.heard_ns
            if self._private.is_open and heard_ns > self._heard_told_ns:
                self._heard_told_ns = heard_ns
                self._host.deliver(StreamHeard(stream=PRIVATE, heard_ns=heard_ns))
