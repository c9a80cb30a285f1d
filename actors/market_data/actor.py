"""The shell of market_data: two market sockets and unsigned REST calls around one core. It needs no key."""

from __future__ import annotations

import asyncio
from types import UnionType
from typing import Any

from actors.market_data.core import MarketDataCore
from actors.market_data.feed import Feed
from actors.market_data.rehearsal import Rehearsal
from actors.runtime.address_ledger import OTHERS_SHARE, join_address
from actors.runtime.links.stage import Stage
from actors.runtime.rest_client import RestClient
from actors.runtime.shell import Host
from actors.runtime.web_socket_stage import StageWebSocket
from configs.schema import Settings
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.effects import Publish
from protocols.envelope import Message
from protocols.mailboxes import MarketDataMailbox
from protocols.messages.control import ActorSpec, ActorState
from protocols.venue import NotSent, QueryBook, QueryTime, Usage

CALLS_MAX = 16
"""REST calls at one time; the core keeps below it."""


class MarketDataActor:
    """market_data of one shard."""

    mailbox: UnionType = MarketDataMailbox

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        self.core = MarketDataCore(spec, settings)
        self._spec = spec
        self._settings = settings
        self._host: Host | None = None
        self._feed: Feed | None = None
        self._rest: RestClient | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._rehearsal: Rehearsal | None = None
        self._stage: Stage | None = None
        self._imagined: StageWebSocket | None = None
        self._imagined_decoder = MarketStreamDecoder(WireInstruments(spec.instruments))

    async def start(self, host: Host) -> None:
        """Begin to connect; books follow when the venue answers, and their state is told by FeedStatus."""
        self._host = host
        venue = self._settings.venue
        self._rest = RestClient(
            venue.rest_url,
            api_key="",
            signer=None,
            instruments=self._spec.instruments,
            clock=host.clock,
            timeout_ms=venue.request_timeout_ms,
            ledger=join_address(self._spec.state_dir, self._spec.name),
            weight_1m_max=int(self._spec.rate_limits.weight_1m * OTHERS_SHARE),
        )
        self._feed = Feed(self._settings, self._spec.instruments, host)
        self._feed.start()

    def call(self, request: Message) -> None:
        """Send a book or time query."""
        assert isinstance(request, QueryBook | QueryTime), f"market_data asks for books and the time, not {request}"
        host, rest = self._host, self._rest
        assert host is not None and rest is not None, "a call before start"
        if len(self._calls) >= CALLS_MAX:
            reason = f"{CALLS_MAX} calls are already on their way"
            outcome = NotSent(
                request_id=request.request_id, received_ns=host.clock.now_ns(), usage=Usage(), reason=reason
            )
            asyncio.get_running_loop().call_soon(host.deliver, outcome)
            return
        task = asyncio.get_running_loop().create_task(self._ask(rest, host, request), name=type(request).__name__)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    def append(self, record: Message) -> None:
        """market_data keeps no journal: its truth is the venue's."""
        raise AssertionError(f"market_data has no journal for {type(record).__name__}")

    def state(self) -> ActorState:
        """RUNNING from the start on: a feed that is not live is a state of its symbols, not of the actor."""
        if self._stopped or self.core.drained:
            return ActorState.STOPPED
        return ActorState.STARTING if self._feed is None else ActorState.RUNNING

    def extra_snapshot(self) -> dict[str, Any]:
        """State of the sockets and calls on their way."""
        return {"sockets": self._feed.snapshot() if self._feed else {}, "calls": len(self._calls)}

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        """Nothing: every message of market_data is replaced by a newer one."""
        return []

    def rehearse(self, now_ns: int) -> None:
        """Decode an imagined frame, apply it to an imagined book, and say that to nobody."""
        if self._rehearsal is None or self._stage is None or self._imagined is None:
            host = self._host
            assert host is not None, "a rehearsal before start"
            self._rehearsal = Rehearsal(self._spec, self._settings, now_ns)
            self._stage = Stage(self.mailbox, "strategy", self._settings.links, host.clock, host.log)
            self._imagined = StageWebSocket(self._imagined_frame, host.clock)
        self._imagined.receive(self._rehearsal.next_frame(now_ns))

    def _imagined_frame(self, payload: bytes, received_ns: int) -> None:
        rehearsal, stage = self._rehearsal, self._stage
        assert rehearsal is not None and stage is not None
        event = self._imagined_decoder.decode(payload, received_ns)
        assert event is not None
        for effect in rehearsal.play(event, received_ns):
            if isinstance(effect, Publish):
                stage.say(effect.body, received_ns)

    async def stop(self) -> None:
        """Close the sockets and drop calls on their way."""
        self._stopped = True
        if self._stage is not None:
            self._stage.close()
            self._stage = None
        if self._imagined is not None:
            self._imagined.close()
            self._imagined = None
        if self._feed is not None:
            await self._feed.stop()
        if self._calls:
            for task in self._calls:
                task.cancel()
            await asyncio.wait(self._calls)
        if self._rest is not None:
            await self._rest.close()

    async def _ask(self, rest: RestClient, host: Host, request: QueryBook | QueryTime) -> None:
        outcome = await rest.send(request)
        host.deliver(outcome)
