"""Rows back to results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from zsavs.errors import ResultFileError
from zsavs.result import AVSResult
from zsavs.storage import rle
from zsavs.storage.packed_maps import UNREADABLE
from zsavs.temporal.video_result import VideoResult
from zsavs.types import Query

__all__ = ["result_of"]


def result_of(row: Mapping[str, Any]) -> AVSResult | VideoResult:
    """The result of a row that is done or empty: of an image, with a score map that is 1 within the masks; of a video.

    Times are in seconds of the whole audio file, or of the whole video.

    Raises:
        ResultFileError: the row has no answer, or none that can be read.
    """
    meta = {name: row[name] for name in ("id", "strategy", "preset", "settings", "models", "notes") if name in row}
    if "tracks" in row:
        rest = {"source": row.get("video", ""), "timings_s": {}, "meta": meta}
        return VideoResult.load(json.dumps({**row, **rest}))
    try:
        objects, heard = row["objects"], row["heard"]
        masks = [rle.decode(each["mask"]) for each in objects]
        stacked = np.stack(masks) if masks else np.zeros((0, *row["size_hw"]), np.bool_)
        return AVSResult(
            masks=stacked,
            boxes_xyxy=np.array([each["box_xyxy"] for each in objects], np.float32).reshape(-1, 4),
            phrases=tuple(each["phrase"] for each in objects),
            scores=np.array([each["score"] for each in objects], np.float32),
            score_map=np.asarray(stacked.any(axis=0), np.float32),
            queries=Query(
                tuple(each["phrase"] for each in heard),
                np.array([each["weight"] for each in heard], np.float32),
                times=tuple(each.get("times_s", ()) for each in heard) or None,
            ),
            meta=meta,
        )
    except UNREADABLE as error:
        raise ResultFileError(f"row {row.get('id')!r}: no answer ({type(error).__name__}: {error}).") from error
