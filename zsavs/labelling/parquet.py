"""Rows as Parquet, with one schema for images and videos."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zsavs.labelling.labeller import Row
from zsavs.storage.files import write_atomically
from zsavs.storage.parquet import import_pyarrow, read_parquet

__all__ = ["read_rows", "write_parquet"]

#: Columns whose entries differ from job to job: as JSON texts.
_AS_TEXT = ("settings", "models", "notes")


def read_rows(path: str | os.PathLike[str]) -> Iterator[Row]:
    """The rows of a file that :func:`write_parquet` has written, as they were.

    Raises:
        ResultFileError: it cannot be read.
        MissingExtra: pyarrow is not installed.
    """
    for row in read_parquet(path):
        yield {**row, **{name: json.loads(row[name]) for name in _AS_TEXT if name in row}}


def write_parquet(path: Path, rows: Sequence[Row]) -> None:
    """Write rows, those of images with ``objects``, those of videos with ``tracks``; what a row has not is null.

    Raises:
        MissingExtra: pyarrow is not installed.
        OutputError: they cannot be written.
    """
    arrow = import_pyarrow("write jsonl")
    texts = [{name: json.dumps(row[name]) for name in _AS_TEXT if name in row} for row in rows]
    table = arrow.Table.from_pylist(
        [{**row, **text} for row, text in zip(rows, texts, strict=True)], schema=_schema(arrow)
    )
    write_atomically(path, lambda file: arrow.parquet.write_table(table, file, compression="zstd"))


def _schema(arrow: Any) -> Any:
    text, whole, number = arrow.string(), arrow.int64(), arrow.float64()
    times = arrow.list_(arrow.list_(number))
    mask = arrow.struct({"size": arrow.list_(whole), "counts": arrow.list_(whole)})
    box = arrow.list_(number)
    an_object = arrow.struct({"phrase": text, "score": number, "box_xyxy": box, "mask": mask})
    track = {"id": whole, "phrase": text, "times_s": times, "frames": arrow.list_(whole), "scores": arrow.list_(number)}
    track |= {"boxes_xyxy": arrow.list_(box), "masks": arrow.list_(arrow.list_(whole))}
    columns = dict.fromkeys(("id", "strategy", "image", "audio", "video"), text)
    columns |= {"start_s": number, "end_s": number, "status": text, "preset": text}
    columns |= dict.fromkeys(_AS_TEXT, text)
    columns |= {
        "format": whole,
        "kind": text,
        "fps": number,
        "size_hw": arrow.list_(whole),
        "objects": arrow.list_(an_object),
    }
    columns |= {"frames_s": arrow.list_(number), "tracks": arrow.list_(arrow.struct(track))}
    columns |= {"heard": arrow.list_(arrow.struct({"phrase": text, "weight": number, "times_s": times}))}
    return arrow.schema(columns)
