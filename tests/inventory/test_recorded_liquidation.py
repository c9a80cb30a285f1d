"""A position that a real venue liquidated, replayed from its private stream: the books end where the venue's own words ended."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from account_samples import START_NS, S, instrument, settings, spec, venue_clock
from shared_data import shared_path

from actors.inventory.core import InventoryCore
from protocols.binance_usdm.user_stream import UserStreamDecoder
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.effects import TimerFired
from protocols.messages.inventory import EquityChanged
from protocols.messages.orders import BalanceChanged, OrderFilled, VenuePosition
from protocols.values import make_instrument_id
from protocols.venue import BalanceUpdate, OrderUpdate, PositionUpdate

BNB = make_instrument_id("binance_usdm", "main", "BNBUSDT")
BEFORE = Decimal(8)
"""The wallet before the first fill: its statement after it, and its fees."""


def recorded() -> list[dict[str, Any]]:
    """The opening of a short, its liquidation, and what the insurance fund took, as they came."""
    lines = shared_path("data/metacodi-sequences/raw_reconstructed.jsonl").read_text(encoding="utf-8").splitlines()
    events = [msgspec.json.decode(line)["raw"] for line in lines]
    first = next(
        i
        for i, e in enumerate(events)
        if e.get("o", {}).get("c") == "web_lzqBHW9nvif0pO4Q6l5v" and e["o"]["x"] == "TRADE"
    )
    last = next(i for i, e in enumerate(events) if e.get("a", {}).get("m") == "INSURANCE_CLEAR")
    return events[first : last + 1]


class Replay:
    """Tells inventory what an order manager would tell it of each frame."""

    def __init__(self) -> None:
        contract = instrument(
            BNB,
            base_asset="BNB",
            quote_asset="USDT",
            margin_asset="USDT",
            tick_size=Decimal("0.001"),
            lot_size=Decimal("0.01"),
        )
        self.decoder = UserStreamDecoder(WireInstruments([contract]))
        self.core = InventoryCore(spec("inventory", ((BNB,),), instruments=(contract,)), settings())
        self.now_ns, self.seq = START_NS, 0
        self.core.start(self.now_ns)
        began_ns = (recorded()[0]["T"] - 1) * 1_000_000
        self.core.handle(venue_clock(), self.now_ns)
        self._event(VenuePosition, instrument_id=BNB, position_lots=0, entry_price=Decimal(0), venue_time_ns=began_ns)
        self._event(
            BalanceChanged,
            asset="USDT",
            wallet_balance=BEFORE,
            balance_change=Decimal(0),
            reason="ORDER",
            venue_time_ns=began_ns,
        )
        self.tick()

    def tick(self) -> list[Any]:
        self.now_ns += S
        return self.core.handle(TimerFired(name="tick"), self.now_ns)

    def frame(self, event: dict[str, Any]) -> None:
        for told in self.decoder.decode(msgspec.json.encode(event), self.now_ns):
            match told:
                case OrderUpdate(fill=fill, order=order) if fill is not None:
                    fields = msgspec.structs.asdict(fill)
                    del fields["realised"]
                    self._event(
                        OrderFilled, **fields, client_order_id=order.client_order_id, remaining_lots=0, ours=False
                    )
                case PositionUpdate():
                    self._event(
                        VenuePosition,
                        instrument_id=BNB,
                        position_lots=told.position_lots,
                        entry_price=told.entry_price,
                        venue_time_ns=told.venue_time_ns,
                    )
                case BalanceUpdate():
                    self._event(
                        BalanceChanged,
                        asset=told.asset,
                        wallet_balance=told.wallet_balance,
                        balance_change=told.balance_change,
                        reason=told.reason,
                        venue_time_ns=told.venue_time_ns,
                    )

    def _event(self, kind: type[Any], **fields: Any) -> None:
        self.seq += 1
        self.core.handle(kind(shard=0, event_seq=self.seq, **fields), self.now_ns)


def test_it_ends_flat_with_the_venues_own_pnl_fees_and_balance() -> None:
    replay, events = Replay(), recorded()
    for event in events:
        replay.frame(event)
    realised = sum(Decimal(event["o"]["rp"]) for event in events if "o" in event)
    fees = sum(Decimal(event["o"].get("n", "0")) for event in events if "o" in event)
    view = replay.core.snapshot()
    book = view.symbols["BNBUSDT"]
    assert (book.position_lots, Decimal(book.realised), Decimal(book.fees)) == (0, realised, fees)
    assert (book.realised_fifo, view.wallets) == (book.realised, {"USDT": "0.92650437"})
    assert (view.charges, view.positions_adopted, view.wallets_adopted) == ("-3.049267", 1, 1), (
        "nothing had to be put right"
    )


def test_every_position_and_balance_on_the_way_is_the_venues() -> None:
    replay = Replay()
    stated: dict[str, str] = {}
    for event in recorded():
        replay.frame(event)
        if "a" in event:
            stated = {"position": event["a"]["P"][0]["pa"], "wallet": event["a"]["B"][0]["wb"]}
            continue
        book = replay.core.snapshot().symbols["BNBUSDT"]
        if event["o"]["x"] == "TRADE" and stated and event["o"]["t"] not in (652888299, 652888300):
            assert Decimal(book.position) == Decimal(stated["position"])
            assert replay.core.snapshot().wallets["USDT"] == stated["wallet"]


def test_the_days_pnl_is_the_change_of_equity() -> None:
    replay = Replay()
    for event in recorded():
        replay.frame(event)
    (equity,) = [e.body for e in replay.tick() if isinstance(getattr(e, "body", None), EquityChanged)]
    assert (equity.equity, equity.day_pnl) == (Decimal("0.92650437"), Decimal("0.92650437") - BEFORE)
