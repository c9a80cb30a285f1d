"""Whatever stands in a capture: it is refused with a sentence, or played with the damage counted; the published book never crosses."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from capture_lines import CAPTURE, RECEIVED, ticker, trade
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from venue_rig import MS, START_NS, settings

from actors.exchange.errors import SourceError
from actors.exchange.exchange import Exchange
from actors.exchange.sources import open_source

WORDS = [b"NaN", b"-1", b"1e999999", b"Infinity", b"0", b"", b"null", b'"', b"9" * 5_000, b"\xff\xfe", b"{", b"[[[["]


@st.composite
def damaged_captures(draw: st.DrawFn) -> bytes:
    """The sound capture with some bytes of some lines replaced."""
    lines = [*CAPTURE, trade(250, "64000.00"), ticker(260, 16, "64000.00", "64000.10")]
    for _ in range(draw(st.integers(1, 4))):
        number = draw(st.integers(0, len(lines) - 1))
        line = lines[number]
        start = draw(st.integers(0, max(0, len(line) - 1)))
        end = draw(st.integers(start, min(len(line), start + 30)))
        word = draw(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)))
        lines[number] = line[:start] + word + line[end:]
    return b"".join(lines)


def play(path: Path) -> Exchange:
    source = open_source(settings(source=str(path), loop=False))
    exchange = Exchange(settings(), source.contracts, [], START_NS)
    for each in [*source.opening(START_NS), *islice(source.frames(START_NS), 1_000)]:
        exchange.apply(each)
    return exchange


def assert_uncrossed(exchange: Exchange) -> None:
    for market in exchange.venue.markets.values():
        bid, ask = market.book.bids.best(), market.book.asks.best()
        assert bid is None or ask is None or bid < ask


@examples(max_examples=300)
@given(damaged_captures())
def test_a_damaged_capture_is_refused_or_played(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.txt"
    path.write_bytes(content)
    try:
        assert_uncrossed(play(path))
    except SourceError as error:
        assert str(error).count("\n") == 0


@pytest.mark.parametrize("stamp", [b"9" * 5_000, b"-1721347020000000000", b"1" * 18 + b"x", b"9" * 40])
def test_a_line_without_a_believable_time_is_damaged(tmp_path: Path, stamp: bytes) -> None:
    path = tmp_path / "hostile.txt"
    path.write_bytes(b"".join([*CAPTURE, stamp + b" {}\n", str(RECEIVED + 300 * MS).encode() + b" {}\n"]))
    source = open_source(settings(source=str(path), loop=False))
    list(source.opening(START_NS))
    list(source.frames(START_NS))
    assert source.report.counts["damaged lines"] == 2
