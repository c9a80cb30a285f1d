"""The wire form of every message is fixed: fields are added at the end, with defaults, and nothing is renamed or retyped."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest
from golden_messages import golden, messages, sample
from hypothesis import given
from hypothesis import strategies as st

from protocols.effects import LinkChanged, TimerFired
from protocols.envelope import Envelope, encoder
from protocols.messages.market import BookTop
from protocols.values import InstrumentId

KINDS = messages()
GOLDEN = golden()


def test_every_message_has_golden_bytes() -> None:
    missing = set(KINDS) - set(GOLDEN)
    assert not missing, f"{sorted(missing)}: run `python tests/golden_messages.py` once"


def test_no_message_of_the_past_has_vanished() -> None:
    assert set(GOLDEN) <= set(KINDS)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_old_bytes_are_still_understood(name: str) -> None:
    """The old fields stand first, in their order and with their types; what came later has its default."""
    kind = KINDS[name]
    fields = GOLDEN[name]["fields"]
    assert list(kind.__struct_fields__[: len(fields)]) == fields
    assert msgspec.msgpack.decode(bytes.fromhex(GOLDEN[name]["bytes"]), type=kind) == sample(kind, GOLDEN)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_message_travels_by_both_codecs(name: str) -> None:
    message = sample(KINDS[name])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=KINDS[name]) == message
    assert msgspec.json.decode(msgspec.json.encode(message), type=KINDS[name]) == message


@pytest.mark.parametrize("name", sorted(KINDS))
def test_messages_cannot_be_changed(name: str) -> None:
    message = sample(KINDS[name])
    for field in KINDS[name].__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(message, field, None)


def test_a_message_of_another_kind_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="Invalid value 'TimerFired'"):
        msgspec.msgpack.decode(msgspec.msgpack.encode(TimerFired(name="x")), type=BookTop | LinkChanged)


def test_a_wrong_type_is_refused_at_the_mailbox() -> None:
    wrong = msgspec.msgpack.encode(["TimerFired", 7])
    with pytest.raises(msgspec.ValidationError, match="Expected `str`"):
        msgspec.msgpack.decode(wrong, type=TimerFired)


def test_the_envelope_is_an_array_with_the_body_last() -> None:
    envelope = Envelope("market_data-0", 3, 7, 11, 13, "cause", TimerFired(name="resync"))
    assert msgspec.msgpack.decode(encoder.encode(envelope)) == [
        "market_data-0",
        3,
        7,
        11,
        13,
        "cause",
        ["TimerFired", "resync"],
    ]


@given(
    sender=st.text(max_size=20),
    numbers=st.tuples(*[st.integers(0, 2**63 - 1)] * 4),
    levels=st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)), max_size=5),
)
def test_an_envelope_comes_back_as_it_was_sent(
    sender: str, numbers: tuple[int, int, int, int], levels: list[tuple[int, int]]
) -> None:
    body = BookTop(
        instrument_id=InstrumentId("binance_usdm:main:ETHUSDC"),
        instrument_version=1,
        update_id=1,
        venue_time_ns=1,
        received_ns=1,
        bids=tuple(levels),
        asks=(),
    )
    envelope = Envelope(sender, *numbers, "", body)
    assert msgspec.msgpack.decode(encoder.encode(envelope), type=Envelope[BookTop | TimerFired]) == envelope


@pytest.mark.parametrize("name", ["UserStreamOpened", "UserStreamKey"])
def test_the_key_of_the_private_stream_is_never_shown(name: str) -> None:
    assert "listen_key=<hidden>" in repr(sample(KINDS[name]))


def test_decimals_keep_their_digits() -> None:
    message = sample(KINDS["MarkPrice"])
    raw = json.loads(msgspec.json.encode(message))
    assert "-1.02" in raw
    assert getattr(message, "mark_price") == Decimal("-1.02")  # noqa: B009
