"""What a fill costs: rates by tier, and the discount of fees that are paid in BNB (facts section 9.5)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from actors.exchange.accounts import Account
from actors.exchange.contracts import Contract
from configs.schema import ExchangeSettings, FeeSettings

CENT = Decimal("0.00000001")
NO_FEES = FeeSettings(maker=Decimal(0), taker=Decimal(0))
BNB = "BNB"
BURN_FACTOR = Decimal("0.9")
_MAKER_PARTS = tuple(Decimal(text) for text in ("1", "0.8", "0.7", "0.6", "0.5", "0.4", "0.3", "0.2", "0.1", "0"))
_TAKER_PARTS = tuple(Decimal(text) for text in ("1", "0.8", "0.7", "0.64", "0.6", "0.54", "0.5", "0.44", "0.4", "0.34"))


class Commission(NamedTuple):
    """What is charged for a fill (negative: paid out), and in which asset."""

    amount: Decimal
    asset: str


class FeeSchedule:
    """The rates of the venue. The configured ones are those of tier 0; a higher tier pays the same part of them as on the venue."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self._fees = settings.fees
        self.bnb_price = settings.bnb_price
        self.tier = settings.fee_tier

    def rates(self, contract: Contract) -> FeeSettings:
        """Maker and taker rate of a contract. A rebate is the same for all tiers."""
        fees = self._fees.get(contract.margin_asset, NO_FEES)
        maker = fees.maker * _MAKER_PARTS[self.tier] if fees.maker > 0 else fees.maker
        return FeeSettings(maker=maker, taker=fees.taker * _TAKER_PARTS[self.tier])

    def commission(self, account: Account, contract: Contract, notional: Decimal, *, maker: bool) -> Commission:
        """The charge for a fill; in BNB at a tenth less when the account wants that and has enough of it."""
        rates = self.rates(contract)
        amount = (notional * (rates.maker if maker else rates.taker)).quantize(CENT, ROUND_HALF_UP)
        if account.fee_burn and amount > 0:
            in_bnb = (amount * BURN_FACTOR / self.bnb_price).quantize(CENT, ROUND_HALF_UP)
            if account.wallets.get(BNB, Decimal(0)) >= in_bnb:
                return Commission(in_bnb, BNB)
        return Commission(amount, contract.margin_asset)
