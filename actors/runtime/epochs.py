"""The file half of the epoch sequence: the greatest epoch given so far, fsynced before it is used."""

from __future__ import annotations

from pathlib import Path

import msgspec

from actors.runtime.ray_cluster import write_durably


class EpochError(Exception):
    """The epoch file cannot be trusted; no actor may be started before a person has looked."""


class _Epochs(msgspec.Struct, frozen=True, kw_only=True):
    greatest: int


class EpochFile:
    """`epochs.json` of a state directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def greatest(self) -> int:
        """The greatest epoch given so far; 0 before the first.

        Raises:
            EpochError: the file is damaged.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Epochs).greatest
        except FileNotFoundError:
            return 0
        except (msgspec.DecodeError, OSError) as error:
            raise EpochError(
                f'{self._path} cannot be read ({error}): write {{"greatest": N}} into it, N above every epoch in the '
                "client order ids at the venue"
            ) from error

    def record(self, epoch: int) -> None:
        """Note that `epoch` is given; when this returns it is on the disk. A lower one than noted is ignored."""
        if epoch > self.greatest():
            write_durably(self._path, msgspec.json.encode(_Epochs(greatest=epoch)))
