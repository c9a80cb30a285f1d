"""The rest of I13: what fees, realised PnL and funding have left in the wallets, by inventory's books and by the venue's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from actors.exchange.ledger import (
    AccountOpened,
    FundingPaid,
    InsuranceCleared,
    LedgerRecord,
    OrderFilled,
    SeamClosed,
)
from ops.invariants.history import Findings, History, Verdict
from protocols.values import Instrument


def check_wallets_agree(history: History) -> Verdict:
    """I13 at rest: inventory's balance of each margin asset is the venue's to the last digit."""
    findings = Findings("I13")
    venue: dict[str, Decimal] = {}
    for record in history.ledger:
        venue.update(_balances(record, history.instruments))
    claimed = history.claimed_wallets or {}
    for asset in sorted({one.margin_asset for one in history.instruments.values()}):
        ours, theirs = claimed.get(asset), venue.get(asset, Decimal(0))
        findings.check(ours == theirs, f"inventory says {ours} {asset}, the venue {theirs}")
    return findings.verdict()


def _balances(record: LedgerRecord, instruments: Mapping[str, Instrument]) -> Iterator[tuple[str, Decimal]]:
    match record:
        case AccountOpened():
            yield from record.balances.items()
        case OrderFilled():
            if record.symbol in instruments:
                yield instruments[record.symbol].margin_asset, record.wallet_after
        case FundingPaid() | InsuranceCleared():
            yield record.asset, record.wallet_after
        case SeamClosed():
            yield record.commission_asset, record.wallet_after
        case _:
            pass
