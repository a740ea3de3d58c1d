"""Segmentation of each region in the whole image and in enlarged crops around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError, InputError
from zsavs.protocols import Segmenter
from zsavs.storage.memo import Memo, shared_memo
from zsavs.types import AVSample, Proposals

if TYPE_CHECKING:
    from zsavs.storage.weights import WeightCard

__all__ = ["CloserLook"]

#: Images whose masks are kept for the next strategy: those of ten regions of a VGA image are 6 MB.
_KEPT_IMAGES = 16
#: Crops that the segmenter is given in one batch, mirrored ones among them; its memo of whole images should outlive
#: them.
_CROPS_AT_ONCE = 8


class CloserLook:
    """A segmenter's mean mask logits of each region, in the whole image and in crops around the region.

    A segmenter resizes every image to one size, so that a small thing has few cells of the mask, and a thin one less
    than one. A crop around it fills that size. The whole image in turn has the context; the mean of the logits is
    better than either. Crops of several margins place the segmenter's cells differently on the outline, so that some of
    its errors cancel. Costs the segmenter's encoder one more image for each margin and selected region, or two if
    ``mirrored``; a region that is not selected has no mask in the result, and keeps its logits in the whole image.

    Args:
        segmenter: makes the masks. By name, ``build_pipeline(..., segmenter="closer")`` goes around the preset's own,
            and ``segmenter="closer:sam2"`` around the one that is named.
        margin: of the crop on each side, as a share of the box's longer side, at least 0; the crop is a square where
            the image allows it. Several: one crop with each, all of the same weight.
        mirrored: segment each crop flipped from left to right, too (test-time augmentation): some of the segmenter's
            errors cancel.

    Raises:
        ContractError: the segmenter has no ``segment``.
        InputError: a ``margin`` is below 0, or there is none.
    """

    def __init__(self, segmenter: Segmenter, *, margin: float | Sequence[float] = 0.3, mirrored: bool = False) -> None:
        if isinstance(segmenter, type) or not callable(getattr(segmenter, "segment", None)):
            raise ContractError("closer: the segmenter needs segment(...); give an object that has it.")
        margins = tuple(margin) if isinstance(margin, Sequence) else (margin,)
        if not margins or not all(isinstance(one, Real) and 0 <= one < np.inf for one in margins):
            raise InputError(f"closer: margin is a share of the box, at least 0, or several of them, got {margin!r}.")
        self.segmenter, self.margins, self.mirrored = segmenter, margins, bool(mirrored)
        if hasattr(segmenter, "segment_points"):  # a point has no crop around it
            self.segment_points = segmenter.segment_points
        self._known: Memo[dict[tuple[bytes, bool], NDArray[np.float16]]] = shared_memo(
            segmenter, "closer", margins, self.mirrored, max_items=_KEPT_IMAGES
        )

    @property
    def card(self) -> WeightCard:
        """The inner segmenter's card.

        Raises:
            AttributeError: it has none.
        """
        card: WeightCard = self.segmenter.card  # type: ignore[attr-defined]
        return card

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        """For each sample the mask logits of its R boxes: (R, H, W) float32, above 0 is inside.

        Raises:
            As the segmenter.
        """
        known = self._known([sample.image for sample in samples], lambda new: [{} for _ in new])
        new = [
            found.rows(
                [
                    row
                    for key, row in dict(zip(_keys(found), range(len(found)), strict=True)).items()
                    if key not in masks
                ]
            )
            for found, masks in zip(proposals, known, strict=True)
        ]
        whole = self.segmenter.segment(samples, new)
        in_crops = self._in_crops(samples, [found.rows(found.selected) for found in new])
        for masks, found, logits in zip(known, new, whole, strict=True):
            for key, chosen, total in zip(_keys(found), found.selected, logits.copy(), strict=True):
                if chosen:
                    counts = np.ones(total.shape, np.float32)
                    for part, logits_there in islice(in_crops, len(self.margins)):
                        total[part] += logits_there
                        counts[part] += 1
                    total /= counts
                masks[key] = total.astype(np.float16)
        return [
            np.stack([masks[key] for key in _keys(found)]).astype(np.float32)
            if len(found)
            else np.zeros((0, *sample.size_hw), np.float32)
            for sample, found, masks in zip(samples, proposals, known, strict=True)
        ]

    def _in_crops(
        self, samples: Sequence[AVSample], proposals: Sequence[Proposals]
    ) -> Iterator[tuple[tuple[slice, slice], NDArray[np.float32]]]:
        """For every region in turn, and every margin, where its crop lies in the image, and the logits there."""
        wanted = (
            (sample, found.rows([row]), margin)
            for sample, found in zip(samples, proposals, strict=True)
            for row in range(len(found))
            for margin in self.margins
        )
        at_once = _CROPS_AT_ONCE // 2 if self.mirrored else _CROPS_AT_ONCE
        while some := list(islice(wanted, at_once)):
            places, crops, boxes = [], [], []
            for sample, region, margin in some:
                (top, bottom), (left, right) = _crop(region.boxes_xyxy[0], margin, sample.size_hw)
                places.append((slice(top, bottom), slice(left, right)))
                crops.append(AVSample(sample.image[places[-1]], sample.audio, sample.name))
                inside = np.clip(
                    region.boxes_xyxy - _xy(left, top, left, top), 0, _xy(*[right - left, bottom - top] * 2)
                )
                points = None if region.points_xy is None else region.points_xy - _xy(left, top)
                boxes.append(Proposals(inside, np.ones(1, np.float32), np.zeros(1, np.int64), points_xy=points))
            logits = self.segmenter.segment(crops, boxes)
            if self.mirrored:
                mirrors = map(_mirrored, crops, boxes)
                back = self.segmenter.segment(*map(list, zip(*mirrors, strict=True)))
                logits = [0.5 * (one + other[..., ::-1]) for one, other in zip(logits, back, strict=True)]
            yield from zip(places, (one[0] for one in logits), strict=True)


def _crop(box: NDArray[np.float32], margin: float, size_hw: tuple[int, int]) -> list[tuple[int, int]]:
    """From which row to which and from which column to which the crop around a box reaches."""
    x0, y0, x1, y1 = map(float, box)
    side = max(x1 - x0, y1 - y0) * (1 + 2 * margin)
    return [_span(low, high, side, length) for low, high, length in ((y0, y1, size_hw[0]), (x0, x1, size_hw[1]))]


def _xy(*numbers: int) -> NDArray[np.float32]:
    """Whole pixels, x and y by turns, as boxes and points have them."""
    return np.array(numbers, np.float32)


def _keys(found: Proposals) -> list[tuple[bytes, bool]]:
    """What the logits of a region depend on: its box and points, and whether it is selected."""
    points = found.boxes_xyxy[:, :0] if found.points_xy is None else found.points_xy
    return [
        (box.tobytes() + xy.tobytes(), bool(chosen))
        for box, xy, chosen in zip(found.boxes_xyxy, points, found.selected, strict=True)
    ]


def _mirrored(sample: AVSample, proposals: Proposals) -> tuple[AVSample, Proposals]:
    """The image with its boxes and points, flipped from left to right."""
    image = np.ascontiguousarray(sample.image[:, ::-1])
    boxes = proposals.boxes_xyxy[:, [2, 1, 0, 3]].copy()
    boxes[:, [0, 2]] = image.shape[1] - boxes[:, [0, 2]]
    points = None if proposals.points_xy is None else proposals.points_xy * _xy(-1, 1) + _xy(image.shape[1], 0)
    return replace(sample, image=image), replace(proposals, boxes_xyxy=boxes, points_xy=points, masks=None)


def _span(low: float, high: float, side: float, length: int) -> tuple[int, int]:
    """A stretch of ``side`` pixels around [low, high], moved to lie within ``length``; at least one pixel."""
    start = min(max(0.0, (low + high - side) / 2), max(0.0, length - side))
    first = min(int(start), length - 1)
    return first, min(length, max(first + 1, int(np.ceil(start + side))))
