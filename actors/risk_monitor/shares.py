"""Shares of the account-wide limit: how much worst-case notional each shard may hold, never more together than the account's limit.

A raised share holds at once. A lowered one counts at its old value until the shard has acknowledged the new one and fits into it, or
until it asks again after its last lease under the old one and the receive window are over; then it counts at what it says it holds. What
an older incarnation of a shard may hold stays reserved until the new one has acknowledged a share of its own and fits (its recovery has
reported). Nothing here ends by the passing of time alone: a silent shard may still have orders at the venue.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, Decimal

import msgspec

from actors.risk_monitor.memory import GrantRecord
from protocols.messages.risk import LeaseRequest

GRANTS_MAX = 8
"""Shares of one shard that may be open at a time; beyond it no new one is given until one is acknowledged."""

_CENT = Decimal("0.01")
_ZERO = Decimal(0)
_UNKNOWN_NS = -1


class Grant(msgspec.Struct):
    """A share given to one incarnation; `requested_ns` is the asker's clock at the newest request that was answered with it."""

    epoch: int
    share_id: int
    amount: Decimal
    requested_ns: int


class ShareLedger:
    """The shares of every shard that may still be in force.

    Args:
        limit: worst-case notional of the account (quote currency).
        shards: how many there are.
        lapse_ns: after a request, the longest that an order sent under its lease can still be accepted: lease plus receive window.
    """

    def __init__(self, limit: Decimal, shards: int, lapse_ns: int) -> None:
        self.limit = limit
        self._lapse_ns = lapse_ns
        self._open: list[list[Grant]] = [[] for _ in range(shards)]
        self._reported: list[Decimal] = [_ZERO] * shards
        self._share_id = 0

    def restore(self, records: Iterable[GrantRecord], share_id_last: int) -> None:
        """Take over the shares that an earlier risk monitor gave, as still in force."""
        self._share_id = share_id_last
        for record in records:
            if record.shard < len(self._open):
                self._open[record.shard].append(Grant(record.epoch, record.share_id, record.amount, _UNKNOWN_NS))

    def report(self, request: LeaseRequest) -> None:
        """Take note of what a shard says of itself; shares that it has left behind end."""
        shard = request.shard
        open_grants = self._open[shard]
        for grant in open_grants:
            if grant.epoch == request.epoch and grant.requested_ns == _UNKNOWN_NS:
                grant.requested_ns = request.requested_ns
        held = next((g for g in open_grants if (g.epoch, g.share_id) == (request.epoch, request.share_id)), None)
        self._reported[shard] = max(request.worst_case_notional, _ZERO)
        if held is not None and request.fits:
            self._open[shard] = open_grants[open_grants.index(held) :]
        elif open_grants:
            newest = open_grants[-1]
            self._open[shard] = [g for g in open_grants if g is newest or not self._has_lapsed(g, request)]

    def grant(self, request: LeaseRequest, wanted: Decimal) -> Grant:
        """Give the share for the answer to `request`: `wanted`, or what the others leave. `report` it first."""
        shard, open_grants = request.shard, self._open[request.shard]
        amount = max(min(wanted, self.limit - self.in_force_besides(shard)), _ZERO)
        newest = open_grants[-1] if open_grants else None
        if (
            newest is not None
            and newest.epoch == request.epoch
            and (newest.amount == amount or self._is_full(shard, amount))
        ):
            newest.requested_ns = max(newest.requested_ns, request.requested_ns)
            return newest
        self._share_id += 1
        given = Grant(request.epoch, self._share_id, amount, request.requested_ns)
        # A smaller share of the same incarnation can neither outlast nor exceed this one: only larger ones are still worth counting.
        larger = [g for g in open_grants if g.epoch == request.epoch and g.amount > amount]
        self._open[shard] = [*_largest([g for g in open_grants if g.epoch != request.epoch]), *larger, given]
        return given

    def in_force(self, shard: int) -> Decimal:
        """The most that the shard may trade under now."""
        return max((grant.amount for grant in self._open[shard]), default=_ZERO)

    def counted(self, shard: int) -> Decimal:
        """What the shard counts against the account: what it may trade under, or what it says it holds where that is more."""
        return max(self.in_force(shard), self._reported[shard])

    def in_force_besides(self, shard: int) -> Decimal:
        """What all other shards count."""
        return sum((self.counted(other) for other in range(len(self._open)) if other != shard), _ZERO)

    def reported(self) -> list[Decimal]:
        """Worst-case notional of each shard by its own last word."""
        return list(self._reported)

    def newest(self, shard: int) -> Grant | None:
        """The share given last."""
        return self._open[shard][-1] if self._open[shard] else None

    def records(self) -> tuple[GrantRecord, ...]:
        """Every share that may be in force, for the memory."""
        return tuple(
            GrantRecord(shard=shard, epoch=grant.epoch, share_id=grant.share_id, amount=grant.amount)
            for shard, grants in enumerate(self._open)
            for grant in grants
        )

    @property
    def share_id_last(self) -> int:
        """The highest number given."""
        return self._share_id

    def _is_full(self, shard: int, amount: Decimal) -> bool:
        larger = sum(1 for grant in self._open[shard] if grant.amount > amount)
        return larger >= GRANTS_MAX

    def _has_lapsed(self, grant: Grant, request: LeaseRequest) -> bool:
        if grant.epoch != request.epoch or grant.requested_ns == _UNKNOWN_NS:
            return False
        return request.requested_ns > grant.requested_ns + self._lapse_ns


def _largest(earlier: list[Grant]) -> list[Grant]:
    """Of the shares of earlier incarnations, which all end together, the one that counts."""
    return [max(earlier, key=lambda grant: grant.amount)] if earlier else []


def wanted_shares(limit: Decimal, weights: Sequence[Decimal], held: Sequence[Decimal]) -> list[Decimal]:
    """Divide `limit` (quote currency): half of it by weight, whatever is held beyond that half by need, what is left by weight.

    `weights` are the sums of the position limits of each shard's symbols, `held` the worst-case notional that each reports. The parts sum
    to at most `limit`, rounded down to a hundredth.
    """
    total = sum(weights, _ZERO)
    floors = [limit * weight / total / 2 for weight in weights]
    room = limit - sum(floors, _ZERO)
    excess = [max(need - floor, _ZERO) for need, floor in zip(held, floors, strict=True)]
    needed = sum(excess, _ZERO)
    if needed > room:
        parts = [floor + room * more / needed for floor, more in zip(floors, excess, strict=True)]
    else:
        slack = room - needed
        parts = [f + e + slack * w / total for f, e, w in zip(floors, excess, weights, strict=True)]
    return [part.quantize(_CENT, ROUND_DOWN) for part in parts]
