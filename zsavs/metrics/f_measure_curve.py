"""The F-measure of a score map at each of 255 thresholds, from one histogram instead of one pass per threshold.

Its maximum is the max-F of AVSBench. The thresholds are those of the published code to the last bit, because score maps
of 8-bit origin tie with them: ``torch.linspace(0, 1 - 1e-10, n)`` in float32, compared inclusively (OpenNLPLab/AVSBench
at f7414af, avs_scripts/avs_s4/utils/utility.py, ``_eval_pr``).
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.metrics.input_checks import Mask, Scores


@functools.lru_cache(maxsize=8)
def thresholds(count: int = 255) -> NDArray[np.float32]:
    """The ``count`` thresholds from 0 to exactly 1, float32, read-only.

    They are counted from both ends in steps of a float32 1 / (count - 1), with one rounding each, as torch does; ten
    of the 255 differ from i / 254 by one unit in the last place.

    Raises:
        InputError: fewer than 2 thresholds, or more than float32 can tell apart.
    """
    if not 2 <= count <= 65536:
        raise InputError(f"thresholds must be from 2 to 65536, got {count}; the published number is 255.")
    index = np.arange(count)
    step = np.float64(np.float32(1) / np.float32(count - 1))
    grid = np.where(index < count // 2, step * index, 1 - step * (count - 1 - index)).astype(np.float32)
    grid.flags.writeable = False
    return grid


def curve_counts(score_map: Scores, target: Mask, count: int = 255) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels at or above each threshold, and how many of them are in the target.

    Args:
        score_map: any shape, float, finite; outside [0, 1] is allowed (logits) and counts as below 0 or above 1.
        target: the same shape, bool.
        count: number of thresholds.

    Returns:
        (predicted, hits), both (count,) int64.
    """
    grid = thresholds(count)
    above = np.append(grid[1:], np.float32(np.inf))
    flat = score_map.ravel()
    # The grid is i / (count - 1) up to rounding, so the guess is one off at most; two comparisons put it right.
    passed = (np.clip(flat, 0, 1) * (count - 1)).astype(np.intp)
    corrections = (flat >= grid.take(passed)).view(np.int8) + (flat >= above.take(passed)).view(np.int8)
    passed += corrections  # the number of thresholds at or below each pixel
    return _at_least(passed, count), _at_least(passed[target.ravel()], count)


def _at_least(passed: NDArray[np.intp], count: int) -> NDArray[np.int64]:
    """(count,) pixels that passed the first threshold, the first two, and so on."""
    histogram = np.bincount(passed, minlength=count + 1)
    return histogram[:0:-1].cumsum()[::-1]


def f_from_counts(
    hits: NDArray[np.int64], predicted: NDArray[np.int64], actual: NDArray[np.int64] | int, beta2: float
) -> NDArray[np.float64]:
    """F = (1 + beta2) P R / (beta2 P + R) with P = hits / predicted and R = hits / actual.

    Exactly 1 for a perfect prediction, 0 where both do not meet, NaN where there is neither prediction nor target.
    """
    precision, recall = hits / np.maximum(predicted, 1), hits / np.maximum(actual, 1)
    with np.errstate(invalid="ignore"):
        f = (1 + beta2) * precision * recall / (beta2 * precision + recall)
    return np.where(hits > 0, f, np.where(np.add(predicted, actual) > 0, 0.0, np.nan))


def f_curve(score_map: Scores, target: Mask, count: int = 255, beta2: float = 0.3) -> NDArray[np.float64]:
    """F of one frame at every threshold, (count,); the target holds at least one pixel."""
    predicted, hits = curve_counts(score_map, target, count)
    return f_from_counts(hits, predicted, int(np.count_nonzero(target)), beta2)
