"""Letterboxes: an image in a canvas of a fixed size, and the exact way back for boxes and maps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import ImageError
from zsavs.media.arrays import box_numbers, image_size
from zsavs.media.resize import resize_part

__all__ = ["Letterbox", "letterbox"]


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies in its canvas; made by :func:`letterbox`.

    Args:
        image_hw: height and width of the image.
        content_hw: of the resized image in the canvas.
        canvas_hw: of the canvas.
        top: rows of the canvas above the content.
        left: columns of the canvas to the left of the content.
    """

    image_hw: tuple[int, int]
    content_hw: tuple[int, int]
    canvas_hw: tuple[int, int]
    top: int
    left: int

    def boxes_to_image(self, boxes_xyxy: ArrayLike) -> NDArray[np.float64]:
        """Boxes (R, 4) from pixels of the canvas to pixels of the image: (R, 4) float64, not clipped.

        Float64, as float32 cannot hold a thousandth of a pixel in a large image.
        """
        return (_boxes(boxes_xyxy) - self._offset()) / self._scale()

    def boxes_from_image(self, boxes_xyxy: ArrayLike) -> NDArray[np.float64]:
        """Boxes (R, 4) from pixels of the image to pixels of the canvas: (R, 4) float64."""
        return _boxes(boxes_xyxy) * self._scale() + self._offset()

    def map_to_image(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of the canvas without its padding, resized to the image as by :func:`~zsavs.media.resize.resize_map`.

        Nothing of the padding enters the result: where a value of a coarse map lies on content and padding both, its
        neighbour inside the content stands in for it.

        Args:
            values: (h, w) float32 of any size, stretched over the whole canvas.

        Returns:
            (H, W) float32 of the image's size.

        Raises:
            ImageError: not a map.
        """
        if np.ndim(values) != 2 or np.size(values) == 0:
            raise ImageError(f"expected a map (h, w) with at least one value, got shape {np.shape(values)}.")
        rows, y0, y1 = _inside(values.shape[0], self.top, self.content_hw[0], self.canvas_hw[0])
        columns, x0, x1 = _inside(values.shape[1], self.left, self.content_hw[1], self.canvas_hw[1])
        return resize_part(values[np.ix_(rows, columns)], self.image_hw, (x0, y0, x1, y1))

    def _scale(self) -> NDArray[np.float64]:
        y, x = np.divide(self.content_hw, self.image_hw)
        return np.array([x, y, x, y])

    def _offset(self) -> NDArray[np.float64]:
        return np.array([self.left, self.top, self.left, self.top], np.float64)


def _inside(length: int, start: int, content: int, canvas: int) -> tuple[NDArray[np.int64], float, float]:
    """Along one side of a map: which values to take, and where among them the content begins and ends."""
    begin, end = start * length / canvas, (start + content) * length / canvas
    outer = math.floor(begin), math.ceil(end)
    inner = math.ceil(begin), math.floor(end)
    if inner[0] >= inner[1]:  # the map is so coarse that no value lies on content alone
        inner = outer
    taken = np.clip(np.arange(*outer), inner[0], inner[1] - 1)
    return taken, begin - outer[0], end - outer[0]


def letterbox(
    image: NDArray[np.uint8],
    side_hw: tuple[int, int],
    fill: tuple[int, int, int] = (114, 114, 114),
    *,
    centred: bool = True,
) -> tuple[NDArray[np.uint8], Letterbox]:
    """The image resized, with its aspect ratio, until it just fits a canvas.

    Args:
        image: (H, W, 3) uint8.
        side_hw: height and width of the canvas, each at least 1.
        fill: RGB colour of the rest of the canvas, 0..255.
        centred: the image lies in the middle of the canvas; else at its top left.

    Returns:
        The canvas (h, w, 3) uint8, and the way back.

    Raises:
        ImageError: not an image, or a side below 1.
    """
    height, width = image_size(image)
    canvas_hw = (int(side_hw[0]), int(side_hw[1]))
    if min(canvas_hw) < 1:
        raise ImageError(f"letterbox: each side of the canvas must be at least 1, got {canvas_hw}.")
    from PIL import Image

    scale = min(canvas_hw[0] / height, canvas_hw[1] / width)
    content_hw = (max(1, round(height * scale)), max(1, round(width * scale)))
    rest = (canvas_hw[0] - content_hw[0], canvas_hw[1] - content_hw[1])
    top, left = (rest[0] // 2, rest[1] // 2) if centred else (0, 0)
    canvas = np.empty((*canvas_hw, 3), np.uint8)
    canvas[:] = fill
    content = Image.fromarray(image).resize((content_hw[1], content_hw[0]), Image.Resampling.BILINEAR)
    canvas[top : top + content_hw[0], left : left + content_hw[1]] = np.asarray(content)
    return canvas, Letterbox((height, width), content_hw, canvas_hw, top, left)


def _boxes(boxes_xyxy: ArrayLike) -> NDArray[np.float64]:
    boxes = box_numbers(boxes_xyxy)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ImageError(f"expected boxes (R, 4), got shape {boxes.shape}.")
    return boxes
