"""A second, closer look at each region before it is cut out."""

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

#: Images whose regions are remembered for the next strategy: ten regions of a VGA image are 6 MB.
_REMEMBERED = 16
#: Views of surroundings that the segmenter is shown at once, those in the mirror among them; what it remembers of a
#: batch of images should outlive them.
_AT_ONCE = 8


class CloserLook:
    """Segments every region in the whole image and in its surroundings alone, and takes the mean of all looks.

    A segmenter sees every image at one size, so that a small thing has few cells of the mask, and a thin one less
    than one. Its surroundings by themselves fill that size. The whole image in turn knows what lies around; the mean
    of the logits is better than either. Surroundings of several widths lay the segmenter's cells differently over the
    outline, so that some of its mistakes cancel. Costs the segmenter's encoder one more image for each margin and
    region that is selected, or two if it is ``mirrored``; a region that is not selected has no mask in the result, and
    keeps the look in the whole image.

    Args:
        segmenter: makes the masks. By name, ``build_pipeline(..., segmenter="closer")`` goes around the preset's own,
            and ``segmenter="closer:sam2"`` around the one that is named.
        margin: of the surroundings on each side, as a share of the box's longer side, at least 0; they are a square
            where the image allows it. Several: one look with each, and all looks count alike.
        mirrored: look at the surroundings in a mirror, too. A mirror changes nothing about a thing, so that what
            differs are the segmenter's mistakes, some of which cancel.

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
        if hasattr(segmenter, "segment_points"):  # a point has no surroundings
            self.segment_points = segmenter.segment_points
        self._known: Memo[dict[tuple[bytes, bool], NDArray[np.float16]]] = shared_memo(
            segmenter, "closer", margins, self.mirrored, max_items=_REMEMBERED
        )

    @property
    def card(self) -> WeightCard:
        """The inner segmenter's.

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
                    if key not in looks
                ]
            )
            for found, looks in zip(proposals, known, strict=True)
        ]
        far = self.segmenter.segment(samples, new)
        close = self._close(samples, [found.rows(found.selected) for found in new])
        for looks, found, logits in zip(known, new, far, strict=True):
            for key, chosen, total in zip(_keys(found), found.selected, logits.copy(), strict=True):
                if chosen:
                    counts = np.ones(total.shape, np.float32)
                    for part, near in islice(close, len(self.margins)):
                        total[part] += near
                        counts[part] += 1
                    total /= counts
                looks[key] = total.astype(np.float16)
        return [
            np.stack([looks[key] for key in _keys(found)]).astype(np.float32)
            if len(found)
            else np.zeros((0, *sample.size_hw), np.float32)
            for sample, found, looks in zip(samples, proposals, known, strict=True)
        ]

    def _close(
        self, samples: Sequence[AVSample], proposals: Sequence[Proposals]
    ) -> Iterator[tuple[tuple[slice, slice], NDArray[np.float32]]]:
        """For every region in turn, and every margin, where its surroundings lie, and the logits there."""
        views = (
            (sample, box, margin)
            for sample, found in zip(samples, proposals, strict=True)
            for box in found.boxes_xyxy
            for margin in self.margins
        )
        at_once = _AT_ONCE // 2 if self.mirrored else _AT_ONCE
        while some := list(islice(views, at_once)):
            parts, close, asked = [], [], []
            for sample, box, margin in some:
                (top, bottom), (left, right) = _around(box, margin, sample.size_hw)
                parts.append((slice(top, bottom), slice(left, right)))
                close.append(AVSample(sample.image[parts[-1]], sample.audio, sample.name))
                inside = np.clip(box - [left, top] * 2, 0, [right - left, bottom - top] * 2)
                asked.append(Proposals(inside[None], np.ones(1, np.float32), np.zeros(1, np.int64)))
            logits = self.segmenter.segment(close, asked)
            if self.mirrored:
                mirrors = map(_mirrored, close, asked)
                back = self.segmenter.segment(*map(list, zip(*mirrors, strict=True)))
                logits = [0.5 * (one + other[..., ::-1]) for one, other in zip(logits, back, strict=True)]
            yield from zip(parts, (one[0] for one in logits), strict=True)


def _around(box: NDArray[np.float32], margin: float, size_hw: tuple[int, int]) -> list[tuple[int, int]]:
    """From which row to which and from which column to which the surroundings of a box reach."""
    x0, y0, x1, y1 = map(float, box)
    side = max(x1 - x0, y1 - y0) * (1 + 2 * margin)
    return [_span(low, high, side, length) for low, high, length in ((y0, y1, size_hw[0]), (x0, x1, size_hw[1]))]


def _keys(found: Proposals) -> list[tuple[bytes, bool]]:
    """What the look at a region depends on: its box, and whether it is selected."""
    return [(box.tobytes(), bool(chosen)) for box, chosen in zip(found.boxes_xyxy, found.selected, strict=True)]


def _mirrored(sample: AVSample, proposals: Proposals) -> tuple[AVSample, Proposals]:
    """The image with left and right exchanged, and the boxes where they then are."""
    image = np.ascontiguousarray(sample.image[:, ::-1])
    boxes = proposals.boxes_xyxy[:, [2, 1, 0, 3]].copy()
    boxes[:, [0, 2]] = image.shape[1] - boxes[:, [0, 2]]
    return replace(sample, image=image), replace(proposals, boxes_xyxy=boxes)


def _span(low: float, high: float, side: float, length: int) -> tuple[int, int]:
    """A stretch of ``side`` pixels around [low, high], moved to lie within ``length``; at least one pixel."""
    start = min(max(0.0, (low + high - side) / 2), max(0.0, length - side))
    first = min(int(start), length - 1)
    return first, min(length, max(first + 1, int(np.ceil(start + side))))
