"""The ledger's file: append-only, written before any answer leaves, held by one venue at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from actors.exchange import ledger
from actors.exchange.errors import ExchangeError

BLOCK_BYTES = 65_536


class LedgerFileError(ExchangeError):
    """The ledger cannot be used; the text is one sentence that says which and why."""


class LedgerFile:
    """The append-only file. A line that a killed process left unfinished is cut off; one venue at a time may hold it."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LedgerFileError(f"the ledger {path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise LedgerFileError(f"the ledger {path} is in use by another venue") from None
        self._path = path

    def read(self) -> Iterator[ledger.LedgerRecord]:
        """The records of earlier runs."""
        with self._path.open("rb") as lines:
            yield from ledger.decode_lines(lines)
        self._cut_torn_line()

    def append(self, records: list[ledger.LedgerRecord]) -> None:
        """Write records; when this returns they have left the process.

        Raises:
            OSError: they could not be written.
        """
        data = b"".join(map(ledger.encode, records))
        while data:
            data = data[os.write(self._descriptor, data) :]

    def close(self) -> None:
        """Release the file."""
        os.close(self._descriptor)

    def _cut_torn_line(self) -> None:
        size = os.fstat(self._descriptor).st_size
        keep = size
        while keep > 0:
            start = max(0, keep - BLOCK_BYTES)
            block = os.pread(self._descriptor, keep - start, start)
            newline = block.rfind(b"\n")
            if newline >= 0:
                keep = start + newline + 1
                break
            keep = start
        if keep < size:
            os.ftruncate(self._descriptor, keep)


RECORDED_KINDS = ("depth@0ms", "bookTicker", "trade", "markPrice@1s")


class CaptureFolder:
    """What the venue served, as a capture in the collector's format: one file a symbol, `<receive ns> <frame>` a line."""

    def __init__(self, folder: Path, symbols: Iterable[str]) -> None:
        """
        Raises:
            LedgerFileError: the folder cannot be made, or holds a capture of a symbol already.
        """
        self.streams = {f"{symbol.lower()}@{kind}": symbol for symbol in symbols for kind in RECORDED_KINDS}
        self._files: dict[str, IO[bytes]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for symbol in symbols:
                self._files[symbol] = (folder / f"usdm_{symbol.lower()}.txt").open("xb")
        except FileExistsError as error:
            raise LedgerFileError(f"{error.filename}: a capture is there already; name another folder") from None
        except OSError as error:
            raise LedgerFileError(f"{folder}: a capture cannot be written there: {error.strerror}") from None

    def snapshot(self, symbol: str, now_ns: int, body: bytes) -> None:
        """The book as REST would give it, which the diffs continue."""
        self._files[symbol].write(b"%d %b\n" % (now_ns, body))

    def frame(self, stream: str, now_ns: int, payload: bytes) -> None:
        """A frame of a stream; those of other streams are left out."""
        symbol = self.streams.get(stream)
        if symbol is not None:
            self._files[symbol].write(b'%d {"stream":"%b","data":%b}\n' % (now_ns, stream.encode(), payload))

    def close(self) -> None:
        """Finish the files."""
        for file in self._files.values():
            file.close()
