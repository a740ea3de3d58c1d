"""The answers in the order of the items, in files of a size: JSON Lines, or Parquet where pyarrow is installed."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from zsavs.errors import InputError
from zsavs.labelling.labeller import Row
from zsavs.storage.files import write_atomically
from zsavs.storage.parquet import import_pyarrow

__all__ = ["FORMATS", "check_format", "read_shard", "write_lines", "write_shards"]

FORMATS = ("jsonl", "parquet")


def check_format(form: str) -> None:
    """Check that shards can be written in a format, before the work.

    Raises:
        InputError: there is no such format.
        MissingExtra: Parquet, and pyarrow is not installed.
    """
    if form not in FORMATS:
        raise InputError(f"format: expected {' or '.join(FORMATS)}, got {form!r}.")
    if form == "parquet":
        import_pyarrow("write jsonl")


def write_shards(folder: Path, rows: Iterable[Row], count: int, size: int, form: str = "jsonl") -> list[Path]:
    """Write rows as ``answers-00000-of-00003.jsonl`` and so on; shards of an earlier job are removed after that.

    Args:
        folder: where to.
        rows: in order; one shard at a time is held.
        count: how many there are.
        size: of a shard, in rows.
        form: "jsonl" or "parquet".

    Raises:
        OutputError: a shard cannot be written.
    """
    total = max(1, -(-count // size))
    written = []
    remaining = iter(rows)
    for number in range(total):
        path = folder / f"answers-{number:05d}-of-{total:05d}.{form}"
        shard = itertools.islice(remaining, size)
        if form == "parquet":
            from zsavs.labelling.parquet import write_parquet

            write_parquet(path, list(shard))
        else:
            write_lines(path, shard)
        written.append(path)
    for old in (old for kind in FORMATS for old in folder.glob(f"answers-*-of-*.{kind}")):
        if old not in written:
            old.unlink(missing_ok=True)
    return written


def write_lines(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON Lines, one each, complete or not at all.

    Raises:
        OutputError: they cannot be written.
    """

    def write(file: BinaryIO) -> None:
        for row in rows:
            # A file name that is no UTF-8 reaches us with lone surrogates, which stand as \\udcXX then.
            file.write(json.dumps(row, allow_nan=False).encode() + b"\n")

    write_atomically(path, write)


def read_shard(path: str | os.PathLike[str]) -> Iterator[Row]:
    """The rows of a file that a job has written, JSON Lines or Parquet by its ending, a few at a time.

    Raises:
        OSError: it cannot be read.
        ResultFileError: it is no Parquet.
        MissingExtra: Parquet, and pyarrow is not installed.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        from zsavs.labelling.parquet import read_rows

        yield from read_rows(path)
        return
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)
