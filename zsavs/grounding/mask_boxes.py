"""Tight boxes of masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["mask_boxes"]


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
