"""Latencies per direction: distributions around a median, rising with the rate of messages, the same for a seed."""

from __future__ import annotations

from statistics import median, quantiles

from venue_rig import MS, WireRig, limit_order, settings

from actors.exchange.latencies import Latency, described, latencies
from actors.exchange.ledger import OrderAccepted, OrderCanceled
from actors.exchange.seeded import SeededNumbers


def draws(count: int = 2_000, gap_ns: int = MS, **fields: float) -> list[int]:
    given: dict[str, float] = {"median_ns": 2 * MS, "sigma": 0.0, "jitter_ns": 0, "load_ns": 0} | fields
    latency = Latency(
        SeededNumbers(1), int(given["median_ns"]), given["sigma"], int(given["jitter_ns"]), int(given["load_ns"])
    )
    return [latency.draw_ns(index * gap_ns) for index in range(count)]


def test_without_a_spread_every_message_takes_the_median() -> None:
    assert set(draws()) == {2 * MS}


def test_a_spread_keeps_the_median_and_has_a_long_tail() -> None:
    taken = draws(sigma=0.5)
    assert abs(median(taken) / (2 * MS) - 1) < 0.05
    cuts = quantiles(taken, n=100)
    assert cuts[98] / cuts[49] > 2.5
    assert cuts[49] / cuts[0] > 2.5


def test_latency_rises_with_the_rate_of_messages_and_falls_again() -> None:
    slow, fast = (median(draws(load_ns=50_000, gap_ns=gap_ns)) for gap_ns in (50 * MS, MS))
    assert fast > slow + 4 * MS
    latency = Latency(SeededNumbers(1), 2 * MS, 0.0, 0, 50_000)
    busy = [latency.draw_ns(index * 1_000) for index in range(200)]
    assert busy == sorted(busy)
    assert latency.draw_ns(2_000 * MS) < 2 * MS + 100_000


def test_a_seed_draws_the_same_again_and_the_ways_differ() -> None:
    chosen = settings(order_latency_ms=3, feed_latency_ms=1, latency_sigma=0.4, seed=7)
    first, second = latencies(chosen), latencies(chosen)
    assert [way.draw_ns(0) for way in first] == [way.draw_ns(0) for way in second]
    assert described(chosen) == "to the venue 3 ms, back 1 ms, log-normal with sigma 0.4"


def test_placing_and_cancelling_take_the_same_way() -> None:
    rig = WireRig(order_latency_ms=20, latency_sigma=0.3, latency_load_us=100)
    sent = []
    for _ in range(40):
        sent.append(rig.now_ns)
        rig.send("POST", "/fapi/v1/order", limit_order(newClientOrderId="a"))
        sent.append(rig.now_ns)
        rig.send("DELETE", "/fapi/v1/order", {"symbol": "BTCUSDC", "origClientOrderId": "a"})
    done = [record.t for record in rig.output.records if isinstance(record, OrderAccepted | OrderCanceled)]
    taken = [at_ns - sent_ns for at_ns, sent_ns in zip(done, sent, strict=True)]
    placed, canceled = median(taken[::2]), median(taken[1::2])
    assert min(taken) > 0
    assert 0.8 < placed / canceled < 1.25
