"""What the report says of both queue models, and of a plain account's fees."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from venue_rig import SYMBOL, VenueRig

from actors.exchange.ledger import OrderFilled
from ops.queue_report import MODELS, by_queue_model, plain_fees


def run(model: str) -> VenueRig:
    """A bid for 4 behind 10; six of the ten are cancelled, then ten trade: 4 lots by one model, none by the other."""
    rig = VenueRig(queue_model=model, fees={"USDC": {"maker": "0", "taker": "0.0004"}})
    rig.venue.announce("test", restart=False)
    rig.place("BUY", 640_000, 4)
    rig.apply(rig.market.depth(bids=[(640_000, 40)]), rig.market.depth(bids=[(640_000, 20)]))
    rig.apply(rig.market.sold(640_000, 10))
    rig.market_order("BUY", 2)
    return rig


def figures(rig: VenueRig) -> dict[str, Any]:
    return by_queue_model(SYMBOL, rig.records(), Decimal("64000.0"))


def test_the_pessimistic_result_comes_first_whichever_model_gave_the_fills() -> None:
    for model in MODELS:
        found = figures(run(model))
        assert list(found) == ["pessimistic", "probabilistic"]
        assert (found["pessimistic"]["fills"], found["probabilistic"]["fills"]) == (1, 2)


def test_the_run_of_either_model_shows_the_same_for_the_same_orders() -> None:
    assert figures(run("pessimistic")) == figures(run("probabilistic"))


def test_each_model_is_valued_at_the_last_mid_with_its_fees_and_those_of_a_plain_account() -> None:
    rig = run("pessimistic")
    taken = Decimal("0.002") * Decimal("64000.1")
    found = figures(rig)["pessimistic"]
    assert Decimal(found["gross"]) == Decimal("0.002") * Decimal("64000.0") - taken
    assert Decimal(found["net"]) == Decimal(found["gross"]) - taken * Decimal("0.0004")
    likely = figures(rig)["probabilistic"]
    made = Decimal(likely["volume"]) - taken
    assert Decimal(likely["net_plain_fees"]) == Decimal(likely["gross"]) - made * Decimal("0.0002") - taken * Decimal(
        "0.0004"
    )


def test_a_plain_account_pays_for_what_a_promotion_makes_free() -> None:
    fills = [record for record in run("probabilistic").records() if isinstance(record, OrderFilled)]
    made = sum((fill.price * fill.quantity for fill in fills if fill.maker), Decimal(0))
    taken = sum((fill.price * fill.quantity for fill in fills if not fill.maker), Decimal(0))
    assert made > 0
    assert plain_fees(SYMBOL, fills) == made * Decimal("0.0002") + taken * Decimal("0.0004")
