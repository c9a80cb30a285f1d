"""The three actors of the order path joined by Ray actor calls instead of links, to be measured beside them.

Shells, cores, venue, journal and everything else are the live ones. market_data gives each book to strategy, and strategy each ladder to
order_manager, by a call of the reader's Ray actor that nobody waits for; what the link brings of these two kinds is left unused.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.market_data.actor import MarketDataActor
from actors.order_manager.actor import OrderManagerActor
from actors.runtime.ray_host import ActorRef, find
from actors.runtime.shell import Host
from actors.strategy.actor import StrategyActor
from configs.schema import Settings
from protocols.effects import Core, Effect, Publish
from protocols.envelope import Envelope, Message, encoder
from protocols.messages.control import ActorSpec, ChildSpec, SystemPlan
from protocols.messages.market import BookTop
from protocols.messages.quoting import QuoteTargets

VARIANTS = {"market_data": "RayMarketData", "strategy": "RayStrategy", "order_manager": "RayOrderManager"}


def over_ray(plan: SystemPlan) -> SystemPlan:
    """The same plan with the three actors hosted by the shells of this file."""
    return msgspec.structs.replace(plan, children=tuple(_hosted(child) for child in plan.children))


def _hosted(child: ChildSpec) -> ChildSpec:
    variant = VARIANTS.get(child.spec.role)
    return child if variant is None else msgspec.structs.replace(child, shell=f"{__name__}:{variant}")


class _Detour:
    """A core whose messages of one kind leave by Ray, and which hears those of another kind only by Ray."""

    def __init__(self, core: Core, leaves: type[Message] | None, arrives: type[Message] | None, reader: str) -> None:
        self._core = core
        self._leaves = leaves
        self._arrives = arrives
        self._reader_name = reader
        self._reader: ActorRef | None = None
        self._host: Host | None = None
        self._by_ray = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def attach(self, host: Host) -> None:
        self._host = host

    def start(self, now_ns: int) -> list[Effect]:
        return self._core.start(now_ns)

    def handle(self, message: Message, now_ns: int) -> list[Effect]:
        if self._arrives is not None and type(message) is self._arrives and not self._by_ray:
            return []
        effects = self._core.handle(message, now_ns)
        if self._leaves is not None:
            for effect in effects:
                if type(effect) is Publish and type(effect.body) is self._leaves:
                    self._call_reader(effect.body, now_ns)
        return effects

    def snapshot(self) -> msgspec.Struct:
        return self._core.snapshot()

    def heard_by_ray(self, message: Message, origin_ns: int) -> None:
        assert self._host is not None
        self._by_ray = True
        try:
            self._host.deliver(message, origin_ns)
        finally:
            self._by_ray = False

    def _call_reader(self, body: Message, now_ns: int) -> None:
        assert self._host is not None
        if self._reader is None:
            self._reader = find(self._reader_name)
        if self._reader is not None:
            self._reader.ask_unheard(encoder.encode(Envelope("", 0, 0, now_ns, self._host.origin_ns, "", body)))


class _Heard:
    """What the shells of readers add: Ray's calls come in through `ask`."""

    _detour: _Detour
    _decoder: msgspec.msgpack.Decoder[Any]

    async def ask(self, frame: bytes) -> bytes:
        envelope = self._decoder.decode(frame)
        self._detour.heard_by_ray(envelope.body, envelope.origin_ns)
        return b""


class RayMarketData(MarketDataActor):
    """market_data whose books leave by Ray."""

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        super().__init__(spec, settings)
        self._detour = _Detour(self.core, BookTop, None, f"strategy-{spec.shard}")
        self.core = self._detour  # type: ignore[assignment]

    async def start(self, host: Host) -> None:
        self._detour.attach(host)
        await super().start(host)


class RayStrategy(_Heard, StrategyActor):
    """strategy that hears books by Ray, and whose ladders leave by Ray."""

    _decoder = msgspec.msgpack.Decoder(Envelope[BookTop])

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        super().__init__(spec, settings)
        self._detour = _Detour(self.core, QuoteTargets, BookTop, f"order_manager-{spec.shard}")
        self.core = self._detour  # type: ignore[assignment]

    async def start(self, host: Host) -> None:
        self._detour.attach(host)
        await super().start(host)


class RayOrderManager(_Heard, OrderManagerActor):
    """order_manager that hears ladders by Ray."""

    _decoder = msgspec.msgpack.Decoder(Envelope[QuoteTargets])

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        super().__init__(spec, settings)
        self._detour = _Detour(self.core, None, QuoteTargets, "")
        self.core = self._detour  # type: ignore[assignment]

    async def start(self, host: Host) -> None:
        self._detour.attach(host)
        await super().start(host)
