"""From a detector's raw boxes and scores to :class:`~zsavs.types.Proposals`, for every detector."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.media.regions import box_iou
from zsavs.types import Proposals

__all__ = ["MOST", "Found", "as_proposals", "clip", "distinct_masks", "from_centres", "keep_best", "warn_of_left_out"]

log = logging.getLogger(__name__)

#: The most boxes or regions that are kept unless somebody sets another number: more than an image has of one kind.
MOST = 100

#: So many boxes are compared with all others at once.
_NMS_BLOCK = 512


class Found(NamedTuple):
    """The boxes of one phrase, (N, 4) x0 y0 x1 y1 in pixels, and their scores (N,) in [0, 1], best first.

    ``left_out`` is how many more there were than were to be kept.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    left_out: int = 0

    @classmethod
    def nothing(cls) -> Found:
        """No box."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


def from_centres(boxes_cxcywh: NDArray[np.float32], size_hw: tuple[float, float]) -> NDArray[np.float32]:
    """Relative centre boxes to absolute corner boxes.

    Args:
        boxes_cxcywh: (N, 4) centre x, centre y, width and height as shares of a frame, all in [0, 1].
        size_hw: height and width of that frame in pixels.

    Returns:
        (N, 4) float32 x0, y0, x1, y1 in pixels; a box may reach beyond the frame.
    """
    centres, halves = boxes_cxcywh[:, :2], 0.5 * boxes_cxcywh[:, 2:]
    height, width = size_hw
    corners = np.concatenate([centres - halves, centres + halves], axis=1)
    return corners * np.array([width, height, width, height], np.float32)


def clip(boxes_xyxy: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Cut (N, 4) boxes at the borders of the image; a box outside of it becomes degenerate. A new array."""
    height, width = size_hw
    return np.clip(boxes_xyxy, 0, np.array([width, height, width, height], np.float32))


def keep_best(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    size_hw: tuple[int, int],
    *,
    nms_iou: float,
    max_boxes: int,
    vote_iou: float | None = None,
    threshold: float | None = None,
) -> Found:
    """Choose among the boxes of one phrase.

    Boxes are clipped to the image, degenerate ones dropped; of boxes that overlap, the best stays (greedy
    non-maximum suppression); the best ``max_boxes`` are returned, with how many that left out. Equal scores keep their
    order.

    Those that go still tell something of where the object ends: with ``vote_iou``, each box that stays becomes the mean
    of all boxes that overlap with it as much, weighted by their scores, and keeps its own score (box voting, section 5
    of Gidaris and Komodakis, Object detection via a multi-region and semantic segmentation-aware CNN model, 2015).

    One phrase for each call: phrases cannot suppress each other's boxes. It is done without torchvision, whose import
    takes longer than a small detector.

    Args:
        boxes_xyxy: (N, 4) pixels.
        scores: (N,) in [0, 1].
        size_hw: height and width of the image.
        nms_iou: a box goes if its intersection over union with a better one is larger; 1 keeps all.
        max_boxes: the most boxes to keep.
        vote_iou: least intersection over union with a box that stays to count in its mean, above 0; None
            leaves boxes as they are.
        threshold: a box that does not score higher is left out before anything else; None leaves all in.
    """
    if threshold is not None:
        hit = scores > threshold
        boxes_xyxy, scores = boxes_xyxy[hit], scores[hit]
    inside = clip(boxes_xyxy, size_hw)
    solid = (inside[:, 0] < inside[:, 2]) & (inside[:, 1] < inside[:, 3])
    inside, scores = inside[solid], scores[solid]
    order = np.argsort(-scores, kind="stable")
    inside, scores = inside[order], scores[order]
    distinct = _suppressed(inside, nms_iou)
    kept, left_out = distinct[:max_boxes], max(0, len(distinct) - max_boxes)
    if vote_iou is None or not len(kept):
        return Found(inside[kept], scores[kept], left_out)
    overlap = box_iou(inside[kept], inside)
    # The least score there is keeps the weights of boxes that all score 0 from vanishing.
    weights = np.where(overlap >= vote_iou, np.maximum(scores, np.finfo(np.float32).tiny), 0).astype(np.float64)
    means = (weights / weights.sum(axis=1, keepdims=True)) @ inside
    return Found(means.astype(np.float32), scores[kept], left_out)


def warn_of_left_out(what: str, setting: str, limit: int, left_out: Iterable[int]) -> None:
    """Log one warning where a limit left boxes out, for all images of a call together.

    Args:
        what: the grounder.
        setting: the name of its limit.
        limit: the limit.
        left_out: how many, of each phrase or image.
    """
    if count := sum(left_out):
        log.warning("%s: %s=%d left out %d more; a larger %s keeps them", what, setting, limit, count, setting)


def _suppressed(boxes_xyxy: NDArray[np.float32], nms_iou: float) -> list[int]:
    """Greedy non-maximum suppression: the numbers of the boxes that stay, of boxes that come best first."""
    gone = np.zeros(len(boxes_xyxy), bool)
    kept: list[int] = []
    for start in range(0, len(boxes_xyxy), _NMS_BLOCK):  # a block of rows, as all pairs may be too many at once
        covers = box_iou(boxes_xyxy[start : start + _NMS_BLOCK], boxes_xyxy[start:]) > nms_iou
        for number, covered in enumerate(covers, start):
            if not gone[number]:
                kept.append(number)
                gone[start:] |= covered
    return kept


def distinct_masks(masks: NDArray[np.bool_], scores: NDArray[np.float32], nms_iou: float) -> list[int]:
    """Greedy non-maximum suppression by masks: rows that no better one overlaps by more than ``nms_iou``, best first.

    Args:
        masks: (M, h, w); one that is empty overlaps with none.
        scores: (M,); equal ones keep their order.
        nms_iou: in [0, 1]; 1 keeps all.
    """
    areas = masks.sum(axis=(1, 2))
    kept: list[int] = []
    for row in map(int, np.argsort(-scores, kind="stable")):
        # Two masks overlap by the ratio of their areas at the most, so that the pixels of few pairs are compared.
        small, large = np.minimum(areas[kept], areas[row]), np.maximum(areas[kept], areas[row])
        rivals = np.array(kept, np.int64)[small > nms_iou * large]
        shared = (masks[rivals] & masks[row]).sum(axis=(1, 2))
        if not (shared > nms_iou * (areas[rivals] + areas[row] - shared)).any():
            kept.append(row)
    return kept


def as_proposals(found: Sequence[Found]) -> Proposals:
    """Join what each row of a query found, best first; equal scores stay in the order of the rows.

    Args:
        found: one item for each row of the query.
    """
    if not found:
        return Proposals.nothing()
    boxes = np.concatenate([one.boxes_xyxy for one in found])
    scores = np.concatenate([one.scores for one in found])
    sources = np.repeat(np.arange(len(found)), [len(one.scores) for one in found])
    order = np.argsort(-scores, kind="stable")
    return Proposals(boxes[order], scores[order], sources[order])
