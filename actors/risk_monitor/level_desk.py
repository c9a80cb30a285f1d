"""The levels of every symbol and of the account: judged, recorded, told, held, and remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from actors.risk_monitor.latches import ACCOUNT, Latches
from actors.risk_monitor.levels import Permissions, Standing, Verdict
from actors.risk_monitor.memory import EarnedLevel, RiskMemory
from actors.risk_monitor.notices import Notices
from configs.schema import LevelSettings
from protocols.effects import Append, Effect, Log, LogLevel, Publish, ShutNode
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import HoldLevel
from protocols.messages.risk import LevelChanged, QuotingTerms, RiskLevel
from protocols.values import InstrumentId, symbol_of

STOPPED_BY = "emergency stop: "
"""How the reason of a stop begins that others have ordered: it needs no stop of ours."""

_MS = 1_000_000
_UNKNOWN = Verdict(RiskLevel.HALTED, "nothing is known yet", passing=True)


class LevelDesk:
    """One standing for each symbol, and one for the account."""

    def __init__(
        self,
        instrument_ids: Iterable[InstrumentId],
        settings: LevelSettings,
        terms_period_ms: int,
        notices: Notices,
    ) -> None:
        quiet_ns = settings.quiet_ms * _MS
        self.permissions = Permissions(settings)
        self.latches = Latches()
        self._account = Standing(quiet_ns, _UNKNOWN)
        self._symbols = {instrument_id: Standing(quiet_ns, _UNKNOWN) for instrument_id in instrument_ids}
        self._standings: tuple[tuple[str, Standing], ...] = ((ACCOUNT, self._account), *self._symbols.items())
        self._notices = notices
        self._terms_ns, self._terms_period_ns = 0, terms_period_ms * _MS
        self.notional_max: dict[InstrumentId, Decimal] = {}
        """Hard limit of each symbol's position in quote currency, for strategy."""

    @property
    def account(self) -> Verdict:
        """What the account may do."""
        return self._account.verdict

    def verdict(self, instrument_id: InstrumentId) -> Verdict:
        """What a symbol may do: the worse of its own verdict and the account's."""
        account, own = self._account.verdict, self._symbols[instrument_id].verdict
        return own if own.level.rank > account.level.rank else account

    def judge(
        self,
        account: list[Verdict],
        symbols: Mapping[InstrumentId, list[Verdict]],
        venue_time_ns: int,
        now_ns: int,
    ) -> list[Effect]:
        """Bring every level up to date with what speaks against each, and tell what changed."""
        before = self._account.verdict
        self._account.judge([*self.latches.verdicts(ACCOUNT), *account], now_ns)
        effects = self._tell(ACCOUNT, self._account, before, venue_time_ns, now_ns)
        account_changed = self._account.verdict.level is not before.level
        for instrument_id, found in symbols.items():
            standing = self._symbols[instrument_id]
            before = standing.verdict
            standing.judge([*self.latches.verdicts(instrument_id), *found], now_ns)
            effects += self._tell(instrument_id, standing, before, venue_time_ns, now_ns)
            if account_changed or standing.verdict.level is not before.level:
                effects.append(Publish(self._terms(instrument_id)))
        return effects

    def repeat_terms(self, now_ns: int) -> list[Effect]:
        """Say the terms of every symbol again, when it is time to: for a strategy that restarted."""
        if now_ns - self._terms_ns < self._terms_period_ns:
            return []
        self._terms_ns = now_ns
        return [Publish(self._terms(instrument_id)) for instrument_id in self._symbols]

    def hold(self, hold: HoldLevel) -> Effect:
        """A person holds a level, or lifts the hold."""
        subject = next((i for i in self._symbols if symbol_of(i) == hold.subject), hold.subject)
        if subject not in self._symbols and subject != ACCOUNT:
            text = f"{hold.subject} is neither a traded symbol nor {ACCOUNT}: nothing is held"
            return Log(LogLevel.ERROR, text)
        self.latches.hold(subject, hold.level, hold.reason)
        what = f"held at {hold.level}" if hold.level is not None else "held no more"
        return Log(LogLevel.WARNING, f"{hold.subject} is {what}: {hold.reason}")

    def forgive(self) -> list[str]:
        """A person looked at everything: only what holds now counts, and what was latched is lifted; returns the reasons of that."""
        lifted = self.latches.latched()
        self.latches.clear()
        for _, standing in self._standings:
            standing.forgive()
        return lifted

    def restore(self, memory: RiskMemory) -> None:
        """Go on from an earlier life."""
        self.latches.restore(memory.latches, memory.holds)
        for kept in memory.levels:
            standing = self._account if kept.subject == ACCOUNT else self._symbols.get(InstrumentId(kept.subject))
            if standing is not None:
                standing.restore(Verdict(kept.level, kept.reason, None, kept.indicator, kept.value, kept.threshold))

    def earned(self) -> tuple[EarnedLevel, ...]:
        """Levels that have not fallen yet, for the memory."""
        return tuple(
            EarnedLevel(
                subject=subject,
                level=earned.level,
                reason=earned.reason,
                indicator=earned.indicator,
                value=earned.value,
                threshold=earned.threshold,
            )
            for subject, standing in self._standings
            if (earned := standing.earned).level is not RiskLevel.NORMAL
        )

    def _tell(self, subject: str, standing: Standing, before: Verdict, venue_time_ns: int, now_ns: int) -> list[Effect]:
        effects: list[Effect] = []
        after = standing.verdict
        was_known = standing.note_known()
        if after.level is not before.level:
            effects = self._tell_change(subject, before, after, was_known, venue_time_ns, now_ns)
        if after.code is not None:
            severity = Severity.CRITICAL if after.level.rank >= RiskLevel.HALTED.rank else Severity.WARNING
            effects += self._notices.once(after.code, severity, name_of(subject), after.reason, now_ns)
        return effects

    def _tell_change(
        self, subject: str, before: Verdict, after: Verdict, alerts: bool, venue_time_ns: int, now_ns: int
    ) -> list[Effect]:
        """Record, log and alert; what is merely known for the first time is no alert."""
        rose = after.level.rank > before.level.rank
        cause = after if rose or after.reason else before
        text = f"{before.level} -> {after.level}: {after.reason or 'quiet again'}"
        if cause.indicator and rose:
            text += f" ({cause.indicator} {cause.value}, threshold {cause.threshold})"
        record = LevelChanged(
            subject=subject,
            before=before.level,
            after=after.level,
            indicator=cause.indicator,
            value=cause.value,
            threshold=cause.threshold,
            reason=after.reason,
            changed_ns=now_ns,
            venue_time_ns=venue_time_ns,
        )
        line = Log(LogLevel.WARNING if rose else LogLevel.INFO, f"{name_of(subject)}: {text}")
        is_emergency = subject == ACCOUNT and rose and after.level is RiskLevel.EMERGENCY
        is_ours = is_emergency and not after.reason.startswith(STOPPED_BY)
        stop = [ShutNode(f"risk: {name_of(subject)} {text}")] if is_ours else []
        if not alerts:
            return [Append(record), line, *stop]
        severity = Severity.INFO
        if rose:
            severity = Severity.CRITICAL if after.level.rank >= RiskLevel.HALTED.rank else Severity.WARNING
        alert = self._notices.now(AlertCode.LEVEL_CHANGED, severity, name_of(subject), text, now_ns)
        return [Append(record), line, alert, *stop]

    def _terms(self, instrument_id: InstrumentId) -> QuotingTerms:
        level = self.verdict(instrument_id).level
        allowed = self.permissions.of(level)
        return QuotingTerms(
            instrument_id=instrument_id,
            level=level,
            size_factor_bps=allowed.size_factor_bps,
            spread_factor_bps=allowed.spread_factor_bps,
            notional_max=self.notional_max.get(instrument_id, Decimal(0)),
        )


def name_of(subject: str) -> str:
    """The word for people: the symbol of an instrument id."""
    return subject if subject == ACCOUNT else symbol_of(InstrumentId(subject))
