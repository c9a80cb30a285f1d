"""Laws of what waits for a reader: ordered messages, newest values, alerts, timers."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.runtime.links.address import AddressError, TcpAddress, UnixAddress, parse_address
from actors.runtime.links.alert_spool import OVERFLOW_BYTES_MAX, AlertQueue, AlertSpool
from actors.runtime.links.frames import FROM_NOW
from actors.runtime.links.latest_outbox import LatestOutbox
from actors.runtime.links.ordered_log import Cursor, Entry, OrderedLog
from actors.runtime.timers import TIMERS_MAX, TimerTable
from protocols.messages.alerts import Alert, AlertCode, Severity


class Wire:
    """An ordered stream between a sender with a journal and a reader that keeps its number, over a wire that can be cut."""

    def __init__(self, held_max: int) -> None:
        self.held_max = held_max
        self.journal: list[Entry] = []
        self.log = self.new_log()
        self.cursor: Cursor | None = None
        self.in_flight: list[int] = []
        self.received: list[int] = []

    def new_log(self) -> OrderedLog:
        return OrderedLog(
            self.held_max, lambda at, limit: [entry for entry in self.journal if entry.number >= at][:limit]
        )

    def publish_to_a_reader_that_takes_it(self) -> None:
        self.publish(writable=True)

    def publish(self, writable: bool = False) -> None:
        entry = Entry(len(self.journal) + 1, b"", ("inventory",))
        self.journal.append(entry)
        previous = self.log.last
        self.log.add(entry)
        if writable and self.cursor is not None and self.cursor.wrote_all_before(previous):
            self.in_flight.append(entry.number)
            self.cursor.wrote(entry.number)

    def connect(self) -> None:
        last = self.received[-1] if self.received else 0
        self.cursor = Cursor(self.log, ("inventory", "inventory"), last)

    def pump(self, frames: int) -> None:
        if self.cursor is not None:
            for entry in self.cursor.next(frames):
                self.in_flight.append(entry.number)
                self.cursor.wrote(entry.number)

    def arrive(self, frames: int) -> None:
        for number in self.in_flight[:frames]:
            if number > (self.received[-1] if self.received else 0):
                self.received.append(number)
        del self.in_flight[:frames]
        if self.cursor is not None and self.received:
            self.cursor.acknowledge(self.received[-1])

    def cut(self) -> None:
        self.cursor = None
        self.in_flight.clear()

    def restart_writer(self) -> None:
        self.cut()
        self.log = self.new_log()


actions = st.lists(
    st.one_of(
        st.just(("publish", 0)),
        st.just(("publish_to_a_reader_that_takes_it", 0)),
        st.tuples(st.just("pump"), st.integers(1, 5)),
        st.tuples(st.just("arrive"), st.integers(1, 5)),
        st.just(("connect", 0)),
        st.just(("cut", 0)),
        st.just(("restart_writer", 0)),
    ),
    max_size=60,
)


@given(actions, st.integers(1, 6))
def test_every_ordered_message_arrives_once_and_in_order_whatever_is_cut_or_restarted(
    steps: list[tuple[str, int]], held_max: int
) -> None:
    wire = Wire(held_max)
    for name, count in steps:
        if count:
            getattr(wire, name)(count)
        else:
            getattr(wire, name)()
    wire.cut()
    wire.connect()
    for _ in range(len(wire.journal) + 1):
        wire.pump(3)
        wire.arrive(3)
    assert wire.received == list(range(1, len(wire.journal) + 1))
    assert wire.cursor is not None and (wire.cursor.missing, wire.cursor.outstanding) == (0, 0)


@given(st.integers(1, 30), st.integers(1, 10))
def test_memory_of_an_ordered_log_is_bounded_and_what_nobody_holds_is_counted(messages: int, held_max: int) -> None:
    log = OrderedLog(held_max)
    for number in range(1, messages + 1):
        log.add(Entry(number, b"", ("a",)))
    assert len(log) <= held_max
    cursor = Cursor(log, ("a", "a"), 0)
    entries = cursor.next(1_000)
    assert [entry.number for entry in entries] == list(range(max(1, messages - held_max + 1), messages + 1))
    assert cursor.missing == max(0, messages - held_max)


def test_a_number_that_does_not_grow_is_not_taken() -> None:
    log = OrderedLog(10)
    assert log.add(Entry(5, b"", ("a",))) is True
    assert log.add(Entry(5, b"", ("a",))) is False
    assert log.add(Entry(4, b"", ("a",))) is False


def test_from_now_begins_with_the_first_message_of_a_sender_that_has_said_nothing() -> None:
    log = OrderedLog(10, lambda at, limit: [Entry(1, b"", ("a",))])
    cursor = Cursor(log, ("a", "a"), FROM_NOW)
    assert cursor.next(10) == []
    log.add(Entry(2, b"", ("a",)))
    assert [entry.number for entry in cursor.next(10)] == [2]


def test_messages_for_others_do_not_count_as_outstanding() -> None:
    log = OrderedLog(10)
    cursor = Cursor(log, ("strategy", "strategy-0"), 0)
    log.add(Entry(1, b"", ("inventory",)))
    assert cursor.outstanding == 0
    log.add(Entry(2, b"", ("strategy-0",)))
    assert cursor.outstanding == 2


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.booleans(), st.integers(0, 20)),
        min_size=1,
        max_size=60,
    )
)
def test_the_last_value_of_each_key_always_arrives_and_keys_keep_their_interval(
    steps: list[tuple[str, int, bool, int]],
) -> None:
    outbox, now_ns = LatestOutbox(), 0
    newest: dict[str, bytes] = {}
    written: list[tuple[str, bytes, int]] = []
    intervals = {"a": 0, "b": 10, "c": 25}
    for index, (key, wait_ns, writable, _) in enumerate(steps):
        now_ns += wait_ns
        frame = f"{key}{index}".encode()
        newest[key] = frame
        if writable and not intervals[key]:
            outbox.passes(key)
            written.append((key, frame, now_ns))
        elif outbox.keep(key, frame, intervals[key]) <= now_ns and writable:
            while (free := outbox.take(now_ns)) is not None:
                written.append((free.decode()[0], free, now_ns))
    while (at_ns := outbox.next_at_ns()) is not None:
        now_ns = max(now_ns, at_ns)
        frame = outbox.take(now_ns)
        assert frame is not None
        written.append((frame.decode()[0], frame, now_ns))
    for key, frame in newest.items():
        of_key = [entry for entry in written if entry[0] == key]
        assert of_key[-1][1] == frame
        gaps = [after[2] - before[2] for before, after in itertools.pairwise(of_key)]
        assert all(gap >= intervals[key] for gap in gaps)
        numbers = [int(frame[1:]) for _, frame, _ in of_key]
        assert numbers == sorted(set(numbers))
    assert outbox.replaced + len(written) == len(steps)


def alert(subject: str, text: str, code: AlertCode = AlertCode.FEED_LOST) -> Alert:
    return Alert(code=code, severity=Severity.WARNING, subject=subject, text=text, raised_ns=1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdefgh"),
            st.integers(0, 600),
            st.sampled_from([AlertCode.FEED_LOST, AlertCode.OUTBOX_FULL]),
        ),
        max_size=60,
    ),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_the_spool_is_bounded_and_every_alert_is_kept_or_counted(
    raised: list[tuple[str, int, AlertCode]], acknowledged: list[int]
) -> None:
    queue = AlertQueue(2_000, first_number=1)
    counted = 0
    for index, (subject, length, code) in enumerate(raised):
        number = queue.add(alert(subject, "x" * length, code))
        assert number == queue.next_number - 1
        assert queue.size_bytes <= 2_000
        if index in acknowledged:
            counted += sum(one.repeats for _, one in queue.after(0, 1_000))
            queue.acknowledge(number)
            assert len(queue) == 0 and queue.size_bytes == 0
    counted += sum(one.repeats for _, one in queue.after(0, 1_000))
    assert counted == len(raised)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 400), st.booleans()), max_size=40), st.integers(0, 60)
)
def test_a_spool_read_back_is_the_spool_that_was_left_even_with_a_torn_tail(
    raised: list[tuple[str, int, bool]], torn: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.alerts"
        spool = AlertSpool(path, 4_000, epoch=1)
        for subject, length, acknowledge in raised:
            number = spool.add(alert(subject, "y" * length))
            if acknowledge:
                spool.acknowledge(number)
        kept = spool.queue.after(0, 1_000)
        assert path.stat().st_size <= 3 * 4_000
        with path.open("ab") as file:
            file.write(b"\xff" * torn)
        again = AlertSpool(path, 4_000, epoch=2)
        assert again.queue.after(0, 1_000) == kept
        assert again.add(alert("new", "")) >= 2 << 32
        again.close()


def test_numbers_of_alerts_grow_over_restarts_even_when_the_file_is_lost(tmp_path: Path) -> None:
    first = AlertSpool(tmp_path / "a", 4_000, epoch=1)
    number = first.add(alert("a", ""))
    assert AlertSpool(tmp_path / "b", 4_000, epoch=2).add(alert("a", "")) > number


def test_a_repeat_folds_into_its_twin_when_the_spool_is_full() -> None:
    queue = AlertQueue(OVERFLOW_BYTES_MAX + 300, first_number=1)
    for _ in range(10):
        queue.add(alert("a", "z" * 50))
    assert sum(one.repeats for _, one in queue.after(0, 100)) == 10
    assert queue.after(0, 100)[-1][1].repeats > 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), max_size=80))
def test_timers_fire_once_at_their_last_setting_earliest_first(steps: list[tuple[str, int]]) -> None:
    table, wanted = TimerTable(), {}
    for name, at_ns in steps:
        table.set(name, at_ns)
        wanted[name] = at_ns
    wanted = {name: at_ns for name, at_ns in wanted.items() if at_ns}
    fired: list[tuple[str, int]] = []
    for now_ns in range(51):
        while (name := table.pop_due(now_ns)) is not None:
            fired.append((name, now_ns))
    assert dict(fired) == wanted and len(fired) == len(wanted)
    assert table.next_ns() is None and len(table) == 0


def test_a_leak_of_timers_is_refused() -> None:
    table = TimerTable()
    for number in range(TIMERS_MAX):
        table.set(str(number), 1)
    with pytest.raises(ValueError, match="timers"):
        table.set("one more", 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tcp:nowhere", "not of the form"),
        ("tcp:h:0", "not of the form"),
        ("unix:relative", "absolute"),
        ("/plain/path", "neither"),
        ("", "neither"),
    ],
)
def test_an_address_that_cannot_be_used_says_why(text: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason):
        parse_address(text)


def test_a_unix_address_is_a_path() -> None:
    assert parse_address("unix:/run/a.sock") == UnixAddress(Path("/run/a.sock"))


def test_a_tcp_address_is_a_host_and_a_port() -> None:
    assert parse_address("tcp:10.0.0.1:7000") == TcpAddress("10.0.0.1", 7000)
    assert parse_address("tcp:[::1]:7000") == TcpAddress("::1", 7000)
