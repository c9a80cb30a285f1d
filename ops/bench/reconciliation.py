"""How long a comparison of fifty resting orders with the venue takes: the real core and its real sockets, the simulated venue on loopback.

The order manager's neighbours are played: a book that follows the venue's, a ladder far enough away to rest, leases without end.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import aiohttp
import msgspec
from loguru import logger

from actors.exchange.server import DEMO_ACCOUNT, DEMO_KEY, DEMO_SECRET, VenueServer, demo_credentials
from actors.order_manager.core import OrderManagerCore
from actors.order_manager.gateway import Gateway
from actors.runtime.clock import BootClock
from actors.runtime.shell import Clock
from actors.runtime.stop_file import StopFile
from configs.keys import ApiKeys
from configs.schema import Settings
from ops.simulation.house import House
from protocols.binance_usdm.signing import HmacSigner
from protocols.effects import Append, Call, Effect, Publish, SetTimer, TimerFired
from protocols.envelope import Message
from protocols.messages.control import ActorSpec, Reconcile
from protocols.messages.inventory import UserStreamKey
from protocols.messages.journal import Reconciled
from protocols.messages.market import BookTop, FeedState, FeedStatus, VenueClock
from protocols.messages.quoting import QuoteTargets
from protocols.messages.risk import Lease, LeaseRequest, SymbolLimits, TradingState
from protocols.venue import VenueRequest

OPEN_ORDERS = 50
COMPARISONS = 20
SYMBOL = "BTCUSDC"
BEAT_S = 0.1
PAUSE_S = 0.5
"""Between two comparisons, so that the venue's limit of weight is never near."""
READY_S_MAX = 60.0
ANSWER_S_MAX = 20.0
SPREAD_SHARE = 0.003
"""Distance of the innermost quote from the middle; the synthetic market does not move so far in the time of this measurement."""
STEP_SHARE = 0.0001


class ReconciliationCost(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from the demand to the agreement; `open_orders` rested at the venue each time, by its own word.

    The venue shares our process: what it does itself is in the figure.
    """

    p50_ms: float
    longest_ms: float
    open_orders: int
    comparisons: int


class ReconciliationFailed(Exception):
    """The orders did not rest, or a comparison did not end; the text says which."""


def measure_reconciliation(settings: Settings) -> ReconciliationCost:
    """Let fifty orders rest and compare them again and again.

    Args:
        settings: any with BTCUSDC among its symbols; addresses are those of a venue that is started here.

    Raises:
        ReconciliationFailed: nothing could be measured.
    """
    with tempfile.TemporaryDirectory(prefix="raymaker-reconciliation-") as folder:
        return asyncio.run(_measure(settings, Path(folder)))


async def _measure(settings: Settings, folder: Path) -> ReconciliationCost:
    assert settings.exchange is not None
    own = settings.order_manager.model_copy(update={"audit_period_ms": 600_000, "price_tolerance_bps": 100.0})
    venue = VenueServer(
        settings.exchange.model_copy(update={"symbols": (SYMBOL,), "port": 0, "ledger": None}),
        demo_credentials(),
        lambda text: None,
    )
    await venue.start()
    try:
        base = f"127.0.0.1:{venue.port}"
        addresses = {
            "rest_url": f"http://{base}",
            "stream_url": f"ws://{base}",
            "ws_api_url": f"ws://{base}/ws-fapi/v1",
        }
        changed = settings.venue.model_copy(update=addresses)
        settings = settings.model_copy(update={"symbols": (SYMBOL,), "venue": changed, "order_manager": own})
        desk = _Desk(settings, folder, venue)
        try:
            return await desk.run()
        finally:
            await desk.stop()
    finally:
        await venue.stop()


class _Desk:
    """Hosts the order manager's core and gateway, and speaks for its neighbours."""

    def __init__(self, settings: Settings, folder: Path, venue: VenueServer) -> None:
        self.clock: Clock = BootClock()
        self.log = logger
        self.origin_ns = 0
        self._venue = venue
        self._rest_url = settings.venue.rest_url
        spec = next(spec for spec in House(settings, seed=1).specs.values() if spec.role == "order_manager")
        self._spec: ActorSpec = msgspec.structs.replace(spec, state_dir="", started_ns=0)
        self._instrument = self._spec.instruments[0]
        self.core = OrderManagerCore(self._spec, settings)
        self._gateway = Gateway(
            self._spec,
            settings,
            ApiKeys(DEMO_KEY, HmacSigner(DEMO_SECRET)),
            self,
            StopFile(folder / "stop"),
            venue_offset_ns=lambda: self.core.venue_offset_ns,
            listen_key=lambda: self.core.listen_key,
            written=lambda record: None,
        )
        self._compared: list[Reconciled] = []
        self._update_id = 0
        self._targets: tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]] | None = None

    async def run(self) -> ReconciliationCost:
        """Bring the orders out, compare, and tell what it took."""
        await self._come_up()
        taken_ms: list[float] = []
        for token in range(1, COMPARISONS + 1):
            self._check_that_they_rest()
            self.deliver(Reconcile(token=token))
            await self._until(
                lambda: len(self._compared) == len(taken_ms) + 1, ANSWER_S_MAX, "a comparison did not end"
            )
            if self._compared[-1].differences:
                raise ReconciliationFailed("; ".join(self._compared[-1].differences))
            taken_ms.append(self._compared[-1].took_ns / 1e6)
            await self._neighbours(PAUSE_S)
        return ReconciliationCost(
            p50_ms=statistics.median(taken_ms),
            longest_ms=max(taken_ms),
            open_orders=OPEN_ORDERS,
            comparisons=len(taken_ms),
        )

    async def stop(self) -> None:
        await self._gateway.stop()

    def deliver(self, message: Message, origin_ns: int = 0) -> None:
        """Hand a message to the core and carry out what it decides, as an actor's host does."""
        self._carry_out(self.core.handle(message, self.clock.now_ns()))  # type: ignore[arg-type]

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Call():
                    assert isinstance(effect.request, VenueRequest)
                    self._gateway.call(effect.request)
                case SetTimer():
                    delay_s = max(effect.at_ns - self.clock.now_ns(), 0) / 1e9
                    asyncio.get_running_loop().call_later(delay_s, self.deliver, TimerFired(name=effect.name))
                case Publish() if isinstance(effect.body, LeaseRequest):
                    asyncio.get_running_loop().call_soon(self.deliver, self._lease(effect.body))
                case Append() if isinstance(effect.record, Reconciled):
                    if effect.record.cause.startswith("demand"):
                        self._compared.append(effect.record)
                case _:
                    pass
        self._gateway.flush()

    async def _come_up(self) -> None:
        """Key, clock, recovery, then the ladder."""
        headers = {"X-MBX-APIKEY": DEMO_KEY}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self._rest_url}/fapi/v1/listenKey") as answer,
        ):
            listen_key = (await answer.json())["listenKey"]
        self._carry_out(self.core.start(self.clock.now_ns()))
        self.deliver(UserStreamKey(listen_key=listen_key))
        now_ns = self.clock.now_ns()
        self.deliver(VenueClock(offset_ns=self._venue.now_ns() - now_ns, error_ns=1_000_000, sampled_ns=now_ns))
        self._gateway.start()
        await self._until(
            lambda: sum(row.state == "NEW" for row in self.core.snapshot().orders) >= OPEN_ORDERS,
            READY_S_MAX,
            f"{OPEN_ORDERS} orders did not rest",
        )

    async def _until(self, is_so: Callable[[], bool], within_s: float, otherwise: str) -> None:
        deadline_ns = self.clock.now_ns() + int(within_s * 1e9)
        while not is_so():
            if self.clock.now_ns() > deadline_ns:
                gate = self.core.snapshot().symbols[SYMBOL]
                raise ReconciliationFailed(f"{otherwise} within {within_s:g} s: {msgspec.to_builtins(gate)}")
            await self._neighbours(BEAT_S)

    async def _neighbours(self, for_s: float) -> None:
        """Market data and strategy speak, then some time passes."""
        for _ in range(max(round(for_s / BEAT_S), 1)):
            self._speak()
            await asyncio.sleep(BEAT_S)

    def _speak(self) -> None:
        now_ns, instrument = self.clock.now_ns(), self._instrument
        book = self._venue.exchange.venue.markets[SYMBOL].book
        bid, ask = book.bids.best(), book.asks.best()
        assert bid is not None and ask is not None
        self._update_id += 1
        self.deliver(
            BookTop(
                instrument_id=instrument.instrument_id,
                instrument_version=instrument.version,
                update_id=self._update_id,
                venue_time_ns=now_ns + self.core.venue_offset_ns,
                received_ns=now_ns,
                bids=((bid, 100),),
                asks=((ask, 100),),
            )
        )
        self.deliver(
            FeedStatus(
                instrument_id=instrument.instrument_id,
                state=FeedState.LIVE,
                update_id=self._update_id,
                confirmed_ns=now_ns,
                since_ns=1,
            )
        )
        if self._targets is None:
            away, step = int(bid * SPREAD_SHARE), max(int(bid * STEP_SHARE), 1)
            lots = -(-2 * instrument.notional_min // (instrument.lot_size * instrument.tick_size * bid))
            self._targets = (
                tuple((bid - away - step * level, int(lots)) for level in range(OPEN_ORDERS // 2)),
                tuple((ask + away + step * level, int(lots)) for level in range(OPEN_ORDERS // 2)),
            )
        bids, asks = self._targets
        self.deliver(
            QuoteTargets(
                instrument_id=instrument.instrument_id,
                instrument_version=instrument.version,
                book_update_id=self._update_id,
                book_received_ns=now_ns,
                bids=bids,
                asks=asks,
            )
        )

    def _check_that_they_rest(self) -> None:
        at_the_venue = len(self._venue.exchange.venue.accounts[DEMO_ACCOUNT].live_orders(SYMBOL))
        if at_the_venue != OPEN_ORDERS:
            raise ReconciliationFailed(f"{at_the_venue} of {OPEN_ORDERS} orders rest at the venue")

    def _lease(self, request: LeaseRequest) -> Lease:
        plenty = Decimal(10_000_000)
        limits = SymbolLimits(
            instrument_id=self._instrument.instrument_id,
            state=TradingState.ACTIVE,
            position_lots_max=1_000_000,
            order_lots_max=100_000,
            open_orders_max=2 * OPEN_ORDERS,
            notional_max=plenty,
            order_notional_max=plenty,
        )
        return Lease(
            shard=request.shard,
            epoch=request.epoch,
            nonce=request.nonce,
            requested_ns=request.requested_ns,
            lease_ms=1_000,
            state=TradingState.ACTIVE,
            reason="",
            limits=(limits,),
            share_id=1,
            notional_share=plenty,
            orders_10s_share=300,
            orders_1m_share=1_200,
            weight_1m_share=2_400,
        )
