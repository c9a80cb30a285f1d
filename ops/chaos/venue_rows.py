"""Rows that are faults of the venue: what it is asked to do wrong (actors/exchange/README.md), its death, and others with our key."""

from __future__ import annotations

from actors.order_manager.event_watch import EVENT_NS_MAX
from configs.schema import Settings
from ops.chaos.network_rows import SOME_ORDERS, SPELL_S
from ops.chaos.proxy.rules import Way
from ops.chaos.rows import (
    BOOK_S,
    HANG_S,
    OTHER_S,
    QUOTING_S,
    RESUMED,
    TRADES,
    Bounds,
    Injection,
    Network,
    Row,
    Safe,
    countdown_s,
    resolved_s,
)
from protocols.messages.alerts import AlertCode

THROTTLED_S = 5
BANNED_S = 20
MINUTE_S = 60.0
SKEW_MS = 5_000
LIE_S = 4.0
LISTED_S = 10.0
"""The listing is looked at this often while something is wrong with it."""

TOLD_S = 1.0
"""From the answer that refuses to the alert."""

MUTE_S = EVENT_NS_MAX / 1e9 + 2.5
"""A private stream whose key was ended is mute from then on: the next acknowledgement that it does not tell of proves it, after
EVENT_NS_MAX; until there is one (a second or two on this market) there is nothing to miss."""

ORDERS = ["place", "amend"]
LIMITED = (AlertCode.RATE_LIMITED,)


def venue_rows(settings: Settings) -> tuple[Row, ...]:
    """The rows, with the bounds that follow from the settings."""
    resolved = Bounds(safe_s=resolved_s(settings))
    unknown: dict[str, object] = {"kind": "unknown_outcome", "calls": ORDERS, "count": SOME_ORDERS}
    return (
        _asked(
            "41",
            f"429 with Retry-After {THROTTLED_S} s",
            {"kind": "throttled", "calls": ["countdown"], "retry_after_s": THROTTLED_S},
            Safe.NONE,
            Bounds(detected_s=TOLD_S, quoting_s=THROTTLED_S + QUOTING_S),
            LIMITED,
        ),
        _asked(
            "41b",
            "429 without Retry-After",
            {"kind": "throttled_bare", "calls": ["countdown"]},
            Safe.NONE,
            Bounds(detected_s=TOLD_S, quoting_s=MINUTE_S + QUOTING_S),
            LIMITED,
            watch_s=90.0,
        ),
        _asked(
            "41c",
            "429 -1015: too many orders",
            {"kind": "orders_throttled", "calls": ORDERS, "retry_after_s": THROTTLED_S},
            Safe.NONE,
            Bounds(detected_s=TOLD_S, quoting_s=10.0 + QUOTING_S),
            LIMITED,
        ),
        _asked(
            "42",
            f"418: banned for {BANNED_S} s",
            {"kind": "banned", "calls": ["countdown"], "retry_after_s": BANNED_S},
            Safe.EMPTY,
            Bounds(detected_s=TOLD_S, safe_s=countdown_s(settings), quoting_s=BANNED_S + 2 * QUOTING_S),
            LIMITED,
            watch_s=60.0,
        ),
        _asked(
            "43",
            f"503: unknown outcome of {SOME_ORDERS} orders that were done",
            {**unknown, "executed": True},
            Safe.RESOLVED,
            resolved,
        ),
        _asked(
            "43b",
            f"503: unknown outcome of {SOME_ORDERS} orders that were not done",
            {**unknown, "executed": False},
            Safe.RESOLVED,
            resolved,
        ),
        _asked(
            "43c",
            "403 with a page of HTML: nothing is sent for minutes",
            {"kind": "forbidden", "calls": ORDERS, "count": 1},
            Safe.EMPTY,
            Bounds(detected_s=TOLD_S, safe_s=countdown_s(settings)),
            LIMITED,
            quotes_again=False,
        ),
        _asked(
            "47",
            f"the venue's clock {SKEW_MS / 1_000:g} s ahead for {SPELL_S:.0f} s",
            {"kind": "clock_skew", "skew_ms": SKEW_MS, "duration_ms": round(SPELL_S * 1_000)},
            Safe.NONE,
            Bounds(quoting_s=SPELL_S + 2 * QUOTING_S),
            watch_s=40.0,
            lasts_s=SPELL_S,
        ),
        *_lies(settings),
        *_OTHERS,
    )


def _lies(settings: Settings) -> tuple[Row, ...]:
    """What the venue says is absurd, or it refuses what it took before."""
    lasts = {"duration_ms": round(LIE_S * 1_000)}
    return (
        _asked(
            "35",
            f"best prices crossed, trades and marks half as high again, for {LIE_S:.0f} s",
            {"kind": "absurd_prices", **lasts},
            Safe.EMPTY,
            Bounds(detected_s=TOLD_S, safe_s=BOOK_S, quoting_s=LIE_S + 2 * QUOTING_S),
            (AlertCode.BAD_DATA, AlertCode.FEED_GAP, AlertCode.FEED_LOST, AlertCode.FEED_STALE),
            lasts_s=LIE_S,
        ),
        _asked(
            "40",
            f"{SOME_ORDERS} orders are filled while their cancels are on their way",
            {"kind": "cancel_fill_race", "count": SOME_ORDERS},
            Safe.TENDED,
            Bounds(quoting_s=2 * QUOTING_S),
            reset=(Way.MARKET,),
        ),
        _asked(
            "45b",
            "every open order is wiped out, and nobody is told",
            {"kind": "orders_wiped"},
            Safe.TENDED,
            Bounds(quoting_s=2 * QUOTING_S),
        ),
        _asked(
            "46",
            f"trading is halted for {LIE_S:.0f} s",
            {"kind": "halted", **lasts},
            Safe.EMPTY,
            Bounds(detected_s=OTHER_S, safe_s=2 * OTHER_S, quoting_s=LIE_S + LISTED_S + QUOTING_S),
            (AlertCode.BAD_DATA, AlertCode.ACCOUNT_DIFFERS),
            lasts_s=LIE_S,
            watch_s=40.0,
        ),
        _asked(
            "49",
            f"our key is refused for {LIE_S:.0f} s: HALTED; then resume",
            {"kind": "key_rejected", **lasts},
            Safe.EMPTY,
            Bounds(detected_s=TOLD_S, safe_s=countdown_s(settings), quoting_s=2 * QUOTING_S),
            (AlertCode.KEY_REFUSED,),
            lasts_s=LIE_S,
            variant=RESUMED,
        ),
    )


_OTHERS = (
    Row(
        key="45",
        fault="venue SIGKILL, restarted after 2 s",
        injection=Injection.VENUE,
        alerts=(AlertCode.USER_STREAM_LOST, AlertCode.FEED_LOST, AlertCode.FEED_STALE),
        safe=Safe.GONE,
        bounds=Bounds(detected_s=HANG_S, safe_s=15.0, quoting_s=15.0),
    ),
    Row(
        key="48",
        fault="the listen key ended by somebody else",
        injection=Injection.STRANGER,
        variant="listen key",
        alerts=(AlertCode.USER_STREAM_LOST,),
        safe=Safe.EMPTY,
        bounds=Bounds(detected_s=MUTE_S, safe_s=MUTE_S + HANG_S, quoting_s=MUTE_S + QUOTING_S),
    ),
    Row(
        key="65",
        fault="another program with our key: an order that rests, and a purchase",
        injection=Injection.STRANGER,
        variant=TRADES,
        alerts=(AlertCode.FOREIGN_FILL,),
        safe=Safe.TENDED,
        bounds=Bounds(detected_s=10.0, safe_s=OTHER_S, quoting_s=QUOTING_S),
    ),
)


def _asked(
    key: str,
    fault: str,
    asked: dict[str, object],
    safe: Safe,
    bounds: Bounds,
    alerts: tuple[AlertCode, ...] = (),
    watch_s: float = 25.0,
    lasts_s: float = 0.0,
    quotes_again: bool = True,
    variant: str = "",
    reset: tuple[Way, ...] = (),
) -> Row:
    return Row(
        key=key,
        fault=fault,
        injection=Injection.ASKED,
        bounds=bounds,
        safe=safe,
        alerts=alerts,
        asked=asked,
        quotes_again=quotes_again,
        watch_s=watch_s,
        variant=variant,
        network=Network(reset=reset, for_s=lasts_s),
    )
