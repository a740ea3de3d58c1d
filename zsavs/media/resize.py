"""Images and maps resized: to a size that models can take, and mask logits back to the original image.

An image is (H, W, 3) uint8 RGB as people see it. Coordinates are continuous: pixel (row i, column j) covers x in
[j, j + 1] and y in [i, i + 1], so a box around the whole image is (0, 0, W, H), and resizing scales coordinates by
the ratio of the sizes (half-pixel centres).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ImageError
from zsavs.media.arrays import image_size

__all__ = ["WORKING_PIXELS", "resize_map", "resize_part", "shrink"]


#: Models take 1333 pixels a side at the most; a larger image is segmented at this size, and its mask logits are
#: resized to the full size one at a time, so that memory does not grow with the image times the regions.
WORKING_PIXELS = 2048 * 2048


def shrink(image: NDArray[np.uint8], max_pixels: int) -> NDArray[np.uint8]:
    """The image at no more than ``max_pixels``, areas averaged; the aspect ratio stays, up to rounding down.

    Args:
        image: (H, W, 3) uint8.
        max_pixels: the most pixels of the result, at least 1.

    Returns:
        (h, w, 3) uint8 with h * w <= max_pixels and both sides at least 1; ``image`` itself if it is small enough.

    Raises:
        ImageError: not an image, or ``max_pixels`` below 1.
    """
    height, width = image_size(image)
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
    """A map (mask logits, scores) resized bilinearly, with half-pixel centres.

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
    return resize_part(values, size_hw, (0, 0, width, height))


def resize_part(
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
