"""A small result, and whether two are the same bit for bit."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.result import AVSResult
from zsavs.types import Query

HEIGHT, WIDTH = 5, 7


def result(**changes: Any) -> AVSResult:
    """Two overlapping objects on a small image."""
    masks = np.zeros((2, HEIGHT, WIDTH), np.bool_)
    masks[0, 1:4, 2:6] = True
    masks[1, 3:, 0] = True
    score_map = np.where(masks.any(axis=0), 0.75, 0.125).astype(np.float32)
    fields: dict[str, Any] = {
        "masks": masks,
        "boxes_xyxy": np.array([[2, 1, 6, 4], [0, 3, 1, 5]], np.float32),
        "phrases": ("dog", "собака 犬"),
        "scores": np.array([0.9, 0.1], np.float32),
        "score_map": score_map,
        "queries": Query(("dog", "piano"), np.array([0.9, 0.3], np.float32)),
        "timings": {"query": 0.1, "segment": 1e-9},
        "meta": {"strategy": "fused", "nested": {"list": [1, None, "ä"]}},
    }
    return AVSResult(**(fields | changes))


def same(one: AVSResult, other: AVSResult) -> bool:
    """Bit for bit, which ``array_equal`` is not (it takes -0.0 for 0.0)."""
    arrays = ("masks", "boxes_xyxy", "scores", "score_map")
    return (
        all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in arrays)
        and all(getattr(one, name).shape == getattr(other, name).shape for name in arrays)
        and all(getattr(one, name).dtype == getattr(other, name).dtype for name in arrays)
        and one.phrases == other.phrases
        and one.queries.phrases == other.queries.phrases
        and one.queries.weights.tobytes() == other.queries.weights.tobytes()
        and one.queries.times == other.queries.times
        and one.timings == other.timings
        and one.meta == other.meta
    )


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def naive_decode(rle: dict[str, Any]) -> NDArray[np.bool_]:
    """Column by column, starting with background: the definition, one pixel at a time."""
    height, width = rle["size"]
    mask = np.zeros((height, width), np.bool_)
    place, value = 0, False
    for count in rle["counts"]:
        for _ in range(count):
            mask[place % height, place // height] = value
            place += 1
        value = not value
    assert place == height * width
    return mask
