"""The items of a table: CSV, JSON Lines or Parquet with a row for each."""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from zsavs.errors import InputError, MissingExtra, first_line
from zsavs.labelling.items import Inputs, Item, Refused
from zsavs.storage.files import is_there, read_text

__all__ = ["ENDINGS", "RULES", "read_manifest"]

ENDINGS = (".csv", ".jsonl", ".ndjson", ".parquet")
_COLUMNS = ("id", "image", "audio", "video", "start_s", "end_s")
_SHOULD = "columns id, image, audio or id, video, and if wanted start_s, end_s"

RULES = (
    f"a row is an item: {_SHOULD}; other columns are left alone",
    "files are named from the manifest's folder; a video with an audio file beside it is heard with that",
    "start_s and end_s are the part of the video, or of the image's audio, in seconds",
)

#: A row as it was read, or what is wrong with its line; and the number of its line, of Parquet that of its row.
_Row: TypeAlias = tuple[int, Mapping[str, Any] | str]


def read_manifest(path: Path) -> Inputs:
    """The items of a manifest, in its order.

    Returns:
        The items. Rows without an id, with one that an earlier row has, with files that are not there, or with a part
        that is none, are refused with their line.

    Raises:
        InputError: the table cannot be read, or has other columns.
        MissingExtra: it is Parquet, and pyarrow is not installed.
    """
    kind = path.suffix.lower()
    rows = _parquet(path) if kind == ".parquet" else _texts(path, kind)
    items: dict[str, Item] = {}
    lines: dict[str, int] = {}
    refused: list[Refused] = []
    unit = "row" if kind == ".parquet" else "line"
    for line, row in rows:
        found = row if isinstance(row, str) else _item(row, path.parent)
        if isinstance(found, Item) and found.id in items:
            found = f"the id {found.id!r} is that of {unit} {lines[found.id]}"
        if isinstance(found, str):
            refused.append(Refused(f"{path.name}, {unit} {line}", found))
        else:
            items[found.id], lines[found.id] = found, line
    return Inputs(path.parent, tuple(items.values()), tuple(refused), RULES)


def _item(row: Mapping[str, Any], root: Path) -> Item | str:
    """The item of a row, or why there is none."""
    texts = {name: "" if row.get(name) is None else str(row[name]).strip() for name in _COLUMNS}
    if not texts["id"]:
        return "it has no id"
    if texts["video"] and texts["image"]:
        return "it has an image and a video; give one of them"
    if not texts["video"] and not (texts["image"] and texts["audio"]):
        return "it needs a video, or an image and an audio file"
    for kind in ("image", "audio", "video"):
        if texts[kind] and not is_there(root / texts[kind]):
            return f"{texts[kind]}: there is no such file"
    start = _seconds(texts["start_s"], 0.0)
    end = _seconds(texts["end_s"], math.inf)
    if start is None or end is None or not 0 <= start < end:
        return f"start_s {texts['start_s'] or 0} and end_s {texts['end_s'] or 'left out'} are no part, in seconds"
    files = {kind: texts[kind] for kind in ("image", "audio", "video")}
    return Item(texts["id"], str(root), **files, start_s=start, end_s=end)


def _seconds(text: str, without: float) -> float | None:
    """The number of a text; None where it is none."""
    if text.lower() in ("", "nan"):
        return without
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _texts(path: Path, kind: str) -> Iterator[_Row]:
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected UTF-8 text, a row for each item.") from error
    return _csv(path, text) if kind == ".csv" else _json_lines(path, text)


def _csv(path: Path, text: str) -> Iterator[_Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        _check_columns(path, reader.fieldnames or ())
        for row in reader:
            extra = None in row or None in row.values()
            yield reader.line_num, "it has more or fewer fields than there are columns" if extra else row
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: no CSV ({error}).") from error


def _json_lines(path: Path, text: str) -> Iterator[_Row]:
    columns: set[str] = set()
    rows: list[_Row] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            rows.append((number, f"no JSON ({first_line(error)})"))
            continue
        if isinstance(row, dict):
            columns |= row.keys()
        rows.append((number, row if isinstance(row, dict) else "no JSON object"))
    _check_columns(path, columns)
    return iter(rows)


def _parquet(path: Path) -> Iterator[_Row]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtra(
            f"{path}: Parquet needs pyarrow; run: pip install 'zsavs[parquet]', or give the table as CSV."
        ) from error
    try:
        file = parquet.ParquetFile(os.fspath(path))
        _check_columns(path, file.schema_arrow.names)
        columns = [name for name in _COLUMNS if name in file.schema_arrow.names]
        rows = file.read(columns=columns).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own errors are among these
        raise InputError(f"{path}: cannot be read as Parquet ({first_line(error)}).") from error
    return iter(enumerate(rows, start=1))


def _check_columns(path: Path, names: Iterable[str]) -> None:
    """Refuse a table without the columns of items, or with one that is a mistyped name of theirs.

    Raises:
        InputError: naming the columns.
    """
    names = [name for name in names if name]
    for name in names:
        if name not in _COLUMNS and (near := difflib.get_close_matches(name.lower(), _COLUMNS, n=1, cutoff=0.8)):
            raise InputError(f"{path}: has a column {name!r}; did you mean {near[0]!r}? Expected {_SHOULD}.")
    if "id" not in names or not ("video" in names or {"image", "audio"} <= {*names}):
        raise InputError(f"{path}: has the columns {', '.join(sorted(names)) or '(none)'}; expected {_SHOULD}.")
