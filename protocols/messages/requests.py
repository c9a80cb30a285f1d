"""What strategy and risk_monitor ask of order_manager one order at a time, beside the ladder."""

from __future__ import annotations

from protocols.envelope import Message
from protocols.values import InstrumentId, Side, TimeInForce

INTENT_ID_CHARACTERS_MAX = 64
"""Longest name of an intent."""


class OrderRequest(Message, frozen=True, kw_only=True):
    """One order, wanted once: it may take (IMMEDIATE_OR_CANCEL, GOOD_TILL_CANCEL) or only make (POST_ONLY), never worse than `limit_ticks`.

    `intent_id` names the wish for all time; the sender makes it unique over its restarts (its name, its epoch, a number). The same
    request may be said again until it is answered, for one that reaches no living reader is lost; said twice it does nothing twice, over
    restarts of the order manager too. It is answered by order events that carry the intent id: denied (nothing was sent), or
    accepted, filled, ... up to its end. `expires_ns`: nothing is sent later, and what rests then is cancelled; `asked_ns` is when it was
    said first.
    """

    intent_id: str
    instrument_id: InstrumentId
    instrument_version: int
    side: Side
    quantity_lots: int
    limit_ticks: int
    time_in_force: TimeInForce
    reduce_only: bool
    asked_ns: int
    expires_ns: int
    reason: str = ""


class WithdrawRequest(Message, frozen=True, kw_only=True):
    """A request is no longer wanted: one that waits is denied, an order of it that rests is cancelled; what was executed stays.

    One that has not come yet does nothing when it comes. It is answered by the events of the order's end; saying it again is harmless.
    """

    intent_id: str
    instrument_id: InstrumentId
