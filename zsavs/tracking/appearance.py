"""What is kept of an object when it was last seen: where, how it moved, and what it looked like."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zsavs.types import Detections

__all__ = ["SHORT_GAP", "Appearance", "appearances", "overlap"]

#: In how many frames an object may be out of sight and still be where its motion takes it.
SHORT_GAP = 5
#: The side of a crop in pixels, about what image encoders see, and the grey around the object.
_SIDE, _GREY = 256, 128
#: Levels of each colour channel in a histogram.
_LEVELS = 4


@dataclass(frozen=True, eq=False)
class Appearance:
    """An object as it was last seen.

    Args:
        phrase: under which it was found.
        frame: the number of the frame, on the same count for all objects.
        box_xyxy: the tight box of its mask in whole pixels, x1 and y1 exclusive; zeros where the mask is empty.
        mask: (h, w) bool, the part of its mask within the box; None once it was out of sight for long.
        colours: the square roots of its colour histogram, of unit length; zeros where the mask is empty.
        crop: (s, s, 3) uint8, its box on a grey square, the rest of the image within the box grey as well.
        area: pixels of the mask that ``colours`` and ``crop`` show.
        velocity: pixels to the right and down from a frame to the next.
    """

    phrase: str
    frame: int
    box_xyxy: tuple[int, int, int, int]
    mask: NDArray[np.bool_] | None
    colours: NDArray[np.float32]
    crop: NDArray[np.uint8]
    area: int
    velocity: tuple[float, float] = (0.0, 0.0)

    def after(self, before: Appearance) -> Appearance:
        """This appearance of an object that was seen ``before``: with its phrase, and with a velocity.

        Where it is half covered now, it keeps the looks that it had before.
        """
        gap = self.frame - before.frame
        velocity = (0.0, 0.0)
        if 0 < gap <= SHORT_GAP:
            steps = [(now - then) / gap for now, then in zip(self.centre, before.centre, strict=True)]
            # The mean with what was known evens out the outlines of single frames.
            known = before.velocity if any(before.velocity) else steps
            velocity = (0.5 * (steps[0] + known[0]), 0.5 * (steps[1] + known[1]))
        now = replace(self, phrase=before.phrase, velocity=velocity)
        if self.area < 0.5 * before.area:
            now = replace(now, colours=before.colours, crop=before.crop, area=before.area)
        return now

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box."""
        x0, y0, x1, y1 = self.box_xyxy
        return 0.5 * (x0 + x1), 0.5 * (y0 + y1)

    def moved_to(self, frame: int) -> tuple[float, float]:
        """How far its motion takes it until ``frame``, to the right and down; nowhere after a long gap."""
        gap = frame - self.frame
        return (self.velocity[0] * gap, self.velocity[1] * gap) if 0 < gap <= SHORT_GAP else (0.0, 0.0)


def appearances(image: NDArray[np.uint8], found: Detections, frame: int) -> list[Appearance]:
    """The appearance of each object that was found in a frame.

    Args:
        image: (H, W, 3) uint8 RGB, the frame.
        found: N objects.
        frame: the frame's number.
    """
    return [_appearance(image, mask, phrase, frame) for mask, phrase in zip(found.masks, found.phrases, strict=True)]


def overlap(before: Appearance, now: Appearance) -> float:
    """Intersection over union, in [0, 1], of an object's mask, moved as its motion says, and another mask.

    0 where one of them is empty, or not kept.
    """
    if before.mask is None or now.mask is None:
        return 0.0
    dx, dy = (round(step) for step in before.moved_to(now.frame))
    x0, y0, x1, y1 = before.box_xyxy
    there = (x0 + dx, y0 + dy, x1 + dx, y1 + dy)
    left, top = (max(there[side], now.box_xyxy[side]) for side in (0, 1))
    right, bottom = (min(there[side], now.box_xyxy[side]) for side in (2, 3))
    if left >= right or top >= bottom:
        return 0.0

    def part(mask: NDArray[np.bool_], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        return mask[top - box[1] : bottom - box[1], left - box[0] : right - box[0]]

    shared = int((part(before.mask, there) & part(now.mask, now.box_xyxy)).sum())
    return shared / (int(before.mask.sum()) + int(now.mask.sum()) - shared)


def _appearance(image: NDArray[np.uint8], mask: NDArray[np.bool_], phrase: str, frame: int) -> Appearance:
    area = int(mask.sum())
    if not area:
        nothing = np.full((1, 1, 3), _GREY, np.uint8)
        return Appearance(phrase, frame, (0, 0, 0, 0), None, np.zeros(_LEVELS**3, np.float32), nothing, 0)
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    x0, y0, x1, y1 = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    inside = mask[y0:y1, x0:x1].copy()
    step = -(-max(inside.shape) // _SIDE)
    small = inside[::step, ::step]
    seen = image[y0:y1:step, x0:x1:step]
    height, width = small.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    crop = np.full((side, side, 3), _GREY, np.uint8)
    crop[top : top + height, left : left + width][small] = seen[small]
    return Appearance(phrase, frame, (x0, y0, x1, y1), inside, _colours(seen[small]), crop, area)


def _colours(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The square roots of the histogram of (P, 3) colours: the dot product of two is their Bhattacharyya coefficient.

    (Bhattacharyya, "On a measure of divergence between two multinomial populations", 1946.)
    """
    if not len(pixels):  # of a mask so thin that the coarser grid misses it
        return np.zeros(_LEVELS**3, np.float32)
    levels = pixels.astype(np.int64) * _LEVELS // 256
    bins = (levels[:, 0] * _LEVELS + levels[:, 1]) * _LEVELS + levels[:, 2]
    counts = np.bincount(bins, minlength=_LEVELS**3)
    return np.sqrt(counts / len(pixels)).astype(np.float32)
