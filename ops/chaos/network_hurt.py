"""Faults of what is around a live system: the network, the venue, the webhook, other people on the account."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal

import httpx
import msgspec

from configs.keys import load_keys
from ops.chaos import faults
from ops.chaos.death_rows import ANSWERS
from ops.chaos.following import Touched, touched_by
from ops.chaos.live import Live, Told, later, verdict
from ops.chaos.measuring import first_alert
from ops.chaos.network_rows import NEW_ORDER
from ops.chaos.process_hurt import lift
from ops.chaos.proxy.notes import Note
from ops.chaos.proxy.rules import Effect, Rule, Toward, Way, held
from ops.chaos.rows import RESUMED, Network, Row
from ops.chaos.stranger import Stranger, StrangerRefused
from ops.chaos.webhook import Mood
from protocols.messages.control import ActorStatus

VENUE_DOWN_S = 2.0
IN_FLIGHT = 3
IN_FLIGHT_S_MAX = 20.0
RELEASED_AFTER_S = 0.5
FEW_FILES_S = 4.0
STOPPED_S_MAX = 30.0
WEBHOOK_DOWN_S = 8.0
DELIVERED_S_MAX = 25.0
ADMIN = "/raymaker/faults"
ADMIN_S_MAX = 5.0
ASKED_S_MAX = 20.0
ANSWERED_S_MAX = 2.0
REFUSED_BEYOND = 400
"""Status of a refusal of the order itself (of a post-only order that would have crossed, say), which is no fault."""

ORDER_CALLS = ("order.place", "order.modify", "POST /fapi/v1/order", "PUT /fapi/v1/order")
MIN_LOTS = 1
NOTIONAL = Decimal(200)
"""What a stranger buys, in quote currency: above the venue's least, far below any limit of ours."""

FAR = Decimal("0.98")
"""A stranger's resting bid stands at this share of the best."""

AFTER_TOUCH_S = 0.3
"""Rules stay so long after they treated what they were for: the same event is on its way on other sockets."""


def venue(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The venue's process dies and comes back with its ledger."""
    live.stage.kill_venue()
    live.wait(VENUE_DOWN_S)
    live.stage.start_venue()
    _back_now(told)


def network(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """Whatever the row's rules say."""
    assert row.network is not None
    apply(row.network, live, told)


def apply(wanted: Network, live: Live, told: Told) -> None:
    """Put rules in force for their time."""
    proxy = live.proxy
    began = proxy.rules(*wanted.rules)
    if wanted.reset:
        began = proxy.reset(*wanted.reset)
    told.scene = later(told.scene, began.boot_ns - told.scene.fault_ns)
    if wanted.touched:
        reached = live.wait(wanted.for_s, lambda: proxy.look().touched >= wanted.touched)
        told.checks.append(verdict("the fault", reached, f"fewer than {wanted.touched} units in {wanted.for_s:g} s"))
        live.wait(AFTER_TOUCH_S)
    else:
        live.wait(wanted.for_s)
    if wanted.for_s:
        ended_at = proxy.rules()
        if wanted.returns:
            told.scene = msgspec.structs.replace(told.scene, back_t=ended_at.t)
    meddled = [n for n in proxy.notes() if n.effect not in (Effect.PASS, Effect.HOLD) and n.t >= began.t]
    if wanted.touched and meddled:
        hurt = tuple(dict.fromkeys(note.symbol for note in meddled if note.symbol in live.settings.symbols))
        told.scene = later(told.scene, meddled[0].t - told.scene.fault_t)
        told.scene = msgspec.structs.replace(told.scene, hurt=hurt or live.settings.symbols)
    told.scene = msgspec.structs.replace(told.scene, touched=touched_by(meddled, began.t))
    if told.scene.touched:
        told.notes.append(f"touched: {', '.join(sorted({each.label for each in told.scene.touched}))}")


def outlast(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The fault stays until everything has stopped; then it ends, and a person resumes."""
    assert row.network is not None
    apply(row.network, live, told)
    stopped = live.wait(
        STOPPED_S_MAX, lambda: first_alert(live.alerts(), row.alerts, (), told.scene.fault_ns) is not None
    )
    told.checks.append(verdict("the stop", stopped, f"no emergency stop within {STOPPED_S_MAX:.0f} s"))
    told.checks.append(verdict("the stop file", live.state.stop_file.exists(), "there is none"))
    live.proxy.rules()
    lift(live, told)


def asked(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The venue is asked to go wrong; it begins when the fault first strikes."""
    assert row.network is not None
    began_t = time.time_ns()
    told.scene = later(told.scene, began_t - told.scene.fault_t)
    with httpx.Client(base_url=live.stage.venue_url, timeout=ADMIN_S_MAX, trust_env=False) as admin:
        answer = admin.post(ADMIN, json=row.asked)
        told.checks.append(verdict("the fault", answer.status_code == 200, answer.text))
        if row.network.reset:
            live.proxy.reset(*row.network.reset)
        number, wanted = answer.json().get("number", 0), int(str(row.asked.get("count", 1)))

        def struck() -> bool:
            rows = admin.get(ADMIN).json()["faults"]
            return all(each["struck"] >= wanted for each in rows if each["number"] == number)

        if row.network.for_s:
            live.wait(row.network.for_s)
        else:
            reached = live.wait(ASKED_S_MAX, struck)
            told.checks.append(verdict("the strike", reached, f"struck too seldom within {ASKED_S_MAX:.0f} s"))
            # The venue knows that it struck before its answer has passed the proxy, whose note has the instant.
            live.wait(ANSWERED_S_MAX, lambda: bool(_refused(live, began_t)))
    notes = [note for note in live.proxy.notes() if note.t >= began_t]
    if row.variant == RESUMED:
        lift(live, told)
    refused = _refused(live, began_t)
    if refused:
        told.scene = later(told.scene, refused[0].t - told.scene.fault_t)
    touched = tuple(
        Touched(t=note.t, order=note.order or _order_asked(notes, note), label=note.label)
        for note in refused
        if note.label in ORDER_CALLS
    )
    told.scene = msgspec.structs.replace(told.scene, touched=touched)


def _refused(live: Live, since_t: int) -> list[Note]:
    """The answers that refuse, for another reason than the order's own."""
    return [n for n in live.proxy.notes() if n.t >= since_t and n.toward is Toward.US and n.status > REFUSED_BEYOND]


def _order_asked(notes: Sequence[Note], answer: Note) -> str:
    """The order of the newest request of the same kind before an answer that names none."""
    asked_for = [n.order for n in notes if n.toward is Toward.VENUE and n.label == answer.label and n.t <= answer.t]
    return asked_for[-1] if asked_for else ""


def kill_in_flight(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """SIGKILL when some orders are written and none is answered; what was held travels on after it."""
    proxy = live.proxy
    toward = Toward.US if row.variant == ANSWERS else Toward.VENUE
    began = proxy.rules(Rule(way=Way.ORDERS, toward=toward, effect=Effect.HOLD, match=NEW_ORDER), *held(Way.PRIVATE))
    proxy.reset(Way.MARKET)  # quotes move by amendments: this has every one cancelled and placed anew

    def flying() -> tuple[Touched, ...]:
        return tuple(
            Touched(t=note.t, order=note.order, label=note.label)
            for note in proxy.notes()
            if note.t >= began.t and note.toward is Toward.VENUE and note.label == NEW_ORDER.strip() and note.order
        )

    wanted = IN_FLIGHT if row.variant == ANSWERS else 1
    reached = live.wait(IN_FLIGHT_S_MAX, lambda: len(flying()) >= wanted)
    killed_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    faults.kill([victims[0].pid])
    told.scene = later(told.scene, killed_ns - told.scene.fault_ns)
    live.wait(RELEASED_AFTER_S)
    proxy.rules()
    touched = tuple(msgspec.structs.replace(each, t=told.scene.fault_t) for each in flying())
    told.scene = msgspec.structs.replace(told.scene, touched=touched)
    told.checks.append(verdict("the fault", reached, f"only {len(touched)} orders were in flight"))
    told.notes.append(f"{len(touched)} orders were in flight")


def no_files(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The order manager loses its private socket and cannot open another."""
    with faults.no_more_files(victims[0].pid):
        began = live.proxy.reset(Way.PRIVATE)
        told.scene = later(told.scene, began.boot_ns - told.scene.fault_ns)
        live.wait(FEW_FILES_S)
    told.scene = msgspec.structs.replace(told.scene, names=())
    _back_now(told)


def webhook(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """An incident while the webhook is away; its alert has to arrive when it is back."""
    server = live.webhook
    server.feel(Mood(row.variant))
    faults.kill([victims[0].pid])
    live.wait(WEBHOOK_DOWN_S)
    refused = server.refused
    server.feel(Mood.WELL)
    back_t = time.time_ns()

    def arrived() -> list[int]:
        return [
            d.t for d in server.deliveries if d.t >= back_t and d.subject == victims[0].name and d.code in row.alerts
        ]

    delivered = live.wait(DELIVERED_S_MAX, lambda: bool(arrived()))
    told.checks.append(verdict("delivery", delivered, f"not delivered within {DELIVERED_S_MAX:.0f} s of its return"))
    took = f"delivered {(arrived()[0] - back_t) / 1e9:.1f} s after its return" if delivered else "never delivered"
    told.notes.append(f"{took}; refused before: {refused}")


def stranger(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """Somebody else uses the same key."""
    symbol = live.settings.symbols[0]
    try:
        with Stranger(live.stage.venue_url, load_keys(live.settings.venue.keys)) as other:
            if row.variant == "listen key":
                other.end_listen_key()
                return
            instrument = live.instrument(symbol)
            bid = live.best_bid(symbol)
            quantity = instrument.lot_size * max(MIN_LOTS, int(NOTIONAL / bid / instrument.lot_size))
            far = bid * FAR // instrument.tick_size * instrument.tick_size
            other.rest_a_bid(symbol, quantity, far)
            other.buy_at_market(symbol, quantity)
    except StrangerRefused as error:
        told.checks.append(verdict("the fault", False, str(error)))


def _back_now(told: Told) -> None:
    told.scene = msgspec.structs.replace(told.scene, back_t=time.time_ns())
