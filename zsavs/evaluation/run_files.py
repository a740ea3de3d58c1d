"""The files of a run folder, read and checked: ``settings.json``, and ``batches.jsonl`` with a line for each batch."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zsavs.errors import ResultFileError, first_line
from zsavs.storage.files import MAX_TEXT_BYTES, open_regular, read_text

__all__ = ["read_batches", "read_json", "summing_up"]

#: A thousand times what a batch takes.
_MAX_LINE = MAX_TEXT_BYTES


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


def read_batches(path: Path) -> tuple[dict[int, dict[str, Any]], int]:
    """Read the batches of a run, a line at a time.

    Returns:
        The batches by number, and the number of bytes up to the end of the last whole line. A last line that was not
        written to its end is left out.

    Raises:
        ResultFileError: the file cannot be read, a line is damaged, or a batch is there twice.
    """
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


@contextlib.contextmanager
def summing_up(*folders: str | os.PathLike[str]) -> Iterator[None]:
    """A context in which the numbers of run folders are summed up: what fails there is numbers that no run has written.

    Raises:
        ResultFileError: the numbers are of another kind than a run's.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ResultFileError(
            f"{', '.join(map(str, folders))}: not what a run leaves behind ({type(error).__name__}: "
            f"{first_line(error)}); run the evaluation again."
        ) from error
