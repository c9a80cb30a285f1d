"""Commands to the supervisor of a running system, and what its silence means for the exit code."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ops.cli.outcome import bad_usage, not_running, unconfirmed

if TYPE_CHECKING:
    from protocols.messages.control import AnyAnswer, AnyCommand

ASK_TIMEOUT_S = 20.0


class Asking:
    """A way to the supervisor of the system on a state directory, for one or more commands. Use as a context manager."""

    def __init__(self, state: Path) -> None:
        """
        Raises:
            CommandFailed: not running, or it does not answer.
        """
        require_running(state)
        from ops import launch

        try:
            self._client = launch.connect(state)
        except launch.NotRunning as error:
            raise not_running(f"{error}.") from None
        except launch.RayHostError as error:
            raise unconfirmed(f"{error}.") from None

    def __enter__(self) -> Asking:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, command: AnyCommand, timeout_s: float = ASK_TIMEOUT_S) -> AnyAnswer:
        """Give one command.

        Raises:
            CommandFailed: there is no supervisor, it refused, or it did not answer, so that the outcome is not known.
        """
        from ops import launch

        try:
            return self._client.ask(command, timeout_s)
        except launch.NotRunning as error:
            raise not_running(f"{error}.") from None
        except launch.CallRefused as error:
            raise bad_usage(f"{error}.") from None
        except launch.RayHostError as error:
            raise unconfirmed(f"{error}.") from None


def ask(state: Path, command: AnyCommand, timeout_s: float = ASK_TIMEOUT_S) -> AnyAnswer:
    """Give one command to the supervisor of the system on `state`.

    Raises:
        CommandFailed: as `Asking`.
    """
    with Asking(state) as asking:
        return asking.ask(command, timeout_s)


def require_running(state: Path) -> None:
    """Return when a Ray runs for `state`; asks the operating system alone, so that the answer is quick.

    Raises:
        CommandFailed: not running.
    """
    from actors.runtime.ray_cluster import ClusterError, running_cluster
    from actors.runtime.state_dir import StateDir

    try:
        running_cluster(StateDir(state))
    except ClusterError as error:
        raise not_running(f"{error}.") from None
