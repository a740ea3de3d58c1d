"""Results to export, of which names and labels are as awkward as users' are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.result import AVSResult
from zsavs.storage import rle
from zsavs.temporal.video_result import Track, VideoResult

__all__ = ["answer", "masks_with_everything", "tight", "video"]


def masks_with_everything(height: int = 23, width: int = 31) -> NDArray[np.bool_]:
    """Four masks: with a hole and an island, on the edge of the image, of single pixels that touch, and overlapping."""
    masks = np.zeros((4, height, width), np.bool_)
    masks[0, 3:15, 4:18] = True
    masks[0, 6:11, 8:13] = False
    masks[0, 8, 10] = True
    masks[1, :4, -5:] = True
    masks[1, -3:, 0] = True
    masks[2, [18, 19, 20], [22, 23, 22]] = True
    masks[3, 10:21, 10:28] = True
    return masks


def tight(mask: NDArray[np.bool_]) -> list[float]:
    """The tight box of a mask."""
    ys, xs = np.nonzero(mask)
    return [float(n) for n in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)] if len(xs) else [0.0] * 4


def answer(
    image: str = "", audio: str = "", phrases: tuple[str, ...] = ("dog", "собака 犬", "dog", "a <b> & c"), **meta: Any
) -> AVSResult:
    """The result of an image with those masks."""
    masks = masks_with_everything()[: len(phrases)]
    files = {kind: path for kind, path in (("image", image), ("audio", audio)) if path}
    return AVSResult(
        masks=masks,
        boxes_xyxy=np.array([tight(mask) for mask in masks], np.float32).reshape(-1, 4),
        phrases=phrases,
        scores=np.linspace(0.9, 0.3, len(phrases), dtype=np.float32),
        score_map=masks.any(axis=0).astype(np.float32),
        meta={"strategy": "fused", **files, **meta},
    )


def video(source: str = "") -> VideoResult:
    """Two tracks in six frames: one falls silent in the fifth, the other is not found in the third."""
    masks = masks_with_everything()
    tracks = []
    for number, (frames, times) in enumerate((([0, 1, 2, 3, 4, 5], ((0.0, 2.0),)), ([1, 3, 4], ((0.0, 3.0),)))):
        moved = [np.roll(masks[number], frame, axis=1) for frame in frames]
        tracks.append(
            Track(
                id=number + 2,
                phrase=("cat", "dog")[number],
                times=times,
                frames=np.array(frames),
                scores=np.linspace(0.5, 0.9, len(frames), dtype=np.float32),
                boxes_xyxy=np.array([tight(mask) for mask in moved], np.float32),
                runs=tuple(rle.encode(mask) for mask in moved),
            )
        )
    height, width = masks.shape[1:]
    return VideoResult(np.arange(6) / 2, (height, width), tuple(tracks), source=source, meta={"strategy": "fused"})
