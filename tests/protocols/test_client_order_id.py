"""Our client order ids."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.client_order_id import ClientOrderId, base36, client_order_id_prefix, parse_client_order_id

VENUE_ALPHABET = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")

IDS = st.builds(
    ClientOrderId,
    install=st.from_regex(r"[0-9a-z]{1,6}", fullmatch=True),
    epoch=st.integers(1, 36**8 - 1),
    shard=st.integers(0, 35),
    symbol_code=st.integers(0, 1_295),
    seq=st.integers(0, 36**10 - 1),
)


@given(IDS)
def test_an_id_reads_back_and_fits_the_venue(one: ClientOrderId) -> None:
    assert parse_client_order_id(one.text) == one
    assert VENUE_ALPHABET.fullmatch(one.text)


@given(IDS, IDS)
def test_different_ids_have_different_texts(one: ClientOrderId, other: ClientOrderId) -> None:
    assert (one.text == other.text) == (one == other)


def test_the_form_is_fixed() -> None:
    one = ClientOrderId(install="a1", epoch=37, shard=1, symbol_code=3, seq=40)
    assert one.text == "rma1-11-103-14"
    assert client_order_id_prefix("a1", 37, 1, 3) == "rma1-11-103-"


@pytest.mark.parametrize(
    "text", ["", "web_x", "autoclose-1", "rm-1-000-1", "RMa-1-000-1", "rma-1-00-1", "rma-1-000-1 ", "x" * 37]
)
def test_ids_of_others_are_not_ours(text: str) -> None:
    assert parse_client_order_id(text) is None


@given(st.integers(0, 10**18))
def test_base_36_is_what_python_reads(number: int) -> None:
    assert int(base36(number), 36) == number
