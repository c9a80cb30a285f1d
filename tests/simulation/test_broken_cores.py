"""Each invariant is broken by a system one of whose cores is broken just so, and its check says so."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.alerting.core import AlertingCore
from actors.order_manager.core import OrderManagerCore
from configs.loading import load_settings
from configs.schema import Settings
from ops.invariants.all import NAMES, check_all
from ops.simulation.draws import draw_flow, draw_settings
from ops.simulation.house import House
from ops.simulation.observation import Observation, replayed_twice
from ops.simulation.watch import Watch
from ops.simulation.wire_faults import Rule, WireTrouble
from protocols import client_order_id as ids
from protocols.effects import Append, Call, Core, Effect, Publish, SetTimer
from protocols.envelope import Message
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import ActorSpec
from protocols.messages.journal import OrderIntended
from protocols.messages.orders import OrderAccepted, OrderFilled
from protocols.venue import Done, PlaceOrder, RefusalKind, Refused, SetCountdown, Throttled, Usage

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
SECONDS = 25.0
LIVELY = replace(draw_flow(random.Random(3)), step_ms=3_000, trade_rate=0.2)
"""A market in which the quotes of these tests are filled."""

Mutation = Callable[[list[Effect]], list[Effect]]


class Broken:
    """A core whose messages and effects pass through hands that spoil them."""

    def __init__(self, core: Any, mutate: Mutation, hear: Callable[[Message], Message | None]) -> None:
        self._core = core
        self._mutate = mutate
        self._hear = hear

    def start(self, now_ns: int) -> list[Effect]:
        return self._mutate(self._core.start(now_ns))

    def handle(self, message: Any, now_ns: int) -> list[Effect]:
        heard = self._hear(message)
        return [] if heard is None else self._mutate(self._core.handle(heard, now_ns))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)


class BrokenHouse(House):
    """A house in which the cores of one class are broken."""

    broken: type = OrderManagerCore
    mutate: Mutation = staticmethod(lambda effects: effects)
    hear: Callable[[Message], Message | None] = staticmethod(lambda message: message)

    def _make_core(self, spec: ActorSpec, epoch: int, journal: list[Message]) -> Core:
        core = super()._make_core(spec, epoch, journal)
        if type(core) is not self.broken:
            return core
        spoiled = type("Spoiled", (Broken, self.broken), {})
        found: Core = spoiled.__new__(spoiled)
        Broken.__init__(found, core, self.mutate, self.hear)  # type: ignore[arg-type]
        return found


def each(spoil: Callable[[Effect], list[Effect]]) -> Mutation:
    return lambda effects: [spoiled for effect in effects for spoiled in spoil(effect)]


def without(kind: type[Effect], *messages: type[Message]) -> Mutation:
    """No effect of this kind about these messages."""
    return each(lambda effect: [] if isinstance(effect, kind) and isinstance(_about(effect), messages) else [effect])


def _about(effect: Any) -> Message | None:
    return getattr(effect, "record", None) or getattr(effect, "request", None) or getattr(effect, "body", None)


def changed(kind: type[Message], change: Callable[[Any], dict[str, object]]) -> Mutation:
    """Records and requests of this kind with other fields."""

    def spoil(effect: Any) -> list[Effect]:
        about = _about(effect)
        if not isinstance(about, kind):
            return [effect]
        other = msgspec.structs.replace(about, **change(about))
        return (
            [Append(other)] if isinstance(effect, Append) else [Call(other)] if isinstance(effect, Call) else [effect]
        )

    return each(spoil)


def both(first: Mutation, second: Mutation) -> Mutation:
    return lambda effects: second(first(effects))


def sends_again() -> Mutation:
    """With each order one of an earlier id is sent again, on its terms."""
    kept: dict[str, str] = {}

    def mutate(effects: list[Effect]) -> list[Effect]:
        again: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Call) and isinstance(effect.request, PlaceOrder):
                order = effect.request
                earlier = kept.setdefault(order.instrument_id, order.client_order_id)
                request_id = 10**12 + order.request_id
                again.append(Call(msgspec.structs.replace(order, request_id=request_id, client_order_id=earlier)))
        return [*effects, *again]

    return mutate


def older_epochs() -> Mutation:
    """Every second order carries an id of the epoch before."""
    count = [0]

    def older(order: PlaceOrder) -> dict[str, object]:
        count[0] += 1
        parsed = ids.parse_client_order_id(order.client_order_id)
        assert parsed is not None
        return {"client_order_id": msgspec.structs.replace(parsed, epoch=parsed.epoch - count[0] % 2).text}

    return changed(PlaceOrder, older)


def leaks_timers() -> Mutation:
    count = [0]

    def leak(effects: list[Effect]) -> list[Effect]:
        count[0] += 1
        return [*effects, *(SetTimer(f"leak {count[0]} {number}", 10**15) for number in range(20))]

    return leak


def takes_a_throttle_for_a_refusal(message: Message) -> Message | None:
    if not isinstance(message, Throttled):
        return message
    return Refused(
        request_id=message.request_id,
        received_ns=message.received_ns,
        usage=message.usage,
        kind=RefusalKind.DROP,
        venue_code=-2010,
        text="",
    )


def says_every_countdown_is_set(house: BrokenHouse) -> None:
    """The calls that arm the countdown never leave, and their answers are made up."""
    call = house.venue.call

    def without_countdown(actor: str, now_ns: int, request: Message) -> None:
        if isinstance(request, SetCountdown):
            house.world.tell(actor, Done(request_id=request.request_id, received_ns=now_ns, usage=Usage()))
        else:
            call(actor, now_ns, request)

    for name in house.order_managers:
        house.world.route_calls(name, without_countdown)


def settings(**orders: object) -> Settings:
    drawn = draw_settings(random.Random(1), load_settings(DEMO, {}))
    steady = drawn.order_manager.model_copy(update={"beat_ms": 250, "amends": False} | orders)
    return drawn.model_copy(update={"shards": 1, "symbols": ("BTCUSDC", "ETHUSDC"), "order_manager": steady})


def run(
    mutate: Mutation = lambda effects: effects,
    hear: Callable[[Message], Message | None] = lambda message: message,
    broken: type = OrderManagerCore,
    prepare: Callable[[BrokenHouse], None] = lambda house: None,
    amid: Callable[[BrokenHouse], None] = lambda house: None,
) -> dict[str, tuple[str, ...]]:
    """Names of the invariants that a system with a broken core breaks, with what was said of them."""
    BrokenHouse.broken, BrokenHouse.mutate, BrokenHouse.hear = broken, staticmethod(mutate), staticmethod(hear)
    house = BrokenHouse(settings(), seed=3, flow=LIVELY, by_wire=False)
    prepare(house)
    watch, observed = Watch(house), Observation(house)
    house.start()
    watch.begin()
    observed.until_quoting(8.0, "the start")
    amid(house)
    house.run_s(SECONDS)
    found = {v.name: v.violations for v in check_all(watch.complete(house.history())) if not v.held}
    for text in [*observed.violations, *replayed_twice(house)]:
        found.setdefault(text.partition(":")[0], (text,))
    return found


def throttle(house: BrokenHouse) -> None:
    now_ns = house.world.now_ns
    house.venue.faults.add(
        Rule(trouble=WireTrouble.THROTTLED, actor="order_manager-0", until_ns=now_ns + 8 * 10**9, size_ns=10 * 10**9)
    )


def stop_that_nobody_hears(house: BrokenHouse) -> None:
    house.tell = lambda name, message: None  # type: ignore[method-assign]
    house.emergency_stop()
    house.venue.stop_file = False


CASES: dict[str, dict[str, Any]] = {
    "I1": {"mutate": sends_again()},
    "I2": {"amid": stop_that_nobody_hears},
    "I3": {"mutate": both(without(Append, OrderFilled), without(Publish, OrderFilled))},
    "I4": {"mutate": without(Append, OrderAccepted)},
    "I5": {"mutate": older_epochs()},
    "I6": {
        "mutate": both(
            changed(PlaceOrder, lambda order: {"quantity_lots": order.quantity_lots * 10}),
            changed(OrderIntended, lambda r: {"quantity_lots": r.quantity_lots * 10, "quantity": r.quantity * 10}),
        )
    },
    "I7": {"mutate": changed(OrderIntended, lambda record: {"book_age_ns": record.book_age_ns_max + 1})},
    "I8": {"mutate": without(Append, OrderIntended)},
    "I9": {"mutate": without(Call, PlaceOrder)},
    "I10": {"hear": takes_a_throttle_for_a_refusal, "amid": throttle},
    "I11": {"mutate": leaks_timers()},
    "I12": {"mutate": without(Append, Alert), "broken": AlertingCore, "amid": lambda house: alarm(house)},
    "I13": {"mutate": each(lambda e: [e, e] if isinstance(_about(e), OrderFilled) and isinstance(e, Append) else [e])},
    "I14": {"prepare": says_every_countdown_is_set},
    "I15": {"mutate": changed(OrderIntended, lambda r: {"price": r.price * (1 + int(r.client_order_id[-1], 36) % 2)})},
}


def alarm(house: BrokenHouse) -> None:
    house.world.say(
        "order_manager-0",
        Alert(code=AlertCode.BAD_DATA, severity=Severity.INFO, subject="a test", text="", raised_ns=1),
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_core_breaks_the_invariant_that_it_ignores(name: str) -> None:
    assert name in run(**CASES[name])


def test_the_same_system_with_sound_cores_breaks_none() -> None:
    assert run() == {}
