"""Rows for people and machines, read from the one status: what the table, `status`, `orders`, `positions` and `alerts` show.

The snapshots inside a status are builtins of whichever version runs; what is absent shows as "-", never as an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from protocols.messages.control import ActorState, ActorStatus, SystemStatus
from protocols.messages.risk import HELD_BY_A_PERSON, RiskLevel

_LEVELS = frozenset(level.value for level in RiskLevel)

ABSENT = "-"

POSITION_COLUMNS = ("symbol", "position", "average_price", "price", "realised", "unrealised", "fees", "funding", "net")
ORDER_COLUMNS = ("symbol", "side", "price", "quantity", "filled", "state", "age_ms", "client_order_id", "intent_id")
FILL_COLUMNS = ("symbol", "side", "price", "quantity", "maker", "fee", "fee_asset", "trade_id", "client_order_id")
ALERT_COLUMNS = ("code", "severity", "subject", "source", "repeats", "text")


class SymbolRow(NamedTuple):
    """One symbol in the table."""

    symbol: str
    mid: str
    our_bid: str
    our_ask: str
    position: str
    open_orders: str
    fills: str
    pnl: str
    level: str
    """The worse of the symbol's and the account's."""
    quote_age: str


class ActorRow(NamedTuple):
    """One actor in the table."""

    name: str
    state: str
    pid: int
    epoch: int
    restarts: int
    memory: str
    text: str


def symbol_rows(status: SystemStatus) -> list[SymbolRow]:
    """Every symbol that any actor speaks of, in alphabetical order."""
    feeds, orders = _by_symbol(status, "market_data"), _by_symbol(status, "order_manager")
    held, risks = _by_symbol(status, "inventory"), _by_symbol(status, "risk_monitor")
    account = next((actor.snapshot.get("level") for actor in _of(status, "risk_monitor")), None)
    rows = []
    for symbol in sorted({*feeds, *orders, *held, *risks}):
        order, position = orders.get(symbol, {}), held.get(symbol, {})
        rows.append(
            SymbolRow(
                symbol=symbol,
                mid=_text(feeds.get(symbol, {}).get("mid")),
                our_bid=_text(order.get("best_bid")),
                our_ask=_text(order.get("best_ask")),
                position=_text(position.get("position")),
                open_orders=_text(order.get("open_orders")),
                fills=_text(position.get("fills")),
                pnl=_money(position.get("day_net")),
                level=_level(risks.get(symbol, {}).get("level"), account),
                quote_age=_age(order.get("quote_age_ms")),
            )
        )
    return rows


def actor_rows(status: SystemStatus) -> list[ActorRow]:
    """Every actor, in the supervisor's order."""
    return [
        ActorRow(
            actor.name,
            str(actor.state),
            actor.pid,
            actor.epoch,
            actor.restarts,
            _memory(actor.memory_bytes),
            actor.text,
        )
        for actor in status.actors
    ]


def live_symbols(actor: ActorStatus) -> Iterator[str]:
    """Symbols whose book this market_data actor holds synchronised."""
    if actor.role == "market_data":
        for symbol, feed in _symbols(actor):
            if feed.get("state") == "LIVE":
                yield symbol


def stopped_order_managers(status: SystemStatus) -> dict[str, str]:
    """Order managers that hold an emergency stop, with its reason."""
    return {
        actor.name: str(actor.snapshot["stopped"])
        for actor in _of(status, "order_manager")
        if actor.snapshot.get("stopped")
    }


def not_resumed(status: SystemStatus) -> dict[str, str]:
    """Who holds the system back after a resume, with the reason: stopped order managers, and a risk monitor that has not heard of it
    or has latched something since. What a person holds is no matter of a resume."""
    still = stopped_order_managers(status)
    for actor in _of(status, "risk_monitor"):
        latches = actor.snapshot.get("latches")
        if actor.state is not ActorState.RUNNING:
            still[actor.name] = f"is {actor.state}: what it hears of when it is back may restrict again"
        elif isinstance(latches, dict):
            own = [f"{subject}: {why}" for subject, why in latches.items() if not str(why).startswith(HELD_BY_A_PERSON)]
            if own:
                still[actor.name] = f"restricts {', '.join(own)}"
    return still


def position_rows(status: SystemStatus) -> list[dict[str, Any]]:
    """Position and PnL by symbol; `net` is the day's."""
    return [
        {"symbol": symbol, **held, "net": held.get("day_net")}
        for symbol, held in sorted(_by_symbol(status, "inventory").items())
    ]


def order_rows(status: SystemStatus) -> list[dict[str, Any]]:
    """Live orders of every shard, and those of unknown fate."""
    rows = [row for actor in _of(status, "order_manager") for row in _rows(actor.snapshot.get("orders"))]
    return sorted(rows, key=lambda row: (str(row.get("symbol")), str(row.get("side")), str(row.get("price"))))


def fill_rows(status: SystemStatus) -> list[dict[str, Any]]:
    """The latest executions that the order managers remember, newest last."""
    rows = [row for actor in _of(status, "order_manager") for row in _rows(actor.snapshot.get("fills"))]
    return sorted(rows, key=lambda row: (row.get("venue_time_ns", 0), row.get("trade_id", 0)))


def alert_rows(status: SystemStatus) -> list[dict[str, Any]]:
    """The latest alerts that alerting remembers, newest last."""
    return [row for actor in _of(status, "alerting") for row in _rows(actor.snapshot.get("alerts"))]


def _of(status: SystemStatus, role: str) -> Iterator[ActorStatus]:
    return (actor for actor in status.actors if actor.role == role)


def _by_symbol(status: SystemStatus, role: str) -> dict[str, dict[str, Any]]:
    return {symbol: shown for actor in _of(status, role) for symbol, shown in _symbols(actor)}


def _symbols(actor: ActorStatus) -> Iterator[tuple[str, dict[str, Any]]]:
    symbols = actor.snapshot.get("symbols")
    if isinstance(symbols, dict):
        yield from ((str(symbol), shown) for symbol, shown in symbols.items() if isinstance(shown, dict))


def _rows(listed: object) -> Iterable[dict[str, Any]]:
    return [row for row in listed if isinstance(row, dict)] if isinstance(listed, list | tuple) else []


def _text(value: object) -> str:
    return ABSENT if value is None or value == "" else str(value)


def _memory(memory_bytes: int) -> str:
    return f"{memory_bytes / 1e6:.0f} MB" if memory_bytes else ABSENT


def _level(own: object, account: object) -> str:
    known = [RiskLevel(level) for level in (own, account) if level in _LEVELS]
    return max(known, key=lambda level: level.rank).value if known else ABSENT


def _money(value: object) -> str:
    try:
        return f"{float(str(value)):+.2f}"
    except ValueError:
        return ABSENT


def _age(age_ms: object) -> str:
    return f"{age_ms} ms" if isinstance(age_ms, int) and age_ms >= 0 else ABSENT
