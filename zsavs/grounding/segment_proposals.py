"""Class-agnostic region proposals from a segmenter that is asked at every point of a grid.

A phrase detector misses what it has no word for. Here the image alone says where regions are, and the verifier decides
which phrase each of them shows, if any (OWOD-BIND, Bhosale et al., arXiv 2309.06728, does so). Regions are found once
for each image, whatever the number of phrases, strategies and pipelines that ask for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError, InputError
from zsavs.grounding.checks import check_counts, check_shares, is_number
from zsavs.grounding.class_agnostic import propose_for_every_phrase
from zsavs.grounding.mask_boxes import mask_boxes
from zsavs.grounding.point_segmenter import PointSegmenter, check_point_segmenter
from zsavs.models.detection import MOST, Found, distinct_masks, keep_best
from zsavs.storage.memo import Memo, shared_memo
from zsavs.types import AVSample, Proposals, Query

__all__ = ["SegmentProposals"]

#: The most points along a side: 4096 masks of 256 x 256 booleans are 270 MB.
_MOST_POINTS = 64
#: Points of one image, and images, whose logits are held at once: 67 MB at 256 x 256.
_POINTS_AT_ONCE, _IMAGES_AT_ONCE = 64, 4


class SegmentProposals:
    """Class-agnostic regions from a segmenter that is prompted at every point of a grid ("segment everything").

    The masks pass the filters of SAM's automatic mask generator (Kirillov et al., "Segment Anything", ICCV 2023,
    appendix B): predicted IoU, and stability, which is how little the mask depends on the threshold of its logits.
    Non-maximum suppression is by mask, as a stray pixel changes the box, and then by box, as no later stage gets the
    mask. Thresholds are that generator's own for SAM 2; they have not been tuned here.

    A region's score is its predicted IoU times its stability. Both are about the mask's quality alone, one predicted
    and one measured, and a region has to be good at both.

    Args:
        segmenter: has ``segment_points``.
        points_per_side: the grid has this many points squared; 16 hit whatever is as large as a sixteenth of both
            sides, at a quarter of the cost of SAM's 32.
        min_iou: the least predicted IoU, in [0, 1].
        min_stability: the least IoU of the mask at threshold ``stability_offset`` with that at its negative, in [0, 1].
        stability_offset: of the logits, at least 0.
        min_area, max_area: the area as a share of the image, in [0, 1].
        nms_iou: a region goes if its mask or box overlaps that of a better one by more, in [0, 1].
        max_regions: the most regions of an image; a warning says how many more there were. Each costs the verifier an
            embedding, and the segmenter a mask for every phrase.

    Raises:
        ContractError: the segmenter has no ``segment_points``.
        InputError: a setting out of range.
    """

    def __init__(
        self,
        segmenter: PointSegmenter,
        *,
        points_per_side: int = 16,
        min_iou: float = 0.8,
        min_stability: float = 0.95,
        stability_offset: float = 1.0,
        min_area: float = 0.001,
        max_area: float = 0.95,
        nms_iou: float = 0.7,
        max_regions: int = MOST,
    ) -> None:
        check_point_segmenter("segments", segmenter)
        check_counts("segments", points_per_side=points_per_side, max_regions=max_regions)
        if points_per_side > _MOST_POINTS:
            raise InputError(f"segments: points_per_side is {_MOST_POINTS} at the most, got {points_per_side}.")
        check_shares(
            "segments",
            min_iou=min_iou,
            min_stability=min_stability,
            min_area=min_area,
            max_area=max_area,
            nms_iou=nms_iou,
        )
        if min_area > max_area:
            raise InputError(f"segments: min_area is no larger than max_area, got {min_area} and {max_area}.")
        if not is_number(stability_offset) or not 0 <= stability_offset < math.inf:
            raise InputError(f"segments: stability_offset is a number of at least 0, got {stability_offset!r}.")
        self.segmenter = segmenter
        self.points_per_side = points_per_side
        self.min_iou, self.min_stability, self.stability_offset = min_iou, min_stability, stability_offset
        self.min_area, self.max_area = min_area, max_area
        self.nms_iou, self.max_regions = nms_iou, max_regions
        settings = (points_per_side, min_iou, min_stability, stability_offset, min_area, max_area, nms_iou, max_regions)
        self._regions: Memo[Found] = shared_memo(segmenter, "segments", *settings)

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Every region of an image for every row of its query, best first; none where the query is empty.

        Raises:
            ContractError: the segmenter's answer is not what ``segment_points`` promises.
        """
        return propose_for_every_phrase(samples, queries, self._regions, self._find, ("segments", self.max_regions))

    def _find(self, samples: list[AVSample]) -> list[Found]:
        """The regions of each image."""
        found = []
        for start in range(0, len(samples), _IMAGES_AT_ONCE):
            some = samples[start : start + _IMAGES_AT_ONCE]
            for sample, (masks, scores) in zip(some, self._masks(some), strict=True):
                kept = distinct_masks(masks, scores, self.nms_iou)
                boxes = mask_boxes(masks[kept], sample.size_hw)
                found.append(
                    keep_best(boxes, scores[kept], sample.size_hw, nms_iou=self.nms_iou, max_boxes=self.max_regions)
                )
        return found

    def _masks(self, samples: list[AVSample]) -> list[tuple[NDArray[np.bool_], NDArray[np.float32]]]:
        """For each image the masks (M, h, w) that pass the filters, and their scores (M,).

        Logits are held for a few points at a time; only booleans are kept of them.
        """
        grids = [_grid(self.points_per_side, sample.size_hw) for sample in samples]
        chunks = []
        for start in range(0, self.points_per_side**2, _POINTS_AT_ONCE):
            points = [grid[start : start + _POINTS_AT_ONCE] for grid in grids]
            answers = self.segmenter.segment_points(samples, points, full_size=False)
            chunks.append([self._good(*_checked(answer, len(p))) for answer, p in zip(answers, points, strict=True)])
        return [
            (np.concatenate([masks for masks, _ in parts]), np.concatenate([scores for _, scores in parts]))
            for parts in zip(*chunks, strict=True)
        ]

    def _good(
        self, logits: NDArray[np.float32], ratings: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """The masks that pass the filters, of logits (P, h, w) and predicted IoU (P,), and their scores."""
        masks = logits > 0
        area = masks.mean(axis=(1, 2))
        surely = (logits > self.stability_offset).sum(axis=(1, 2))
        perhaps = (logits > -self.stability_offset).sum(axis=(1, 2))
        stability = surely / np.maximum(perhaps, 1)
        good = (ratings >= self.min_iou) & (stability >= self.min_stability)
        good &= (area > 0) & (area >= self.min_area) & (area <= self.max_area)
        scores = np.clip(ratings, 0, 1) * stability
        return masks[good], scores[good].astype(np.float32)


def _grid(per_side: int, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """The centres of ``per_side`` times ``per_side`` equal cells, row by row: (P, 1, 2) x, y in pixels."""
    shares = (np.arange(per_side) + 0.5) / per_side
    x, y = np.meshgrid(shares * size_hw[1], shares * size_hw[0])
    return np.stack([x.ravel(), y.ravel()], axis=1)[:, None].astype(np.float32)


def _checked(
    answer: tuple[NDArray[np.float32], NDArray[np.float32]], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A segmenter's answer for ``count`` points, checked, as the segmenter may be a third party's."""
    logits, ratings = answer
    if logits.ndim != 3 or len(logits) != count or ratings.shape != (count,):
        raise ContractError(
            f"segment_points: expected ({count}, h, w) logits and ({count},) ratings for {count} points, "
            f"got {logits.shape} and {ratings.shape}."
        )
    if not (np.isfinite(logits).all() and np.isfinite(ratings).all()):
        raise ContractError("segment_points: logits and ratings must be finite, found NaN or infinity.")
    return logits, ratings
