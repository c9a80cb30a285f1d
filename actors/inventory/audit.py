"""What inventory asks the venue, and when: positions, balances and income, one question of a kind at a time."""

from __future__ import annotations

from protocols.effects import Call, Effect
from protocols.venue import (
    AnyOutcome,
    QueryBalances,
    QueryIncome,
    QueryPositions,
    VenueRequest,
)

WORDS_PERIOD_NS = 10_000_000_000
"""Positions and balances are asked for this often; the two weigh 5 each."""

RECORDS_PERIOD_NS = 30_000_000_000
"""Income (weight 30), rates and permissions are asked for this often."""

ANSWER_NS_MAX = 10_000_000_000
"""A question without any outcome for this long is given up; the next audit asks again."""

STATEMENT_MARGIN_NS = 1_000_000_000
"""An answer is taken for the state this long before it was asked: the venue's clock is known only so well, and a fill just before the
question must not look like a difference."""


class Audit:
    """The questions in flight and the time of the next round."""

    def __init__(self) -> None:
        self._due_ns = self._records_due_ns = self._shut_until_ns = 0
        self._asked: dict[int, tuple[VenueRequest, int]] = {}

    def is_due(self, now_ns: int) -> bool:
        """Whether a round begins now; it then counts as begun."""
        if now_ns < max(self._due_ns, self._shut_until_ns):
            return False
        self._due_ns = now_ns + WORDS_PERIOD_NS
        return True

    def wants_records(self, now_ns: int) -> bool:
        """Whether the round that begins now asks for more than positions and balances."""
        if now_ns < self._records_due_ns:
            return False
        self._records_due_ns = now_ns + RECORDS_PERIOD_NS
        return True

    def hasten(self, now_ns: int) -> None:
        """Let the next round begin as soon as the venue allows, and ask for everything."""
        self._due_ns, self._records_due_ns = min(self._due_ns, now_ns), min(self._records_due_ns, now_ns)

    def shut(self, until_ns: int) -> None:
        """The venue wants no request of ours before then, whatever else is due."""
        self._shut_until_ns = max(self._shut_until_ns, until_ns)

    def ask(self, request: VenueRequest, now_ns: int) -> list[Effect]:
        """Ask, unless a question of this kind is still open or the venue wants none."""
        if now_ns < self._shut_until_ns:
            return []
        self._asked = {i: asked for i, asked in self._asked.items() if now_ns - asked[1] <= ANSWER_NS_MAX}
        if any(type(asked) is type(request) for asked, _ in self._asked.values()):
            return []
        self._asked[request.request_id] = (request, now_ns)
        return [Call(request)]

    def answered(self, outcome: AnyOutcome) -> VenueRequest | None:
        """The question that an outcome answers; None for one that is not open."""
        asked = self._asked.pop(outcome.request_id, None)
        if asked is None:
            return None
        return asked[0]


def stated_at_ns(request: VenueRequest) -> int:
    """The instant of the venue's time for which the answer to a question is taken."""
    if isinstance(request, QueryPositions | QueryBalances | QueryIncome):
        return request.venue_time_ns - STATEMENT_MARGIN_NS
    return 0
