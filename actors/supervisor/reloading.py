"""Settings that change while the system runs: on file first, then told to those whom they concern, then to people."""

from __future__ import annotations

from actors.supervisor.commands import ChangeConsidered, ConsiderChange, SettingsJournaled
from actors.supervisor.system_state import SystemState
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import ChangeSetting, SettingsChanged

CONCERNED = ("risk_monitor", "order_manager", "strategy")
"""Roles that take changed settings while they run; the limits of the risk monitor reach the order managers by lease as well."""

SUBJECT = "settings"


class Reloading:
    """Asks whether a change may be, and carries out what may."""

    def __init__(self, state: SystemState) -> None:
        self._state = state

    def ask(self, ask_id: int, command: ChangeSetting) -> None:
        """A person wants one key changed."""
        self._state.request(
            ConsiderChange(
                ask_id=ask_id,
                key=command.key,
                value=command.value,
                confirmed=command.confirmed,
                settings_json=self._state.settings_json,
            )
        )

    def carry_out(self, considered: ChangeConsidered) -> tuple[SettingsChanged, set[str]] | None:
        """Put what applies on file and tell it; returns what was said and to whom, None where nothing changed."""
        state = self._state
        if considered.file_json:
            state.change_desired(file_json=considered.file_json)
        if considered.refused and not considered.ask_id:
            subject = _first_key(considered.refused) if considered.file_json else SUBJECT
            state.alert(AlertCode.SETTINGS_REFUSED, Severity.WARNING, subject, considered.refused)
        if not considered.changes:
            return None
        state.record(SettingsJournaled(changes=considered.changes, source=considered.source, changed_ns=state.now_ns))
        state.change_desired(settings_json=considered.settings_json)
        message = SettingsChanged(settings_json=considered.settings_json, changes=considered.changes)
        told = state.tell_all(message, [child for child in state.children.values() if child.role in CONCERNED])
        text = f"by {considered.source}: {'; '.join(considered.changes)}"
        state.alert(AlertCode.SETTINGS_CHANGED, Severity.INFO, _first_key(considered.changes[0]), text)
        return message, told


def _first_key(text: str) -> str:
    """The key that a text begins with: alerts about different keys are not one."""
    return text.partition(" ")[0]
