"""Calls that may never come back."""

from __future__ import annotations

import threading

import pytest

from actors.runtime.bounded_call import NotBack, bounded, some_are_left


def test_a_call_that_comes_back_gives_its_result() -> None:
    assert bounded(lambda: 7, timeout_s=10.0) == 7


def test_what_a_call_raises_is_raised() -> None:
    with pytest.raises(KeyError, match="gone"):
        bounded(lambda: {}["gone"], timeout_s=10.0)


def test_a_call_that_stays_away_is_left_and_known_to_be_left() -> None:
    back = threading.Event()
    with pytest.raises(NotBack, match=r"no answer within 0\.01 s"):
        bounded(back.wait, timeout_s=0.01)
    assert some_are_left()
    back.set()
    for thread in threading.enumerate():
        if thread.name == "bounded call":
            thread.join(10.0)
    assert not some_are_left()
