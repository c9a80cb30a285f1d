"""Checks about what must not happen: I2 (nothing after SHUT), I10 (no sends inside Retry-After), I14 (nothing outlives the countdown)."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from actors.exchange.faults import FaultKind
from actors.exchange.ledger import (
    CountdownSet,
    FaultInjected,
    LedgerRecord,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    RequestThrottled,
    VenueStarted,
)
from ops.invariants.history import Checker, Scene
from protocols.envelope import Message
from protocols.messages.journal import AmendIntended, EpochBegan, GateChanged, OrderIntended

STOPPED = "STOPPED"
"""The word in a gate's reasons while an emergency stop holds."""

CLOCK_ERROR_MS = 250
"""By so much our timestamp may differ from the venue's clock (DESIGN.md section 8)."""

SHUT_NS = 200_000_000
"""From the stop file to the last byte written (the bar of the emergency stop)."""

ANSWER_NS = 1_000_000_000
"""A request sent within so long after a throttle cannot have known of it."""

COUNTDOWN_SLACK_NS = 1_000_000_000
"""No order lives longer than this past its symbol's countdown."""

BANNED = 418

THROTTLES_MAX = 1_000
"""More throttles than this in one run are a way of life, not an accident."""


class NothingAfterShut(Checker):
    """I2: no intent while the gate is stopped; no order accepted later than its window, or than its window after an emergency stop."""

    name = "I2"
    ledger_kinds = (OrderAccepted,)
    journal_kinds = (EpochBegan, GateChanged, OrderIntended, AmendIntended)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._stopped: dict[int, set[str]] = defaultdict(set)

    def journal(self, shard: int, record: Message) -> None:
        stopped = self._stopped[shard]
        if isinstance(record, EpochBegan):
            stopped.clear()
        elif isinstance(record, GateChanged):
            is_stopped = not record.open and STOPPED in record.reason.split(", ")
            stopped.add(record.instrument_id) if is_stopped else stopped.discard(record.instrument_id)
        elif isinstance(record, OrderIntended | AmendIntended):
            self.findings.check(
                record.instrument_id not in stopped,
                f"shard {shard}: {record.client_order_id} was intended while the gate was stopped",
            )

    def ledger(self, record: LedgerRecord) -> None:
        if not isinstance(record, OrderAccepted) or not self.scene.is_ours(record.client_order_id):
            return
        late_ms = record.t // 1_000_000 - record.timestamp_ms - record.recv_window_ms
        self.findings.check(
            late_ms <= CLOCK_ERROR_MS,
            f"{record.symbol}: {record.client_order_id} accepted {late_ms} ms after its window",
        )
        last_ns = SHUT_NS + (record.recv_window_ms + CLOCK_ERROR_MS) * 1_000_000
        under = [
            shut_ns
            for shut_ns, lifted_ns in self.scene.stops
            if shut_ns + last_ns < record.t and (not lifted_ns or record.t < lifted_ns)
        ]
        self.findings.check(
            not under, f"{record.symbol}: {record.client_order_id} was accepted under an emergency stop"
        )


class RetryAfterObeyed(Checker):
    """I10: no address sends inside a window that a 429 has told it, and no ban is ever earned."""

    name = "I10"
    ledger_kinds = (FaultInjected, RequestThrottled)
    journal_kinds = ()

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._shut: dict[tuple[str, int], tuple[int, int]] = {}
        self._is_ban_of_faults = False
        self._throttles = 0

    def ledger(self, record: LedgerRecord) -> None:
        if isinstance(record, FaultInjected) and record.fault == FaultKind.BANNED.value:
            self._is_ban_of_faults = True
        if not isinstance(record, RequestThrottled):
            return
        self._throttles += 1
        is_earned = record.status == BANNED and not self._is_ban_of_faults
        self.findings.check(not is_earned, f"{record.address} was banned until {record.until_ns}")
        told_ns, until_ns = self._shut.get((record.address, record.code), (0, 0))
        if (record.address, told_ns) in self.scene.untold:
            told_ns = until_ns = 0  # who asked had died before the answer came: nobody was told
        sent_ns = record.sent_ms * 1_000_000 or record.t
        self.findings.check(
            not told_ns + ANSWER_NS < sent_ns < until_ns,
            f"{record.address} sent {(until_ns - sent_ns) // 1_000_000} ms before the end of its Retry-After ({record.code})",
        )
        if record.t >= until_ns:
            self._shut[record.address, record.code] = (record.t, record.until_ns)

    def finish(self) -> None:
        self.findings.check(
            self._throttles <= THROTTLES_MAX, f"{self._throttles} throttles: the limits are not respected at all"
        )


class CountdownGuards(Checker):
    """I14: an order of ours is accepted only under an armed countdown of its symbol, none is left without, none outlives it."""

    name = "I14"
    journal_kinds = ()

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._deadlines: dict[tuple[str, str], int] = {}
        self._live: dict[int, tuple[tuple[str, str], Decimal]] = {}
        self._last_ns = 0

    def ledger(self, record: LedgerRecord) -> None:
        before_ns, self._last_ns = self._last_ns, record.t
        match record:
            case VenueStarted(restart=True):
                self._wait_for_the_venue(before_ns)
            case CountdownSet():
                self._set(record)
            case OrderAccepted() if self.scene.is_ours(record.client_order_id):
                key = (record.account, record.symbol)
                self._live[record.order_id] = (key, record.quantity)
                self.findings.check(
                    self._deadlines.get(key, 0) > record.t,
                    lambda: f"{record.symbol}: {record.client_order_id} was accepted without a countdown",
                )
            case OrderAmended() if record.order_id in self._live:
                self._live[record.order_id] = (self._live[record.order_id][0], record.quantity)
            case OrderFilled() if record.order_id in self._live:
                self._in_time(record.order_id)
                if record.executed >= self._live[record.order_id][1]:
                    del self._live[record.order_id]
            case OrderCanceled() | OrderExpired() if record.order_id in self._live:
                self._in_time(record.order_id)
                del self._live[record.order_id]
            case _:
                pass

    def finish(self) -> None:
        for order_id in self._live:
            self._in_time(order_id)

    def _wait_for_the_venue(self, ended_ns: int) -> None:
        """A countdown that ran out while the venue itself was away fires when it is back; nothing trades there meanwhile."""
        for key, deadline_ns in self._deadlines.items():
            if ended_ns <= deadline_ns + COUNTDOWN_SLACK_NS:
                self._deadlines[key] = max(deadline_ns, self._last_ns) if deadline_ns else 0

    def _set(self, record: CountdownSet) -> None:
        key = (record.account, record.symbol)
        if record.deadline_ns:
            self._deadlines[key] = record.deadline_ns
            return
        if 0 < self._deadlines.get(key, 0) <= record.t:
            return  # It fired: what it ends follows, and is measured against it.
        left = sum(1 for owner, _ in self._live.values() if owner == key)
        self.findings.check(not left, f"{record.symbol}: the countdown was disarmed with {left} orders live")
        self._deadlines[key] = 0

    def _in_time(self, order_id: int) -> None:
        key, _ = self._live[order_id]
        self.findings.check(
            self._last_ns <= self._deadlines.get(key, 0) + COUNTDOWN_SLACK_NS,
            lambda: f"{key[1]}: order {order_id} lived past its countdown",
        )
