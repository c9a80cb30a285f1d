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

WAIT_S_MAX = 20.0
"""How long anything else that a rule is for is waited for."""

SOME_FRAMES = 7
"""Damaged frames: more than a socket may bring in a minute before it is made anew."""

NEW_ORDER = "order.place\n"
MOVE = "order.modify\n"
CANCEL = "order.cancel\n"
FILL = '"x":\\s*"TRADE"'
ORDER_EVENT = "^ORDER_TRADE_UPDATE\n"

GIVEN_UP_MS, CLOCK_AGE_MS, SAMPLED_MS = 4_000, 3_000, 500
IMPATIENT: dict[str, object] = {
    "order_manager": {
        "reconnect_ms_max": GIVEN_UP_MS,
        "clock_doubt_ms_max": GIVEN_UP_MS,
        "clock_age_ms_max": CLOCK_AGE_MS,
    },
    "market_data": {"clock_sample_period_ms": SAMPLED_MS},
}
"""Settings of the rows in which waiting is given up: seconds, not the minutes of the defaults."""

LOST = (AlertCode.USER_STREAM_LOST,)
RESET_FEED_S = 0.5


def network_rows(settings: Settings) -> tuple[Row, ...]:
    """The rows, with the bounds that follow from the settings."""
    return (*_streams(settings), *_user_events(), *_orders(settings), *_damage(), *_given_up())


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
    """Requests and answers that are lost or late. A feed that is reset has every quote cancelled and placed anew."""
    bound = Bounds(safe_s=resolved_s(settings))
    late_ms = settings.order_manager.window_ms * 9 // 10
    at_venue = Toward.VENUE
    late = Rule(way=Way.ORDERS, toward=at_venue, effect=Effect.DELAY, match=NEW_ORDER, times=1, delay_ms=late_ms)
    damaged = _orders_rule(NEW_ORDER, effect=Effect.DAMAGE)
    return (
        _lost("36", f"{SOME_ORDERS} orders accepted, their answers lost", _orders_rule(NEW_ORDER), Bounds(safe_s=2.0)),
        _row(
            "36b",
            "an order accepted, its answer and the private stream silent",
            Network(
                rules=(_orders_rule(NEW_ORDER, times=1), *held(Way.PRIVATE, old_only=True)),
                reset=(Way.MARKET,),
                for_s=SPELL_S,
            ),
            Safe.RESOLVED,
            bound,
        ),
        _lost("36c", f"{SOME_ORDERS} amendments made, their answers lost", _orders_rule(MOVE), bound, shake=False),
        _lost("37", f"{SOME_ORDERS} orders lost on their way", _orders_rule(NEW_ORDER, at_venue), bound),
        _lost("37b", f"{SOME_ORDERS} amendments lost on their way", _orders_rule(MOVE, at_venue), bound, shake=False),
        _lost("38", "an order delayed by 0.9 of its window, then accepted", late, bound),
        _lost("39", f"{SOME_ORDERS} cancels lost on their way", _orders_rule(CANCEL, at_venue), bound),
        _lost("39b", f"the answers of {SOME_ORDERS} cancels lost", _orders_rule(CANCEL), bound),
        _lost("44c", f"the answers of {SOME_ORDERS} orders damaged", damaged, bound),
    )


def _orders_rule(
    match: str, toward: Toward = Toward.US, *, times: int = SOME_ORDERS, effect: Effect = Effect.DROP
) -> Rule:
    return Rule(way=Way.ORDERS, toward=toward, effect=effect, match=match, times=times)


def _lost(key: str, fault: str, rule: Rule, bounds: Bounds, shake: bool = True) -> Row:
    reset = (Way.MARKET,) if shake else ()
    network = Network(rules=(rule,), reset=reset, touched=rule.times, for_s=WAIT_S_MAX)
    return _row(key, fault, network, Safe.RESOLVED, bounds)


def _damage() -> tuple[Row, ...]:
    market, private = (
        Network(rules=(Rule(way=way, effect=Effect.DAMAGE, times=SOME_FRAMES),), touched=SOME_FRAMES, for_s=WAIT_S_MAX)
        for way in (Way.MARKET, Way.PRIVATE)
    )
    told = (AlertCode.BAD_DATA,)
    return (
        _row(
            "44",
            f"{SOME_FRAMES} market frames damaged",
            market,
            Safe.TENDED,
            Bounds(detected_s=1.0, quoting_s=QUOTING_S),
            told,
        ),
        _row(
            "44b",
            f"{SOME_FRAMES} frames of the private streams damaged",
            private,
            Safe.TENDED,
            Bounds(detected_s=1.0, quoting_s=QUOTING_S),
            told,
        ),
    )


def _given_up() -> tuple[Row, ...]:
    """Doubts that do not pass by themselves: an emergency stop, until a person resumes."""
    stopped_s = GIVEN_UP_MS / 1_000 + HANG_S
    aged_s = CLOCK_AGE_MS / 1_000
    away = Network(rules=held(Way.PRIVATE), reset=(Way.PRIVATE,))
    no_time = Network(rules=(Rule(way=Way.REST, effect=Effect.DROP, match="^GET /fapi/v1/time\n"),))
    return tuple(
        Row(
            key=key,
            fault=fault,
            injection=Injection.OUTLAST,
            bounds=bounds,
            safe=Safe.EMPTY,
            alerts=(AlertCode.EMERGENCY_STOP,),
            network=network,
        )
        for key, fault, network, bounds in (
            (
                "30c",
                f"the private sockets stay away for longer than is waited ({GIVEN_UP_MS / 1_000:g} s here): stop; then resume",
                away,
                Bounds(detected_s=stopped_s, safe_s=HANG_S, quoting_s=QUOTING_S),
            ),
            (
                "47b",
                f"the venue's time is not known for {(CLOCK_AGE_MS + GIVEN_UP_MS) / 1_000:g} s: stop; then resume",
                no_time,
                Bounds(detected_s=aged_s + stopped_s, safe_s=aged_s + stopped_s + HANG_S, quoting_s=QUOTING_S),
            ),
        )
    )


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
