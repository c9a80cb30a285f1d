"""Which settings may change while a system runs, and what a change asks for: tightening at once, loosening with a person's word.

Everything that is not named here needs a restart; so do the hard caps, which are read once, at start.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from configs.loading import ConfigError, Problem, with_changes
from configs.schema import RiskSettings, Settings
from configs.schema.limits import Limit


class Tighter(enum.Enum):
    """In which direction a value is the more careful one."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


RELOADABLE: Mapping[str, Tighter] = {
    "risk.position_notional_max": Tighter.LOWER,
    "risk.order_notional_max": Tighter.LOWER,
    "risk.account_notional_max": Tighter.LOWER,
    "risk.open_orders_max": Tighter.LOWER,
    "risk.daily_loss_max": Tighter.LOWER,
    "risk.drawdown_max": Tighter.LOWER,
    "risk.price_band_bps_max": Tighter.LOWER,
    "risk.symbols.*.position_notional_max": Tighter.LOWER,
    "risk.symbols.*.order_notional_max": Tighter.LOWER,
    "risk.symbols.*.open_orders_max": Tighter.LOWER,
    "strategy.order_notional": Tighter.LOWER,
    "strategy.position_notional_max": Tighter.LOWER,
    "strategy.levels": Tighter.LOWER,
    "strategy.level_spacing_bps": Tighter.NEITHER,
    "strategy.half_spread_bps_min": Tighter.HIGHER,
    "strategy.half_spread_bps_max": Tighter.NEITHER,
    "strategy.volatility_multiplier": Tighter.HIGHER,
    "strategy.skew_bps_at_limit": Tighter.NEITHER,
    "strategy.imbalance_levels": Tighter.NEITHER,
    "strategy.quote_period_ms_min": Tighter.NEITHER,
    "strategy.grinding.enabled": Tighter.LOWER,
    "order_manager.price_tolerance_bps": Tighter.NEITHER,
    "order_manager.size_tolerance_share": Tighter.NEITHER,
    "order_manager.order_age_ms_min": Tighter.NEITHER,
    "order_manager.amends": Tighter.NEITHER,
    "order_manager.book_age_ms_max": Tighter.LOWER,
    "order_manager.target_age_ms_max": Tighter.LOWER,
}
"""Keys by path; `*` stands for a symbol."""

_OWN_LIMITS = "risk.symbols."
_ABSENT = None


class Change(NamedTuple):
    """One key: its path, and its values as they are written."""

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.path} from {_shown(self.old)} to {_shown(self.new)}"


class Verdict(NamedTuple):
    """What becomes of wanted changes. `settings` holds those of `applied` and nothing else."""

    settings: Settings
    applied: tuple[Change, ...]
    loosening: tuple[Change, ...]
    """Left out, for nobody has confirmed them."""
    fixed: tuple[Change, ...]
    """Left out, for they need a restart."""

    def refusal(self) -> str:
        """Why something was left out, and what to do; empty when nothing was."""
        parts = [
            f"{change} loosens a limit: `raymaker set {change.path} '{_shown(change.new)}' --confirm`"
            for change in self.loosening
        ]
        parts += [f"{change} needs a restart of the system" for change in self.fixed]
        return "; ".join(parts)


def changed_key(current: Settings, key: str, text: str, confirmed: bool) -> Verdict:
    """One key set to a value that is written as in the YAML.

    Raises:
        ConfigError: there is no such key, or the result is refused.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError("raymaker set", (Problem(key, f"{text!r} is not YAML"),)) from None
    nested: Any = value
    for part in reversed(key.split(".")):
        nested = {part: nested}
    wanted = with_changes(current, nested, source="raymaker set")
    return judge(current, differences(current, wanted), confirmed)


def changed_file(current: Settings, before: Settings, after: Settings) -> Verdict:
    """What an edit of the file changes: the keys in which the file differs from what it was, over what holds now.

    Raises:
        ConfigError: the result is refused.
    """
    return judge(current, differences(before, after), confirmed=False)


def judge(current: Settings, changes: Iterable[Change], confirmed: bool) -> Verdict:
    """Sort changes into what applies now and what does not.

    Raises:
        ConfigError: the changes that apply would make settings that are refused: nothing changes then.
    """
    applied, loosening, fixed = [], [], []
    now = dict(_flat(current.model_dump()))
    for change in (Change(path, now.get(path, _ABSENT), new) for path, _, new in changes):
        if change.old == change.new:
            continue
        if _direction(change.path) is None:
            fixed.append(change)
        elif not confirmed and _loosens(current, change):
            loosening.append(change)
        else:
            applied.append(change)
    nested: dict[str, Any] = {}
    for change in applied:
        section = nested
        *sections, last = change.path.split(".")
        for part in sections:
            section = section.setdefault(part, {})
        section[last] = change.new
    settings = with_changes(current, nested, source="the changed settings")
    return Verdict(settings, tuple(applied), tuple(loosening), tuple(fixed))


def differences(before: Settings, after: Settings) -> list[Change]:
    """Every key in which two settings differ."""
    old, new = dict(_flat(before.model_dump())), dict(_flat(after.model_dump()))
    paths = dict.fromkeys([*old, *new])
    return [Change(p, old.get(p, _ABSENT), new.get(p, _ABSENT)) for p in paths if old.get(p) != new.get(p)]


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _direction(path: str) -> Tighter | None:
    found = RELOADABLE.get(path)
    if found is None and path.startswith(_OWN_LIMITS) and path.count(".") == 3:
        found = RELOADABLE.get(f"{_OWN_LIMITS}*.{path.rsplit('.', 1)[1]}")
    return found


def _loosens(current: Settings, change: Change) -> bool:
    """Whether a change allows more. What cannot be compared (another unit) counts as allowing more."""
    direction = _direction(change.path)
    if direction is Tighter.NEITHER:
        return False
    old, new = _effective(current.risk, change.path, change.old), _effective(current.risk, change.path, change.new)
    if isinstance(old, Limit) or isinstance(new, Limit):
        old, new = Limit.model_validate(old), Limit.model_validate(new)
        return old.unit != new.unit or new.amount > old.amount
    return bool(new > old if direction is Tighter.LOWER else new < old)


def _effective(risk: RiskSettings, path: str, value: Any) -> Any:
    """A limit as it holds: a symbol without its own has the default."""
    name = path.rsplit(".", 1)[1]
    if value is _ABSENT and path.startswith(_OWN_LIMITS):
        return getattr(risk, name)
    is_limit = path.startswith("risk.") and isinstance(getattr(risk, name, None), Limit)
    return Limit.model_validate(value) if is_limit else value


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
