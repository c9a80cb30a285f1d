"""The deterministic world keeps the promises of links, and repeats itself to the byte."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.world import Disk, Inhabitant, World
from actors.runtime.world_links import Delays, LinkTrouble
from protocols.effects import Append, Effect, LinkChanged, Publish, SetTimer, TimerFired
from protocols.envelope import Envelope, Message
from protocols.mailboxes import StrategyMailbox
from protocols.messages.inventory import PositionChanged
from protocols.messages.orders import OrderCanceled
from protocols.values import InstrumentId, Side

BTC = InstrumentId("binance_usdm:main:BTCUSDC")
MILLISECOND_NS = 1_000_000


class Counted(msgspec.Struct):
    count: int


class Talker:
    """Says a numbered ordered message and a numbered latest one every millisecond."""

    def __init__(self, already_said: int) -> None:
        self._said = already_said

    def start(self, now_ns: int) -> list[Effect]:
        return [SetTimer("talk", now_ns + MILLISECOND_NS)]

    def handle(self, message: Message, now_ns: int) -> list[Effect]:
        if not isinstance(message, TimerFired):
            return []
        self._said += 1
        ordered = OrderCanceled(
            shard=0,
            event_seq=self._said,
            instrument_id=BTC,
            client_order_id="",
            venue_order_id=self._said,
            venue_time_ns=0,
            side=Side.BUY,
            filled_lots=0,
        )
        latest = PositionChanged(
            instrument_id=BTC, position_lots=self._said, average_price=Decimal(1), shard=0, event_seq=self._said
        )
        return [
            Append(ordered),
            Publish(ordered),
            Publish(latest),
            SetTimer("talk", now_ns + MILLISECOND_NS),
        ]

    def snapshot(self) -> msgspec.Struct:
        return Counted(count=self._said)


class Listener:
    """Remembers what it heard, over its incarnations."""

    def __init__(self, heard: list[Message]) -> None:
        self._heard = heard

    def start(self, now_ns: int) -> list[Effect]:
        return []

    def handle(self, message: Message, now_ns: int) -> list[Effect]:
        self._heard.append(message)
        return []

    def snapshot(self) -> msgspec.Struct:
        return Counted(count=len(self._heard))


def inhabited(seed: int) -> tuple[World, list[Message]]:
    heard: list[Message] = []
    decoder = msgspec.msgpack.Decoder(Envelope[StrategyMailbox])
    world = World(seed, start_ns=0, delays=Delays(wait_share=0.3, codec_every=1_000_000))
    world.inhabit(
        Inhabitant(
            name="order_manager-0",
            role="order_manager",
            reads=(),
            make_core=lambda epoch, journal: Talker(len(journal)),
            decoder=decoder,
            journal=[],
        )
    )
    world.inhabit(
        Inhabitant(
            name="strategy-0",
            role="strategy",
            reads=("order_manager-0",),
            make_core=lambda epoch, journal: Listener(heard),
            decoder=decoder,
            journal=[],
        )
    )
    world.begin("strategy-0")
    world.begin("order_manager-0")
    return world, heard


def numbers(heard: list[Message]) -> list[int]:
    return [message.event_seq for message in heard if isinstance(message, OrderCanceled)]


@given(seed=st.integers(0, 2**32), crash_ms=st.integers(1, 80), back_ms=st.integers(1, 40))
def test_ordered_messages_arrive_once_and_in_order_over_a_crash_of_the_reader(
    seed: int, crash_ms: int, back_ms: int
) -> None:
    world, heard = inhabited(seed)
    world.run_until(crash_ms * MILLISECOND_NS)
    world.crash("strategy-0")
    world.run_until((crash_ms + back_ms) * MILLISECOND_NS)
    world.begin("strategy-0")
    world.run_until(200 * MILLISECOND_NS)
    assert numbers(heard) == list(range(1, len(numbers(heard)) + 1))


@given(seed=st.integers(0, 2**32), cut_ms=st.integers(1, 80), mend_ms=st.integers(0, 40))
def test_ordered_messages_arrive_once_and_in_order_over_a_link_that_breaks(
    seed: int, cut_ms: int, mend_ms: int
) -> None:
    world, heard = inhabited(seed)
    world.link("order_manager-0", "strategy-0").trouble = LinkTrouble(until_ns=10**9, delay_ns=20 * MILLISECOND_NS)
    world.run_until(cut_ms * MILLISECOND_NS)
    world.cut("order_manager-0", "strategy-0")
    world.run_until((cut_ms + mend_ms) * MILLISECOND_NS)
    world.mend("order_manager-0", "strategy-0")
    world.run_until(200 * MILLISECOND_NS)
    assert numbers(heard) == list(range(1, len(numbers(heard)) + 1))
    assert len(numbers(heard)) > 150


def test_what_flew_over_a_link_that_breaks_is_lost_but_for_ordered_messages() -> None:
    world, heard = inhabited(3)
    world.link("order_manager-0", "strategy-0").trouble = LinkTrouble(until_ns=10**9, delay_ns=5 * MILLISECOND_NS)
    world.run_until(10 * MILLISECOND_NS)
    for _ in range(50):
        world.cut("order_manager-0", "strategy-0")
        world.mend("order_manager-0", "strategy-0")
        world.run_until(world.now_ns + 2 * MILLISECOND_NS)
    world.run_until(world.now_ns + 20 * MILLISECOND_NS)
    positions = [message for message in heard if isinstance(message, PositionChanged)]
    assert len(positions) < len(numbers(heard))
    assert numbers(heard) == list(range(1, len(numbers(heard)) + 1))


def test_a_repeated_latest_message_comes_twice_and_an_ordered_one_never() -> None:
    world, heard = inhabited(4)
    world.link("order_manager-0", "strategy-0").trouble = LinkTrouble(until_ns=10**9, repeat_share=1.0)
    world.run_until(50 * MILLISECOND_NS)
    positions = [message.position_lots for message in heard if isinstance(message, PositionChanged)]
    assert len(positions) == 2 * len(set(positions))
    assert len(numbers(heard)) == len(set(numbers(heard)))


@pytest.mark.parametrize(("share", "journaled", "said"), [(0.0, 4, 4), (0.3, 5, 4), (0.5, 5, 5), (1.0, 5, 5)])
def test_an_actor_dies_at_a_message_with_a_part_of_its_effects_carried_out(
    share: float, journaled: int, said: int
) -> None:
    """The fifth message journals, says two things and sets its timer."""
    world, heard = inhabited(5)
    world.doom("order_manager-0", 5, share, lambda: world.crash("order_manager-0"))
    world.run_until(100 * MILLISECOND_NS)
    assert world.core_of("order_manager-0") is None
    assert (len(world.journal_of("order_manager-0")), len(numbers(heard))) == (journaled, said)


@pytest.mark.parametrize("count", range(1, 9))
def test_an_ordered_message_that_its_reader_died_of_is_sent_to_its_successor(count: int) -> None:
    world, heard = inhabited(5)
    world.run_until(10 * MILLISECOND_NS)
    world.doom("strategy-0", count, 0.0, lambda: world.crash("strategy-0"))
    world.run_until(40 * MILLISECOND_NS)
    died_of = heard[-1]
    world.begin("strategy-0")
    world.run_until(80 * MILLISECOND_NS)
    again = [died_of.event_seq] if isinstance(died_of, OrderCanceled) else []
    assert sorted(numbers(heard)) == sorted([*range(1, max(numbers(heard)) + 1), *again])
    assert numbers(heard) == sorted(numbers(heard))


def test_a_slow_disk_stalls_its_actor_and_keeps_the_order_of_what_it_does() -> None:
    world, heard = inhabited(6)
    slow = Disk(until_ns=50 * MILLISECOND_NS, stall_ns=20 * MILLISECOND_NS)
    world.spoil_disk("order_manager-0", slow)
    world.run_until(50 * MILLISECOND_NS)
    assert len(numbers(heard)) < 20
    world.run_until(100 * MILLISECOND_NS)
    assert numbers(heard) == list(range(1, len(numbers(heard)) + 1))
    assert len(numbers(heard)) > 30


def test_a_disk_that_fails_ends_its_actor_before_the_record_and_all_that_follows_it() -> None:
    world, heard = inhabited(7)
    world.run_until(10 * MILLISECOND_NS)
    world.spoil_disk("order_manager-0", Disk(until_ns=50 * MILLISECOND_NS, fails=True))
    written = len(world.journal_of("order_manager-0"))
    world.run_until(20 * MILLISECOND_NS)
    assert world.core_of("order_manager-0") is None
    assert (len(world.journal_of("order_manager-0")), len(numbers(heard))) == (written, written)


@given(seed=st.integers(0, 2**32))
def test_a_latest_message_is_never_older_than_the_one_before(seed: int) -> None:
    world, heard = inhabited(seed)
    world.run_until(300 * MILLISECOND_NS)
    positions = [message.position_lots for message in heard if isinstance(message, PositionChanged)]
    assert positions == sorted(positions)


def test_the_same_seed_gives_the_same_history() -> None:
    def history(seed: int) -> bytes:
        world, heard = inhabited(seed)
        world.run_until(200 * MILLISECOND_NS)
        return msgspec.msgpack.encode(heard)

    assert history(7) == history(7)
    assert history(7) != history(8)


def test_a_cut_link_says_so_and_delivers_what_waited_when_it_is_mended() -> None:
    world, heard = inhabited(1)
    world.run_until(10 * MILLISECOND_NS)
    world.cut("order_manager-0", "strategy-0")
    world.run_until(30 * MILLISECOND_NS)
    told_before_mending = len(numbers(heard))
    world.mend("order_manager-0", "strategy-0")
    world.run_until(60 * MILLISECOND_NS)
    changes = [message.up for message in heard if isinstance(message, LinkChanged)]
    assert changes == [True, False, True]
    assert told_before_mending < 12
    assert numbers(heard) == list(range(1, len(numbers(heard)) + 1))
