"""Rows that are faults of the network between us and the venue: data for the proxy, nothing else."""

from __future__ import annotations

from configs.schema import Settings
from ops.chaos.proxy.rules import ALL_WAYS, Effect, Rule, Toward, Way, held
from ops.chaos.rows import HANG_S, QUOTING_S, Bounds, Injection, Network, Row, Safe, countdown_s, resolved_s
from protocols.messages.alerts import AlertCode

SOME_ORDERS = 3
"""Orders whose request or answer is treated in a row about answers."""

SPELL_S = 8.0
"""How long a line misbehaves without being lost."""

PARTITION_EXTRA_S = 4.0
"""A partition lasts for the venue's countdown and so long."""

FILL_S_MAX = 25.0
"""How long a fill is waited for."""

NEW_ORDER = "order.place\n"
CANCEL = "order.cancel\n"
FILL = '"x":\\s*"TRADE"'
ORDER_EVENT = "^ORDER_TRADE_UPDATE\n"

LOST = (AlertCode.USER_STREAM_LOST,)
RESET_FEED_S = 0.5


def network_rows(settings: Settings) -> tuple[Row, ...]:
    """The rows, with the bounds that follow from the settings."""
    return (*_streams(settings), *_user_events(), *_orders(settings))


def _streams(settings: Settings) -> tuple[Row, ...]:
    stale_s = settings.market_data.stale_after_ms / 1_000
    return (
        _row(
            "28",
            "market sockets reset",
            Network(reset=(Way.MARKET,)),
            Safe.EMPTY,
            Bounds(detected_s=RESET_FEED_S, safe_s=HANG_S, quoting_s=3.0 + HANG_S),
            (AlertCode.FEED_LOST,),
        ),
        _row(
            "29",
            "market sockets silent (half open)",
            Network(rules=held(Way.MARKET, old_only=True)),
            Safe.EMPTY,
            Bounds(detected_s=stale_s + 0.5, safe_s=HANG_S, quoting_s=stale_s + 3.0),
            (AlertCode.FEED_STALE, AlertCode.FEED_LOST),
        ),
        _row(
            "30",
            "private sockets reset",
            Network(reset=(Way.PRIVATE,)),
            Safe.EMPTY,
            Bounds(detected_s=RESET_FEED_S, safe_s=HANG_S, quoting_s=QUOTING_S),
            LOST,
        ),
        _row(
            "30b",
            "private sockets silent (half open)",
            Network(rules=held(Way.PRIVATE, old_only=True)),
            Safe.EMPTY,
            Bounds(detected_s=5.0, safe_s=5.0 + HANG_S, quoting_s=5.0 + QUOTING_S),
            LOST,
        ),
        _row(
            "34",
            "one depth frame lost",
            Network(
                rules=(Rule(way=Way.MARKET, effect=Effect.DROP, match="^depthUpdate\n", times=1),),
                touched=1,
                for_s=SPELL_S,
            ),
            Safe.EMPTY,
            Bounds(detected_s=0.5, safe_s=0.6, quoting_s=3.0),
            (AlertCode.FEED_GAP,),
        ),
        _row(
            "50",
            "nothing reaches the venue or comes from it",
            Network(rules=held(*ALL_WAYS), for_s=countdown_s(settings) + PARTITION_EXTRA_S, returns=True),
            Safe.EMPTY,
            Bounds(detected_s=stale_s + 0.5, safe_s=countdown_s(settings), quoting_s=10.0),
            (AlertCode.FEED_STALE, AlertCode.FEED_LOST, AlertCode.USER_STREAM_LOST),
        ),
    )


def _user_events() -> tuple[Row, ...]:
    return (
        _row(
            "31",
            f"every user event twice for {SPELL_S:.0f} s",
            Network(rules=(Rule(way=Way.PRIVATE, effect=Effect.DUPLICATE),), for_s=SPELL_S),
            Safe.TENDED,
            Bounds(),
        ),
        _row(
            "32",
            f"user events swapped in pairs for {SPELL_S:.0f} s",
            Network(rules=(Rule(way=Way.PRIVATE, effect=Effect.SWAP, match=ORDER_EVENT),), for_s=SPELL_S),
            Safe.TENDED,
            Bounds(),
        ),
        _row(
            "33",
            "the event of a fill lost",
            Network(
                rules=(Rule(way=Way.PRIVATE, effect=Effect.DROP, match=FILL, alike=True),), touched=1, for_s=FILL_S_MAX
            ),
            Safe.RESOLVED,
            Bounds(safe_s=10.0),
        ),
    )


def _orders(settings: Settings) -> tuple[Row, ...]:
    bound = Bounds(safe_s=resolved_s(settings))
    return (
        _row(
            "36",
            f"{SOME_ORDERS} orders accepted, their answers lost",
            _some(Rule(way=Way.ORDERS, effect=Effect.DROP, match=NEW_ORDER, times=SOME_ORDERS)),
            Safe.RESOLVED,
            Bounds(safe_s=2.0),
        ),
        _row(
            "36b",
            "an order accepted, its answer and the private stream silent",
            Network(
                rules=(
                    Rule(way=Way.ORDERS, effect=Effect.DROP, match=NEW_ORDER, times=1),
                    *held(Way.PRIVATE, old_only=True),
                ),
                for_s=SPELL_S,
            ),
            Safe.RESOLVED,
            bound,
        ),
        _row(
            "37",
            f"{SOME_ORDERS} orders lost on their way",
            _some(
                Rule(way=Way.ORDERS, toward=Toward.VENUE, effect=Effect.DROP, match=NEW_ORDER, times=SOME_ORDERS),
            ),
            Safe.RESOLVED,
            bound,
        ),
        _row(
            "38",
            "an order delayed by 0.9 of its window, then accepted",
            _some(
                Rule(
                    way=Way.ORDERS,
                    toward=Toward.VENUE,
                    effect=Effect.DELAY,
                    match=NEW_ORDER,
                    times=1,
                    delay_ms=settings.order_manager.window_ms * 9 // 10,
                ),
                touched=1,
            ),
            Safe.RESOLVED,
            bound,
        ),
        _row(
            "39",
            f"{SOME_ORDERS} cancels lost on their way",
            _some(Rule(way=Way.ORDERS, toward=Toward.VENUE, effect=Effect.DROP, match=CANCEL, times=SOME_ORDERS)),
            Safe.RESOLVED,
            bound,
        ),
        _row(
            "39b",
            f"the answers of {SOME_ORDERS} cancels lost",
            _some(Rule(way=Way.ORDERS, effect=Effect.DROP, match=CANCEL, times=SOME_ORDERS)),
            Safe.RESOLVED,
            bound,
        ),
    )


def _some(rule: Rule, touched: int = SOME_ORDERS) -> Network:
    return Network(rules=(rule,), touched=touched, for_s=20.0)


def _row(key: str, fault: str, network: Network, safe: Safe, bounds: Bounds, alerts: tuple[AlertCode, ...] = ()) -> Row:
    return Row(
        key=key,
        fault=fault,
        injection=Injection.NETWORK,
        bounds=bounds,
        safe=safe,
        alerts=alerts,
        network=network,
    )
