"""A risk monitor's core with a clock, and the lease that shard 0 gets."""

from __future__ import annotations

from typing import Any

from account_samples import (
    ETH,
    START_NS,
    equity,
    lease_request,
    mark,
    position,
    settings,
    spec,
    venue_clock,
)

from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.memory import RiskMemory
from protocols.effects import Append, Effect, Send, TimerFired
from protocols.messages.control import EpochAnnounced
from protocols.messages.risk import Lease, LevelChanged
from protocols.values import RateLimits

DOCUMENTED = RateLimits()


class Driver:
    """A core with a clock; `ask` gives the lease that shard 0 gets now."""

    def __init__(
        self,
        memory: RiskMemory | None = None,
        damaged: str | None = None,
        rate_limits: RateLimits = DOCUMENTED,
        **risk: Any,
    ) -> None:
        self.now_ns = START_NS
        self.core = RiskMonitorCore(spec("risk_monitor", rate_limits=rate_limits), settings(risk=risk), memory, damaged)
        self.effects: list[Effect] = self.core.start(self.now_ns)
        self.nonce = 0

    def tell(self, *messages: Any) -> list[Effect]:
        done: list[Effect] = []
        for message in messages:
            done += self.core.handle(message, self.now_ns)
        self.effects += done
        return done

    def healthy(self, amount: str = "100000") -> Driver:
        self.tell(EpochAnnounced(name="order_manager-0", shard=0, epoch=5, announced_ns=0), venue_clock())
        self.refresh(amount)
        return self

    def refresh(self, amount: str = "100000", btc_lots: int = 0) -> None:
        self.tell(mark("50000", self.now_ns), mark("2500", self.now_ns, ETH))
        self.tell(position(btc_lots), position(0, ETH), equity(amount, self.now_ns))

    def ask(self, **changes: Any) -> Lease:
        self.nonce += 1
        effects = self.tell(lease_request(self.nonce, self.now_ns, **changes))
        (lease,) = [effect.body for effect in effects if isinstance(effect, Send)]
        return lease

    def tell_request(self) -> list[Effect]:
        self.nonce += 1
        return self.tell(lease_request(self.nonce, self.now_ns))

    def tell_timer(self) -> list[Effect]:
        return self.tell(TimerFired(name="judge"))

    def memory(self) -> RiskMemory:
        return [e.record for e in self.effects if isinstance(e, Append) and isinstance(e.record, RiskMemory)][-1]

    def changes(self) -> list[LevelChanged]:
        return [e.record for e in self.effects if isinstance(e, Append) and isinstance(e.record, LevelChanged)]


def states(lease: Lease) -> tuple[str, str, str]:
    return (lease.state.value, *(limits.state.value for limits in lease.limits))
