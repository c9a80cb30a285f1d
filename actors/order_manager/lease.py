"""The asker's side of the lease (DESIGN.md section 4): permission to trade that ends by itself."""

from __future__ import annotations

from decimal import Decimal

from protocols.messages.risk import Lease, LeaseRequest, SymbolLimits, TradingState
from protocols.values import InstrumentId

OPEN_REQUESTS_MAX = 16
"""Requests remembered; an answer to an older one is dropped."""

PULL_AFTER_NS = 2_000_000_000
"""A lease that is over for so long has every quote cancelled."""

_SEVERITY = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}


class LeaseClient:
    """Asks every `period_ns`, and knows at each instant what may be sent."""

    def __init__(self, shard: int, epoch: int, period_ns: int) -> None:
        self._shard = shard
        self._epoch = epoch
        self._period_ns = period_ns
        self._open: dict[int, int] = {}
        self._nonce = 0
        self._asked_ns = 0
        self._limits: dict[InstrumentId, SymbolLimits] = {}
        self._states: dict[InstrumentId, TradingState] = {}
        self.held: Lease | None = None
        self.ends_ns = 0
        self.answers_dropped = 0

    def is_over(self, now_ns: int) -> bool:
        """Whether there is no permission now."""
        return now_ns >= self.ends_ns

    def is_long_over(self, now_ns: int) -> bool:
        """Whether quotes must go: no permission for `PULL_AFTER_NS`."""
        return now_ns >= self.ends_ns + PULL_AFTER_NS

    @property
    def nonce(self) -> int:
        """Nonce of the lease held; 0 before the first."""
        return self.held.nonce if self.held is not None else 0

    def limits(self, instrument_id: InstrumentId) -> SymbolLimits | None:
        """Limits of a symbol in the lease held, or None when it names none."""
        return self._limits.get(instrument_id)

    def state(self, instrument_id: InstrumentId) -> TradingState:
        """The severer of the lease's state and the symbol's; HALTED where nothing was permitted yet."""
        return self._states.get(instrument_id, TradingState.HALTED)

    def request(self, worst_case_notional: Decimal, recovered: bool, now_ns: int) -> LeaseRequest | None:
        """The next request when it is due. Before recovery nobody knows whether the shard fits into its share."""
        if self._asked_ns and now_ns - self._asked_ns < self._period_ns:
            return None
        self._asked_ns = now_ns
        self._nonce += 1
        self._open[self._nonce] = now_ns
        if len(self._open) > OPEN_REQUESTS_MAX:
            del self._open[next(iter(self._open))]
        held = self.held
        return LeaseRequest(
            shard=self._shard,
            epoch=self._epoch,
            nonce=self._nonce,
            requested_ns=now_ns,
            worst_case_notional=worst_case_notional,
            share_id=held.share_id if held is not None else 0,
            fits=recovered and (held is None or worst_case_notional <= held.notional_share),
        )

    def tighten(self, instrument_id: InstrumentId, state: TradingState) -> bool:
        """The risk monitor restricts a symbol between two leases; whether that is more severe than what was held."""
        held = self._states.get(instrument_id)
        if held is None or _SEVERITY[state] <= _SEVERITY[held]:
            return False
        self._states[instrument_id] = state
        return True

    def take(self, lease: Lease) -> bool:
        """Accept the answer to an open request; anything else is dropped. The lease counts from the request's own time."""
        requested_ns = self._open.get(lease.nonce)
        ours = lease.shard == self._shard and lease.epoch == self._epoch
        if not ours or requested_ns is None or requested_ns != lease.requested_ns or lease.lease_ms <= 0:
            self.answers_dropped += 1
            return False
        for nonce in [nonce for nonce in self._open if nonce <= lease.nonce]:
            del self._open[nonce]
        self.held = lease
        self.ends_ns = requested_ns + lease.lease_ms * 1_000_000
        self._limits = {limits.instrument_id: limits for limits in lease.limits}
        self._states = {
            limits.instrument_id: max(lease.state, limits.state, key=_SEVERITY.__getitem__) for limits in lease.limits
        }
        return True
