"""Pictures: decode, shrink, letterbox, resize maps, crop, highlight.

A picture is (H, W, 3) uint8 RGB as people see it. Coordinates are continuous: pixel (row i, column j) covers x in
[j, j + 1] and y in [i, i + 1], so a box around the whole picture is (0, 0, W, H), and resizing scales coordinates by
the ratio of the sizes (half-pixel centres).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import ImageError
from zsavs.media.image_file import load_image

__all__ = ["Letterbox", "crop_with_margin", "highlight", "letterbox", "load_image", "resize_map", "shrink"]


def shrink(image: NDArray[np.uint8], max_pixels: int) -> NDArray[np.uint8]:
    """Make a picture small enough by averaging areas; the aspect ratio stays up to rounding down to whole pixels.

    Args:
        image: (H, W, 3) uint8.
        max_pixels: the most pixels of the result, at least 1.

    Returns:
        (h, w, 3) uint8 with h * w <= max_pixels and both sides at least 1; ``image`` itself if it is small enough.

    Raises:
        ImageError: not a picture, or ``max_pixels`` below 1.
    """
    height, width = _size(image)
    if max_pixels < 1:
        raise ImageError(f"shrink: max_pixels must be at least 1, got {max_pixels}.")
    if height * width <= max_pixels:
        return image
    from PIL import Image

    scale = math.sqrt(max_pixels / (height * width))
    new_height, new_width = max(1, int(height * scale)), max(1, int(width * scale))
    if new_height * new_width > max_pixels:  # one side would be less than a pixel: the other one gives way
        new_height, new_width = min(new_height, max_pixels), min(new_width, max_pixels)
    return np.array(Image.fromarray(image).resize((new_width, new_height), Image.Resampling.BOX))


def resize_map(values: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Resize a map (mask logits, scores) bilinearly with half-pixel centres.

    Enlarging interpolates between the four nearest values and repeats the outermost ones at the border; shrinking
    averages with a triangle filter as wide as the reduction, so that no value is skipped. The result stays within
    the range of the input.

    Args:
        values: (h, w) float32, finite.
        size_hw: height and width of the result, each at least 1.

    Returns:
        (H, W) float32, a new array.

    Raises:
        ImageError: not a map, or a side below 1.
    """
    height, width = np.shape(values)[:2] if np.ndim(values) == 2 else (0, 0)
    return _resize(values, size_hw, (0, 0, width, height))


def _resize(
    values: NDArray[np.float32], size_hw: tuple[int, int], box_xyxy: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    """As :func:`resize_map`, of the part of the map within ``box_xyxy``, which need not be whole pixels."""
    values = np.asarray(values, np.float32)
    if values.ndim != 2 or values.size == 0:
        raise ImageError(f"expected a map (h, w) with at least one value, got shape {values.shape}.")
    height, width = size_hw
    if height < 1 or width < 1:
        raise ImageError(f"a map cannot be resized to {height}x{width}; each side must be at least 1.")
    from PIL import Image

    resized = Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR, box=box_xyxy)
    return np.array(resized)  # a copy, as Pillow's own array is read-only


@dataclass(frozen=True)
class Letterbox:
    """Where a picture lies in its canvas; made by :func:`letterbox`.

    Args:
        image_hw: height and width of the picture.
        content_hw: of the resized picture in the canvas.
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
        """Boxes (R, 4) in pixels of the canvas to pixels of the picture, (R, 4) float64, not clipped.

        Float64, as float32 cannot hold a thousandth of a pixel in a large picture.
        """
        return (_boxes(boxes_xyxy) - self._offset()) / self._scale()

    def boxes_from_image(self, boxes_xyxy: ArrayLike) -> NDArray[np.float64]:
        """Boxes (R, 4) in pixels of the picture to pixels of the canvas, (R, 4) float64."""
        return _boxes(boxes_xyxy) * self._scale() + self._offset()

    def map_to_image(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cut the padding off a map of the canvas and resize the rest to the picture, as :func:`resize_map` does.

        Nothing of the padding enters the result: where a value of a coarse map lies on content and padding both, its
        neighbour inside the content stands in for it.

        Args:
            values: (h, w) float32 of any size, stretched over the whole canvas.

        Returns:
            (H, W) float32 of the picture's size.

        Raises:
            ImageError: not a map.
        """
        if np.ndim(values) != 2 or np.size(values) == 0:
            raise ImageError(f"expected a map (h, w) with at least one value, got shape {np.shape(values)}.")
        rows, y0, y1 = _inside(values.shape[0], self.top, self.content_hw[0], self.canvas_hw[0])
        columns, x0, x1 = _inside(values.shape[1], self.left, self.content_hw[1], self.canvas_hw[1])
        return _resize(values[np.ix_(rows, columns)], self.image_hw, (x0, y0, x1, y1))

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
    image: NDArray[np.uint8], side_hw: tuple[int, int], fill: tuple[int, int, int] = (114, 114, 114)
) -> tuple[NDArray[np.uint8], Letterbox]:
    """Resize a picture, keeping its aspect ratio, until it just fits a canvas, and put it into the middle.

    Args:
        image: (H, W, 3) uint8.
        side_hw: height and width of the canvas, each at least 1.
        fill: RGB colour of the rest of the canvas, 0..255.

    Returns:
        The canvas (h, w, 3) uint8, and the way back.

    Raises:
        ImageError: not a picture, or a side below 1.
    """
    height, width = _size(image)
    canvas_hw = (int(side_hw[0]), int(side_hw[1]))
    if min(canvas_hw) < 1:
        raise ImageError(f"letterbox: each side of the canvas must be at least 1, got {canvas_hw}.")
    from PIL import Image

    scale = min(canvas_hw[0] / height, canvas_hw[1] / width)
    content_hw = (max(1, round(height * scale)), max(1, round(width * scale)))
    top, left = (canvas_hw[0] - content_hw[0]) // 2, (canvas_hw[1] - content_hw[1]) // 2
    canvas = np.empty((*canvas_hw, 3), np.uint8)
    canvas[:] = fill
    content = Image.fromarray(image).resize((content_hw[1], content_hw[0]), Image.Resampling.BILINEAR)
    canvas[top : top + content_hw[0], left : left + content_hw[1]] = np.asarray(content)
    return canvas, Letterbox((height, width), content_hw, canvas_hw, top, left)


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    """Coordinates as an array.

    Raises:
        ImageError: they are no numbers, or rows of different lengths.
    """
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ImageError(f"expected boxes of numbers x0, y0, x1, y1, got {values!r:.80}.") from error


def _boxes(boxes_xyxy: ArrayLike) -> NDArray[np.float64]:
    boxes = _numbers(boxes_xyxy)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ImageError(f"expected boxes (R, 4), got shape {boxes.shape}.")
    return boxes


def crop_with_margin(image: NDArray[np.uint8], box_xyxy: ArrayLike, margin: float = 0.1) -> NDArray[np.uint8]:
    """Cut a box out of a picture, with some of its surroundings.

    Args:
        image: (H, W, 3) uint8.
        box_xyxy: (4,) absolute pixels; may reach beyond the picture.
        margin: added on each side, as a share of the box's width and height; at least 0.

    Returns:
        (h, w, 3) uint8, a copy: every pixel that the box touches, clipped to the picture, and at least the one pixel
        of the picture next to the box.

    Raises:
        ImageError: not a picture, or not a box.
    """
    x0, y0, x1, y1 = _pixels(image, box_xyxy, margin)
    return image[y0:y1, x0:x1].copy()


def highlight(
    image: NDArray[np.uint8],
    box_xyxy: ArrayLike | None = None,
    *,
    mask: NDArray[Any] | None = None,
    sigma: float | None = None,
) -> NDArray[np.uint8]:
    """Blur everything but one region: m I + (1 - m) G(I), as TAViS and OWOD-BIND show regions to a joint space.

    The picture itself is blurred, not the picture with a hole, which would leave a dark halo around the region.

    Args:
        image: (H, W, 3) uint8.
        box_xyxy: (4,) absolute pixels; the region is every pixel that the box touches.
        mask: instead of a box, (H, W) bool, or float in [0, 1] for soft edges.
        sigma: of the Gaussian in pixels, at least 0. By default that of a kernel of a third of the shorter side (75
            pixels at 224, as TAViS), by the usual rule sigma = 0.3 ((k - 1) / 2 - 1) + 0.8: 11.5 at 224.

    Returns:
        (H, W, 3) uint8, a new array.

    Raises:
        ImageError: not a picture, neither or both of box and mask, a mask of another size or beyond [0, 1], or a
            negative sigma.
    """
    height, width = _size(image)
    if (box_xyxy is None) == (mask is None):
        raise ImageError("highlight: give a box or a mask, and not both.")
    if sigma is None:
        sigma = 0.3 * ((min(height, width) / 3 - 1) / 2 - 1) + 0.8
    if not 0 <= sigma < math.inf:
        raise ImageError(f"highlight: sigma must be at least 0, got {sigma}.")
    from PIL import Image, ImageFilter

    sharp = Image.fromarray(image)
    blurred = sharp.filter(ImageFilter.GaussianBlur(sigma))
    if mask is None:
        assert box_xyxy is not None
        x0, y0, x1, y1 = _pixels(image, box_xyxy, 0)
        seen = np.array(blurred)
        seen[y0:y1, x0:x1] = image[y0:y1, x0:x1]
        return seen
    share = np.asarray(mask, np.float32)
    if share.shape != (height, width) or not (share.min() >= 0 and share.max() <= 1):
        raise ImageError(f"highlight: the mask must be ({height}, {width}) in [0, 1], got shape {share.shape}.")
    levels = Image.fromarray(np.rint(share * 255).astype(np.uint8))
    return np.array(Image.composite(sharp, blurred, levels))


def _size(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Height and width of what must be a picture."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ImageError(f"expected a picture (height, width, 3) uint8, got {got}.")
    if image.size == 0:
        raise ImageError(f"the picture is empty, its shape is {image.shape}.")
    return image.shape[0], image.shape[1]


def _pixels(image: NDArray[np.uint8], box_xyxy: ArrayLike, margin: float) -> tuple[int, int, int, int]:
    """The pixels that a box with its margin touches, x0, y0, x1, y1 with the ends exclusive, at least one of each."""
    height, width = _size(image)
    box = _numbers(box_xyxy)
    if box.shape != (4,) or not np.isfinite(box).all() or box[0] > box[2] or box[1] > box[3]:
        raise ImageError(f"expected a box x0, y0, x1, y1 with x0 <= x1 and y0 <= y1, got {box.tolist()}.")
    if not 0 <= margin < math.inf:
        raise ImageError(f"the margin must be at least 0, got {margin}.")
    x_margin, y_margin = (box[2] - box[0]) * margin, (box[3] - box[1]) * margin
    x0 = min(max(math.floor(box[0] - x_margin), 0), width - 1)
    y0 = min(max(math.floor(box[1] - y_margin), 0), height - 1)
    x1 = max(min(math.ceil(box[2] + x_margin), width), x0 + 1)
    y1 = max(min(math.ceil(box[3] + y_margin), height), y0 + 1)
    return x0, y0, x1, y1
