"""The report of a run, computed from the venue's ledger and our journals, not from counters kept for show."""

from __future__ import annotations

import bisect
import statistics
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from actors.exchange.ledger import (
    FundingPaid,
    LedgerRecord,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    RequestRefused,
    SeamClosed,
    TopSampled,
    VenueStarted,
)
from ops.invariants.all import check_all
from ops.invariants.history import History, signed
from ops.queue_report import by_queue_model, plain_fees
from ops.request_report import requests_by_symbol
from protocols.messages.journal import AmendIntended, OrderIntended, OrderWritten
from protocols.values import symbol_of

MARKOUT_HORIZONS_S = (1, 5, 30)
_SECOND_NS = 1_000_000_000


def build_report(history: History) -> dict[str, Any]:
    """Everything that the run's files tell, as JSON builtins. Money is in the symbol's quote currency, as text."""
    intents: dict[str, int] = defaultdict(int)
    for _, record in history.journaled():
        if isinstance(record, OrderIntended | AmendIntended):
            intents[symbol_of(record.instrument_id)] += 1
    requests = requests_by_symbol(history)
    return {
        "symbols": {
            symbol: {**_SymbolRun(symbol, history.ledger).report(intents[symbol]), "requests": requests[symbol]}
            for symbol in sorted(history.instruments)
        },
        "latency_us": {"tick_to_order": tick_to_order_us(record for _, record in history.journaled())},
        "venue": venue_of(history.ledger),
        "live_orders_at_end": len(live_order_ids(history.ledger)),
        "invariants": {
            verdict.name: {
                "held": verdict.held,
                "checked": verdict.checked,
                "violations": list(verdict.violations),
            }
            for verdict in check_all(history)
        },
    }


def venue_of(ledger: Iterable[LedgerRecord]) -> dict[str, str]:
    """What the simulated venue was: its source, its queue model, its latencies."""
    for record in ledger:
        if isinstance(record, VenueStarted):
            return {"source": record.source, "queue_model": record.queue_model, "latency": record.latency}
    return {}


def live_order_ids(ledger: Iterable[LedgerRecord]) -> set[int]:
    """Ids of the orders that the ledger leaves resting."""
    live: dict[int, Decimal] = {}
    for record in ledger:
        match record:
            case OrderAccepted():
                live[record.order_id] = record.quantity
            case OrderAmended() if record.order_id in live:
                live[record.order_id] = record.quantity
            case OrderFilled():
                if record.executed >= live.get(record.order_id, Decimal(0)):
                    live.pop(record.order_id, None)
            case OrderCanceled() | OrderExpired():
                live.pop(record.order_id, None)
            case _:
                pass
    return set(live)


def tick_to_order_us(journal: Iterable[object]) -> dict[str, float | int | None]:
    """Percentiles of the time from the receipt of a market frame to the bytes of the order it caused."""
    taken_us = sorted(
        (record.written_ns - record.origin_ns) / 1_000
        for record in journal
        if isinstance(record, OrderWritten) and record.origin_ns > 0
    )
    if len(taken_us) < 2:
        only = taken_us[0] if taken_us else None
        return {"p50": only, "p95": only, "p99": only, "count": len(taken_us)}
    cuts = statistics.quantiles(taken_us, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "p99": round(cuts[98], 1), "count": len(taken_us)}


class _SymbolRun:
    """One symbol's part of the ledger. `fees_plain` is what an account without tier, programme or promotion would pay."""

    def __init__(self, symbol: str, ledger: tuple[LedgerRecord, ...]) -> None:
        self._symbol = symbol
        self._ledger = ledger
        self._records = [record for record in ledger if getattr(record, "symbol", None) == symbol]
        self._fills = [record for record in self._records if isinstance(record, OrderFilled)]
        self._tops = [record for record in self._records if isinstance(record, TopSampled) and record.mid is not None]
        self._top_times_ns = [top.t for top in self._tops]

    def report(self, intents: int) -> dict[str, Any]:
        volume = sum((fill.price * fill.quantity for fill in self._fills), Decimal(0))
        made = sum((fill.price * fill.quantity for fill in self._fills if fill.maker), Decimal(0))
        return {
            "quotes": intents,
            "orders": {
                "accepted": self._count(OrderAccepted),
                "amended": self._count(OrderAmended),
                "canceled": self._count(OrderCanceled),
                "rejected": sum(
                    r.count for r in self._records if isinstance(r, RequestRefused) and r.method in ("place", "batch")
                ),
            },
            "fills": len(self._fills),
            "maker_share": float(made / volume) if volume else None,
            "volume": str(volume),
            "position": str(self._position()),
            "pnl": self._pnl(),
            "queue_models": by_queue_model(self._symbol, self._ledger, self._tops[-1].mid if self._tops else None),
            "quoted_both_share": self._quoted_both_share(),
            "markout_bps": {f"{horizon}s": self._markout_bps(horizon) for horizon in MARKOUT_HORIZONS_S},
        }

    def _count(self, kind: type[LedgerRecord]) -> int:
        return sum(isinstance(record, kind) for record in self._records)

    def _position(self) -> Decimal:
        for record in reversed(self._records):
            if isinstance(record, OrderFilled | SeamClosed):
                return record.position_after
        return Decimal(0)

    def _pnl(self) -> dict[str, str]:
        """Gross is trading PnL with the open position at the last mid.

        At a replay's seam positions are closed at the mid before the jump: that belongs to gross (a loss held until then is a loss), and
        is also shown as `seam`. The jump itself meets no position.
        """
        realised = sum((fill.realized_pnl for fill in self._fills), Decimal(0))
        fees = sum((fill.commission for fill in self._fills), Decimal(0))
        funding = sum((r.amount for r in self._records if isinstance(r, FundingPaid)), Decimal(0))
        seam = sum((r.realized_pnl for r in self._records if isinstance(r, SeamClosed)), Decimal(0))
        gross = realised + seam + self._unrealised()
        fees_plain = plain_fees(self._symbol, self._fills)
        return {
            "gross": str(gross),
            "fees": str(fees),
            "funding": str(funding),
            "net": str(gross - fees + funding),
            "fees_plain": str(fees_plain),
            "net_plain": str(gross - fees_plain + funding),
            "seam": str(seam),
        }

    def _unrealised(self) -> Decimal:
        for record in reversed(self._records):
            if isinstance(record, SeamClosed):
                return Decimal(0)
            if isinstance(record, OrderFilled):
                mid = self._tops[-1].mid if self._tops else None
                if mid is None or record.position_after == 0:
                    return Decimal(0)
                cost = record.entry_cost_after if record.position_after > 0 else -record.entry_cost_after
                return record.position_after * mid - cost
        return Decimal(0)

    def _quoted_both_share(self) -> float | None:
        """Share of the time after the first quote in which an order rested on both sides."""
        resting: dict[int, tuple[str, Decimal]] = {}
        began_ns = since_ns = quoted_ns = 0
        both = False
        for record in self._records:
            if both:
                quoted_ns += record.t - since_ns
            since_ns = record.t
            match record:
                case OrderAccepted():
                    began_ns = began_ns or record.t
                    resting[record.order_id] = (record.side, record.quantity)
                case OrderAmended():
                    resting[record.order_id] = (record.side, record.quantity)
                case OrderFilled():
                    if record.executed >= resting.get(record.order_id, ("", Decimal(0)))[1]:
                        resting.pop(record.order_id, None)
                case OrderCanceled() | OrderExpired():
                    resting.pop(record.order_id, None)
                case _:
                    pass
            both = len({side for side, _ in resting.values()}) == 2
        elapsed_ns = since_ns - began_ns
        return round(quoted_ns / elapsed_ns, 4) if began_ns and elapsed_ns > 0 else None

    def _markout_bps(self, horizon_s: int) -> float | None:
        """Volume-weighted move of the mid in our favour, `horizon_s` after each fill, against the fill's price."""
        gained = Decimal(0)
        volume = Decimal(0)
        for fill in self._fills:
            index = bisect.bisect_left(self._top_times_ns, fill.t + horizon_s * _SECOND_NS)
            if index == len(self._tops):
                continue
            mid = self._tops[index].mid
            assert mid is not None
            gained += signed(fill.side, mid - fill.price) * fill.quantity
            volume += fill.price * fill.quantity
        return round(float(gained / volume * 10_000), 4) if volume else None
