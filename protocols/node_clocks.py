"""Times of another node's clock, made times of ours.

Every node counts from its own boot. A message that comes from another node is translated where it arrives, so that no core ever
compares two clocks. A lease keeps the asker's time: it goes there and back unread.
"""

from __future__ import annotations

from typing import Any

import msgspec

from protocols.envelope import Envelope, Message
from protocols.messages.alerts import Alert
from protocols.messages.inventory import AccountKeySeen, EquityChanged, PnlChanged
from protocols.messages.market import BookTop, FeedStatus, MarkPrice, TradeFlow, VenueClock
from protocols.messages.orders import RateUsage, UserStreamLost
from protocols.messages.quoting import QuoteTargets
from protocols.messages.requests import OrderRequest
from protocols.messages.risk import Lease, LeaseRequest

NODE_TIMES: dict[type[Message], tuple[str, ...]] = {
    BookTop: ("received_ns",),
    TradeFlow: ("received_ns",),
    MarkPrice: ("received_ns",),
    FeedStatus: ("confirmed_ns", "since_ns"),
    VenueClock: ("sampled_ns",),
    QuoteTargets: ("book_received_ns",),
    OrderRequest: ("asked_ns", "expires_ns"),
    PnlChanged: ("valued_ns",),
    EquityChanged: ("valued_ns",),
    AccountKeySeen: ("seen_ns",),
    RateUsage: ("observed_ns",),
    UserStreamLost: ("lost_ns",),
    Alert: ("raised_ns",),
}
"""Fields that hold times of the sender's node; 0 in them means never."""

ASKERS_TIMES: dict[type[Message], tuple[str, ...]] = {LeaseRequest: ("requested_ns",), Lease: ("requested_ns",)}
"""Fields that hold times of the one who asked, on whose clock alone they are read."""


def translated(envelope: Envelope[Any], offset_ns: int, error_ns: int) -> Envelope[Any]:
    """The envelope and its message with every time of the sender's node moved by `offset_ns` (our clock minus theirs, to `error_ns`)."""
    body = envelope.body
    fields = NODE_TIMES.get(type(body))
    if fields is not None:
        moved = {name: moment + offset_ns for name in fields if (moment := getattr(body, name))}
        if isinstance(body, VenueClock):
            moved |= {"offset_ns": body.offset_ns - offset_ns, "error_ns": body.error_ns + error_ns}
        body = msgspec.structs.replace(body, **moved)
    return Envelope(
        envelope.sender,
        envelope.epoch,
        envelope.seq,
        envelope.sent_ns + offset_ns,
        envelope.origin_ns + offset_ns if envelope.origin_ns else 0,
        envelope.cause,
        body,
    )
