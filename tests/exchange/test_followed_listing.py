"""While another venue is followed, status, bounds and brackets of its contracts become ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from venue_rig import contract

from actors.exchange.brackets import Bracket
from actors.exchange.contracts import Contract
from actors.exchange.followed_listing import FollowedListing
from actors.exchange.frames import ContractFrame, TermsFrame
from actors.exchange.market import Market, UpdateIds
from actors.exchange.shapes import symbol_row
from actors.exchange.streams import Publisher
from protocols.binance_usdm.damage import DamagedPayload

BTC = contract("BTCUSDC")
NOW = 1_700_000_000_000_000_000


def row(status: str = "TRADING", filters: dict[str, dict[str, str]] | None = None) -> dict[str, Any]:
    """BTCUSDC of exchangeInfo, some of its filters changed."""
    found = symbol_row(market(BTC)) | {"status": status}
    for each in found["filters"]:
        each.update((filters or {}).get(each["filterType"], {}))
    return found


def market(listed: Contract, publisher: Publisher | None = None) -> Market:
    return Market(listed, publisher or Publisher(), UpdateIds(1), 1, NOW)


def body(*rows: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"rateLimits": [], "symbols": rows})


def info(status: str, **more: Any) -> bytes:
    data = {"e": "contractInfo", "E": 1, "s": "BTCUSDC", "ps": "BTCUSDC", "ct": "PERPETUAL", "cs": status} | more
    return msgspec.json.encode({"stream": "!contractInfo", "data": data})


@pytest.fixture
def listing() -> FollowedListing:
    found = FollowedListing([BTC], "followed")
    assert found.take_info(body(row()), NOW) == []
    return found


@pytest.mark.parametrize("status", ["BREAK", "HALT", "PENDING_TRADING"])
def test_a_halt_there_is_a_halt_here_and_ends_with_it(listing: FollowedListing, status: str) -> None:
    assert listing.take_info(body(row(status)), NOW) == [ContractFrame("BTCUSDC", NOW, "PENDING_TRADING", 1)]
    assert listing.take_info(body(row(status)), NOW + 1) == []
    assert listing.take_info(body(row()), NOW + 2) == [ContractFrame("BTCUSDC", NOW + 2, "TRADING", 1)]
    assert listing.notes == [f"BTCUSDC: the followed venue has it as {each}" for each in (status, "TRADING")]


def test_a_status_that_the_stream_tells_holds_at_once(listing: FollowedListing) -> None:
    assert listing.take_stream(info("PRE_SETTLE"), NOW) == [ContractFrame("BTCUSDC", NOW, "PRE_SETTLE", 1)]
    assert listing.take_stream(info("SETTLING"), NOW) == [ContractFrame("BTCUSDC", NOW, "SETTLING", 1)]
    assert listing.take_stream(info("CLOSE"), NOW) == [ContractFrame("BTCUSDC", NOW, "CLOSE", 1)]
    assert listing.take_stream(info("TRADING").replace(b"BTCUSDC", b"XRPUSDC"), NOW) == []


@pytest.mark.parametrize("gone", [body(), body(row("CLOSE"))], ids=["not listed any more", "closed"])
def test_a_delisting_that_was_missed_still_settles_positions(listing: FollowedListing, gone: bytes) -> None:
    settled = [ContractFrame("BTCUSDC", NOW, status, 1) for status in ("SETTLING", "CLOSE")]
    assert listing.take_info(gone, NOW) == settled
    assert listing.take_info(gone, NOW) == []


def test_bounds_that_change_there_change_here(listing: FollowedListing) -> None:
    changed = {"MIN_NOTIONAL": {"notional": "500"}, "MARKET_LOT_SIZE": {"maxQty": "7"}}
    (frame,) = listing.take_info(body(row(filters=changed)), NOW)
    assert frame == TermsFrame(
        "BTCUSDC", NOW, msgspec.structs.replace(BTC, notional_min=Decimal(500), market_lots_max=7_000), None
    )
    assert listing.take_info(body(row(filters=changed)), NOW) == []
    assert [type(each) for each in listing.take_info(body(row()), NOW)] == [TermsFrame]


def test_a_tick_ten_times_as_large_is_followed_and_orders_are_asked_for_it(listing: FollowedListing) -> None:
    wide = {"PRICE_FILTER": {"tickSize": str(BTC.tick_size * 10), "minPrice": str(BTC.tick_size * 10)}}
    assert listing.take_info(body(row(filters=wide)), NOW) == [ContractFrame("BTCUSDC", NOW, "TRADING", 10)]
    assert listing.take_info(body(row()), NOW) == [ContractFrame("BTCUSDC", NOW, "TRADING", 1)]


@pytest.mark.parametrize(
    "units",
    [{"LOT_SIZE": {"stepSize": "0.002", "minQty": "0.002"}}, {"PRICE_FILTER": {"tickSize": "0.07"}}],
    ids=["another lot", "a tick that is no multiple"],
)
def test_units_that_cannot_be_followed_close_the_symbol_until_they_are_back(
    listing: FollowedListing, units: dict[str, dict[str, str]]
) -> None:
    assert listing.take_info(body(row(filters=units)), NOW) == [ContractFrame("BTCUSDC", NOW, "PENDING_TRADING", 1)]
    assert "changed its units" in listing.notes[0]
    assert "until a new start" in listing.notes[0]
    assert listing.take_stream(info("TRADING"), NOW) == []
    assert listing.take_info(body(row(filters=units)), NOW) == []
    assert listing.take_info(body(row()), NOW) == [ContractFrame("BTCUSDC", NOW, "TRADING", 1)]


def test_brackets_that_the_stream_tells_are_ours_and_are_told_on(listing: FollowedListing) -> None:
    told = [
        {"bs": 1, "bnf": 0, "bnc": 50_000, "mmr": 0.004, "cf": 0, "mi": 51, "ma": 125},
        {"bs": 2, "bnf": 50_000, "bnc": 600_000, "mmr": 0.01, "cf": 300, "mi": 1, "ma": 50},
    ]
    (frame,) = listing.take_stream(info("TRADING", bks=told), NOW)
    assert isinstance(frame, TermsFrame)
    assert frame.brackets is not None
    assert frame.brackets.rows == [
        Bracket(1, Decimal(0), Decimal(50_000), Decimal("0.004"), 125, Decimal(0)),
        Bracket(2, Decimal(50_000), Decimal(600_000), Decimal("0.01"), 50, Decimal(300)),
    ]
    publisher = Publisher()
    publisher.subscribe("!contractInfo")
    ours = market(BTC, publisher)
    ours.change_terms(None, frame.brackets, NOW)
    (sent,) = publisher.frames
    assert msgspec.json.decode(sent.payload)["bks"] == told
    assert ours.brackets.maintenance(Decimal(100_000)) == 700


@pytest.mark.parametrize(
    "payload",
    [
        info("TRADING", bks=[{"bs": 1}]),
        info("TRADING", bks=[{"bs": 1, "bnf": 5, "bnc": 50, "mmr": 0.1, "cf": 0, "mi": 1, "ma": 5}]),
        b'{"stream":"!contractInfo","data":{"s":1}}',
        b'{"stream":"!contractInfo"',
    ],
)
def test_what_cannot_be_understood_changes_nothing(listing: FollowedListing, payload: bytes) -> None:
    with pytest.raises(DamagedPayload):
        listing.take_stream(payload, NOW)
    with pytest.raises(DamagedPayload):
        listing.take_info(payload, NOW)
    assert listing.take_info(body(row()), NOW) == []
