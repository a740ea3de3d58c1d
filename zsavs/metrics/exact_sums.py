"""Exact sums of numbers in [0, 1]: equal to the bit in whatever order they are added, and however they are split.

Floating-point addition depends on the order. Here every number becomes an integer multiple of 2**-60 (a double of 2**-8
and above loses nothing, a smaller one less than 1e-18), integers are added in two halves, and integer addition does not
depend on the order. The halves hold more than eight thousand million numbers before they overflow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_HALF_BITS = 30
_HALF_MASK = (1 << _HALF_BITS) - 1
_HALF = 2.0**-_HALF_BITS

Sum = NDArray[np.int64]


def zeros(size: int) -> Sum:
    """A (2, size) int64 array that stands for ``size`` sums of nothing."""
    return np.zeros((2, size), np.int64)


def add(total: Sum, values: ArrayLike) -> None:
    """Add rows of values to the sums, in place.

    Args:
        total: (2, K), from :func:`zeros`.
        values: (K,) or (N, K) float in [0, 1], no NaN.
    """
    units = (
        np.rint(np.asarray(values, np.float64) * 2.0 ** (2 * _HALF_BITS)).astype(np.int64).reshape(-1, total.shape[1])
    )
    total[0] += (units >> _HALF_BITS).sum(0)
    total[1] += (units & _HALF_MASK).sum(0)


def value(total: Sum) -> NDArray[np.float64]:
    """The K sums as floats; equal sums give equal bits whatever the order of the additions."""
    high = total[0] + (total[1] >> _HALF_BITS)
    low = total[1] & _HALF_MASK
    return np.asarray(high * _HALF + low * _HALF**2, np.float64)


def mean(values: ArrayLike) -> float:
    """Mean of the values in [0, 1] that are not NaN; NaN if there are none."""
    array = np.asarray(values, np.float64).ravel()
    array = array[~np.isnan(array)]
    if not array.size:
        return float("nan")
    total = zeros(1)
    add(total, array[:, None])
    return float(value(total)[0]) / array.size
