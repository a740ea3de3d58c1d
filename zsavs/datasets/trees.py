"""Finding a data set's folders and reading its lists, and saying plainly what is missing."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from zsavs.errors import InputError
from zsavs.storage.files import is_there, open_regular, read_text

__all__ = [
    "content",
    "find_folder",
    "folder_names",
    "load_json",
    "need_folder",
    "read_table",
    "stems",
    "within",
]


def find_folder(root: Path, places: Sequence[str], marker: str) -> Path:
    """The first of some folders below ``root`` that holds ``marker``.

    Args:
        root: what the user gave.
        places: relative folders, "" for ``root`` itself.
        marker: a file or folder that must be in it.

    Raises:
        InputError: none of them does; says what was expected where, and what is there.
    """
    for place in places:
        if is_there(root / place / marker):
            return root / place
    expected = ", or ".join(str(root / place / marker) for place in places)
    raise InputError(f"{root}: expected {expected}; found {content(root)}.")


def need_folder(folder: Path) -> Path:
    """Return a folder that must exist.

    Raises:
        InputError: it does not; says what its parent holds.
    """
    if is_there(folder, folder=True):
        return folder
    parent = next((path for path in folder.parents if is_there(path, folder=True)), Path("/"))
    raise InputError(f"{folder}: no such folder; {parent} holds {content(parent)}.")


def content(folder: Path) -> str:
    """The first names in a folder, for messages."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        return f"nothing that can be listed ({error.strerror})"
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "nothing"


def stems(folder: Path, suffixes: Sequence[str]) -> dict[str, str]:
    """File names in a folder by stem; of several with one stem the suffix listed first wins. Hidden files are skipped.

    Raises:
        InputError: no such folder, or no such files in it.
    """
    found: dict[str, str] = {}
    rank = {suffix: k for k, suffix in enumerate(suffixes)}
    for name in _names(need_folder(folder)):
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 (a Path for each of a million files is slow)
        if name.startswith(".") or suffix.lower() not in rank:
            continue
        held = found.get(stem)
        if held is None or (rank[suffix.lower()], name) < (rank[held[len(stem) :].lower()], held):
            found[stem] = name
    if not found:
        raise InputError(f"{folder}: expected files ending in {', '.join(suffixes)}; found {content(folder)}.")
    return found


def folder_names(folder: Path) -> set[str]:
    """The names of the folders in a folder.

    Raises:
        InputError: it may not be listed.
    """
    return {name for name in _names(folder) if is_there(folder / name, folder=True)}


def _names(folder: Path) -> list[str]:
    """The names in a folder.

    Raises:
        InputError: it may not be listed.
    """
    try:
        return os.listdir(folder)  # noqa: PTH208 (as above)
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror}); run: chmod u+rx on it.") from error


def read_table(path: Path, columns: Sequence[str | int]) -> Iterator[tuple[str, ...]]:
    """Read columns of a comma-separated table with a header, row by row.

    Args:
        path: the file, UTF-8.
        columns: for each the name in the header, or the position where the header is not to be relied on.

    Yields:
        The values of each row, blanks around them removed. Empty lines are skipped.

    Raises:
        InputError: the file is missing, unreadable or without one of the columns, or a row is too short.
    """
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            places = [_place(column, header, path) for column in columns]
            for row in rows:
                if not any(field.strip() for field in row):
                    continue
                if len(row) <= max(places):
                    raise InputError(f"{path}, line {rows.line_num}: expected {len(header)} columns, found {len(row)}.")
                yield tuple(row[place].strip() for place in places)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; {path.parent} holds {content(path.parent)}.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a comma-separated UTF-8 table ({error}).") from error


def _place(column: str | int, header: Sequence[str], path: Path) -> int:
    if isinstance(column, int) and column < len(header):
        return column
    if column in header:
        return header.index(str(column))
    wanted = f"a column {column!r}" if isinstance(column, str) else f"at least {column + 1} columns"
    raise InputError(f"{path}: expected {wanted} in the header; found {', '.join(islice(header, 12)) or 'no header'}.")


def within(name: str, where: Path) -> str:
    """A relative path that a list names, after a check that it stays in the folder that it continues.

    Args:
        name: parts joined by "/".
        where: the list, for the message.

    Raises:
        InputError: it begins at the root, climbs up, or cannot be a path.
    """
    if name.startswith("/") or ".." in name.split("/") or "\0" in name:
        raise InputError(f"{where}: names {name!r:.200}, which leads out of the data set; get the list again.")
    return name


def load_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: it is missing, or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; {path.parent} holds {content(path.parent)}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); download it again.") from error
