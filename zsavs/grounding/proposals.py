"""Regions of an image whatever is looked for: every region is a candidate for every phrase.

A phrase detector misses what it has no word for. Here the image alone says where things are, and the verifier, which
sees each region, decides which phrase it shows, if any (OWOD-BIND, Bhosale et al., arXiv 2309.06728, sounds an image
in this way). Regions are found once for each image, whatever the number of phrases, strategies and pipelines that
ask for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError, InputError
from zsavs.models.detection import Found, as_proposals, keep_best
from zsavs.protocols import Grounder
from zsavs.storage.memo import Memo, memo_of
from zsavs.types import AVSample, Proposals, Query

if TYPE_CHECKING:
    from zsavs.storage.weights import WeightCard

__all__ = [
    "GENERIC_PHRASES",
    "AroundDetector",
    "DetectorProposals",
    "PointSegmenter",
    "SegmentProposals",
    "check_counts",
    "check_point_segmenter",
    "check_shares",
    "mask_boxes",
]

#: Names for anything that can sound. Eight, as Grounding DINO is asked eight phrases in one prompt.
GENERIC_PHRASES = ("object", "thing", "person", "animal", "vehicle", "musical instrument", "machine", "tool")

#: The most points along a side: 4096 masks of 256 x 256 booleans are 270 MB.
_MOST_POINTS = 64
#: Points of one image, and images, whose logits are held at once: 67 MB at 256 x 256.
_POINTS_AT_ONCE, _IMAGES_AT_ONCE = 64, 4


class PointSegmenter(Protocol):
    """A segmenter that can be asked for the mask at a point, as :class:`zsavs.models.sam2.Sam2Segmenter` can."""

    def segment_points(
        self, samples: Sequence[AVSample], points: Sequence[NDArray[np.float32]], *, full_size: bool
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """For each sample the logits (P, h, w) of its (P, 1, 2) points, of any size, and their predicted IoU (P,)."""
        ...


class SegmentProposals:
    """Regions from a segmenter that is asked at every point of a grid, without any phrase ("segment everything").

    The masks go through the filters of SAM's automatic mask generator (Kirillov et al., "Segment Anything", ICCV 2023,
    appendix B): how well the model thinks it did, and how little the mask depends on where its logits are cut. Of
    several that are one thing the best stays; one thing is what overlaps by mask, as a stray pixel changes the box, or
    by box, as nothing after this stage sees the mask. Thresholds are that generator's own for SAM 2; they have not
    been tuned here.

    A region's score is its predicted IoU times its stability. Both are about the mask's quality alone, one in the
    model's opinion and one measured, and a region has to be good at both.

    Args:
        segmenter: has ``segment_points``.
        points_per_side: the grid has this many points squared; at 16 whatever is as large as a sixteenth of both sides
            is hit, for a quarter of the work of SAM's 32.
        min_iou: the least predicted IoU, in [0, 1].
        min_stability: the least IoU of the mask cut at ``stability_offset`` with that cut at its negative, in [0, 1].
        stability_offset: of the logits, at least 0.
        min_area, max_area: the area as a share of the image, in [0, 1].
        nms_iou: a region goes if its mask or box overlaps that of a better one by more, in [0, 1].
        max_regions: the most regions of an image; each costs the verifier a look and the segmenter a mask, for every
            phrase.

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
        max_regions: int = 32,
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
        if not _is_number(stability_offset) or not 0 <= stability_offset < math.inf:
            raise InputError(f"segments: stability_offset is a number of at least 0, got {stability_offset!r}.")
        self.segmenter = segmenter
        self.points_per_side = points_per_side
        self.min_iou, self.min_stability, self.stability_offset = min_iou, min_stability, stability_offset
        self.min_area, self.max_area = min_area, max_area
        self.nms_iou, self.max_regions = nms_iou, max_regions
        settings = (points_per_side, min_iou, min_stability, stability_offset, min_area, max_area, nms_iou, max_regions)
        self._regions: Memo[Found] = memo_of(segmenter, "segments", *settings)

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Every region of an image for every row of its query, best first; none where the query is empty.

        Raises:
            ContractError: the segmenter's answer is not what ``segment_points`` promises.
        """
        return _for_every_row(samples, queries, self._regions, self._find)

    def _find(self, samples: list[AVSample]) -> list[Found]:
        """The regions of each image."""
        found = []
        for start in range(0, len(samples), _IMAGES_AT_ONCE):
            some = samples[start : start + _IMAGES_AT_ONCE]
            for sample, (masks, scores) in zip(some, self._masks(some), strict=True):
                kept = _distinct(masks, scores, self.nms_iou)
                boxes = mask_boxes(masks[kept], sample.size_hw)
                found.append(
                    keep_best(boxes, scores[kept], sample.size_hw, nms_iou=self.nms_iou, max_boxes=self.max_regions)
                )
        return found

    def _masks(self, samples: list[AVSample]) -> list[tuple[NDArray[np.bool_], NDArray[np.float32]]]:
        """For each image the masks (M, h, w) that pass the filters, and their scores (M,).

        Logits are held for a few points at a time; what is kept of them is booleans.
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


class AroundDetector:
    """What grounders have in common that go around a detector: the detector, and its card as theirs.

    Args:
        grounder: the detector.
        what: the name that errors begin with.

    Raises:
        ContractError: the grounder has no ``ground``.
    """

    def __init__(self, grounder: Grounder, what: str) -> None:
        if isinstance(grounder, type) or not callable(getattr(grounder, "ground", None)):
            raise ContractError(f"{what}: the detector needs ground(...), which {_name(grounder)} does not have.")
        self.detector = grounder

    @property
    def card(self) -> WeightCard:
        """The detector's.

        Raises:
            AttributeError: it has none.
        """
        card: WeightCard = self.detector.card  # type: ignore[attr-defined]
        return card


class DetectorProposals(AroundDetector):
    """Regions from a phrase detector that is asked for anything at all.

    OWOD-BIND takes its regions from a detector without classes; this asks any detector for generic phrases, which it
    scores low, so that its own threshold decides how many regions there are. Of boxes that overlap the best stays,
    whatever its phrase. A box as large as the image is no region and is dropped, as OWOD-BIND does.

    Args:
        grounder: a phrase detector. By name, ``build_pipeline(..., grounder="objects")`` takes the preset's own
            detector, ``grounder="objects:owlv2:google/owlv2-base-patch16-ensemble"`` the one that is named.
        phrases: what the detector is asked for.
        nms_iou: a box goes if a better one overlaps it by more, in [0, 1].
        max_side: a box goes if it is larger than this share of both sides of the image, in [0, 1].
        max_regions: the most regions of an image.

    Raises:
        ContractError: the grounder has no ``ground``.
        InputError: a setting out of range.
    """

    def __init__(
        self,
        grounder: Grounder,
        *,
        phrases: Sequence[str] = GENERIC_PHRASES,
        nms_iou: float = 0.7,
        max_side: float = 0.98,
        max_regions: int = 32,
    ) -> None:
        super().__init__(grounder, "objects")
        listed = isinstance(phrases, Sequence) and not isinstance(phrases, str) and len(phrases) > 0
        if not listed or not all(isinstance(phrase, str) and phrase.strip() for phrase in phrases):
            raise InputError(f"objects: phrases are a list of strings, one at least and none empty, got {phrases!r}.")
        check_counts("objects", max_regions=max_regions)
        check_shares("objects", nms_iou=nms_iou, max_side=max_side)
        self.phrases = tuple(phrases)
        self.nms_iou, self.max_side, self.max_regions = nms_iou, max_side, max_regions
        self._regions: Memo[Found] = memo_of(grounder, "objects", self.phrases, nms_iou, max_side, max_regions)

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Every region of an image for every row of its query, best first; none where the query is empty.

        Raises:
            As the detector.
        """
        return _for_every_row(samples, queries, self._regions, self._find)

    def _find(self, samples: list[AVSample]) -> list[Found]:
        """The regions of each image."""
        anything = Query(self.phrases, np.ones(len(self.phrases), np.float32))
        answers = self.detector.ground(samples, [anything] * len(samples))
        return [self._merged(answer, sample.size_hw) for sample, answer in zip(samples, answers, strict=True)]

    def _merged(self, answer: Proposals, size_hw: tuple[int, int]) -> Found:
        shares = (answer.boxes_xyxy[:, 2:] - answer.boxes_xyxy[:, :2]) / np.array(size_hw[::-1], np.float32)
        smaller = (shares <= self.max_side).any(axis=1)
        boxes, scores = answer.boxes_xyxy[smaller], answer.scores[smaller]
        return keep_best(boxes, scores, size_hw, nms_iou=self.nms_iou, max_boxes=self.max_regions)


# -------------------------------------------------------------------------------- shared steps
def _for_every_row(
    samples: Sequence[AVSample], queries: Sequence[Query], regions: Memo[Found], find: Any
) -> list[Proposals]:
    """Offer the regions of each image to every row of its query; images that nothing asks about are not looked at.

    Args:
        regions: what is remembered, by image.
        find: takes n samples, returns n :class:`Found`.
    """
    asking = [sample for sample, query in zip(samples, queries, strict=True) if len(query)]
    of_image = {id(sample.image): sample for sample in asking}
    found = iter(regions([s.image for s in asking], lambda new: find([of_image[id(image)] for image in new])))
    return [as_proposals([next(found)] * len(query)) if len(query) else Proposals.nothing() for query in queries]


def _grid(per_side: int, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """The centres of ``per_side`` times ``per_side`` equal cells, row by row: (P, 1, 2) x, y in pixels."""
    shares = (np.arange(per_side) + 0.5) / per_side
    x, y = np.meshgrid(shares * size_hw[1], shares * size_hw[0])
    return np.stack([x.ravel(), y.ravel()], axis=1)[:, None].astype(np.float32)


def _checked(
    answer: tuple[NDArray[np.float32], NDArray[np.float32]], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a segmenter answered for ``count`` points, checked: it may be anybody's."""
    logits, ratings = answer
    if logits.ndim != 3 or len(logits) != count or ratings.shape != (count,):
        raise ContractError(
            f"segment_points: expected ({count}, h, w) logits and ({count},) ratings for {count} points, "
            f"got {logits.shape} and {ratings.shape}."
        )
    if not (np.isfinite(logits).all() and np.isfinite(ratings).all()):
        raise ContractError("segment_points: logits and ratings must be finite, found NaN or infinity.")
    return logits, ratings


def _distinct(masks: NDArray[np.bool_], scores: NDArray[np.float32], nms_iou: float) -> list[int]:
    """Rows of the masks (M, h, w) that no better one overlaps by more than ``nms_iou``, best first."""
    areas = masks.sum(axis=(1, 2))
    kept: list[int] = []
    for row in map(int, np.argsort(-scores, kind="stable")):
        # Two masks overlap by the ratio of their areas at the most, so that few pairs need a look at their pixels.
        small, large = np.minimum(areas[kept], areas[row]), np.maximum(areas[kept], areas[row])
        rivals = np.array(kept, np.int64)[small > nms_iou * large]
        shared = (masks[rivals] & masks[row]).sum(axis=(1, 2))
        if not (shared > nms_iou * (areas[rivals] + areas[row] - shared)).any():
            kept.append(row)
    return kept


def mask_boxes(masks: NDArray[np.bool_], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Tight boxes (M, 4) in pixels of the image, of masks (M, h, w) that are stretched over it and not empty."""
    height, width = size_hw
    x0, x1 = _ends(np.any(masks, axis=1))
    y0, y1 = _ends(np.any(masks, axis=2))
    rows, columns = masks.shape[1:]
    # Multiplied first, as the last cell then ends at the image's border exactly.
    edges = [x0 * width / columns, y0 * height / rows, x1 * width / columns, y1 * height / rows]
    return np.stack(edges, axis=1).astype(np.float32)


def _ends(touched: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each row of (M, n) the first cell that is touched, and the one after the last."""
    return touched.argmax(axis=1), touched.shape[1] - touched[:, ::-1].argmax(axis=1)


# ------------------------------------------------------------------------------------ settings
def _name(part: Any) -> str:
    return part.__name__ if isinstance(part, type) else type(part).__name__


def check_point_segmenter(what: str, segmenter: Any) -> None:
    """Refuse a segmenter that cannot be asked for the mask at a point.

    Raises:
        ContractError: ``what`` needs one that can.
    """
    if isinstance(segmenter, type) or not callable(getattr(segmenter, "segment_points", None)):
        raise ContractError(
            f"{what}: the segmenter needs segment_points(...), which {_name(segmenter)} does not have; "
            "use segmenter='sam2', or another grounder."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def check_counts(what: str, **counts: int) -> None:
    """Refuse settings that are no whole numbers of at least 1.

    Raises:
        InputError: names the setting of ``what``.
    """
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise InputError(f"{what}: {name} is a whole number of at least 1, got {count!r}.")


def check_shares(what: str, **shares: float) -> None:
    """Refuse settings that are not in [0, 1].

    Raises:
        InputError: names the setting of ``what``.
    """
    for name, share in shares.items():
        if not _is_number(share) or not 0 <= share <= 1:
            raise InputError(f"{what}: {name} lies in [0, 1], got {share!r}.")
