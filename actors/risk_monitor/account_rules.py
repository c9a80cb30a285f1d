"""The account against the configuration: modes, rates, brackets, listing. A difference halts, with a sentence that says what to do.

What the configuration names must be so. What it leaves open must stay as it was when it was first seen, until a person resumes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.levels import Verdict
from configs.schema import AccountSettings, EyesSettings
from protocols.effects import Call, Effect
from protocols.messages.alerts import AlertCode
from protocols.messages.risk import RiskLevel
from protocols.values import Instrument, InstrumentId, symbol_of
from protocols.venue import (
    AccountConfigAnswered,
    AnyOutcome,
    BracketReport,
    BracketsAnswered,
    FeeBurnAnswered,
    FeeRatesAnswered,
    ListingAnswered,
    ListingReport,
    QueryAccountConfig,
    QueryBrackets,
    QueryFeeBurn,
    QueryFeeRates,
    QueryListing,
    SymbolConfigReport,
    Throttled,
    VenueRequest,
)

PATIENCE_NS = 10_000_000_000
FIRST_ID = 1 << 40
"""Requests are numbered from here, apart from those of the eyes."""

_MS = 1_000_000
_TRADING = "TRADING"


class _Seen(NamedTuple):
    """What may not change unseen of one symbol."""

    leverage: int = 0
    fees: tuple[str, str] = ("", "")
    brackets: BracketReport | None = None


class AccountRules:
    """Asks every now and then, and says what differs.

    Args:
        instruments: as they were loaded at start: the filters that orders are made by.
    """

    def __init__(self, instruments: Iterable[Instrument], expected: AccountSettings, eyes: EyesSettings) -> None:
        self._instruments = {one.instrument_id: one for one in instruments}
        self._expected = expected
        self._turn = 0
        minute_ns = eyes.symbol_config_ms * _MS
        self._periods_ns: dict[type[VenueRequest], int] = {
            QueryAccountConfig: minute_ns,
            QueryListing: minute_ns,
            QueryBrackets: minute_ns,
            QueryFeeRates: minute_ns,
            QueryFeeBurn: eyes.fee_burn_ms * _MS,
        }
        self._due_ns = dict.fromkeys(self._periods_ns, 0)
        self._asked: dict[int, tuple[type[VenueRequest], int]] = {}
        self._request_id = FIRST_ID
        self._shut_until_ns = 0
        self._config: AccountConfigAnswered | None = None
        self._fee_burn: bool | None = None
        self._first_fee_burn: bool | None = None
        self._listed: dict[InstrumentId, ListingReport] | None = None
        self._first = dict.fromkeys(self._instruments, _Seen())
        self._now = dict.fromkeys(self._instruments, _Seen())
        self._margin_types: dict[InstrumentId, str] = {}

    def ask(self, venue_now_ns: int, now_ns: int) -> list[Effect]:
        """Ask for what is due, one question of a kind at a time; fees of one symbol after the other."""
        self._asked = {i: asked for i, asked in self._asked.items() if now_ns - asked[1] <= PATIENCE_NS}
        if now_ns < self._shut_until_ns:
            return []
        waiting = {kind for kind, _ in self._asked.values()}
        effects: list[Effect] = []
        for kind, due_ns in self._due_ns.items():
            if now_ns >= due_ns and kind not in waiting:
                self._due_ns[kind] = now_ns + self._periods_ns[kind]
                self._request_id += 1
                self._asked[self._request_id] = (kind, now_ns)
                effects.append(Call(self._question(kind, venue_now_ns)))
        return effects

    def take(self, outcome: AnyOutcome) -> bool:
        """Take the answer to one of our questions; whether it was one."""
        if self._asked.pop(outcome.request_id, None) is None:
            return False
        match outcome:
            case AccountConfigAnswered():
                self._config = outcome
            case FeeBurnAnswered():
                self._fee_burn = outcome.fee_burn
                self._first_fee_burn = outcome.fee_burn if self._first_fee_burn is None else self._first_fee_burn
            case FeeRatesAnswered():
                self._note(outcome.instrument_id, fees=(f"{outcome.maker:f}", f"{outcome.taker:f}"))
            case BracketsAnswered():
                for report in outcome.reports:
                    self._note(report.instrument_id, brackets=report)
            case ListingAnswered():
                self._listed = {report.instrument_id: report for report in outcome.reports}
            case Throttled():
                self._shut_until_ns = max(self._shut_until_ns, outcome.retry_at_ns)
            case _:
                pass
        return True

    def take_configs(self, configs: Iterable[SymbolConfigReport]) -> None:
        """Take leverage and margin type, which the eyes ask for."""
        for config in configs:
            if config.instrument_id in self._instruments:
                self._note(config.instrument_id, leverage=config.leverage)
                self._margin_types[config.instrument_id] = config.margin_type

    def hasten(self) -> None:
        """The account was changed: look now."""
        self._due_ns = dict.fromkeys(self._due_ns, 0)

    def accept(self) -> None:
        """A person resumes: what the configuration leaves open may stay as it is now."""
        self._first = dict(self._now)
        self._first_fee_burn = self._fee_burn

    def verdicts(self, subject: str) -> list[Verdict]:
        """What differs of a symbol, by its instrument id, or of the account."""
        texts = self._of_account() if subject == ACCOUNT else self._of_symbol(InstrumentId(subject))
        return [Verdict(RiskLevel.HALTED, text, AlertCode.ACCOUNT_DIFFERS, passing=True) for text in texts]

    def _question(self, kind: type[VenueRequest], venue_time_ns: int) -> VenueRequest:
        request_id = self._request_id
        if kind is QueryListing:
            return QueryListing(request_id=request_id)
        if kind is QueryFeeRates:
            symbols = list(self._instruments)
            self._turn += 1
            instrument_id = symbols[self._turn % len(symbols)]
            return QueryFeeRates(request_id=request_id, instrument_id=instrument_id, venue_time_ns=venue_time_ns)
        return kind(request_id=request_id, venue_time_ns=venue_time_ns)  # type: ignore[call-arg]

    def _note(self, instrument_id: InstrumentId, **news: Any) -> None:
        if instrument_id not in self._instruments:
            return
        self._now[instrument_id] = self._now[instrument_id]._replace(**news)
        first = self._first[instrument_id]
        fresh = {name: value for name, value in news.items() if getattr(first, name) == getattr(_Seen(), name)}
        self._first[instrument_id] = first._replace(**fresh)

    def _of_account(self) -> list[str]:
        config, texts = self._config, []
        if config is not None and config.hedge_mode:
            texts.append("the account is in hedge mode: set one-way position mode at the venue")
        if config is not None and config.multi_asset_mode:
            texts.append("the account is in multi-asset mode: set single-asset mode at the venue")
        if config is not None and not config.can_trade:
            texts.append("the venue does not let the account trade: look at its messages and at the key's permissions")
        wanted, seen = self._expected.fee_burn, self._fee_burn
        if seen is not None and wanted is not None and seen is not wanted:
            texts.append(f"fees in BNB are {_on(seen)}, account.fee_burn says {_on(wanted)}: change one of them")
        elif seen is not None and wanted is None and seen is not self._first_fee_burn:
            texts.append(f"fees in BNB were switched {_on(seen)}: switch them back, or resume to accept it")
        return texts

    def _of_symbol(self, instrument_id: InstrumentId) -> list[str]:
        symbol, now, first = symbol_of(instrument_id), self._now[instrument_id], self._first[instrument_id]
        texts = self._of_listing(instrument_id)
        margin_type = self._margin_types.get(instrument_id, "")
        if margin_type and margin_type.upper() not in ("CROSSED", "CROSS"):
            texts.append(f"{symbol} is in {margin_type.lower()} margin: set cross margin at the venue")
        wanted = self._expected.leverage
        if now.leverage and wanted is not None and now.leverage != wanted:
            texts.append(
                f"the leverage of {symbol} is {now.leverage}, account.leverage says {wanted}: change one of them"
            )
        elif now.leverage != first.leverage:
            was = f"was changed from {first.leverage} to {now.leverage}"
            texts.append(f"the leverage of {symbol} {was}: set it back, or resume to accept it")
        fee_max = {"maker": self._expected.maker_fee_max, "taker": self._expected.taker_fee_max}
        for rate, (kind, limit), before in zip(now.fees, fee_max.items(), first.fees, strict=True):
            if not rate:
                continue
            if limit is not None and float(rate) > float(limit):
                texts.append(
                    f"the {kind} fee of {symbol} is {rate}, above account.{kind}_fee_max of {limit:f}: stop, or raise it"
                )
            elif limit is None and rate != before:
                was = f"was changed from {before} to {rate}"
                texts.append(f"the {kind} fee of {symbol} {was}: check that quotes still pay, then resume to accept it")
        if now.brackets != first.brackets:
            texts.append(
                f"the leverage brackets of {symbol} were changed: check its limits, then resume to accept them"
            )
        return texts

    def _of_listing(self, instrument_id: InstrumentId) -> list[str]:
        if self._listed is None:
            return []
        symbol, report = symbol_of(instrument_id), self._listed.get(instrument_id)
        if report is None:
            return [f"{symbol} is listed no more: close its position by hand and take it out of symbols"]
        if report.status != _TRADING:
            return [f"{symbol} is {report.status}, not TRADING: wait, or take it out of symbols"]
        own = self._instruments[instrument_id]
        if report.instrument is None:
            return [f"the filters of {symbol} cannot be understood ({report.text}): take it out of symbols"]
        if msgspec.structs.replace(report.instrument, version=own.version) != own:
            return [f"the filters of {symbol} were changed: restart the system, which loads them"]
        return []


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"
