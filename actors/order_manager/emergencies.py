"""What does not pass by itself and ends in an emergency stop: a private stream that stays away, a clock that cannot be trusted.

Both shut the gate at once (gate.py). Here it is decided when waiting is over.
"""

from __future__ import annotations

from actors.order_manager.shard import Shard

_MS = 1_000_000


class Emergencies:
    """Looks at every beat; demands a stop once, and again only after a person has resumed."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._stream_ns_max = shard.own.reconnect_ms_max * _MS
        self._clock_ns_max = shard.own.clock_doubt_ms_max * _MS
        self._stream_since_ns = 0
        self._clock_since_ns = 0

    def step(self, now_ns: int) -> None:
        """Demand a stop where a doubt has lasted for too long."""
        shard = self._shard
        if shard.dry_run or shard.gate.stopped:
            self._stream_since_ns = self._clock_since_ns = 0
            return
        self._stream_since_ns = _since(self._stream_since_ns, not shard.gate.user_stream_up, now_ns)
        self._clock_since_ns = _since(self._clock_since_ns, not shard.clock.is_trusted(now_ns), now_ns)
        if self._stream_since_ns and now_ns - self._stream_since_ns >= self._stream_ns_max:
            self._demand(f"the private stream did not come back within {shard.own.reconnect_ms_max // 1_000} s", now_ns)
        elif self._clock_since_ns and now_ns - self._clock_since_ns >= self._clock_ns_max:
            self._demand(f"the venue's time is not known for {shard.own.clock_doubt_ms_max // 1_000} s", now_ns)

    def _demand(self, reason: str, now_ns: int) -> None:
        self._stream_since_ns = self._clock_since_ns = now_ns
        self._shard.outbox.shut_node(reason)


def _since(since_ns: int, is_in_doubt: bool, now_ns: int) -> int:
    if not is_in_doubt:
        return 0
    return since_ns or now_ns
