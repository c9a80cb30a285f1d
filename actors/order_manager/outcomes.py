"""Answers to our requests: each is paid for, matched with what was asked, and turned into evidence or another try."""

from __future__ import annotations

from collections.abc import Callable

from actors.order_manager.desk import InFlight, Purpose
from actors.order_manager.evidence import Evidence
from actors.order_manager.orders import Order, OrderState
from actors.order_manager.shard import Owner, Shard
from actors.order_manager.symbol import Symbol
from actors.order_manager.synchronisation import OVERLAP_NS
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.journal import OrderNotSent
from protocols.messages.orders import DenialCode, OrderDenied, RateUsage
from protocols.values import InstrumentId
from protocols.venue import (
    AmendmentsAnswered,
    AnyOutcome,
    Done,
    FillsAnswered,
    NotSent,
    OpenOrdersAnswered,
    OrderAnswered,
    OrderReport,
    OutcomeUnknown,
    PositionsAnswered,
    RefusalKind,
    Refused,
    Throttled,
    TimeAnswered,
)

REFUSAL_WAIT_NS = 250_000_000
"""After a refusal a side of a symbol waits so long and for a newer book before it tries again."""

PENDING_AMENDMENT = -5043
"""The venue's code for an amendment of an order of which another is under way: ours, without an answer."""

FAULTS_IN_A_ROW_MAX = 5
"""So many refusals in a row that are our own fault halt the symbol."""

MARGIN_WAIT_NS = 5_000_000_000
"""A side that the venue refused for want of margin, or for its bracket, waits for the next look at both."""

_MARGIN_CODES = frozenset((-2018, -2019, -2027, -2028))

_VENUE_FAULTS = frozenset(
    (RefusalKind.CLOCK, RefusalKind.RETRY_LATER, RefusalKind.STOP_ACCOUNT, RefusalKind.STOP_SYMBOL)
)
"""Refusals that say something of the venue or of our way to it, not of the order."""

_FILTER_CODES = frozenset((-1111, -4002, -4004, -4005, -4013, -4014, -4023, -4164))
"""A price, quantity or notional that the venue's filters do not allow: ours are old, or wrong."""

FILTERS_DOUBTED_NS = 5_000_000_000
"""How long a symbol is not quoted after such a refusal, unless new filters come before: several orders may be refused at once."""

_NOT_TRADING_CODES = frozenset((-1122, -4140, -4141, -5024))

NOT_TRADING_NS = 10_000_000_000
"""How long a symbol is not quoted after the venue said that it does not trade."""

OVERLOAD_WAITS_NS = (250_000_000, 500_000_000, 1_000_000_000, 2_000_000_000)
"""Waits after the first, second, ... answer in a row that the venue has too much to do."""

OpenOrdersSeen = Callable[[InstrumentId, int, tuple[OrderReport, ...], int], None]
LookFailed = Callable[[InstrumentId, int], None]


class Outcomes:
    """Takes every outcome."""

    def __init__(self, shard: Shard, evidence: Evidence, seen: OpenOrdersSeen, failed: LookFailed) -> None:
        """Join the parts.

        Args:
            seen: told of every list of open orders, with the request's number.
            failed: told of every such question without an answer.
        """
        self._shard = shard
        self._evidence = evidence
        self._seen = seen
        self._failed = failed
        self.refusals: dict[RefusalKind, int] = dict.fromkeys(RefusalKind, 0)
        self._answers_total = self._failures_total = self._round_trip_us_total = 0

    def take(self, outcome: AnyOutcome, now_ns: int) -> list[Symbol]:
        """Handle one outcome; the symbols that it touched."""
        shard = self._shard
        request = shard.desk.answered(outcome.request_id)
        if request is not None:
            self._usage(request, outcome, now_ns)
        if isinstance(outcome, Throttled):
            self._throttled(outcome, now_ns)
        if request is None:
            return self._late(outcome, now_ns)
        symbol = shard.symbols.get(request.instrument_id) if request.instrument_id is not None else None
        match request.purpose:
            case Purpose.PLACE | Purpose.CANCEL | Purpose.AMEND:
                assert symbol is not None
                order = symbol.table.find(request.client_order_id)
                if order is not None:
                    if request.purpose is Purpose.PLACE:
                        self._placed(symbol, order, outcome, now_ns)
                    elif request.purpose is Purpose.AMEND:
                        self._amended(symbol, order, request, outcome, now_ns)
                    else:
                        self._canceled(symbol, order, outcome, now_ns)
            case Purpose.AMENDMENTS:
                assert symbol is not None
                self._amendments(symbol, request, outcome, now_ns)
            case Purpose.ORDER:
                assert symbol is not None
                self._queried(symbol, request, outcome, now_ns)
            case Purpose.OPEN_ORDERS:
                assert symbol is not None
                self._open_orders(symbol, request, outcome, now_ns)
            case Purpose.FILLS:
                assert symbol is not None
                self._fills(symbol, request, outcome, now_ns)
            case Purpose.POSITIONS:
                return self._positions(request, outcome, now_ns)
            case Purpose.TIME:
                self._time(request, outcome, now_ns)
            case Purpose.COUNTDOWN:
                assert symbol is not None
                shard.countdown.answered(
                    symbol.instrument_id, request.request_id, request.sent_ns, isinstance(outcome, Done)
                )
            case Purpose.CANCEL_FOREIGN | Purpose.CANCEL_ALL:
                if isinstance(outcome, OrderAnswered) and symbol is not None:
                    self._evidence.order(symbol, outcome.order, now_ns)
        if isinstance(outcome, Refused):
            self._refused(symbol, outcome, now_ns)
        return [symbol] if symbol is not None else []

    def _usage(self, request: InFlight, outcome: AnyOutcome, now_ns: int) -> None:
        """Take what the venue says we have used and how it answered, and pass it on."""
        shard = self._shard
        budget = shard.budget
        told = budget.told(outcome.usage, shard.clock.at(request.sent_ns), shard.clock.at(now_ns))
        self._answers_total += 1
        self._round_trip_us_total += (now_ns - request.sent_ns) // 1_000
        failed = isinstance(outcome, OutcomeUnknown | NotSent | Throttled) or (
            isinstance(outcome, Refused) and outcome.kind in _VENUE_FAULTS
        )
        self._failures_total += failed
        if told or failed:
            shard.outbox.publish(
                RateUsage(
                    shard=shard.spec.shard,
                    weight_used_1m=budget.weight_used_1m,
                    orders_used_10s=budget.orders_used_10s,
                    orders_used_1m=budget.orders_used_1m,
                    observed_ns=now_ns,
                    answers_total=self._answers_total,
                    failures_total=self._failures_total,
                    round_trip_us_total=self._round_trip_us_total,
                )
            )

    def _late(self, outcome: AnyOutcome, now_ns: int) -> list[Symbol]:
        """An answer after its request was given up: only what it proves of an order is used."""
        if not isinstance(outcome, OrderAnswered):
            return []
        symbol = self._shard.symbols.get(outcome.order.instrument_id)
        if symbol is None:
            return []
        self._evidence.order(symbol, outcome.order, now_ns)
        return [symbol]

    def _placed(self, symbol: Symbol, order: Order, outcome: AnyOutcome, now_ns: int) -> None:
        shard = self._shard
        match outcome:
            case OrderAnswered():
                symbol.faults_in_a_row = symbol.overloads_in_a_row = 0
                self._evidence.order(symbol, outcome.order, now_ns)
            case Refused() | Throttled() if order.accepted:
                shard.suspects.add(symbol.instrument_id, order, now_ns, at_once=True)
            case Refused():
                if not order.intent_id:
                    symbol.wait_for_book[order.side] = symbol.targets.book_update_id if symbol.targets else 0
                    wait_ns = MARGIN_WAIT_NS if outcome.venue_code in _MARGIN_CODES else 0
                    symbol.wait_until_ns[order.side] = now_ns + max(_refusal_wait_ns(symbol, outcome.kind), wait_ns)
                symbol.table.reject(order, outcome.venue_code, outcome.text, shard.clock.at(now_ns))
            case Throttled():
                symbol.table.reject(order, outcome.venue_code, outcome.text, shard.clock.at(now_ns))
            case NotSent():
                shard.outbox.append(OrderNotSent(client_order_id=order.client_order_id, reason=outcome.reason))
                self._not_sent(symbol, order, outcome.reason, now_ns)
            case _:
                reason = outcome.reason if isinstance(outcome, OutcomeUnknown) else "an answer of another kind"
                if symbol.table.doubt(order, reason):
                    shard.outbox.alert(
                        AlertCode.ORDER_UNKNOWN,
                        Severity.WARNING,
                        symbol.name,
                        f"{order.client_order_id}: {reason}",
                        now_ns,
                    )
                if order.state is OrderState.UNKNOWN:
                    shard.suspects.add(symbol.instrument_id, order, now_ns)

    def _amended(self, symbol: Symbol, order: Order, request: InFlight, outcome: AnyOutcome, now_ns: int) -> None:
        """A certain refusal leaves the old terms alone in force; without an answer the venue's records decide."""
        shard, table = self._shard, symbol.table
        amendment = order.amendment
        if isinstance(outcome, OrderAnswered):
            if outcome.order.status.is_terminal and not order.cancel_wanted:
                symbol.wait_for_book[order.side] = symbol.targets.book_update_id if symbol.targets else 0
            self._evidence.order(symbol, outcome.order, now_ns)
        if amendment is None or order.amendment is not amendment or amendment.request_id != request.request_id:
            return  # The private stream has told how it ended.
        amendment.request_id = 0
        match outcome:
            case OrderAnswered():
                table.unamended(order)
            case Refused():
                self._amend_refused(symbol, order, outcome, now_ns)
            case Throttled():
                table.unamended(order)
            case NotSent():
                table.unamended(order)
                symbol.denials[DenialCode.LATE] += 1
                symbol.wait_until_ns[order.side] = now_ns + REFUSAL_WAIT_NS
                shard.outbox.append(
                    OrderNotSent(client_order_id=order.client_order_id, reason=outcome.reason, amendment=True)
                )
            case _:
                reason = outcome.reason if isinstance(outcome, OutcomeUnknown) else "an answer of another kind"
                shard.amend_doubts.add(symbol.instrument_id, order, now_ns)
                shard.outbox.alert(
                    AlertCode.ORDER_UNKNOWN,
                    Severity.WARNING,
                    symbol.name,
                    f"amendment of {order.client_order_id}: {reason}",
                    now_ns,
                )

    def _amend_refused(self, symbol: Symbol, order: Order, refused: Refused, now_ns: int) -> None:
        shard = self._shard
        if refused.venue_code == PENDING_AMENDMENT:
            shard.amend_doubts.add(symbol.instrument_id, order, now_ns)
            return
        symbol.table.unamended(order)
        symbol.wait_until_ns[order.side] = now_ns + _refusal_wait_ns(symbol, refused.kind)
        if refused.kind in (RefusalKind.NOT_FOUND, RefusalKind.ALREADY_DONE):
            # Filled or gone, or of other terms than we know: its state is asked for.
            shard.suspects.add(symbol.instrument_id, order, now_ns, at_once=True)
        elif refused.kind is RefusalKind.POST_ONLY:
            symbol.wait_for_book[order.side] = symbol.targets.book_update_id if symbol.targets else 0
        elif refused.kind not in (RefusalKind.CLOCK, RefusalKind.RETRY_LATER):
            order.is_fixed = True

    def _amendments(self, symbol: Symbol, request: InFlight, outcome: AnyOutcome, now_ns: int) -> None:
        doubts = self._shard.amend_doubts
        if not isinstance(outcome, AmendmentsAnswered):
            doubts.failed(request.request_id, now_ns)
            return
        for record in outcome.amendments:
            order = symbol.table.find(record.client_order_id, record.venue_order_id)
            if order is not None:
                symbol.table.amended(order, record)
        self._looked(symbol, request.request_id, now_ns)

    def _looked(self, symbol: Symbol, request_id: int, now_ns: int) -> None:
        unamended = self._shard.amend_doubts.looked(request_id, now_ns)
        if unamended is not None:
            symbol.table.unamended(unamended)

    def _not_sent(self, symbol: Symbol, order: Order, reason: str, now_ns: int) -> None:
        symbol.table.refuse(order, OrderState.DENIED)
        symbol.denials[DenialCode.LATE] += 1
        symbol.wait_until_ns[order.side] = now_ns + REFUSAL_WAIT_NS
        self._shard.outbox.event(
            OrderDenied,
            instrument_id=symbol.instrument_id,
            client_order_id=order.client_order_id,
            venue_order_id=0,
            venue_time_ns=self._shard.clock.at(now_ns),
            side=order.side,
            code=DenialCode.LATE,
            text=reason,
            intent_id=order.intent_id,
        )

    def _canceled(self, symbol: Symbol, order: Order, outcome: AnyOutcome, now_ns: int) -> None:
        """Only the order as the venue shows it ends the order; "unknown order" may mean filled, so it is asked for."""
        order.cancel_request_id = 0
        if isinstance(outcome, OrderAnswered):
            self._evidence.order(symbol, outcome.order, now_ns)
            return
        is_gone = isinstance(outcome, Refused) and outcome.kind in (RefusalKind.NOT_FOUND, RefusalKind.ALREADY_DONE)
        if is_gone and order.state is not OrderState.PENDING:
            self._shard.suspects.add(symbol.instrument_id, order, now_ns, at_once=True)

    def _queried(self, symbol: Symbol, request: InFlight, outcome: AnyOutcome, now_ns: int) -> None:
        suspects = self._shard.suspects
        if isinstance(outcome, OrderAnswered):
            self._evidence.order(symbol, outcome.order, now_ns)
            suspects.clear(request.client_order_id)
            self._looked(symbol, request.request_id, now_ns)
            return
        self._shard.amend_doubts.failed(request.request_id, now_ns)
        if isinstance(outcome, Refused) and outcome.kind is RefusalKind.NOT_FOUND:
            if request.venue_order_id:
                self._evidence.stray_not_found(symbol, request.venue_order_id, now_ns)
            suspects.not_found(request.request_id, now_ns)
        else:
            suspects.failed(request.request_id, now_ns)

    def _open_orders(self, symbol: Symbol, request: InFlight, outcome: AnyOutcome, now_ns: int) -> None:
        sync = self._shard.syncs[symbol.instrument_id]
        if not isinstance(outcome, OpenOrdersAnswered):
            sync.failed(request.request_id, now_ns)
            self._shard.suspects.failed(request.request_id, now_ns)
            self._failed(symbol.instrument_id, request.request_id)
            return
        for report in outcome.orders:
            self._evidence.order(symbol, report, now_ns)
            self._shard.suspects.clear(report.client_order_id)
        symbol.foreign_open = sum(
            self._shard.owner(report.client_order_id) is Owner.FOREIGN for report in outcome.orders
        )
        self._seen(symbol.instrument_id, request.request_id, outcome.orders, now_ns)
        sync.open_orders_read(request.request_id, outcome.orders, now_ns)
        self._shard.suspects.open_orders_read(request.request_id, outcome.orders, now_ns)

    def _fills(self, symbol: Symbol, request: InFlight, outcome: AnyOutcome, now_ns: int) -> None:
        shard = self._shard
        sync = shard.syncs[symbol.instrument_id]
        if not isinstance(outcome, FillsAnswered):
            sync.failed(request.request_id, now_ns)
            shard.suspects.failed(request.request_id, now_ns)
            return
        news, missed = self._evidence.page(symbol, outcome.fills, now_ns)
        sync.differences.extend(missed)
        pairs = tuple((fill.trade_id, fill.venue_time_ns) for fill in outcome.fills)
        sync.fills_read(request.request_id, pairs, news, outcome.complete, now_ns)
        self._evidence.ask_for_strays(symbol, now_ns)
        shard.suspects.fills_read(request.request_id, outcome.complete, not symbol.table.strays, now_ns)
        settled_ns = shard.clock.at(now_ns) - OVERLAP_NS
        old = [trade_id for trade_id, venue_ns in pairs if venue_ns < settled_ns]
        if old and outcome.complete and sync.has_opening:
            symbol.table.checkpoint(max(old))

    def _positions(self, request: InFlight, outcome: AnyOutcome, now_ns: int) -> list[Symbol]:
        shard = self._shard
        if not isinstance(outcome, PositionsAnswered):
            for sync in shard.syncs.values():
                sync.failed(request.request_id, now_ns)
            return []
        told = {report.instrument_id: report for report in outcome.positions}
        for instrument_id, sync in shard.syncs.items():
            report = told.get(instrument_id)
            adopt_lots = sync.position_read(request.request_id, report.position_lots if report else 0, now_ns)
            sync.venue_report = report if report is not None else sync.venue_report
            if adopt_lots is not None:
                shard.symbols[instrument_id].table.adopt(adopt_lots)
        return []

    def _time(self, request: InFlight, outcome: AnyOutcome, now_ns: int) -> None:
        if isinstance(outcome, TimeAnswered):
            self._shard.clock.take_answer(outcome, now_ns)
            self._shard.suspects.clock_read(request.request_id, outcome.venue_time_ns, now_ns)
            self._shard.amend_doubts.clock_read(request.request_id, outcome.venue_time_ns, now_ns)
        else:
            self._shard.suspects.failed(request.request_id, now_ns)
            self._shard.amend_doubts.failed(request.request_id, now_ns)

    def _refused(self, symbol: Symbol | None, refused: Refused, now_ns: int) -> None:
        shard = self._shard
        self.refusals[refused.kind] += 1
        subject = symbol.name if symbol is not None else shard.spec.name
        text = f"refused by the venue: {refused.venue_code} {refused.text}"
        match refused.kind:
            case RefusalKind.CLOCK:
                shard.desk.query_time(now_ns)
                shard.outbox.alert(AlertCode.CLOCK_UNTRUSTED, Severity.WARNING, subject, text, now_ns)
            case RefusalKind.OUR_FAULT:
                shard.outbox.alert(AlertCode.BAD_DATA, Severity.WARNING, subject, text, now_ns)
                if symbol is not None and now_ns >= symbol.shut_until_ns:
                    self._our_fault(symbol, refused.venue_code in _FILTER_CODES, text, now_ns)
            case RefusalKind.STOP_SYMBOL if symbol is not None and refused.venue_code in _NOT_TRADING_CODES:
                # The risk monitor looks at the listing, and its lease says when the symbol trades again.
                symbol.shut_until_ns = now_ns + NOT_TRADING_NS
                shard.outbox.alert(
                    AlertCode.BAD_DATA, Severity.WARNING, subject, f"{text}; nothing is quoted for a while", now_ns
                )
            case RefusalKind.STOP_SYMBOL:
                if symbol is not None:
                    shard.halt(symbol, AlertCode.BAD_DATA, text, now_ns)
            case RefusalKind.STOP_ACCOUNT:
                for each in shard.symbols.values():
                    shard.halt(each, AlertCode.KEY_REFUSED, text, now_ns)
            case _:
                shard.outbox.log_sometimes(f"refused {refused.kind.value}", subject, f"{subject}: {text}", now_ns)

    def _our_fault(self, symbol: Symbol, is_of_filters: bool, text: str, now_ns: int) -> None:
        """Several in a row halt the symbol. Where filters are in doubt the next one comes when there was time to read them anew."""
        symbol.faults_in_a_row += 1
        if symbol.faults_in_a_row >= FAULTS_IN_A_ROW_MAX:
            self._shard.halt(symbol, AlertCode.BAD_DATA, text, now_ns)
        elif is_of_filters:
            symbol.shut_until_ns = now_ns + FILTERS_DOUBTED_NS

    def _throttled(self, outcome: Throttled, now_ns: int) -> None:
        shard = self._shard
        shard.budget.throttled(outcome)
        shard.outbox.alert(
            AlertCode.RATE_LIMITED,
            Severity.CRITICAL if outcome.banned else Severity.WARNING,
            shard.spec.account,
            f"{outcome.venue_code} {outcome.text}; nothing {'but cancels ' if outcome.orders_only else ''}"
            f"for {max(outcome.retry_at_ns - now_ns, 0) // 1_000_000} ms",
            now_ns,
        )


def _refusal_wait_ns(symbol: Symbol, kind: RefusalKind) -> int:
    """How long a side of a symbol waits after a refusal before it tries again."""
    if kind is RefusalKind.POST_ONLY:
        return 0
    if kind is not RefusalKind.RETRY_LATER:
        return REFUSAL_WAIT_NS
    wait_ns = OVERLOAD_WAITS_NS[min(symbol.overloads_in_a_row, len(OVERLOAD_WAITS_NS) - 1)]
    symbol.overloads_in_a_row += 1
    return wait_ns
