"""Parquet files, read a few rows at a time; pyarrow is asked for when one is met."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zsavs.errors import MissingExtra, ResultFileError, first_line

__all__ = ["import_pyarrow", "read_parquet"]

#: Rows held at once: masks make them long.
_ROWS = 32


def import_pyarrow(otherwise: str) -> Any:
    """pyarrow, with its Parquet.

    Args:
        otherwise: what one can do without it.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra(f"Parquet needs pyarrow; run: pip install 'zsavs[parquet]', or {otherwise}.") from error
    return pyarrow


def read_parquet(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The rows of a file in order, as plain values; what is null is left out, at any depth.

    Raises:
        ResultFileError: it cannot be read.
        MissingExtra: pyarrow is not installed.
    """
    arrow = import_pyarrow("give JSON Lines")
    try:
        with Path(path).open("rb") as source, arrow.parquet.ParquetFile(source) as file:
            for batch in file.iter_batches(batch_size=_ROWS):
                for row in batch.to_pylist():
                    yield _without_nulls(row)
    except (OSError, ValueError) as error:  # pyarrow's own errors are among these
        raise ResultFileError(
            f"{path}: cannot be read as Parquet ({first_line(error)}); take it out of the folder, or make it anew."
        ) from error


def _without_nulls(value: Any) -> Any:
    """Entries of mappings, also of those in lists, that have a value; lists of numbers as they are."""
    if isinstance(value, dict):
        return {name: _without_nulls(own) for name, own in value.items() if own is not None}
    if isinstance(value, list) and any(isinstance(own, dict) for own in value):
        return [_without_nulls(own) for own in value]
    return value
