"""A grounder that needs no model: a box around each blob of the colour that a phrase names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs import AVSample, Proposals, Query

#: The eleven basic colour terms of English, RGB. A pixel has the nearest one.
COLOURS = {"black": (25, 25, 25), "grey": (128, 128, 128), "white": (240, 240, 240), "brown": (110, 70, 40)}
COLOURS |= {"red": (200, 30, 40), "orange": (240, 130, 30), "yellow": (235, 210, 50), "green": (50, 150, 60)}
COLOURS |= {"blue": (40, 80, 200), "purple": (130, 50, 160), "pink": (240, 150, 180)}


class ColourBlobs:
    """Finds "the red car" and "a yellow bus" by their colours; phrases that name no colour find nothing.

    Args:
        min_pixels: smaller blobs are left out.
        max_boxes: the most boxes for one phrase, the largest ones.
    """

    def __init__(self, *, min_pixels: int = 20, max_boxes: int = 10) -> None:
        self.min_pixels, self.max_boxes = min_pixels, max_boxes

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Boxes in pixels for each row of each query; their scores are the shares of them that have the colour."""
        return [self._found(sample.image, query.phrases) for sample, query in zip(samples, queries, strict=True)]

    def _found(self, image: NDArray[np.uint8], phrases: Sequence[str]) -> Proposals:
        far = [np.square(image - np.array(colour, np.int32)).sum(axis=2) for colour in COLOURS.values()]
        nearest = np.argmin(far, axis=0)
        boxes: list[tuple[int, int, int, int]] = []
        scores: list[float] = []
        sources: list[int] = []
        for row, phrase in enumerate(phrases):
            mask = np.isin(nearest, [i for i, name in enumerate(COLOURS) if name in phrase.lower().split()])
            counted = [(int(mask[y0:y1, x0:x1].sum()), (x0, y0, x1, y1)) for x0, y0, x1, y1 in blobs(mask)]
            large = sorted(item for item in counted if item[0] >= self.min_pixels)[::-1][: self.max_boxes]
            boxes += [box for _, box in large]
            scores += [pixels / ((x1 - x0) * (y1 - y0)) for pixels, (x0, y0, x1, y1) in large]
            sources += [row] * len(large)
        return Proposals(
            np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(sources, np.int64)
        )


def blobs(mask: NDArray[np.bool_], left: int = 0, top: int = 0) -> Iterator[tuple[int, int, int, int]]:
    """The boxes (x0, y0, x1, y1) that a mask (H, W) falls into where it is cut at empty rows and columns."""
    for used, upright in ((mask.any(axis=1), True), (mask.any(axis=0), False)):
        spans = np.flatnonzero(np.diff(used, prepend=False, append=False)).reshape(-1, 2).tolist()
        if spans != [[0, len(used)]]:
            for start, end in spans:
                part = mask[start:end] if upright else mask[:, start:end]
                yield from blobs(part, left + start * (not upright), top + start * upright)
            return
    yield left, top, left + mask.shape[1], top + mask.shape[0]
