"""Regions of an image: cropped with a margin, highlighted in a blurred image, and the tight box of a mask."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import ImageError
from zsavs.media.arrays import box_numbers, image_size

__all__ = ["box_iou", "crop_with_margin", "highlight", "square_around", "tight_box", "touched_pixels"]


def crop_with_margin(image: NDArray[np.uint8], box_xyxy: ArrayLike, margin: float = 0.1) -> NDArray[np.uint8]:
    """The crop of a box, with some of its surroundings.

    Args:
        image: (H, W, 3) uint8.
        box_xyxy: (4,) absolute pixels; may reach beyond the image.
        margin: added on each side, as a share of the box's width and height; at least 0.

    Returns:
        (h, w, 3) uint8, a copy: every pixel that the box touches, clipped to the image, and at least the one pixel
        of the image next to the box.

    Raises:
        ImageError: not an image, or not a box.
    """
    x0, y0, x1, y1 = touched_pixels(image, box_xyxy, margin)
    return image[y0:y1, x0:x1].copy()


def highlight(
    image: NDArray[np.uint8],
    box_xyxy: ArrayLike | None = None,
    *,
    mask: NDArray[Any] | None = None,
    sigma: float | None = None,
) -> NDArray[np.uint8]:
    """The image with everything but one region blurred: m I + (1 - m) G(I), as TAViS and OWOD-BIND embed regions.

    The image itself is blurred, not the image with a hole, which would leave a dark halo around the region.

    Args:
        image: (H, W, 3) uint8.
        box_xyxy: (4,) absolute pixels; the region is every pixel that the box touches.
        mask: instead of a box, (H, W) bool, or float in [0, 1] for soft edges.
        sigma: of the Gaussian in pixels, at least 0. By default that of a kernel of a third of the shorter side (75
            pixels at 224, as TAViS), by the usual rule sigma = 0.3 ((k - 1) / 2 - 1) + 0.8: 11.5 at 224.

    Returns:
        (H, W, 3) uint8, a new array.

    Raises:
        ImageError: not an image, neither or both of box and mask, a mask of another size or beyond [0, 1], or a
            negative sigma.
    """
    height, width = image_size(image)
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
        x0, y0, x1, y1 = touched_pixels(image, box_xyxy)
        seen = np.array(blurred)
        seen[y0:y1, x0:x1] = image[y0:y1, x0:x1]
        return seen
    share = np.asarray(mask, np.float32)
    if share.shape != (height, width) or not (share.min() >= 0 and share.max() <= 1):
        raise ImageError(f"highlight: the mask must be ({height}, {width}) in [0, 1], got shape {share.shape}.")
    levels = Image.fromarray(np.rint(share * 255).astype(np.uint8))
    return np.array(Image.composite(sharp, blurred, levels))


def square_around(box_xyxy: ArrayLike) -> NDArray[np.float64]:
    """The square with a box's middle and its longer side: (4,) x0, y0, x1, y1, maybe beyond the image."""
    x0, y0, x1, y1 = np.asarray(box_xyxy, np.float64)
    half, x, y = max(x1 - x0, y1 - y0) / 2, (x0 + x1) / 2, (y0 + y1) / 2
    return np.array([x - half, y - half, x + half, y + half])


def tight_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The smallest box around a mask with at least one pixel: x0, y0, x1, y1 with x1 and y1 exclusive."""
    columns, lines = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(lines[0]), int(columns[-1]) + 1, int(lines[-1]) + 1


def touched_pixels(image: NDArray[np.uint8], box_xyxy: ArrayLike, margin: float = 0.0) -> tuple[int, int, int, int]:
    """The pixels of an image that a box with its margin touches.

    Args:
        image, box_xyxy, margin: as for :func:`crop_with_margin`.

    Returns:
        x0, y0, x1, y1 with x1 and y1 exclusive: at least one pixel.

    Raises:
        ImageError: as :func:`crop_with_margin`.
    """
    height, width = image_size(image)
    box = box_numbers(box_xyxy)
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


def box_iou(boxes_xyxy: NDArray[np.float32], others_xyxy: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union of each of N boxes (N, 4) with each of M others (M, 4), none degenerate: (N, M)."""
    x0, y0, x1, y1 = boxes_xyxy.astype(np.float64).T[..., None]
    u0, v0, u1, v1 = others_xyxy.astype(np.float64).T[:, None]
    widths, heights = np.minimum(x1, u1) - np.maximum(x0, u0), np.minimum(y1, v1) - np.maximum(y0, v0)
    shared = np.clip(widths, 0, None) * np.clip(heights, 0, None)
    together: NDArray[np.float64] = shared / ((x1 - x0) * (y1 - y0) + (u1 - u0) * (v1 - v0) - shared)
    return together
