"""The metadata of a benchmark, lists of its items in CSV and JSON files: read, and checked before it is used."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from zsavs.datasets.layout import folder_content
from zsavs.errors import InputError
from zsavs.storage.files import open_regular, read_text

__all__ = ["load_json", "read_table", "relative_path"]


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
        raise InputError(f"{path}: no such file; {path.parent} holds {folder_content(path.parent)}.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a comma-separated UTF-8 table ({error}).") from error


def _place(column: str | int, header: Sequence[str], path: Path) -> int:
    if isinstance(column, int) and column < len(header):
        return column
    if column in header:
        return header.index(str(column))
    wanted = f"a column {column!r}" if isinstance(column, str) else f"at least {column + 1} columns"
    raise InputError(f"{path}: expected {wanted} in the header; found {', '.join(islice(header, 12)) or 'no header'}.")


def relative_path(name: str, where: Path) -> str:
    """A relative path that a list names, checked to stay below the folder that it is appended to.

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
        raise InputError(f"{path}: no such file; {path.parent} holds {folder_content(path.parent)}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); download it again.") from error
