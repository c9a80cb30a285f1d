"""The key of the private stream: opened, kept alive, opened anew, and asked for with patience."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from account_samples import (
    MS,
    START_NS,
    S,
    alert_codes,
    published,
)
from inventory_rig import TICK, Driver

from protocols.messages.control import Reconcile
from protocols.messages.inventory import UserStreamKey
from protocols.messages.orders import UserStreamLost
from protocols.venue import (
    Done,
    KeepUserStream,
    NotSent,
    OpenUserStream,
    OutcomeUnknown,
    QueryPositions,
    RefusalKind,
    Refused,
    Throttled,
    UserStreamOpened,
)


def test_the_key_is_opened_published_at_once_and_said_again_every_second() -> None:
    inventory = Driver()
    effects = inventory.answer(inventory.asked(OpenUserStream), UserStreamOpened, listen_key="secret")
    assert published(effects) == [UserStreamKey(listen_key="secret")]
    said = [published(inventory.wait(0.25), UserStreamKey) for _ in range(8)]
    assert sum(map(len, said)) == 2
    assert "secret" not in repr(inventory.core.snapshot()) + repr(effects)


def test_the_key_is_kept_alive_and_opened_anew_when_the_venue_refuses() -> None:
    inventory = Driver()
    inventory.answer(inventory.asked(OpenUserStream), UserStreamOpened, listen_key="first")
    inventory.wait(61)
    effects = inventory.answer(inventory.asked(KeepUserStream), Done)
    assert published(effects) == [UserStreamKey(listen_key="first")]
    inventory.wait(61)
    refusal = {"kind": RefusalKind.NOT_FOUND, "venue_code": -1125, "text": "no such key"}
    effects = inventory.answer(inventory.asked(KeepUserStream), Refused, **refusal)
    assert alert_codes(effects) == [("USER_STREAM_LOST", "user stream")]
    inventory.calls.clear()
    inventory.tell(TICK)
    effects = inventory.answer(inventory.asked(OpenUserStream), UserStreamOpened, listen_key="second")
    assert published(effects) == [UserStreamKey(listen_key="second")]


def test_a_key_that_an_order_manager_saw_dying_is_opened_anew_at_once() -> None:
    inventory = Driver()
    inventory.answer(inventory.asked(OpenUserStream), UserStreamOpened, listen_key="first")
    inventory.calls.clear()
    inventory.tell(UserStreamLost(shard=0, lost_ns=START_NS))
    assert [type(request) for request in inventory.calls] == [OpenUserStream]


def test_an_api_key_that_the_venue_refuses_is_a_critical_alert() -> None:
    inventory = Driver()
    refusal = {"kind": RefusalKind.STOP_ACCOUNT, "venue_code": -2015, "text": "invalid key"}
    effects = inventory.answer(inventory.asked(OpenUserStream), Refused, **refusal)
    assert alert_codes(effects) == [("KEY_REFUSED", "user stream")]


@pytest.mark.parametrize(("outcome", "fields"), [(OutcomeUnknown, {"reason": "x"}), (NotSent, {"reason": "x"})])
def test_a_key_that_could_not_be_asked_for_is_asked_for_again_with_a_growing_delay(
    outcome: type, fields: dict[str, Any]
) -> None:
    inventory = Driver()
    asked = []
    for _ in range(400):
        before = len(inventory.calls)
        inventory.wait(0.25)
        if len(inventory.calls) > before:
            asked.append(inventory.now_ns)
            inventory.answer(inventory.asked(OpenUserStream), outcome, **fields)
        elif not asked:
            inventory.answer(inventory.asked(OpenUserStream), outcome, **fields)
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert gaps == sorted(gaps)
    assert max(gaps) <= 30 * S + 250 * MS


def test_a_key_lost_inside_a_retry_after_window_is_opened_only_after_it() -> None:
    inventory = Driver()
    inventory.answer(
        inventory.asked(OpenUserStream),
        Throttled,
        retry_at_ns=START_NS + 10 * S,
        banned=False,
        orders_only=False,
        venue_code=-1003,
        text="",
    )
    inventory.calls.clear()
    inventory.tell(UserStreamLost(shard=0, lost_ns=START_NS))
    inventory.wait(9)
    assert inventory.calls == []
    inventory.wait(1)
    assert [type(request) for request in inventory.calls] == [OpenUserStream]


def test_what_one_question_is_told_of_a_retry_after_window_holds_for_every_other_however_urgent() -> None:
    inventory = Driver().with_wallet()
    inventory.wait(11)
    inventory.answer(
        inventory.asked(QueryPositions),
        Throttled,
        retry_at_ns=inventory.now_ns + 20 * S,
        banned=True,
        orders_only=False,
        venue_code=-1003,
        text="",
    )
    inventory.calls.clear()
    inventory.tell(UserStreamLost(shard=0, lost_ns=START_NS), Reconcile(token=1))
    inventory.wait(19)
    assert inventory.calls == []
    inventory.wait(1)
    assert {OpenUserStream, QueryPositions} <= {type(request) for request in inventory.calls}


def test_a_throttled_question_is_told_and_waits_as_long_as_the_venue_says() -> None:
    inventory = Driver()
    until_ns = START_NS + 40 * S
    told = inventory.answer(
        inventory.asked(OpenUserStream),
        Throttled,
        retry_at_ns=until_ns,
        banned=False,
        orders_only=False,
        venue_code=-1003,
        text="",
    )
    assert ("RATE_LIMITED", "requests") in alert_codes(told)
    inventory.calls.clear()
    inventory.wait(39)
    assert inventory.calls == []
    inventory.wait(1)
    assert [type(request) for request in inventory.calls] == [OpenUserStream]
