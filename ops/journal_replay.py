"""Rebuilds orders, positions and PnL from a journal alone, and compares them with every snapshot that the living process left in it.

The records go through the very code that a start uses, so what differs here would differ after a restart. Nothing is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import msgspec

from actors.inventory.books import SymbolBook
from actors.inventory.ledger import AccountBooks
from actors.inventory.records import BooksSaved, JournalRecord
from actors.order_manager.checkpoint import ShardSaved, SymbolSaved, load, save
from actors.order_manager.restore import Restorer
from actors.order_manager.shard import Shard
from actors.runtime.journal import AnyRecord
from actors.runtime.journal_error import JournalError
from actors.runtime.journal_reading import read_kept, read_snapshots, segments
from actors.runtime.state_dir import StateDir
from configs.schema import Settings, VenueSettings
from ops.saved_plan import SavedPlanError, saved_plan
from protocols.arithmetic.plain_text import plain_text
from protocols.client_order_id import parse_client_order_id
from protocols.envelope import Message
from protocols.messages.control import ActorSpec
from protocols.messages.journal import EpochBegan, OrderIntended
from protocols.messages.orders import InstrumentTaken
from protocols.values import Instrument, InstrumentId, symbol_of

DIFFERENCES_TOLD_MAX = 50
NOWHERE = "http://127.0.0.1:0"
EPOCH_OF_NOBODY = 2**31 - 1
"""Whoever replays is no incarnation: every order in the journal is of an older one."""


class ReplayRefused(Exception):
    """The journal cannot be replayed; the text says which file and why."""


class LiveOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that may live at the end of the journal."""

    client_order_id: str
    symbol: str
    side: str
    price: str
    quantity: str
    filled: str
    state: str


class SymbolReplayed(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol at the end of the journal; amounts are decimal text. PnL counts from the first record that could be used."""

    symbol: str
    position: str
    entry_price: str
    realised: str
    fees: str
    funding: str
    net: str
    fills: int
    volume: str
    live_orders: int


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal says. `snapshots` were compared with the records before them; `differences` is empty when all agree.

    `first` is the first record used: those before it belong to a snapshot that is no longer kept, and were left out.
    """

    journal: str
    kind: str
    records: int
    first: int
    last: int
    epochs: tuple[int, ...]
    snapshots: int
    differences: tuple[str, ...]
    symbols: tuple[SymbolReplayed, ...]
    orders: tuple[LiveOrder, ...] = ()


class _Fold(Protocol):
    """A state that records are applied to, and that can be compared with a snapshot."""

    def load(self, snapshot: bytes) -> None: ...

    def take(self, record: Message) -> None: ...

    def differences(self, snapshot: bytes) -> list[str]: ...


def journals_in(path: Path) -> list[Path]:
    """The journals that a path names: a state directory, a folder of journals, one journal, or one of its segments.

    Raises:
        ReplayRefused: there is none.
    """
    if path.is_dir():
        folder = path / "journals" if (path / "journals").is_dir() else path
        names = {_stem(file) for file in folder.glob("*.sqlite")}
        found = [folder / f"{name}.sqlite" for name in sorted(names) if name.startswith(("shard-", "inventory"))]
    else:
        journal = path.with_name(f"{_stem(path)}.sqlite")
        found = [journal] if segments(journal) else []
    if not found:
        raise ReplayRefused(
            f"{path} holds no journal: name a state directory, or a journal in it such as journals/shard-0.sqlite"
        )
    return found


def replay(journal: Path) -> Replayed:
    """Replay one journal.

    Raises:
        ReplayRefused: it is damaged, empty, or no instruments are known for it.
    """
    try:
        if journal.stem.startswith("inventory"):
            return _replay_inventory(journal)
        return _replay_shard(journal)
    except (JournalError, SavedPlanError) as error:
        raise ReplayRefused(str(error)) from error
    except msgspec.DecodeError as error:
        raise ReplayRefused(f"{journal}: a snapshot is of another version: {error}") from error


class _ShardFold:
    """Orders and positions as a restart would have them, and the books of the same executions beside them."""

    def __init__(self, shard: int, instruments: Mapping[InstrumentId, Instrument], install: str) -> None:
        self.shard = Shard(_spec(shard, instruments, install), _settings(instruments))
        self.books = AccountBooks(instruments.values(), (tuple(instruments),))
        self.epochs: list[int] = []
        self._restorer = Restorer(self.shard)

    def load(self, snapshot: bytes) -> None:
        load(self.shard, snapshot)
        for instrument_id, symbol in self.shard.symbols.items():
            quantity = symbol.instrument.quantity(symbol.table.position_lots)
            self.books.books[instrument_id].adopt(quantity, Decimal(0), symbol.adopted_venue_ns)

    def take(self, record: Message) -> None:
        self._restorer.take(record)
        if isinstance(record, EpochBegan):
            self.epochs.append(record.epoch)
            return
        if isinstance(record, InstrumentTaken):
            self.books.speak_in((record.instrument,))
        if getattr(record, "instrument_id", None) in self.books.books:
            self.books.apply(record)  # type: ignore[arg-type]  # of the others it takes no note

    def differences(self, snapshot: bytes) -> list[str]:
        saved = msgspec.msgpack.decode(snapshot, type=ShardSaved)
        own = msgspec.msgpack.decode(save(self.shard), type=ShardSaved)
        found = (
            _compare("", saved, own, ("event_seq",)) if own.event_seq else []
        )  # 0: no event yet, only where they begin
        theirs = {each.instrument_id: each for each in saved.symbols}
        for symbol in own.symbols:
            if symbol.instrument_id in theirs:
                found += _symbol_differences(theirs[symbol.instrument_id], symbol)
        return found

    def order_rows(self) -> tuple[LiveOrder, ...]:
        return tuple(
            LiveOrder(
                client_order_id=order.client_order_id,
                symbol=symbol.name,
                side=order.side.value,
                price=str(symbol.instrument.price(order.price_ticks)),
                quantity=str(symbol.instrument.quantity(order.lots)),
                filled=str(symbol.instrument.quantity(order.booked_lots)),
                state=order.state.value,
            )
            for symbol in self.shard.symbols.values()
            for order in symbol.table.live.values()
        )


class _InventoryFold:
    """The account's books as a restart of inventory would have them."""

    def __init__(self, books: AccountBooks) -> None:
        self.books = books

    def load(self, snapshot: bytes) -> None:
        self.books.replay(msgspec.msgpack.decode(snapshot, type=BooksSaved))

    def take(self, record: Message) -> None:
        self.books.replay(record)  # type: ignore[arg-type]  # decoded as JournalRecord

    def differences(self, snapshot: bytes) -> list[str]:
        saved, own = msgspec.msgpack.decode(snapshot, type=BooksSaved), self.books.checkpoint()
        found = _compare("", saved, own, ("streams", "day"))
        theirs = {book.instrument_id: book for book in saved.books}
        names = tuple(name for name in SymbolBook.__struct_fields__ if name not in ("trades", "trade_id_floor"))
        for book in own.books:
            if book.instrument_id in theirs:
                found += _compare(f"{symbol_of(book.instrument_id)} ", theirs[book.instrument_id], book, names)
        wallets = {wallet.asset: wallet for wallet in saved.wallets}
        for wallet in own.wallets:
            if wallet.asset in wallets:
                found += _compare(f"wallet {wallet.asset} ", wallets[wallet.asset], wallet, ("balance",))
        return found


class _Pass:
    """One pass over a journal: where it began, what it compared, what differed."""

    def __init__(self, journal: Path, types: Any) -> None:
        self._snapshots = read_snapshots(journal)
        self._records = read_kept(journal, types)
        self.records = self.compared = 0
        self.first = self.last = 0
        self.differences: list[str] = []

    def run(self, fold: _Fold) -> None:
        snapshots = list(self._snapshots)
        head = list(itertools.islice(self._records, 1))
        number = head[0][0] if head else 1
        if snapshots and (number > 1 or snapshots[0][0] < number):
            self.last, snapshot = snapshots.pop(0)
            fold.load(snapshot)
        for number, record in itertools.chain(head, self._records):
            if number <= self.last:
                continue
            while snapshots and snapshots[0][0] < number:
                self._check(fold, *snapshots.pop(0))
            self.first = self.first or number
            self.last = number
            self.records += 1
            fold.take(record)
        for each in snapshots:
            self._check(fold, *each)

    def _check(self, fold: _Fold, number: int, snapshot: bytes) -> None:
        self.compared += 1
        found = [f"after record {number}: {text}" for text in fold.differences(snapshot)]
        self.differences += found[: DIFFERENCES_TOLD_MAX - len(self.differences)]


def _replay_shard(journal: Path) -> Replayed:
    shard = int(journal.stem.removeprefix("shard-")) if journal.stem.removeprefix("shard-").isdecimal() else 0
    planned = _planned(journal)
    intents = [r for _, r in read_kept(journal, AnyRecord) if isinstance(r, OrderIntended)] if not planned else []
    instruments = planned or _intended(intents)
    if not instruments:
        raise ReplayRefused(f"{journal}: no order was ever intended and no plan lies beside it: nothing to replay")
    fold = _ShardFold(shard, instruments, _install(intents))
    done = _Pass(journal, AnyRecord)
    done.run(fold)
    rows = fold.order_rows()
    held = {i: symbol.instrument.quantity(symbol.table.position_lots) for i, symbol in fold.shard.symbols.items()}
    return Replayed(
        journal=str(journal),
        kind="order_manager",
        records=done.records,
        first=done.first,
        last=done.last,
        epochs=tuple(fold.epochs),
        snapshots=done.compared,
        differences=tuple(done.differences),
        symbols=_rows(fold.books, lambda i: held[i], rows),
        orders=rows,
    )


def _replay_inventory(journal: Path) -> Replayed:
    instruments = _planned(journal)
    if not instruments:
        raise ReplayRefused(
            f"{journal}: the plan of its system ({_state(journal).plan_file}) is missing: put both together"
        )
    books = AccountBooks(instruments.values(), ())
    done = _Pass(journal, JournalRecord)
    done.run(_InventoryFold(books))
    return Replayed(
        journal=str(journal),
        kind="inventory",
        records=done.records,
        first=done.first,
        last=done.last,
        epochs=(),
        snapshots=done.compared,
        differences=tuple(done.differences),
        symbols=_rows(books, lambda i: books.books[i].average.quantity, ()),
    )


def _rows(
    books: AccountBooks, position: Callable[[InstrumentId], Decimal], orders: tuple[LiveOrder, ...]
) -> tuple[SymbolReplayed, ...]:
    rows = []
    for instrument_id, book in books.books.items():
        symbol = symbol_of(instrument_id)
        rows.append(
            SymbolReplayed(
                symbol=symbol,
                position=plain_text(position(instrument_id)),
                entry_price=plain_text(book.average.average_price),
                realised=plain_text(book.realised),
                fees=plain_text(book.fees),
                funding=plain_text(book.funding),
                net=plain_text(book.realised - book.fees + book.funding),
                fills=book.fills,
                volume=plain_text(book.volume),
                live_orders=sum(order.symbol == symbol for order in orders),
            )
        )
    return tuple(rows)


def _symbol_differences(saved: SymbolSaved, own: SymbolSaved) -> list[str]:
    name = f"{symbol_of(own.instrument_id)} "
    found = _compare(
        name, saved, own, ("has_opening", "position_lots", "trade_id_last", "adopted_venue_ns", "newest_id")
    )
    read_upto = max(saved.booked_upto, own.booked_upto)
    theirs, ours = ({key for key in each.booked if key[0] > read_upto} for each in (saved, own))
    found += [f"{name}execution {key} is in the snapshot only" for key in sorted(theirs - ours)]
    found += [f"{name}execution {key} is in the records only" for key in sorted(ours - theirs)]
    terms = ("side", "price_ticks", "lots", "time_in_force", "reduce_only", "deadline_venue_ns", "booked_lots")
    before, after = ({order.client_order_id: order for order in each.orders} for each in (saved, own))
    for order_id in sorted(before.keys() | after.keys()):
        if order_id not in after or order_id not in before:
            found.append(f"{order_id} lives in the {'snapshot' if order_id in before else 'records'} only")
        else:
            found += _compare(f"{order_id} ", before[order_id], after[order_id], terms)
    return found


def _compare(prefix: str, saved: object, own: object, names: Iterable[str]) -> list[str]:
    return [
        f"{prefix}{name} is {getattr(saved, name)} in the snapshot, {getattr(own, name)} from the records"
        for name in names
        if getattr(saved, name) != getattr(own, name)
    ]


def _planned(journal: Path) -> dict[InstrumentId, Instrument]:
    """The instruments of the plan in the state directory around a journal; of its shard where it is one's."""
    plan = saved_plan(_state(journal))
    if plan is None:
        return {}
    role = "inventory" if journal.stem.startswith("inventory") else "order_manager"
    specs = [child.spec for child in plan.children if child.spec.role == role]
    if role == "order_manager":
        specs = [spec for spec in specs if journal.stem == f"shard-{spec.shard}"]
    return {instrument.instrument_id: instrument for spec in specs for instrument in spec.instruments}


def _intended(intents: Iterable[OrderIntended]) -> dict[InstrumentId, Instrument]:
    """What intents tell of their instruments: each holds the exact decimals beside the integers."""
    found: dict[InstrumentId, Instrument] = {}
    for intent in intents:
        found[intent.instrument_id] = Instrument(
            instrument_id=intent.instrument_id,
            version=intent.instrument_version,
            base_asset="",
            quote_asset="",
            margin_asset="",
            tick_size=intent.price / intent.price_ticks,
            lot_size=intent.quantity / intent.quantity_lots,
            price_ticks_min=1,
            price_ticks_max=2**53,
            quantity_lots_min=1,
            quantity_lots_max=2**53,
            notional_min=Decimal(0),
            price_multiplier_up=Decimal(2),
            price_multiplier_down=Decimal("0.5"),
            open_orders_max=10_000,
        )
    return found


def _install(intents: Iterable[OrderIntended]) -> str:
    for intent in intents:
        parts = parse_client_order_id(intent.client_order_id)
        if parts is not None:
            return parts.install
    return "1"


def _spec(shard: int, instruments: Mapping[InstrumentId, Instrument], install: str) -> ActorSpec:
    return ActorSpec(
        name=f"order_manager-{shard}",
        role="order_manager",
        shard=shard,
        epoch=EPOCH_OF_NOBODY,
        install=install,
        account="",
        address="",
        peers={},
        instruments=tuple(instruments.values()),
        symbol_codes={instrument_id: code for code, instrument_id in enumerate(sorted(instruments))},
        shards=(tuple(instruments),),
        state_dir="",
        config_json="",
    )


def _settings(instruments: Mapping[InstrumentId, Instrument]) -> Settings:
    stream = NOWHERE.replace("http", "ws")
    venue = VenueSettings(rest_url=NOWHERE, stream_url=stream, ws_api_url=stream)
    return Settings(symbols=tuple(instrument.symbol for instrument in instruments.values()), venue=venue, dry_run=True)


def _state(journal: Path) -> StateDir:
    return StateDir(journal.parent.parent)


def _stem(file: Path) -> str:
    """`shard-0` of `shard-0.sqlite` and of `shard-0.000001.sqlite`."""
    return file.name.split(".")[0]
