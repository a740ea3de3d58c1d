"""Label chips: how they look and where they go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from zsavs.draw.colours import Rgb, blend, ink_on
from zsavs.draw.text import Line, cap_height, set_line

__all__ = ["Label", "place_labels", "rounded"]

#: Type size for an image of area 1, and the smallest that can be read.
_SIZE, _SMALLEST = 0.026, 10
#: All labels together cover no more than this share of the image.
_BUDGET = 0.35

Box = tuple[int, int, int, int]


def rounded(width: int, height: int, radius: float) -> NDArray[np.uint8]:
    """(height, width) coverage in 0..255 of a rectangle with round corners, anti-aliased."""
    fine = Image.new("L", (width * 4, height * 4), 0)
    ImageDraw.Draw(fine).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), radius * 4, fill=255)
    return np.asarray(fine.reduce(4))


@dataclass(frozen=True)
class Label:
    """A chip and where it goes.

    Args:
        index: which mask it names.
        x: left edge in the image, pixels.
        y: top edge in the image, pixels.
        chip: (h, w, 4) uint8, round corners transparent.
    """

    index: int
    x: int
    y: int
    chip: NDArray[np.uint8]

    @property
    def box(self) -> Box:
        """(x0, y0, x1, y1), ends excluded."""
        return self.x, self.y, self.x + self.chip.shape[1], self.y + self.chip.shape[0]

    def draw(self, canvas: NDArray[np.uint8]) -> None:
        """Lay the chip over ``canvas``, (H, W, 3 or 4) uint8, in place."""
        x0, y0, x1, y1 = self.box
        blend(canvas, np.s_[y0:y1, x0:x1], self.chip[..., :3], self.chip[..., 3] / 255)


def place_labels(
    masks: NDArray[np.bool_],
    extents: Sequence[Box | None],
    phrases: Sequence[str],
    scores: Sequence[float] | NDArray[np.float32],
    colours: Sequence[Rgb],
) -> list[Label]:
    """Find a place for a chip "dog 0.87" at every mask, none over another or beyond the image.

    Args:
        masks: (N, H, W) bool.
        extents: N boxes (x0, y0, x1, y1) of whole pixels around the masks; None for one that is nowhere.
        phrases: N labels.
        scores: N numbers, or none.
        colours: N colours.

    Returns:
        Labels, the highest score first; none for a mask where no legible chip fits.
    """
    height, width = masks.shape[1:]
    size = max(_SMALLEST, round(_SIZE * float(np.sqrt(height * width))))
    room = int(max(0.45 * width, min(0.8 * width, 8 * size)))
    budget = _BUDGET * height * width
    labels: list[Label] = []
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable") if len(scores) else np.arange(len(masks))
    for i in order.tolist():
        box = extents[i]
        words = _words(phrases[i], f"{scores[i]:.2f}" if len(scores) else "", size, room)
        if box is None or not words:
            continue
        chip = _chip(words, size, colours[i])
        chip_height, chip_width = chip.shape[:2]
        if chip_width > 0.96 * width or chip_height > 0.34 * height or chip_width * chip_height > budget:
            continue
        place = _place(masks, i, box, (chip_width, chip_height), [label.box for label in labels])
        if place is not None:
            labels.append(Label(i, *place, chip))
            budget -= chip_width * chip_height
    return labels


def _words(phrase: str, score: str, size: int, room: int) -> list[Line]:
    """What the chip says in ``room`` pixels: phrase and score; or the phrase alone; or its start and the score."""
    number, whole = set_line(score, size), set_line(phrase, size)
    gap = _gap(size) if number.width else 0
    if whole.width + gap + number.width > room >= whole.width:
        return [whole]
    short = set_line(phrase, size, max(0, room - gap - number.width))
    if short.text != whole.text and len(short.text) < 5:  # a stump: better more of the phrase and no score
        short, number = set_line(phrase, size, room), set_line("", size)
    return [line for line in (short, number) if line.text]


def _gap(size: int) -> int:
    """Space between phrase and score."""
    return max(3, round(0.36 * size))


def _chip(parts: Sequence[Line], size: int, colour: Rgb) -> NDArray[np.uint8]:
    """(h, w, 4) image of the chip."""
    side, cap = max(3, round(0.5 * size)), cap_height(size)
    height = cap + 2 * max(3, round(0.42 * size))
    width = 2 * side + sum(part.width for part in parts) + _gap(size) * (len(parts) - 1)
    image = Image.new("RGB", (width, height), colour)
    x = side
    for part in parts:
        part.draw(image, x, (height + cap + 1) // 2, ink_on(colour))
        x += part.width + _gap(size)
    return np.dstack([np.asarray(image), rounded(width, height, 0.32 * height)])


def _place(
    masks: NDArray[np.bool_], index: int, box: Box, size: tuple[int, int], taken: Sequence[Box]
) -> tuple[int, int] | None:
    """Top left corner for a chip of ``size`` (width, height) at mask ``index``; None if there is no free place.

    The best of a few natural places wins: the one that covers least of the other masks, and among equals the first.
    Where all of them are taken, the free place closest to the mask.
    """
    height, width = masks.shape[1:]
    chip_width, chip_height = size
    others = [k for k in range(len(masks)) if k != index]

    def inside(centre_x: float, centre_y: float) -> tuple[int, int]:
        x, y = round(centre_x - chip_width / 2), round(centre_y - chip_height / 2)
        return min(max(x, 0), width - chip_width), min(max(y, 0), height - chip_height)

    def free(x: int, y: int) -> bool:
        return all(x >= x1 + 1 or x + chip_width + 1 <= x0 or y >= y1 + 1 or y + chip_height + 1 <= y0
                   for x0, y0, x1, y1 in taken)  # fmt: skip

    def covered(x: int, y: int) -> float:
        return float(sum(masks[k, y : y + chip_height, x : x + chip_width].mean() for k in others))

    natural = [inside(*centre) for centre in _centres(masks[index], box, chip_height)]
    open_places = [place for place in natural if free(*place)]
    if open_places:
        return min(open_places, key=lambda place: round(covered(*place), 1))
    middle_x, middle_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    grid = [
        inside(x, y)
        for y in np.arange(chip_height / 2, height, max(1, chip_height // 2)).tolist()
        for x in np.arange(chip_width / 2, width, max(1, chip_width // 4)).tolist()
    ]
    near = sorted(grid, key=lambda p: np.hypot(p[0] + chip_width / 2 - middle_x, p[1] + chip_height / 2 - middle_y))
    return next((place for place in near if free(*place)), None)


def _centres(mask: NDArray[np.bool_], box: Box, chip_height: int) -> Iterator[tuple[float, float]]:
    """Centres (x, y) of the natural places: above, below, just inside the top, on the middle, beside."""
    x0, y0, x1, y1 = box
    height = len(mask)
    part = mask[y0:y1, x0:x1]
    reach = 0.5 * chip_height + max(2, 0.2 * chip_height)

    def middle(rows: NDArray[np.bool_]) -> float:
        return x0 + float(np.flatnonzero(rows.any(axis=0)).mean()) if rows.any() else (x0 + x1) / 2

    slab = max(1, (y1 - y0) // 12)
    top, bottom = middle(part[:slab]), middle(part[-slab:])
    if y0 >= 0.6 * chip_height:
        yield top, y0 - reach
    if y1 + 0.6 * chip_height <= height:
        yield bottom, y1 + reach
    yield top, y0 + reach
    yield middle(part), (y0 + y1) / 2
    yield bottom, y1 - reach
