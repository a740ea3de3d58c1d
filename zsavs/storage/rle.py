"""Run-length encoding of masks in COCO's uncompressed form: column by column, starting with background.

The format is that of the COCO API (``{"size": [H, W], "counts": [...]}``), which reads it as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check", "decode", "encode"]


def encode(mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Encode an (H, W) bool mask; counts alternate background, foreground, background, ..."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    counts = np.diff(edges).tolist()
    if flat.size and flat[0]:
        counts.insert(0, 0)
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": counts}


def decode(rle: dict[str, Any]) -> NDArray[np.bool_]:
    """Decode to an (H, W) bool mask.

    Raises:
        ValueError: the counts do not fill the size.
    """
    counts = check(rle)
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape(tuple(rle["size"]), order="F")


def check(rle: dict[str, Any]) -> NDArray[np.int64]:
    """The counts of a mask that can be decoded.

    Raises:
        ValueError: the counts do not fill the size.
    """
    height, width = (int(n) for n in rle["size"])
    counts = np.asarray(rle["counts"], dtype=np.int64)
    pixels = height * width
    # Each count for itself too: the sum of huge ones can wrap around to the right number.
    if (counts < 0).any() or (counts > pixels).any() or counts.sum() != pixels:
        raise ValueError(f"run lengths add up to {counts.sum()}, a {height}x{width} mask has {pixels} pixels")
    return counts
