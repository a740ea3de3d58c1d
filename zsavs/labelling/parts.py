"""Finished chunks on the disk, a file each, complete or not there at all: what a killed job does not do again.

``parts/ab/ab12....jsonl`` has a line for each item, with its key and its rows; it is called after the keys in it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from zsavs.errors import OutputError, ResultFileError
from zsavs.labelling.labeller import Row
from zsavs.storage.files import write_atomically
from zsavs.storage.source_code import digest

__all__ = ["Parts"]

log = logging.getLogger(__name__)


class Parts:
    """The finished chunks of a job.

    Args:
        folder: where they are, or will be.

    Attributes:
        known: where the rows of an item are, by its key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.known: dict[str, Path] = {}
        for path in sorted(folder.glob("*/*.jsonl")):
            self.known.update(dict.fromkeys(_read(path), path))
        self._last: tuple[Path, dict[str, list[Row]]] | None = None

    def add(self, chunk: Sequence[tuple[str, list[Row]]]) -> None:
        """Write a chunk: the key and the rows of each item.

        Raises:
            OutputError: it cannot be written.
        """
        name = digest("\n".join(key for key, _ in chunk).encode())
        path = self._folder / name[:2] / f"{name}.jsonl"
        _write(path, dict(chunk))
        self.known.update((key, path) for key, _ in chunk)

    def rows(self, key: str) -> list[Row]:
        """The rows of an item. Quick for items in the order in which they were added, as a part is read once then.

        Raises:
            ResultFileError: the part was removed or damaged since the job began.
        """
        path = self.known[key]
        if self._last is None or self._last[0] != path:
            self._last = path, _read(path)
        if key not in self._last[1]:
            raise ResultFileError(f"{path}: was changed while the job ran; run the same command again.")
        return self._last[1][key]

    def drop_where(self, wanted: Callable[[list[Row]], bool]) -> int:
        """Forget items by their rows; how many they were.

        Raises:
            OutputError: a part cannot be written.
        """
        gone: set[str] = set()
        for path in dict.fromkeys(self.known.values()):
            rows = _read(path)
            lost = {key for key in rows if wanted(rows[key])}
            if lost:
                _write(path, {key: own for key, own in rows.items() if key not in lost})
            gone |= lost
        self._forget(gone)
        return len(gone)

    def clear(self) -> None:
        """Remove all of them.

        Raises:
            OutputError: one cannot be removed.
        """
        try:
            for path in dict.fromkeys(self.known.values()):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{self._folder}: cannot be removed ({error}); name another folder.") from error
        self._forget({*self.known})

    def _forget(self, keys: Container[str]) -> None:
        self.known = {key: path for key, path in self.known.items() if key not in keys}
        self._last = None


def _write(path: Path, rows: dict[str, list[Row]]) -> None:
    def write(file: BinaryIO) -> None:
        for line in _lines(rows):
            file.write(line)
        file.flush()
        os.fsync(file.fileno())  # or, after a loss of power, the name could be there without what is in it

    write_atomically(path, write)


def _lines(rows: dict[str, list[Row]]) -> Iterator[bytes]:
    for key, own in rows.items():
        yield json.dumps({"key": key, "rows": own}, allow_nan=False).encode() + b"\n"


def _read(path: Path) -> dict[str, list[Row]]:
    """The rows of a part by their items' keys; lines that cannot be read are left out, with a warning."""
    found: dict[str, list[Row]] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        log.warning("%s: cannot be read (%s); its items are done again.", path, error)
        return found
    for line in lines:
        try:
            value: Any = json.loads(line)
            found[value["key"]] = list(value["rows"])
        except (ValueError, TypeError, KeyError, RecursionError):
            log.warning("%s: a line of it is damaged; its item is done again.", path)
    return found
