"""The shell of order_manager: its journal, its sockets to the venue, and what happens when the journal fails."""

from __future__ import annotations

import asyncio
import time
from types import UnionType
from typing import Any

from actors.order_manager.core import OrderManagerCore
from actors.order_manager.gateway import Gateway
from actors.order_manager.rehearsal import Rehearsal
from actors.runtime.journal import Journal, JournalError, JournalFailed
from actors.runtime.journal_aside import put_aside
from actors.runtime.journal_reading import read_shard_events
from actors.runtime.links.stage import Stage
from actors.runtime.shell import Host
from actors.runtime.state_dir import StateDir
from actors.runtime.stop_file import StopFile
from configs.keys import load_keys
from configs.schema import Settings
from protocols.effects import Append, Call, JournalStalled
from protocols.envelope import Message
from protocols.mailboxes import OrderManagerMailbox
from protocols.messages.control import ActorSpec, ActorState, EmergencyStop
from protocols.messages.journal import AmendIntended, OrderIntended, OrderWritten
from protocols.messages.orders import AnyAccountEvent, AnyOrderEvent
from protocols.messages.quoting import QuoteTargets
from protocols.venue import VenueRequest

SEGMENT_RECORDS_MAX = 500_000
"""Records after which a new segment of the journal begins; some hours of quoting two symbols."""

SEGMENT_AGE_NS_MAX = 86_400_000_000_000
"""A new segment begins at the latest after this time of one process."""

CHECKPOINT_RECORDS = 20_000
"""Records after which the state is kept anew, so that a start reads few records, however long the run was."""

SYNC_LOOK_S = 0.25
"""How often it is looked whether a sync of the journal hangs."""

SYNC_LOOKS_PER_SEGMENT_LOOK = 80
"""How often, in these, the length of the journal is looked at; not while a sync hangs, for a new segment waits for its end."""

LAST_WORDS_S = 0.05
"""How long a process whose journal failed waits, after it wrote its cancels, before it ends."""


class OrderManagerActor:
    """order_manager of one shard."""

    mailbox: UnionType = OrderManagerMailbox

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        self.core = OrderManagerCore(spec, settings)
        self._spec = spec
        self._settings = settings
        self._host: Host | None = None
        self._journal: Journal | None = None
        self._gateway: Gateway | None = None
        self._written: list[OrderWritten] = []
        self._intents: list[OrderIntended | AmendIntended] = []
        self._settling = False
        self._failed = False
        self._segment_seq = 0
        self._segment_ns = 0
        self._checkpoint_seq = 0
        self._keeping: asyncio.Task[None] | None = None
        self._stalled_ns = 0
        """When the sync began that was told to hang; 0 while none does."""
        self._stalls_seen = 0
        self._rehearsal: Rehearsal | None = None
        self._stage: Stage | None = None

    async def start(self, host: Host) -> None:
        """Take the journal, load it, and begin to connect; the core's recovery follows.

        Raises:
            JournalError: the journal is in use or cannot be read.
            ApiKeyError: there is no key to trade with.
        """
        self._host = host
        state_dir = StateDir(self._spec.state_dir)
        if self._spec.journal_is_behind:
            aside = put_aside(state_dir.journal(self._spec.shard), self._spec.epoch)
            host.log.warning(
                "this shard comes from another node: the journal of its last time here is put aside ({})", aside
            )
        self._journal = Journal(state_dir.journal(self._spec.shard), keeps_ahead=True)
        loaded, from_seq = 0, 1
        kept = self._journal.latest_snapshot()
        if kept is not None:
            from_seq = kept[0] + 1
            self.core.load(kept[1])
        for _, record in self._journal.read(from_seq):
            self.core.restore(record)
            loaded += 1
        host.log.info("{} journal records loaded after record {}", loaded, from_seq - 1)
        if self._journal.machine_died:
            self.core.number_anew("the machine went down: the last second of the journal may be lost")
        elif not self._journal.last_seq:
            self._begin_from_the_copy(state_dir)
        self._segment_seq = self._journal.segment_first_seq - 1
        self._segment_ns = host.clock.now_ns()
        self._checkpoint_seq = from_seq - 1
        self._keeping = asyncio.get_running_loop().create_task(self._keep_journal(), name="journal")
        if self._settings.dry_run:
            host.log.warning("dry run: nothing is sent to the venue")
            return
        self._gateway = Gateway(
            self._spec,
            self._settings,
            load_keys(self._settings.venue.keys),
            host,
            StopFile(state_dir.stop_file),
            venue_offset_ns=lambda: self.core.venue_offset_ns,
            listen_key=lambda: self.core.listen_key,
            written=self._note_written,
        )
        self._gateway.start()

    def _begin_from_the_copy(self, state_dir: StateDir) -> None:
        """Without a journal: take what inventory kept of this shard's events, and keep it here before anything else happens.

        A copy that cannot be read is as good as none: the venue's word is left.
        """
        assert self._journal is not None and self._host is not None
        copy = read_shard_events(state_dir.inventory_journal, AnyOrderEvent | AnyAccountEvent, self._spec.shard)
        try:
            events = list(self._spec.second_copy or copy)
        except JournalError as error:
            self._host.log.warning("inventory's copy is of no use: {}", error)
            return
        if self.core.restore_copy(events):
            self._journal.snapshot(self.core.checkpoint())

    def call(self, request: Message) -> None:
        """Send a request to the venue."""
        assert isinstance(request, VenueRequest) and self._gateway is not None, "a call without a gateway"
        self._gateway.call(request)

    def append(self, record: Message) -> None:
        """Journal a record. When that fails no new order is written, and everything is cancelled from memory first.

        Raises:
            JournalFailed: the record could not be written; the process must end.
        """
        assert self._journal is not None, "a record before start"
        if isinstance(record, OrderIntended | AmendIntended):
            self._intents.append(record)
            return
        self._keep_intents()
        try:
            self._journal.append(record)
        except JournalFailed:
            self._cancel_from_memory()
            raise

    def carried_out(self) -> None:
        """Intents of one message are put on file together, then its orders and cancels are written in one go.

        Raises:
            JournalFailed: the intents could not be written; no order of them leaves, and the process must end.
        """
        has_intents = bool(self._intents)
        self._keep_intents()
        self._look_for_stalls()
        if self._gateway is not None:
            self._gateway.flush()
        if has_intents:
            self._settle_soon()

    def rehearse(self, now_ns: int) -> None:
        """Hear an imagined ladder, decide, and make the bytes of intents and orders. All are forgotten."""
        host, journal, gateway = self._host, self._journal, self._gateway
        if host is None or journal is None or gateway is None:
            return  # a dry run sends no order that would have to be fast
        if self._stage is None or self._rehearsal is None:
            self._rehearsal = Rehearsal(self._spec, self._settings)
            self._stage = Stage(self.mailbox, "", self._settings.links, host.clock, host.log)
        rehearsal, stage = self._rehearsal, self._stage
        targets = stage.hear(rehearsal.next_targets(), now_ns)
        assert isinstance(targets, QuoteTargets)
        intents: list[Message] = []
        requests: list[Message] = []
        for effect in rehearsal.play(targets, now_ns):
            match effect:
                case Append():
                    intents.append(effect.record)
                case Call():
                    requests.append(effect.request)
        journal.rehearse(intents)
        gateway.rehearse(requests)

    def _keep_intents(self) -> None:
        if not self._intents:
            return
        assert self._journal is not None
        intents, self._intents = self._intents, []
        try:
            self._journal.append_ahead(intents)
        except JournalFailed:
            self._cancel_from_memory()
            raise

    def state(self) -> ActorState:
        """Where the actor is in its life."""
        return ActorState.STARTING if self._journal is None else self.core.state

    def extra_snapshot(self) -> dict[str, Any]:
        """State of the sockets, the tick-to-order histogram, and the size of the journal."""
        shown: dict[str, Any] = self._gateway.snapshot() if self._gateway is not None else {}
        shown["journal_records"] = self._journal.last_seq if self._journal is not None else 0
        return shown

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        """Order and account events from the journal, by their own number."""
        return self._journal.read_events(from_seq, limit, self._spec.shard) if self._journal is not None else []

    async def stop(self) -> None:
        """Close sockets and journal."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        if self._gateway is not None:
            await self._gateway.stop()
        if self._stage is not None:
            self._stage.close()
            self._stage = None
        if self._journal is not None:
            if not self._failed:
                self._flush_written()
            self._journal.close()

    async def _keep_journal(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(SYNC_LOOK_S)
            looks += 1
            self.watch_sync()
            if looks % SYNC_LOOKS_PER_SEGMENT_LOOK == 0 and not self._stalled_ns:
                self.keep_journal_short()
                self._look_for_stalls()

    def watch_sync(self) -> None:
        """Tell the core of a sync that does not end, and of its end. It fails nothing, so nobody else would notice."""
        assert self._journal is not None and self._host is not None
        began_ns, now_ns = self._journal.sync_began_ns, self._host.clock.now_ns()
        is_late = bool(began_ns) and now_ns - began_ns > self._settings.order_manager.journal_sync_ms_max * 1_000_000
        if is_late and not self._stalled_ns:
            self._stalled_ns = began_ns
            self._host.deliver(JournalStalled(stalled=True, age_ns=now_ns - began_ns))
        elif self._stalled_ns and began_ns != self._stalled_ns:
            age_ns, self._stalled_ns = now_ns - self._stalled_ns, 0
            self._host.deliver(JournalStalled(stalled=False, age_ns=age_ns))

    def keep_journal_short(self) -> None:
        """Keep a checkpoint where many records came since the last; it begins a new segment where the present one is long or old.

        Segments beyond the journal's bound go.
        """
        assert self._journal is not None and self._host is not None
        journal, now_ns = self._journal, self._host.clock.now_ns()
        is_long = journal.last_seq - self._segment_seq >= SEGMENT_RECORDS_MAX
        is_old = now_ns - self._segment_ns >= SEGMENT_AGE_NS_MAX
        is_behind = journal.last_seq - self._checkpoint_seq >= CHECKPOINT_RECORDS
        if self._failed or not (is_long or is_old or is_behind):
            return
        self._flush_written()
        try:
            if is_long or is_old:
                journal.begin_segment(self.core.checkpoint())
                self._segment_seq, self._segment_ns = journal.last_seq, now_ns
                self._host.log.info("a new journal segment begins after record {}", journal.last_seq)
            else:
                journal.snapshot(self.core.checkpoint())
        except JournalFailed as error:
            self._give_up(error)
            return
        self._checkpoint_seq = journal.last_seq

    def _look_for_stalls(self) -> None:
        """After a write that held the process up the venue's answers come first: one may forbid what is about to be sent."""
        if self._journal is None or self._journal.stalls == self._stalls_seen:
            return
        self._stalls_seen = self._journal.stalls
        if self._gateway is not None:
            self._gateway.read_first()

    def _note_written(self, record: OrderWritten) -> None:
        """Journal the write after it, off the critical path."""
        self._written.append(record)
        self._settle_soon()

    def _settle_soon(self) -> None:
        """In the loop's next turn all that this one wrote enters the journal's database."""
        if not self._settling:
            self._settling = True
            asyncio.get_running_loop().call_soon(self._flush_written)

    def _flush_written(self) -> None:
        assert self._journal is not None and self._host is not None
        self._settling = False
        records, self._written = self._written, []
        try:
            if records:
                self._journal.append_all(records)
            else:
                self._journal.settle()
        except JournalFailed as error:
            self._give_up(error)
        self._look_for_stalls()

    def _give_up(self, error: JournalFailed) -> None:
        """The journal failed outside of a message: the next record of the core ends the process."""
        assert self._host is not None
        self._cancel_from_memory()
        self._host.deliver(EmergencyStop(reason=f"the journal failed: {error}"))

    def _cancel_from_memory(self) -> None:
        """The last thing a process without a journal does: no new order, and a cancel for each that may rest."""
        if self._failed or self._gateway is None or self._host is None:
            return
        self._failed = True
        self._gateway.shut = "the journal failed"
        written = sum(self._gateway.cancel_now(request) for request in self.core.farewell(self._host.clock.now_ns()))
        if written:
            time.sleep(LAST_WORDS_S)
