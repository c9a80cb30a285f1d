"""Index, mark price and funding rate of a contract: as its source says, else by the venue's own rules (facts sections 9.7 and 9.8)."""

from __future__ import annotations

from collections import deque
from decimal import ROUND_HALF_UP, Decimal
from statistics import median

from actors.exchange.book import BookSide
from actors.exchange.contracts import Contract
from actors.exchange.frames import MarkFrame

CENT = Decimal("0.00000001")
INTEREST_RATE = Decimal("0.0001")
CLAMP = Decimal("0.0005")
FUNDING_RATE_MAX = Decimal("0.003")
BASIS_SAMPLES = 30
PREMIUM_EVERY_S = 5
IMPACT_NOTIONAL = Decimal(25_000)
"""200 USD at the largest leverage."""
FUNDING_HOURS = 8


class ReferencePrices:
    """What positions are valued and funded at.

    A recorded mark, index or rate is taken as it is. Where only the index is known, the mark is the median of the index with the
    funding to come, the index with the mean basis of 30 s, and the last price, once a second. Where nothing is known both are the mid.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._mark: Decimal | None = None
        self._index: Decimal | None = None
        self._rate: Decimal | None = None
        self._computed_mark: Decimal | None = None
        self._basis: deque[Decimal] = deque(maxlen=BASIS_SAMPLES)
        self._premium_sum = Decimal(0)
        self._premium_weight = 0
        self._premium_count = 0
        self._seconds = 0

    def apply(self, frame: MarkFrame) -> None:
        """Take over what the source says; None is unknown, but a rate stays until another comes."""
        if frame.index_price is None or self._index is None:
            self._basis.clear()
        self._mark, self._index = frame.mark_price, frame.index_price
        if frame.funding_rate is not None:
            self._rate = frame.funding_rate
        if self._index is None:
            self._computed_mark = None

    def mark(self, mid: Decimal) -> Decimal:
        """The mark price."""
        if self._mark is not None:
            return self._mark
        return self._computed_mark if self._computed_mark is not None else mid

    def index(self, mid: Decimal) -> Decimal:
        """The index price."""
        return self._index if self._index is not None else self.mark(mid)

    @property
    def follows_index(self) -> bool:
        """Whether `sample` has an index to go by."""
        return self._index is not None

    @property
    def funding_rate(self) -> Decimal:
        """The rate of the funding to come, as it stands."""
        if self._rate is not None:
            return self._rate
        weight = self._premium_weight
        return funding_rate(self._premium_sum / weight if weight else Decimal(0), FUNDING_HOURS)

    def funded(self) -> None:
        """A funding time has passed: the premium is averaged anew."""
        self._premium_sum, self._premium_weight, self._premium_count = Decimal(0), 0, 0

    def sample(self, mid: Decimal, last: Decimal | None, hours_left: Decimal, bids: BookSide, asks: BookSide) -> None:
        """Once a second: the basis, the mark, and every five seconds the premium."""
        if self._index is None or not mid:
            return
        self._basis.append(mid - self._index)
        if self._mark is None:
            basis = sum(self._basis, Decimal(0)) / len(self._basis)
            self._computed_mark = mark_price(
                self._index, self.funding_rate, hours_left, basis, last if last is not None else mid
            )
        self._seconds += 1
        if self._seconds % PREMIUM_EVERY_S == 0:
            self._add_premium(bids, asks)

    def _add_premium(self, bids: BookSide, asks: BookSide) -> None:
        impact_bid, impact_ask = (_impact_price(side, self._contract) for side in (bids, asks))
        assert self._index is not None
        if impact_bid is None or impact_ask is None:
            return
        self._premium_count += 1
        self._premium_sum += self._premium_count * premium(impact_bid, impact_ask, self._index)
        self._premium_weight += self._premium_count


def premium(impact_bid: Decimal, impact_ask: Decimal, index: Decimal) -> Decimal:
    """How far the contract trades off its index, beyond the book's own width."""
    zero = Decimal(0)
    return (max(zero, impact_bid - index) - max(zero, index - impact_ask)) / index


def funding_rate(average_premium: Decimal, interval_hours: int) -> Decimal:
    """The funding rate of an average premium, within the venue's cap and floor."""
    interest = min(max(INTEREST_RATE - average_premium, -CLAMP), CLAMP)
    rate = (average_premium + interest) / (Decimal(8) / interval_hours)
    return min(max(rate, -FUNDING_RATE_MAX), FUNDING_RATE_MAX).quantize(CENT, ROUND_HALF_UP)


def mark_price(index: Decimal, rate: Decimal, hours_left: Decimal, basis: Decimal, last: Decimal) -> Decimal:
    """The median of the three prices that the venue looks at."""
    with_funding = index * (1 + rate * hours_left / FUNDING_HOURS)
    return median((with_funding, index + basis, last)).quantize(CENT, ROUND_HALF_UP)


def _impact_price(side: BookSide, contract: Contract) -> Decimal | None:
    """Average price of trading the impact notional through one side; None when it holds less."""
    left, quantity = IMPACT_NOTIONAL, Decimal(0)
    for price_ticks, lots in side.levels():
        price = contract.price(price_ticks)
        notional = min(left, price * contract.quantity(lots))
        quantity += notional / price
        left -= notional
        if left == 0:
            return IMPACT_NOTIONAL / quantity
    return None
