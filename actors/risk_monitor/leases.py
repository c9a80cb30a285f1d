"""The desk that answers lease requests: newest announced epoch only, with the shard's shares of the account's limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from actors.risk_monitor.budget import shard_budget
from actors.risk_monitor.eyes import WEIGHT_1M
from actors.risk_monitor.levels import Verdict, worst
from actors.risk_monitor.memory import GrantRecord, RiskMemory
from actors.risk_monitor.shares import ShareLedger, wanted_shares
from actors.risk_monitor.snapshot import ShardLease
from configs.schema import Settings
from protocols.arithmetic.plain_text import plain_text
from protocols.messages.orders import RateUsage
from protocols.messages.risk import Lease, LeaseRequest, RiskLevel, SymbolLimits
from protocols.values import InstrumentId, RateLimits

REBALANCE_PERIOD_NS = 5_000_000_000
"""Shares are divided anew at most this often."""

REBALANCE_STEP = Decimal("0.05")
"""Shares are divided anew only where one would change by this part of the account's limit."""

SILENT_NS = 1_500_000_000
"""An order manager that has not asked for so long is away: its lease is over, and what it said last is no lie."""

_MS = 1_000_000


class _Shard:
    """What the desk knows of one shard."""

    def __init__(self) -> None:
        self.epoch = 0
        self.halted = ""
        self.answered_ns = 0
        self.leases = 0
        self.refused = 0
        self.usage: RateUsage | None = None
        self.recovered = False
        self.requested_ns = 0


class LeaseDesk:
    """Leases of every shard.

    Args:
        shards: the instruments of each shard.
        rate_limits: what the venue lets the whole account ask of it.
    """

    def __init__(
        self,
        shards: Sequence[tuple[InstrumentId, ...]],
        settings: Settings,
        rate_limits: RateLimits,
    ) -> None:
        self._instruments = tuple(shards)
        self._shard_of = {i: number for number, members in enumerate(shards) for i in members}
        self._lease_ms = settings.risk.lease_ms
        self._limit = Decimal(0)
        self._weights = [Decimal(len(members)) for members in shards]
        lapse_ms = settings.risk.lease_ms + settings.order_manager.window_ms
        self._ledger = ShareLedger(self._limit, len(self._instruments), lapse_ms * _MS)
        symbols = sum(len(members) for members in shards)
        left = msgspec.structs.replace(rate_limits, weight_1m=max(rate_limits.weight_1m - WEIGHT_1M, 1))
        self._budgets = [shard_budget(left, len(members), symbols) for members in shards]
        self._shards = [_Shard() for _ in shards]
        self._wanted = wanted_shares(self._limit, self._weights, self._ledger.reported())
        self._divided_ns = 0
        self._now_ns = 0

    def restore(self, memory: RiskMemory) -> None:
        """Take over epochs and shares of an earlier risk monitor."""
        for shard, epoch in memory.epochs.items():
            self.announce(shard, epoch)
        self._ledger.restore(memory.grants, memory.share_id_last)

    def set_limits(self, limit: Decimal, weights: Mapping[InstrumentId, Decimal]) -> None:
        """The account's limit on notional, and the position limit of each instrument; a shard's weight is their sum. In quote currency."""
        self._limit = self._ledger.limit = limit
        found = [sum((weights[i] for i in members), Decimal(0)) for members in self._instruments]
        # Weights that are not known yet (a limit in base units before its mark) leave the division as it was.
        self._weights = found if all(found) else self._weights
        self._wanted = wanted_shares(self._limit, self._weights, self._ledger.reported())

    def announce(self, shard: int, epoch: int) -> bool:
        """Only this epoch of the shard's order manager is answered from now on; whether it is new. An older one changes nothing."""
        if not 0 <= shard < len(self._shards) or epoch <= self._shards[shard].epoch:
            return False
        self._shards[shard].epoch = epoch
        self._shards[shard].halted = ""
        self._shards[shard].recovered = False
        return True

    def note(self, request: LeaseRequest) -> None:
        """Take note that a shard asks, and whether it has recovered. Once it fits into its share it has."""
        shard = self._shards[request.shard]
        shard.recovered = shard.recovered or request.fits
        shard.requested_ns = self._now_ns

    def is_recovered(self, instrument_id: InstrumentId) -> bool:
        """Whether the order manager of a symbol has recovered and asks for leases: what it says can be held against it."""
        number = self._shard_of[instrument_id]
        shard = self._shards[number]
        return shard.recovered and self._now_ns - shard.requested_ns <= SILENT_NS

    def halt(self, shard: int, reason: str) -> None:
        """The shard was given up: it is told to halt until a newer epoch of it is announced or a person resumes."""
        if 0 <= shard < len(self._shards):
            self._shards[shard].halted = reason or "the shard was given up"

    def resume(self) -> None:
        """A person resumed."""
        for shard in self._shards:
            shard.halted = ""

    def clock(self, now_ns: int) -> None:
        """Take the time, for the ages that are shown."""
        self._now_ns = now_ns

    def use(self, usage: RateUsage) -> None:
        """Remember the venue's count of a shard's requests."""
        if 0 <= usage.shard < len(self._shards):
            self._shards[usage.shard].usage = usage

    def instruments(self, shard: int) -> tuple[InstrumentId, ...]:
        """The instruments of a shard; none for one that does not exist."""
        return self._instruments[shard] if 0 <= shard < len(self._instruments) else ()

    def accepts(self, request: LeaseRequest) -> bool:
        """Whether the request comes from the newest announced epoch of a shard of the plan and makes sense."""
        if not 0 <= request.shard < len(self._shards):
            return False
        shard = self._shards[request.shard]
        if request.epoch != shard.epoch or not request.worst_case_notional.is_finite():
            shard.refused += 1
            return False
        return True

    def answer(self, request: LeaseRequest, account: Verdict, limits: tuple[SymbolLimits, ...], now_ns: int) -> Lease:
        """The lease for a request that `accepts` took."""
        shard = self._shards[request.shard]
        self._ledger.report(request)
        self._divide(now_ns)
        grant = self._ledger.grant(request, self._wanted[request.shard])
        shard.answered_ns = now_ns
        shard.leases += 1
        halted = [Verdict(RiskLevel.HALTED, shard.halted, passing=True)] if shard.halted else []
        verdict = worst([account, *halted])
        budget = self._budgets[request.shard]
        return Lease(
            shard=request.shard,
            epoch=request.epoch,
            nonce=request.nonce,
            requested_ns=request.requested_ns,
            lease_ms=self._lease_ms,
            state=verdict.state,
            reason=verdict.reason,
            limits=limits,
            share_id=grant.share_id,
            notional_share=grant.amount,
            orders_10s_share=budget.orders_10s,
            orders_1m_share=budget.orders_1m,
            weight_1m_share=budget.weight_1m,
            level=verdict.level,
        )

    def epochs(self) -> dict[int, int]:
        """The newest epoch announced of each shard."""
        return {index: shard.epoch for index, shard in enumerate(self._shards) if shard.epoch}

    def grants(self) -> tuple[GrantRecord, ...]:
        """Every share that may be in force."""
        return self._ledger.records()

    @property
    def share_id_last(self) -> int:
        """The highest number given to a share."""
        return self._ledger.share_id_last

    def views(self) -> dict[int, ShardLease]:
        """What is shown of each shard; ages as of the last `clock`."""
        return {index: self._view(index, shard) for index, shard in enumerate(self._shards)}

    def _divide(self, now_ns: int) -> None:
        if now_ns - self._divided_ns < REBALANCE_PERIOD_NS:
            return
        self._divided_ns = now_ns
        wanted = wanted_shares(self._limit, self._weights, self._ledger.reported())
        step = self._limit * REBALANCE_STEP
        if any(abs(new - old) >= step for new, old in zip(wanted, self._wanted, strict=True)):
            self._wanted = wanted

    def _view(self, index: int, shard: _Shard) -> ShardLease:
        newest = self._ledger.newest(index)
        usage = shard.usage
        return ShardLease(
            epoch=shard.epoch,
            lease_age_ms=(self._now_ns - shard.answered_ns) // _MS if shard.leases else -1,
            leases=shard.leases,
            refused=shard.refused,
            halted=shard.halted,
            share_id=newest.share_id if newest is not None else 0,
            notional_share=plain_text(newest.amount) if newest is not None else "0",
            notional_counted=plain_text(self._ledger.counted(index)),
            worst_case_reported=plain_text(self._ledger.reported()[index]),
            weight_used_1m=usage.weight_used_1m if usage is not None else -1,
            orders_used_10s=usage.orders_used_10s if usage is not None else -1,
            orders_used_1m=usage.orders_used_1m if usage is not None else -1,
        )
