"""The account against the configuration: modes, rates, brackets, listing, keys. A difference halts, with a sentence that says what to do.

What the configuration names must be so. What it leaves open must stay as it was when it was first seen, over restarts, until a person
resumes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from actors.risk_monitor.derived import Derived
from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.levels import Verdict
from actors.risk_monitor.memory import AgreedAccount, AgreedSymbol
from configs.schema import Settings
from protocols.effects import Call, Effect
from protocols.key_permissions import KeyPermissions, reading_key_faults, trading_key_faults
from protocols.messages.alerts import AlertCode
from protocols.messages.risk import RiskLevel
from protocols.values import Instrument, InstrumentId
from protocols.venue import (
    AccountConfigAnswered,
    AnyOutcome,
    BracketsAnswered,
    FeeBurnAnswered,
    FeeRatesAnswered,
    KeyPermissionsAnswered,
    ListingAnswered,
    ListingReport,
    QueryAccountConfig,
    QueryBrackets,
    QueryFeeBurn,
    QueryFeeRates,
    QueryKeyPermissions,
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
_UNSEEN = AgreedSymbol()

LISTING_HASTE_NS = 10_000_000_000
"""Least time between two looks at the listing, whatever asks for one."""

_ACCOUNTS_KEY = "the account's key"
_OWN_KEY = "the risk monitor's key"

KEY_SILENCE_NS_MAX = 300_000_000_000
"""What a key may do, and has not been seen for so long, is not known any more."""


class AccountRules:
    """Asks every now and then, and says what differs.

    Args:
        instruments: as they were loaded at start: the filters that orders are made by.
    """

    def __init__(self, instruments: Iterable[Instrument], settings: Settings) -> None:
        self._instruments = {one.instrument_id: one for one in instruments}
        self._expected = settings.account
        self._differences_of_account = Derived[tuple[str, ...]]()
        self._differences_of = {i: Derived[tuple[str, ...]]() for i in self._instruments}
        self._turn = 0
        eyes = settings.risk.eyes
        minute_ns = eyes.symbol_config_ms * _MS
        self._periods_ns: dict[type[VenueRequest], int] = {
            QueryAccountConfig: minute_ns,
            QueryListing: minute_ns,
            QueryBrackets: minute_ns,
            QueryFeeRates: minute_ns,
            QueryFeeBurn: eyes.fee_burn_ms * _MS,
        }
        self._keys: dict[str, tuple[KeyPermissions | None, int]] = {}
        if settings.venue.wallet_url is not None:
            self._keys[_ACCOUNTS_KEY] = (None, 0)
            if settings.risk.keys is not None:
                self._keys[_OWN_KEY] = (None, 0)
                self._periods_ns[QueryKeyPermissions] = minute_ns
        self._now_ns = self._listing_asked_ns = 0
        self._due_ns = dict.fromkeys(self._periods_ns, 0)
        self._asked: dict[int, tuple[type[VenueRequest], int]] = {}
        self._request_id = FIRST_ID
        self._shut_until_ns = 0
        self._config: AccountConfigAnswered | None = None
        self._fee_burn: bool | None = None
        self._listed: dict[InstrumentId, ListingReport] | None = None
        self._now = dict.fromkeys(self._instruments, _UNSEEN)
        self._margin_types: dict[InstrumentId, str] = {}
        self._quantiles: Mapping[InstrumentId, int] = {}
        self.changed: dict[InstrumentId, Instrument] = {}
        """Filters that changed, with the same tick and lot, since those that were loaded at start."""
        self.agreed = AgreedAccount()
        """What must stay so where the configuration is silent, for the memory."""

    def restore(self, agreed: AgreedAccount) -> None:
        """Go on with what an earlier life agreed to; symbols that are traded no more are forgotten."""
        kept = {i: symbol for i, symbol in agreed.symbols.items() if i in self._instruments}
        self.agreed = msgspec.structs.replace(agreed, symbols=kept)
        for instrument_id, symbol in kept.items():
            known, own = symbol.instrument, self._instruments[instrument_id]
            if known is not None and known.counts_as(own) and known.version > own.version:
                self._instruments[instrument_id] = self.changed[instrument_id] = known

    def ask(self, venue_now_ns: int, now_ns: int) -> list[Effect]:
        """Ask for what is due, one question of a kind at a time; fees of one symbol after the other."""
        self._now_ns = now_ns
        self._keys = {whose: (key, at_ns or now_ns) for whose, (key, at_ns) in self._keys.items()}
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
                if kind is QueryListing:
                    self._listing_asked_ns = now_ns
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
                if self.agreed.fee_burn is None:
                    self.agreed = msgspec.structs.replace(self.agreed, fee_burn=outcome.fee_burn)
            case FeeRatesAnswered():
                self._note(outcome.instrument_id, maker_fee=f"{outcome.maker:f}", taker_fee=f"{outcome.taker:f}")
            case KeyPermissionsAnswered():
                self.take_key(_OWN_KEY, outcome.permissions, outcome.received_ns)
            case BracketsAnswered():
                for report in outcome.reports:
                    self._note(report.instrument_id, brackets=report)
            case ListingAnswered():
                self._listed = {report.instrument_id: report for report in outcome.reports}
                for listing in outcome.reports:
                    self._follow(listing)
            case Throttled():
                self._shut_until_ns = max(self._shut_until_ns, outcome.retry_at_ns)
            case _:
                pass
        return True

    def forget(self, request_id: int) -> None:
        """The answer to a question was none."""
        self._asked.pop(request_id, None)

    def _follow(self, report: ListingReport) -> None:
        """New bounds of the same tick and lot hold from now on; other units are a difference that halts."""
        own, listed = self._instruments.get(report.instrument_id), report.instrument
        if own is None or listed is None or report.status != _TRADING or not listed.counts_as(own):
            return
        if msgspec.structs.replace(listed, version=own.version) == own:
            return
        news = msgspec.structs.replace(listed, version=own.version + 1)
        self._instruments[own.instrument_id] = self.changed[own.instrument_id] = news
        symbol = msgspec.structs.replace(self.agreed.symbols.get(own.instrument_id, _UNSEEN), instrument=news)
        self.agreed = msgspec.structs.replace(self.agreed, symbols={**self.agreed.symbols, own.instrument_id: symbol})

    def take_account_key(self, permissions: KeyPermissions, seen_ns: int) -> None:
        """Take what the account's key may do, as inventory heard it."""
        self.take_key(_ACCOUNTS_KEY, permissions, seen_ns)

    def take_key(self, whose: str, permissions: KeyPermissions, seen_ns: int) -> None:
        """Take what one of the watched keys may do."""
        if whose in self._keys:
            self._keys[whose] = (permissions, seen_ns)

    def take_configs(self, configs: Iterable[SymbolConfigReport]) -> None:
        """Take leverage and margin type, which the eyes ask for."""
        for config in configs:
            if config.instrument_id in self._instruments:
                self._note(config.instrument_id, leverage=config.leverage)
                self._margin_types[config.instrument_id] = config.margin_type

    def take_quantiles(self, quantiles: Mapping[InstrumentId, int]) -> None:
        """Take the places in the queue of auto-deleveraging, which the eyes ask for."""
        self._quantiles = quantiles

    def hasten_listing(self, now_ns: int) -> None:
        """Something says that a symbol may not trade any more: look now, though not in a tight loop."""
        if now_ns - self._listing_asked_ns >= LISTING_HASTE_NS:
            self._due_ns[QueryListing] = min(self._due_ns[QueryListing], now_ns)

    @property
    def has_unlisted(self) -> bool:
        """Whether some symbol does not trade, or in another way than it was loaded."""
        listed = self._listed
        return listed is not None and any(_of_listing(own, listed.get(i)) for i, own in self._instruments.items())

    def hasten(self) -> None:
        """The account was changed: look now."""
        self._due_ns = dict.fromkeys(self._due_ns, 0)

    def accept(self) -> None:
        """A person resumes: what the configuration leaves open may stay as it is now."""
        symbols = {i: _over(self.agreed.symbols.get(i, _UNSEEN), now) for i, now in self._now.items()}
        fee_burn = self.agreed.fee_burn if self._fee_burn is None else self._fee_burn
        self.agreed = AgreedAccount(fee_burn=fee_burn, symbols=symbols)

    def verdicts(self, subject: str) -> list[Verdict]:
        """What differs of a symbol, by its instrument id, or of the account."""
        if subject != ACCOUNT:
            return _halting(self._of_symbol(InstrumentId(subject)))
        differences = self._differences_of_account
        found = _halting(differences.of(self._of_account, self._config, self._fee_burn, self.agreed.fee_burn))
        if not self._keys:
            return found
        silent = [Verdict(RiskLevel.RESTRICTED, text, passing=True) for text in self._silent_keys()]
        return [*found, *_halting(self._of_keys()), *silent]

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
        self._now[instrument_id] = msgspec.structs.replace(self._now[instrument_id], **news)
        first = self.agreed.symbols.get(instrument_id, _UNSEEN)
        fresh = {name: value for name, value in news.items() if getattr(first, name) == getattr(_UNSEEN, name)}
        if fresh:
            symbols = {**self.agreed.symbols, instrument_id: msgspec.structs.replace(first, **fresh)}
            self.agreed = msgspec.structs.replace(self.agreed, symbols=symbols)

    def _of_account(
        self, config: AccountConfigAnswered | None, seen: bool | None, agreed: bool | None
    ) -> tuple[str, ...]:
        """What differs of the account: its configuration, and whether fees in BNB are as the configuration, or first, said."""
        texts = []
        if config is not None and config.hedge_mode:
            texts.append("the account is in hedge mode: set one-way position mode at the venue")
        if config is not None and config.multi_asset_mode:
            texts.append("the account is in multi-asset mode: set single-asset mode at the venue")
        if config is not None and not config.can_trade:
            texts.append("the venue does not let the account trade: look at its messages and at the key's permissions")
        wanted = self._expected.fee_burn
        if seen is not None and wanted is not None and seen is not wanted:
            texts.append(f"fees in BNB are {_on(seen)}, account.fee_burn says {_on(wanted)}: change one of them")
        elif seen is not None and wanted is None and seen is not agreed:
            texts.append(f"fees in BNB were switched {_on(seen)}: switch them back, or resume to accept it")
        return tuple(texts)

    def _of_keys(self) -> list[str]:
        faults = {_ACCOUNTS_KEY: trading_key_faults, _OWN_KEY: reading_key_faults}
        return [text for whose, (key, _) in self._keys.items() if key is not None for text in faults[whose](whose, key)]

    def _silent_keys(self) -> list[str]:
        minutes = KEY_SILENCE_NS_MAX // 60_000_000_000
        return [
            f"what {whose} may do has not been seen for {minutes} minutes: look at venue.wallet_url and the log"
            for whose, (_, at_ns) in self._keys.items()
            if at_ns and self._now_ns - at_ns > KEY_SILENCE_NS_MAX
        ]

    def _of_symbol(self, instrument_id: InstrumentId) -> tuple[str, ...]:
        listed = self._listed
        return self._differences_of[instrument_id].of(
            self._differences,
            self._instruments[instrument_id],
            listed is not None,
            listed.get(instrument_id) if listed is not None else None,
            self._now[instrument_id],
            self.agreed.symbols.get(instrument_id, _UNSEEN),
            self._margin_types.get(instrument_id, ""),
            self._quantiles.get(instrument_id, 0),
        )

    def _differences(
        self,
        own: Instrument,
        is_listing_known: bool,
        report: ListingReport | None,
        now: AgreedSymbol,
        first: AgreedSymbol,
        margin_type: str,
        quantile: int,
    ) -> tuple[str, ...]:
        """What differs of a symbol, from everything that is known of it now and from what was `first` agreed to."""
        symbol = own.symbol
        texts = _of_listing(own, report) if is_listing_known else []
        if margin_type and margin_type.upper() not in ("CROSSED", "CROSS"):
            texts.append(f"{symbol} is in {margin_type.lower()} margin: set cross margin at the venue")
        quantile_max = self._expected.adl_quantile_max
        if quantile_max is not None and quantile > quantile_max:
            place = f"{symbol} is in place {quantile} of the queue of auto-deleveraging"
            texts.append(
                f"{place}, account.adl_quantile_max says {quantile_max}: reduce it at the venue, or raise the setting"
            )
        wanted = self._expected.leverage
        if now.leverage and wanted is not None and now.leverage != wanted:
            texts.append(
                f"the leverage of {symbol} is {now.leverage}, account.leverage says {wanted}: change one of them"
            )
        elif now.leverage and now.leverage != first.leverage:
            was = f"was changed from {first.leverage} to {now.leverage}"
            texts.append(f"the leverage of {symbol} {was}: set it back, or resume to accept it")
        fee_max = {"maker": self._expected.maker_fee_max, "taker": self._expected.taker_fee_max}
        rates = ((now.maker_fee, first.maker_fee), (now.taker_fee, first.taker_fee))
        for (rate, before), (kind, limit) in zip(rates, fee_max.items(), strict=True):
            if not rate:
                continue
            if limit is not None and float(rate) > float(limit):
                texts.append(
                    f"the {kind} fee of {symbol} is {rate}, above account.{kind}_fee_max of {limit:f}: stop, or raise it"
                )
            elif limit is None and rate != before:
                was = f"was changed from {before} to {rate}"
                texts.append(f"the {kind} fee of {symbol} {was}: check that quotes still pay, then resume to accept it")
        if now.brackets is not None and now.brackets != first.brackets:
            texts.append(
                f"the leverage brackets of {symbol} were changed: check its limits, then resume to accept them"
            )
        return tuple(texts)


def _halting(texts: Iterable[str]) -> list[Verdict]:
    return [Verdict(RiskLevel.HALTED, text, AlertCode.ACCOUNT_DIFFERS, passing=True) for text in texts]


def _of_listing(own: Instrument, report: ListingReport | None) -> list[str]:
    symbol = own.symbol
    if report is None:
        return [f"{symbol} is listed no more: close its position by hand and take it out of symbols"]
    if report.status != _TRADING:
        return [f"{symbol} is {report.status}, not TRADING: wait, or take it out of symbols"]
    if report.instrument is None:
        return [f"the filters of {symbol} cannot be understood ({report.text}): take it out of symbols"]
    if msgspec.structs.replace(report.instrument, version=own.version) != own:
        return [
            f"the tick or lot of {symbol} was changed: restart the system (raymaker down, then up), which converts what it holds"
        ]
    return []


def _over(before: AgreedSymbol, now: AgreedSymbol) -> AgreedSymbol:
    """What is seen now, and what was agreed before where nothing is."""
    seen = {name: value for name, value in msgspec.structs.asdict(now).items() if value != getattr(_UNSEEN, name)}
    return msgspec.structs.replace(before, **seen)


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"
