"""Rows as Parquet, with one schema for images and videos."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsavs.errors import MissingExtra
from zsavs.labelling.labeller import Row
from zsavs.storage.files import write_atomically

__all__ = ["import_pyarrow", "write_parquet"]

#: Columns whose entries differ from job to job: as JSON texts.
_AS_TEXT = ("settings", "models", "notes")


def import_pyarrow() -> Any:
    """pyarrow, with its Parquet.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("Parquet needs pyarrow; run: pip install 'zsavs[parquet]', or write jsonl.") from error
    return pyarrow


def write_parquet(path: Path, rows: Sequence[Row]) -> None:
    """Write rows, those of images with ``objects``, those of videos with ``tracks``; what a row has not is null.

    Raises:
        MissingExtra: pyarrow is not installed.
        OutputError: they cannot be written.
    """
    arrow = import_pyarrow()
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
