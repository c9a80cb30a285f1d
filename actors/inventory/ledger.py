"""The account's books as its journal makes them: the same records, in the same order, give the same books, live or after a restart."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from actors.inventory.agreement import Agreement
from actors.inventory.books import Booked, SymbolBook
from actors.inventory.income_check import Booking
from actors.inventory.records import BooksSaved, DayBegan, JournalRecord, RatesChanged, StreamMissed, WalletAdopted
from actors.inventory.wallets import Wallets
from protocols.arithmetic.positions import exact_arithmetic
from protocols.arithmetic.sequences import StreamNumbers
from protocols.messages.journal import PositionAdopted
from protocols.messages.orders import (
    TRANSFER_REASONS,
    BalanceChanged,
    FundingPaid,
    InstrumentTaken,
    OrderFilled,
    VenuePosition,
)
from protocols.values import Instrument, InstrumentId


class Applied(NamedTuple):
    """What one record did: the bookings that the wallet felt, and whether it was a repetition."""

    bookings: tuple[Booking, ...] = ()
    repeated: bool = False


class AccountBooks:
    """Books, wallets and the numbers of the streams. Books are in exact decimals, whatever units events count in.

    Args:
        instruments: every symbol that is traded.
        shards: instruments of each shard: a gap in its stream puts them in doubt.
    """

    def __init__(self, instruments: Iterable[Instrument], shards: tuple[tuple[InstrumentId, ...], ...]) -> None:
        self.instruments: dict[InstrumentId, Instrument] = {i.instrument_id: i for i in instruments}
        """What we speak in: positions that are adopted and published. While a journal is read, what its life spoke in."""
        self._events_count_in = dict(self.instruments)
        self.books = {i: SymbolBook(instrument_id=i) for i in self.instruments}
        self.agreements = {i: Agreement() for i in self.instruments}
        self.wallets = Wallets()
        self.streams = StreamNumbers()
        self.margin_assets = tuple(dict.fromkeys(i.margin_asset for i in self.instruments.values()))
        self.charges = self.day_charges = Decimal(0)
        """What the venue took (negative) or gave beside fills, funding and transfers (a liquidation's fee), and that at the day's start."""
        self.rates: dict[str, Decimal] = {}
        self.day = -1
        self._shards = shards

    def apply(self, record: JournalRecord) -> Applied:
        """Book one record. The caller has checked the stream's number of an event (`streams`)."""
        match record:
            case OrderFilled():
                return self._fill(record)
            case FundingPaid():
                return self._fund(record)
            case BalanceChanged():
                if self.wallets.change(record) and record.reason not in TRANSFER_REASONS:
                    self._charge(record)
            case PositionAdopted():
                self._adopt(record)
            case InstrumentTaken():
                if record.instrument_id in self.books:
                    self._events_count_in[record.instrument_id] = record.instrument
            case WalletAdopted():
                self.wallets.adopt(record)
            case RatesChanged():
                self.rates = dict(record.rates)
                for book in self.books.values():
                    book.value_fees(self.rates)
            case StreamMissed():
                self._doubt(record.shard)
            case DayBegan():
                self.day, self.day_charges = record.day, self.charges
                for instrument_id, unrealised in record.unrealised.items():
                    if instrument_id in self.books:
                        self.books[instrument_id].begin_day(unrealised)
            case BooksSaved():
                self._load(record)
            case _:
                pass
        return Applied()

    def replay(self, record: JournalRecord) -> None:
        """Book one record of an earlier life."""
        shard, event_seq = getattr(record, "shard", None), getattr(record, "event_seq", None)
        if isinstance(shard, int) and isinstance(event_seq, int):
            self.streams.resume(shard, event_seq)
        self.apply(record)

    def speak_in(self, instruments: Iterable[Instrument]) -> None:
        """A life begins: positions are said, and adopted from now on, in the units of these."""
        self.instruments.update({one.instrument_id: one for one in instruments})

    def checkpoint(self) -> BooksSaved:
        """Everything as one record; later bookings do not change it."""
        return BooksSaved(
            books=tuple(copy.deepcopy(book) for book in self.books.values()),
            wallets=self.wallets.states(),
            transfers=self.wallets.transfers(),
            streams=self.streams.known(),
            day=self.day,
            rates=dict(self.rates),
            charges=self.charges,
            day_charges=self.day_charges,
            doubted=tuple(i for i, agreement in self.agreements.items() if agreement.doubted),
            instruments=tuple(self.instruments.values()),
            event_instruments=tuple(self._events_count_in.values()),
        )

    def hear(self, event: VenuePosition) -> None:
        """Take note of the venue's word on a position, in the units that we speak in."""
        if event.instrument_id in self.agreements:
            self.agreements[event.instrument_id].hear(adoption(event))

    def hear_event(self, event: VenuePosition) -> PositionAdopted | None:
        """The same as an order manager has told it, in the units of its events; what is no whole number of ours says nothing.

        Where it had agreed with the venue and our position is another, that is what to adopt.
        """
        counted, ours = self._events_count_in.get(event.instrument_id), self.instruments.get(event.instrument_id)
        if counted is None or ours is None:
            return None
        quantity = counted.quantity(event.position_lots)
        if not ours.is_whole(quantity):
            return None
        told = msgspec.structs.replace(event, position_lots=ours.exact_lots(quantity))
        if told.agreed_trade_id is None:
            self.hear(told)
            return None
        word = msgspec.structs.replace(adoption(told), trade_id_last=told.agreed_trade_id)
        return self.agreements[event.instrument_id].meet(self.books[event.instrument_id], ours, word)

    def assets_of_fees(self) -> frozenset[str]:
        """Assets besides the margin assets in which fees are paid."""
        waiting = {asset for book in self.books.values() for asset in book.fees_unvalued}
        return frozenset(waiting | set(self.rates))

    def lots(self, instrument_id: InstrumentId) -> int:
        """Our position in lots; one that is no whole number of them is not known (`is_known`), and cut towards zero."""
        return int(self.books[instrument_id].average.quantity / self.instruments[instrument_id].lot_size)

    def is_known(self, instrument_id: InstrumentId) -> bool:
        """Whether the position has been confirmed by the venue, no event was missed since, and it can be said in lots."""
        book = self.books[instrument_id]
        is_confirmed = book.adopted and not self.agreements[instrument_id].doubted
        return is_confirmed and self.instruments[instrument_id].is_whole(book.average.quantity)

    def members(self, shard: int) -> tuple[InstrumentId, ...]:
        """The instruments of a shard; none for one that does not exist."""
        return self._shards[shard] if 0 <= shard < len(self._shards) else ()

    def _fill(self, fill: OrderFilled) -> Applied:
        book = self.books[fill.instrument_id]
        if book.knows(fill):
            return Applied(repeated=True)
        instrument = self._events_count_in[fill.instrument_id]
        booked: Booked = book.book(fill, instrument, self.rates)
        self.wallets.book(instrument.margin_asset, booked.realised, fill.venue_time_ns)
        self.wallets.book(booked.fee_asset, -booked.fee, fill.venue_time_ns)
        return Applied(
            (
                Booking(fill.venue_time_ns, "realised", instrument.margin_asset, booked.realised),
                Booking(fill.venue_time_ns, "fees", booked.fee_asset, -booked.fee),
            )
        )

    def _fund(self, paid: FundingPaid) -> Applied:
        self.books[paid.instrument_id].fund(paid.amount)
        self.wallets.book(paid.asset, paid.amount, paid.venue_time_ns)
        return Applied((Booking(paid.venue_time_ns, "funding", paid.asset, paid.amount),))

    def _charge(self, change: BalanceChanged) -> None:
        if change.asset in self.margin_assets:
            with exact_arithmetic():
                self.charges += change.balance_change

    def _adopt(self, record: PositionAdopted) -> None:
        instrument = self.instruments.get(record.instrument_id)
        if instrument is not None:
            quantity = instrument.quantity(record.position_lots)
            book = self.books[record.instrument_id]
            book.adopt(quantity, record.entry_price, record.venue_time_ns, record.trade_id_last)
            self.agreements[record.instrument_id].doubted = False

    def _doubt(self, shard: int) -> None:
        for instrument_id in self.members(shard):
            self.agreements[instrument_id].doubt()
        self.wallets.forget_statements()

    def _load(self, saved: BooksSaved) -> None:
        for book in saved.books:
            if book.instrument_id in self.books:
                self.books[book.instrument_id] = copy.deepcopy(book)
        self.wallets.restore(saved.wallets, saved.transfers)
        for shard, event_seq in saved.streams.items():
            self.streams.resume(shard, event_seq)
        self.instruments.update({i.instrument_id: i for i in saved.instruments if i.instrument_id in self.books})
        for instrument in saved.event_instruments:
            if instrument.instrument_id in self.books:
                self._events_count_in[instrument.instrument_id] = instrument
        self.day, self.rates = saved.day, dict(saved.rates)
        self.charges, self.day_charges = saved.charges, saved.day_charges
        for instrument_id in saved.doubted:
            if instrument_id in self.agreements:
                self.agreements[instrument_id].doubt()


def adoption(event: VenuePosition) -> PositionAdopted:
    """The venue's word on a position as the record that would adopt it."""
    return PositionAdopted(
        instrument_id=event.instrument_id,
        position_lots=event.position_lots,
        entry_price=event.entry_price,
        trade_id_last=0,
        venue_time_ns=event.venue_time_ns,
    )
