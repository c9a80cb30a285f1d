"""The metrics of the whole system, computed from the one status that people and reports read too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from protocols.messages.control import ActorState, ActorStatus, SystemStatus

FAMILIES_MAX = 500
SAMPLES_MAX = 20_000
ALIVE = frozenset({ActorState.RUNNING, ActorState.RECOVERING, ActorState.DRAINING})
HISTOGRAM = "tick_to_order_us"


class Sample(msgspec.Struct, frozen=True):
    """One value with its labels."""

    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, frozen=True):
    """All samples of one metric."""

    name: str
    text: str
    samples: list[Sample]


class Histogram(msgspec.Struct, frozen=True):
    """A histogram of one actor: cumulative counts by upper bound, the last of which is +Inf."""

    name: str
    text: str
    labels: dict[str, str]
    buckets: list[tuple[str, float]]
    sum: float


def families(status: SystemStatus) -> list[Family]:
    """Every gauge of the system; at most FAMILIES_MAX names and SAMPLES_MAX samples."""
    found: dict[str, Family] = {}
    count = 0
    for name, text, labels, value in _all_samples(status):
        family = found.get(name)
        if count >= SAMPLES_MAX or (family is None and len(found) >= FAMILIES_MAX):
            continue
        if family is None:
            family = found[name] = Family(name, text, [])
        elif family.samples[0].labels.keys() != labels.keys():
            continue  # a field that is a number here and a table there: the page allows one form of a name
        family.samples.append(Sample(labels, value))
        count += 1
    return list(found.values())


def histograms(status: SystemStatus) -> list[Histogram]:
    """The tick-to-order histogram of every order manager that has one."""
    return [histogram for actor in status.actors if (histogram := _histogram(actor)) is not None]


Item = tuple[str, str, dict[str, str], float]


def _all_samples(status: SystemStatus) -> Iterator[Item]:
    yield "raymaker_stopped", "1 while the emergency stop is latched", {}, float(status.stopped)
    for shard in status.halted_shards:
        yield "raymaker_shard_halted", "1 while a shard is halted", {"shard": str(shard)}, 1.0
    for actor in status.actors:
        labels = {"actor": actor.name, "role": actor.role, "shard": str(actor.shard)}
        yield "raymaker_actor_up", "1 while the actor runs", labels, float(actor.state in ALIVE)
        yield "raymaker_actor_epoch", "Epoch of the actor's incarnation", labels, float(actor.epoch)
        yield "raymaker_actor_restarts", "Restarts by the supervisor", labels, float(actor.restarts)
        if actor.memory_bytes:
            memory = {"actor": actor.name}
            yield "raymaker_memory_bytes", "Resident memory of the process", memory, float(actor.memory_bytes)
            yield (
                "raymaker_memory_bytes_max",
                "Its bound: above it it is restarted",
                memory,
                float(actor.memory_bytes_max),
            )
        yield from _vital_samples(actor)
        yield from _numbers(f"raymaker_{actor.role}", actor.snapshot, {"actor": actor.name})
        io = {key: value for key, value in actor.io.items() if key != HISTOGRAM}
        yield from _numbers(f"raymaker_{actor.role}_io", io, {"actor": actor.name})


def _vital_samples(actor: ActorStatus) -> Iterator[Item]:
    vitals = actor.vitals
    if vitals is None:
        return
    labels = {"actor": actor.name}
    yield "raymaker_loop_lag_seconds", "How late the event loop runs", labels, vitals.loop_lag_ns / 1e9
    yield "raymaker_messages_in", "Messages taken", labels, float(vitals.messages_in)
    yield "raymaker_messages_out", "Messages given", labels, float(vitals.messages_out)
    yield "raymaker_messages_refused", "Messages that could not be decoded", labels, float(vitals.refused)
    yield "raymaker_gc_pause_seconds_max", "Longest garbage collection", labels, vitals.gc_pause_ns_max / 1e9
    for peer, age_ns in vitals.link_ages_ns.items():
        text = "Time since the newest message of a link was sent"
        yield "raymaker_link_age_seconds", text, {**labels, "peer": peer}, age_ns / 1e9
    for queue, depth in vitals.queue_depths.items():
        yield "raymaker_queue_depth", "Messages that wait", {**labels, "queue": queue}, float(depth)


def _numbers(name: str, values: dict[str, Any], labels: dict[str, str]) -> Iterator[Item]:
    """Numeric fields; one level of mappings is labelled by its key (an instrument id by its symbol)."""
    for field, value in values.items():
        metric = f"{name}_{_clean(field)}"
        number = _number(value)
        if number is not None:
            yield metric, f"{field} of the snapshot", labels, number
        elif isinstance(value, dict):
            for key, inner in value.items():
                yield from _keyed_numbers(metric, field, inner, {**labels, "key": _symbol(str(key))})


def _keyed_numbers(metric: str, field: str, inner: Any, labels: dict[str, str]) -> Iterator[Item]:
    number = _number(inner)
    if number is not None:
        yield metric, f"{field} of the snapshot", labels, number
    elif isinstance(inner, dict):
        for name, value in inner.items():
            number = _number(value)
            if number is not None:
                yield f"{metric}_{_clean(str(name))}", f"{field}.{name} of the snapshot", labels, number


def _number(value: Any) -> float | None:
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str) and 0 < len(value) <= 40 and (value[0].isdigit() or value[0] == "-"):
        try:
            return float(value)  # decimals travel as text
        except ValueError:
            return None
    return None


def _histogram(actor: ActorStatus) -> Histogram | None:
    raw = actor.io.get(HISTOGRAM)
    if not isinstance(raw, dict):
        return None
    try:
        pairs = [(float(le), float(count)) for le, count in raw["buckets"]]
        total, count = float(raw["sum"]), float(raw["count"])
    except (KeyError, TypeError, ValueError):
        return None
    buckets = [(f"{le:g}", number) for le, number in pairs if le != float("inf")]
    name = "raymaker_tick_to_order_microseconds"
    text = "Receipt of the market frame to the order's bytes written"
    return Histogram(name, text, {"actor": actor.name}, [*buckets, ("+Inf", count)], total)


def _clean(field: str) -> str:
    return "".join(character if character.isascii() and character.isalnum() else "_" for character in field.lower())


def _symbol(key: str) -> str:
    return key.rsplit(":", 1)[-1]
