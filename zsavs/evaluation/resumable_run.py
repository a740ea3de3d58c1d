"""A run that can be resumed: whatever ends the process, finished batches stay in the run folder and are not run again.

``settings.json`` says what is being run, ``batches.jsonl`` holds a line for each finished batch, with the files that it
was computed from. A line is written in one piece and forced to the disk before the next batch begins; a line that a
crash cut short is dropped when the run is resumed. A lock refuses a second process. A run whose settings, code, weights
or files are not what they were does not go on: it says what has changed, or computes that again (``refresh``).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from zsavs.errors import OutputError, ResultFileError
from zsavs.evaluation.run_files import read_batches, read_json
from zsavs.storage.files import write_atomically
from zsavs.storage.folder_lock import lock_folder
from zsavs.storage.run_key import differences, listed

__all__ = ["ResumableRun"]


class ResumableRun:
    """An open run folder, begun or resumed. Use it as a context manager, or call :meth:`close`.

    Args:
        folder: made if it does not exist.
        settings: plain JSON values; a run is resumed only under the settings that it was begun with.
        nested: the settings that are mappings, compared entry by entry.
        refresh: where the settings are others, remove the finished batches and begin again.

    Attributes:
        folder: where the run is.
        batches: the finished batches by number, those of earlier processes among them.

    Raises:
        OutputError: the folder cannot be written, another process runs in it, or it holds a run with other settings;
            the message shows the difference.
        ResultFileError: a line of the run is damaged in the middle of the file.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        settings: Mapping[str, Any],
        *,
        nested: Sequence[str] = (),
        refresh: bool = False,
    ) -> None:
        self.folder, self._nested, self._refresh = Path(folder), nested, refresh
        self._lock = lock_folder(self.folder)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._lock.close)
            self._check_settings(dict(settings))
            self.batches = self._finished()
            with self._writing("name another folder"):
                # Unbuffered: bytes that a full disk refused are not written again when the file is closed.
                self._file = (self.folder / "batches.jsonl").open("ab", buffering=0)
            on_failure.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check_items(self, items: Mapping[int, Sequence[str]]) -> None:
        """Check that the finished batches are those of this run with all of their items, answered or failed.

        Args:
            items: the ids of each batch that there can be, in order.

        Raises:
            ResultFileError: there is another batch, or one with other items.
        """
        for number, batch in self.batches.items():
            rows = [row for row in batch["items"] if isinstance(row, dict) and ("scores" in row or "error" in row)]
            if not rows or [row.get("item") for row in rows] != list(items.get(number, ())):
                raise ResultFileError(
                    f"{self.folder / 'batches.jsonl'}: batch {number} in it is none of this run; run the "
                    f"evaluation again in another folder."
                )

    def check_files(self, changed: Mapping[int, Sequence[str]]) -> None:
        """Check that the files of the finished batches are what they were; with ``refresh``, remove the others.

        Args:
            changed: the batches whose files have changed, by number, with the differences.

        Raises:
            OutputError: there are some, and no ``refresh``; the message shows what has changed.
        """
        if changed and not self._refresh:
            texts = list(dict.fromkeys(text for of_batch in changed.values() for text in of_batch))
            items = sum(len(self.batches[number]["items"]) for number in changed)
            raise OutputError(
                f"{self.folder}: files have changed since this run read them ({listed(texts)}). Compute the "
                f"{items} items again that were computed with them, and no others, with refresh (on the command line "
                f"--refresh), or name another folder."
            )
        if changed:
            self.drop(changed)

    def append(self, number: int, batch: Mapping[str, Any]) -> None:
        """Write a finished batch to the disk, under its number.

        Raises:
            OutputError: it cannot be written; the batches before it stay whole.
        """
        line = _line({"batch": number, **batch})
        end = self._file.tell()
        with self._writing("free some space and run the same command again, finished batches are kept"):
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[self._file.write(rest) :]
                os.fsync(self._file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    self._file.truncate(end)
                raise
        self.batches[number] = json.loads(line)

    def drop(self, numbers: Container[int]) -> None:
        """Remove finished batches, so that they are run again.

        Raises:
            OutputError: the folder cannot be written; no batch is removed then.
        """
        kept = {number: batch for number, batch in self.batches.items() if number not in numbers}
        lines = b"".join(map(_line, kept.values()))

        def write(file: BinaryIO) -> None:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

        path = self.folder / "batches.jsonl"
        write_atomically(path, write)
        self._file.close()
        with self._writing("run the same command again"):
            self._file = path.open("ab", buffering=0)
        self.batches = kept

    def close(self) -> None:
        """Close the files and give up the lock."""
        self._file.close()
        self._lock.close()

    @contextlib.contextmanager
    def _writing(self, remedy: str) -> Iterator[None]:
        """Turn the system's errors into one that names the folder."""
        try:
            yield
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({error}); {remedy}.") from error

    def _check_settings(self, settings: dict[str, Any]) -> None:
        """Write the settings of a new run; compare them with those of one that is resumed."""
        path = self.folder / "settings.json"
        settings = json.loads(json.dumps(settings))
        if not path.exists():
            if (self.folder / "batches.jsonl").exists():
                raise OutputError(f"{self.folder}: holds batches without settings.json; name another folder.")
            self._write_settings(path, settings)
            return
        changed = differences(read_json(path), settings, self._nested)
        if changed and self._refresh:
            # In this order: what is killed in between holds no batch of other settings.
            write_atomically(self.folder / "batches.jsonl", lambda file: None)
            self._write_settings(path, settings)
        elif changed:
            raise OutputError(
                f"{self.folder}: holds a run with other settings ({listed(changed)}). Run it with the same settings to "
                f"resume it, compute all of it again with refresh (on the command line --refresh), or name another "
                f"folder."
            )

    @staticmethod
    def _write_settings(path: Path, settings: Mapping[str, Any]) -> None:
        text = json.dumps(settings, indent=2, ensure_ascii=False).encode()
        write_atomically(path, lambda file: file.write(text))

    def _finished(self) -> dict[int, dict[str, Any]]:
        """Finished batches by number; cuts off a last line that was not written to its end."""
        path = self.folder / "batches.jsonl"
        if not path.exists():
            return {}
        batches, end = read_batches(path)
        with self._writing("name another folder"):
            if end < path.stat().st_size:
                os.truncate(path, end)
        return batches


def _line(batch: Mapping[str, Any]) -> bytes:
    return json.dumps(batch, ensure_ascii=True, allow_nan=False).encode() + b"\n"
