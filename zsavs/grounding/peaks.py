"""Regions at the peaks of a query's maps, for strategies that localise their sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError
from zsavs.grounding.checks import check_counts, check_part, check_shares
from zsavs.grounding.mask_boxes import mask_boxes
from zsavs.grounding.point_segmenter import PointSegmenter, check_point_segmenter
from zsavs.models.detection import MOST, Found, as_proposals, keep_best, warn_of_left_out
from zsavs.protocols import Grounder
from zsavs.types import AVSample, Proposals, Query

__all__ = ["PeakRegions", "peaks"]


class PeakRegions:
    """The regions that the peaks of a row's map lie in.

    Such a map is coarse, some six cells a side: its peak gives the location, and something else the extent. That is
    the segmenter, by the tight box of its mask at the peak; or first another grounder's regions, all those in which
    the peak lies, as TACO gives what it found to a model that proposes masks. A mask at one point is often that of a
    part; a region that was found in the whole image is that of a thing.

    A region's score is the predicted IoU of its mask, or the other grounder's score, times the height of its peak as a
    share of the row's highest.

    Args:
        segmenter: has ``segment_points``.
        grounder: gives regions of any kind, such as ``objects``; by name, ``build_pipeline(..., grounder=
            "peaks:objects")``. None: the segmenter alone.
        min_peak: how high a peak must be, as a share of the row's highest, in [0, 1].
        max_peaks: the most peaks of a row; a warning says how many more there were.
        max_area: a mask that covers more of the image is background, and is dropped; a share in [0, 1].
        nms_iou: of two boxes of one row that overlap by more, the better stays, in [0, 1].

    Raises:
        ContractError: the segmenter has no ``segment_points``, or the grounder no ``ground``.
        InputError: a setting out of range.
    """

    def __init__(
        self,
        segmenter: PointSegmenter,
        grounder: Grounder | None = None,
        *,
        min_peak: float = 0.5,
        max_peaks: int = MOST,
        max_area: float = 0.7,
        nms_iou: float = 0.6,
    ) -> None:
        check_point_segmenter("peaks", segmenter)
        check_counts("peaks", max_peaks=max_peaks)
        check_shares("peaks", min_peak=min_peak, max_area=max_area, nms_iou=nms_iou)
        if grounder is not None:
            check_part("peaks", "grounder", grounder, "ground")
        self.segmenter, self.regions = segmenter, grounder
        self.min_peak, self.max_peaks, self.max_area, self.nms_iou = min_peak, max_peaks, max_area, nms_iou

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Regions at the peaks of each row's map, best first; none for a row whose map is 0 everywhere.

        Raises:
            ContractError: a query has rows and no maps.
        """
        rows = [self._peaks(sample, query) for sample, query in zip(samples, queries, strict=True)]
        left_out = (max(0, len(row.heights) - self.max_peaks) for peaks in rows for row in peaks)
        warn_of_left_out("peaks", "max_peaks", self.max_peaks, left_out)
        rows = [[_Row(row.xy[: self.max_peaks], row.heights[: self.max_peaks]) for row in peaks] for peaks in rows]
        if self.regions is not None:
            given = self.regions.ground(samples, queries)
            rows = [
                [_in_regions(row, regions.rows(np.flatnonzero(regions.sources == n))) for n, row in enumerate(peaks)]
                for peaks, regions in zip(rows, given, strict=True)
            ]
        points = [np.concatenate([*(row.xy for row in peaks), np.zeros((0, 2))])[:, None] for peaks in rows]
        answers = self.segmenter.segment_points(samples, [p.astype(np.float32) for p in points], full_size=False)
        return [
            as_proposals(self._found(sample, peaks, logits > 0, ratings))
            for sample, peaks, (logits, ratings) in zip(samples, rows, answers, strict=True)
        ]

    def _peaks(self, sample: AVSample, query: Query) -> list[_Row]:
        """The peaks of each row's map."""
        if not len(query):
            return []
        if query.maps is None:
            raise ContractError(
                f"peaks: the query for {query.phrases[0]!r} has no maps of where to look; use a strategy that "
                "gives them, as cofactorization does, or another grounder."
            )
        scale = np.array(sample.size_hw[::-1]) / query.maps.shape[:0:-1]
        return [_Row(cells * scale, high) for cells, high in (peaks(each, self.min_peak) for each in query.maps)]

    def _found(
        self, sample: AVSample, rows: Sequence[_Row], masks: NDArray[np.bool_], ratings: NDArray[np.float32]
    ) -> list[Found]:
        """The regions of each row, from masks (P, h, w) and predicted IoU (P,) of all rows' peaks in order."""
        area = masks.mean(axis=(1, 2))
        good = (area > 0) & (area <= self.max_area)
        heights = np.concatenate([*(row.heights for row in rows), np.zeros(0)])
        scores = (np.clip(ratings, 0, 1) * heights).astype(np.float32)
        owner = np.repeat(np.arange(len(rows)), [len(row.heights) for row in rows])
        found = []
        for number, row in enumerate(rows):
            mine = good & (owner == number)
            boxes = np.concatenate([row.boxes_xyxy, mask_boxes(masks[mine], sample.size_hw)])
            both = np.concatenate([row.scores, scores[mine]])
            found.append(keep_best(boxes, both, sample.size_hw, nms_iou=self.nms_iou, max_boxes=self.max_peaks))
        return found


class _Row(NamedTuple):
    """The peaks of a row's map, and the regions that hold others of them.

    Args:
        xy: (P, 2) peaks in no region, x and y in pixels.
        heights: (P,) of these, in [0, 1].
        boxes_xyxy, scores: (R, 4) regions with a peak, and (R,) their scores.
    """

    xy: NDArray[np.float64]
    heights: NDArray[np.float64]
    boxes_xyxy: NDArray[np.float32] = np.zeros((0, 4), np.float32)
    scores: NDArray[np.float32] = np.zeros(0, np.float32)


def _in_regions(row: _Row, regions: Proposals) -> _Row:
    """The row with those regions that a peak lies in, and with only the peaks that lie in none."""
    low, high = regions.boxes_xyxy[:, None, :2], regions.boxes_xyxy[:, None, 2:]
    inside: NDArray[np.bool_] = np.all((row.xy >= low) & (row.xy <= high), axis=2)  # (R, P)
    hit, alone = inside.any(axis=1), ~inside.any(axis=0)
    highest = (inside * row.heights).max(axis=1, initial=0)
    scores = (regions.scores * highest).astype(np.float32)
    return _Row(row.xy[alone], row.heights[alone], regions.boxes_xyxy[hit], scores[hit])


def peaks(heights: NDArray[np.float32], min_peak: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cells that are no lower than their eight neighbours, highest first.

    A peak lies at the mean of the cells around it, weighted by their heights: finer than the grid.

    Args:
        heights: (h, w) in [0, 1].
        min_peak: the least height, as a share of the highest.

    Returns:
        (P, 2) x, y in cells, the first cell's middle at 0.5, and (P,) heights as shares of the highest; no peaks of a
        map that is 0 everywhere. The peak of a plateau is its first cell by rows.
    """
    if not heights.max(initial=0) > 0:
        return np.zeros((0, 2)), np.zeros(0)
    height = heights.astype(np.float64) / heights.max()
    padded = np.pad(height, 1)
    places: list[tuple[int, int]] = []
    found = []
    for y, x in zip(*np.unravel_index(np.argsort(-height, axis=None, kind="stable"), height.shape), strict=True):
        around = padded[y : y + 3, x : x + 3]
        taken = any(abs(y - v) <= 1 and abs(x - u) <= 1 for v, u in places)
        if height[y, x] < min_peak:
            break
        if height[y, x] == around.max() and not taken:
            places.append((int(y), int(x)))
            down, right = np.mgrid[-1:2, -1:2]
            found.append(
                [x + 0.5 + (around * right).sum() / around.sum(), y + 0.5 + (around * down).sum() / around.sum()]
            )
    return np.array(found).reshape(-1, 2), np.array([height[place] for place in places])
