"""Directions in an embedding space: rows of unit length, and the part that all texts of a space share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["common_part", "unit"]

Rows = NDArray[np.floating[Any]]


def unit(rows: Rows) -> NDArray[np.float64]:
    """Rows of unit length; a row of zeros stays as it is."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: NDArray[np.float64] = np.asarray(rows, np.float64) / np.maximum(norms, 1e-12)
    return scaled


def common_part(text: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The part that all texts of a space share, estimated from K of them.

    Their mean has this part, and beside it a K-th of each text's own: with few labels, subtracting the mean would add
    some of one text's own part to the others. So the mean is shrunk until its length agrees with the average similarity
    of two *different* texts.

    Args:
        text: (K, D) unit rows.

    Returns:
        (D,); zeros for a single text, or for texts that have nothing in common.
    """
    mean = text.mean(axis=0, dtype=np.float64)
    power = float(mean @ mean)
    shared = (len(text) * power - 1) / (len(text) - 1) if len(text) > 1 else 0.0
    common: NDArray[np.float64] = mean * (max(0.0, shared) / (power + 1e-12))
    return common
