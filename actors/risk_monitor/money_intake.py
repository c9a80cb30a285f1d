"""What inventory says: positions, PnL and equity. Numbers that cannot be are refused, and the silence that follows is judged."""

from __future__ import annotations

from actors.risk_monitor.judge import Judge
from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.picture import Picture
from actors.risk_monitor.soundness import QUANTITY_LOTS_MAX, is_sound
from configs.schema import Indicator
from protocols.effects import Effect
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.inventory import EquityChanged, PnlChanged, PositionChanged


class MoneyIntake:
    """Takes what inventory publishes."""

    def __init__(self, picture: Picture, judge: Judge) -> None:
        self._picture = picture
        self._judge = judge
        self._pnl = dict.fromkeys(picture.symbols, (0.0, 0.0))

    def take_position(self, changed: PositionChanged, now_ns: int) -> list[Effect]:
        """A position, or that it has not changed."""
        picture = self._picture
        view = picture.symbols.get(changed.instrument_id)
        if view is None:
            text = f"a position of {changed.instrument_id}, which is not traded"
            return self._judge.refuse(changed.instrument_id, text, now_ns)
        if abs(changed.position_lots) > QUANTITY_LOTS_MAX:
            return self._judge.refuse(changed.instrument_id, f"a position of {changed.position_lots} lots", now_ns)
        moved = view.position_lots != changed.position_lots
        view.position_lots = changed.position_lots
        view.position_known = changed.known
        # A position that was never known is as good as none at all.
        view.position_ns = now_ns if changed.known or view.position_ns else 0
        watch = picture.watches[changed.instrument_id]
        if moved:
            watch.take_position(changed.position_lots)
            picture.account_watch.revalue()
        return self._judge.when_crossed(watch, now_ns)

    def take_pnl(self, pnl: PnlChanged, now_ns: int) -> list[Effect]:
        """The PnL of a symbol, and with it that of the account."""
        picture = self._picture
        watch = picture.watches.get(pnl.instrument_id)
        if watch is None:
            return self._judge.refuse(pnl.instrument_id, f"a PnL of {pnl.instrument_id}, which is not traded", now_ns)
        if not is_sound(pnl.realised, pnl.unrealised, pnl.fees, pnl.funding, pnl.net):
            return self._judge.refuse(pnl.instrument_id, f"a PnL of {pnl.net}", now_ns)
        watch.take_pnl(pnl, now_ns)
        self._pnl[pnl.instrument_id] = (float(pnl.realised - pnl.fees + pnl.funding), float(pnl.unrealised))
        realised, unrealised = sum(r for r, _ in self._pnl.values()), sum(u for _, u in self._pnl.values())
        picture.account_watch.take_pnl(realised, unrealised)
        return self._judge.when_crossed(watch, now_ns)

    def take_equity(self, changed: EquityChanged, now_ns: int) -> list[Effect]:
        """The equity: limits follow it, and the day's loss, the drawdown and the breaker of losses are of it."""
        picture = self._picture
        if not is_sound(changed.equity, changed.fees_elsewhere):
            text = f"an equity of {changed.equity} with fees elsewhere of {changed.fees_elsewhere}"
            return self._judge.refuse(ACCOUNT, text, now_ns)
        account, capital, watch = picture.account, picture.capital, picture.account_watch
        account.equity = changed.equity
        account.equity_ns = min(changed.valued_ns, now_ns)
        picture.advance_day(now_ns)
        account.note_unvalued(changed.unvalued, now_ns)
        # Fees in other assets leave a wallet that is no margin: they are in no equity, and are a loss all the same.
        worth = changed.equity - changed.fees_elsewhere
        broken = capital.value(worth, account.equity_ns)
        picture.follow_limits()
        if not capital.is_settled(account.equity_ns):
            return self._judge.when_crossed(None, now_ns)
        picture.breakers.take_equity(float(worth), now_ns)
        watch.take_equity(worth, capital.day_loss(), capital.loss_max(), now_ns)
        watch.take_drawdown(capital.drawdown_amount(), capital.drawdown_max())
        if not broken:
            return self._judge.when_crossed(None, now_ns)
        effects: list[Effect] = []
        if capital.drawdown_broken:
            fallen, fallen_max = capital.drawdown_amount(), capital.drawdown_max()
            text = f"the drawdown of {fallen:.2f} went beyond its limit of {fallen_max:.2f}"
            if picture.levels.latches.set(ACCOUNT, watch.board.at_limit(Indicator.DRAWDOWN), text):
                effects = picture.notices.once(AlertCode.DRAWDOWN, Severity.CRITICAL, ACCOUNT, text, now_ns)
        return picture.remember([*effects, *self._judge.judge(now_ns)])
