"""The judge: brings the levels of the account and of every symbol up to date with everything that speaks against them."""

from __future__ import annotations

from decimal import Decimal

from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.levels import Verdict
from actors.risk_monitor.picture import Picture
from actors.risk_monitor.symbol_watch import SymbolWatch
from protocols.effects import Effect
from protocols.values import InstrumentId

_MS = 1_000_000
_ZERO = Decimal(0)


class Judge:
    """Judges the whole picture at once: levels of symbols hang on the account's."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def when_crossed(self, watch: SymbolWatch | None, now_ns: int) -> list[Effect]:
        """Judge at once when a threshold was crossed; else the timer does it."""
        picture = self._picture
        if (
            picture.account_watch.board.has_crossed
            or picture.breakers.has_opened
            or (watch is not None and watch.board.has_crossed)
        ):
            return picture.remember(self.judge(now_ns))
        return []

    def refuse(self, subject: str, text: str, now_ns: int) -> list[Effect]:
        """A number that cannot be: counted, told, and the level of its subject rises while it lasts."""
        picture = self._picture
        told = picture.notices.refuse(subject, text, now_ns)
        if not picture.refusals.note(subject, text, now_ns):
            return told
        return picture.remember([*told, *self.judge(now_ns)])

    def judge(self, now_ns: int) -> list[Effect]:
        """Bring every level up to date, and tell what changed."""
        picture = self._picture
        picture.advance_day(now_ns)
        picture.desk.clock(now_ns)
        account = self._of_account(now_ns)
        symbols = {instrument_id: self._of_symbol(instrument_id, now_ns) for instrument_id in picture.symbols}
        for instrument_id, guard in picture.guards.items():
            board = picture.watches[instrument_id].board
            picture.remedies[instrument_id] = guard.judge(board, picture.lookout.eyes.rules, now_ns)
        return picture.levels.judge(account, symbols, picture.venue_now_ns(now_ns) or 0, now_ns)

    def _of_account(self, now_ns: int) -> list[Verdict]:
        picture, capital, lookout = self._picture, self._picture.capital, self._picture.lookout
        verdicts = picture.account.judge(
            now_ns,
            picture.risk.report_age_ms_max * _MS,
            capital.day_pnl(),
            capital.loss_max() or _ZERO if capital.loss_stopped else None,
            sum((view.notional for view in picture.symbols.values() if view.position_lots), _ZERO),
            picture.limits.account_max,
            picture.account_watch.board,
        )
        return [
            *verdicts,
            *picture.refusals.verdicts(ACCOUNT, now_ns),
            *lookout.verdicts(ACCOUNT),
            *lookout.rules.verdicts(ACCOUNT),
            *picture.breakers.account(now_ns),
        ]

    def _of_symbol(self, instrument_id: InstrumentId, now_ns: int) -> list[Verdict]:
        picture, lookout = self._picture, self._picture.lookout
        view, risk = picture.symbols[instrument_id], picture.risk
        board = picture.watches[instrument_id].board
        return [
            *view.judge(now_ns, risk.mark_age_ms_max * _MS, risk.report_age_ms_max * _MS, board),
            *picture.refusals.verdicts(instrument_id, now_ns),
            *lookout.verdicts(view.instrument.symbol),
            *lookout.rules.verdicts(instrument_id),
            *picture.breakers.symbol(instrument_id, now_ns),
        ]
