"""A folder that a run is appended to: whatever ends the process, what was finished is kept and never done again.

``settings.json`` says what is being run, ``batches.jsonl`` holds a line for each finished batch. A line is written in
one piece and forced to the disk before the next batch begins; a line that a crash cut short is dropped when the run
goes on. A lock keeps a second process out.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from zsavs.errors import OutputError, ResultFileError, first_line
from zsavs.storage.files import MAX_TEXT_BYTES, open_regular, read_text, write_atomically

__all__ = ["RunFolder"]

#: A thousand times what a batch takes.
_MAX_LINE = MAX_TEXT_BYTES


class RunFolder:
    """An open run. Use it as a context manager, or call :meth:`close`.

    Args:
        folder: made if it does not exist.
        settings: plain JSON values; a run goes on only under the settings that it was begun with.

    Raises:
        OutputError: the folder cannot be written, another process runs in it, or it holds a run with other settings;
            the message shows the difference.
        ResultFileError: a line of the run is damaged in the middle of the file.
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        with self._writing("name another folder"):
            self.folder.mkdir(parents=True, exist_ok=True)
            # Without O_NONBLOCK opening a pipe would wait for somebody to read from it.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
            self._lock = os.fdopen(os.open(self.folder / "lock", flags, 0o666), "ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise OutputError(f"{self.folder}: another process is running into it; wait, or name another.") from error
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._lock.close)
            self._agree(dict(settings))
            self.batches = self._read()
            with self._writing("name another folder"):
                # Unbuffered: what a full disk did not take is not tried again when the file is closed.
                self._file = (self.folder / "batches.jsonl").open("ab", buffering=0)
            on_failure.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def expect(self, items: Mapping[int, Sequence[str]]) -> None:
        """Check that what is kept are batches of this run with all of their items, answered or failed.

        Args:
            items: the ids of each batch that there can be, in order.

        Raises:
            ResultFileError: there is another batch, or one with other items.
        """
        for number, batch in self.batches.items():
            rows = [row for row in batch["items"] if isinstance(row, dict) and ("scores" in row or "error" in row)]
            if not rows or [row.get("item") for row in rows] != list(items.get(number, ())):
                raise ResultFileError(
                    f"{self.folder / 'batches.jsonl'}: what it holds as batch {number} is none of this run; run the "
                    f"evaluation again in another folder."
                )

    def append(self, number: int, batch: Mapping[str, Any]) -> None:
        """Keep a finished batch under its number, durably.

        Raises:
            OutputError: it cannot be written; what was kept before stays good.
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
        """Forget finished batches, so that they are done again.

        Raises:
            OutputError: the folder cannot be written; every batch is kept then.
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
        """Let go of the folder."""
        self._file.close()
        self._lock.close()

    @contextlib.contextmanager
    def _writing(self, remedy: str) -> Iterator[None]:
        """Turn the system's errors into one that names the folder."""
        try:
            yield
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({error}); {remedy}.") from error

    def _agree(self, settings: dict[str, Any]) -> None:
        path = self.folder / "settings.json"
        settings = json.loads(json.dumps(settings))
        if not path.exists():
            if (self.folder / "batches.jsonl").exists():
                raise OutputError(f"{self.folder}: holds batches without settings.json; name another folder.")
            text = json.dumps(settings, indent=2, ensure_ascii=False).encode()
            write_atomically(path, lambda file: file.write(text))
            return
        before = read_json(path)
        changed = [
            f"{key}: {before.get(key)!r} then, {settings.get(key)!r} now"
            for key in sorted({*before, *settings})
            if before.get(key) != settings.get(key)
        ]
        if changed:
            raise OutputError(
                f"{self.folder}: holds a run with other settings ({'; '.join(changed)}). Run it with the same "
                f"settings to go on with it, or name another folder."
            )

    def _read(self) -> dict[int, dict[str, Any]]:
        """Finished batches by number; cuts off a last line that was not written to its end."""
        path = self.folder / "batches.jsonl"
        if not path.exists():
            return {}
        batches, end = _read_whole(path)
        with self._writing("name another folder"):
            if end < path.stat().st_size:
                os.truncate(path, end)
        return batches


@contextlib.contextmanager
def left_behind(*folders: str | os.PathLike[str]) -> Iterator[None]:
    """While the numbers of run folders are added up: what fails then are numbers that no run has written.

    Raises:
        ResultFileError: they are of another kind than a run's.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ResultFileError(
            f"{', '.join(map(str, folders))}: not what a run leaves behind ({type(error).__name__}: "
            f"{first_line(error)}); run the evaluation again."
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ResultFileError: it is not there, or not one.
    """
    try:
        value = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultFileError(f"{path}: cannot be read ({error}); name the folder of a run.") from error
    if not isinstance(value, dict):
        raise ResultFileError(f"{path}: does not hold the settings of a run; name another folder.")
    return value


def read_batches(path: Path) -> dict[int, dict[str, Any]]:
    """Batches of a run by number; a last line that was not written to its end is left out.

    Raises:
        ResultFileError: the file cannot be read, a line is damaged, or a batch is there twice.
    """
    return _read_whole(path)[0]


def _read_whole(path: Path) -> tuple[dict[int, dict[str, Any]], int]:
    """Batches of a run by number, and the place at which their last line ends; a line at a time."""
    batches: dict[int, dict[str, Any]] = {}
    end = 0
    try:
        with open_regular(path) as file:
            while (line := file.readline(_MAX_LINE)).endswith(b"\n"):
                end += len(line)
                batch = json.loads(line)
                number = batch["batch"]
                if (
                    type(number) is not int
                    or not isinstance(batch["items"], list)
                    or not isinstance(batch["states"], dict)
                ):
                    raise ValueError(f"a line is no batch: {line[:60]!r}")
                if number in batches:
                    raise ResultFileError(f"{path}: batch {number} is in it twice; run the evaluation again.")
                batches[number] = batch
            if len(line) == _MAX_LINE:
                raise ValueError(f"a line of over {_MAX_LINE / 1e6:.0f} MB")
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error}); name the folder of a run.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ResultFileError(f"{path}: damaged ({error}); run the evaluation again in another folder.") from error
    return batches, end


def _line(batch: Mapping[str, Any]) -> bytes:
    return json.dumps(batch, ensure_ascii=True, allow_nan=False).encode() + b"\n"
