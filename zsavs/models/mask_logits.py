"""From shares in [0, 1] to the mask logits of a box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zsavs.media.regions import touched_pixels

__all__ = ["OUTSIDE", "box_logits", "share_logits"]

#: Shares are kept this far from 0 and 1, so that their logits are finite; and the logit of what lies outside of a box.
_LEAST = 1e-4
OUTSIDE = float(np.log(_LEAST / (1 - _LEAST)))


def share_logits(share: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mask logits of how much of each pixel belongs to an object: (h, w) in [0, 1] gives (h, w), finite."""
    inside = np.clip(share, _LEAST, 1 - _LEAST)
    logits: NDArray[np.float32] = np.log(inside / (1 - inside))
    return logits


def box_logits(
    share: NDArray[np.float32],
    corner_xy: tuple[int, int],
    image: NDArray[np.uint8],
    box_xyxy: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The mask logits of a box, from how much of each pixel of a crop belongs to its object.

    Args:
        share: (h, w) in [0, 1], of a crop of the image; 0.5 is the border of the object.
        corner_xy: where in the image the crop begins.
        image: (H, W, 3) uint8.
        box_xyxy: (4,) within the crop; the mask ends with the pixels that the box touches.

    Returns:
        (H, W) float32, above 0 is inside.
    """
    x0, y0, x1, y1 = touched_pixels(image, box_xyxy)
    left, top = corner_xy
    logits = np.full(image.shape[:2], OUTSIDE, np.float32)
    logits[y0:y1, x0:x1] = share_logits(share[y0 - top : y1 - top, x0 - left : x1 - left])
    return logits
