"""Checks of what metrics are given: bool masks, score maps in [0, 1], integer label maps.

Nothing is guessed from a range. Every check returns stacks, (N, H, W), so that one frame and many take the same path.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import InputError

Mask = NDArray[np.bool_]
Scores = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def check_masks(values: ArrayLike, what: str) -> Mask:
    """Check bool masks and return them as (N, H, W).

    Args:
        values: (H, W) or (N, H, W) bool.
        what: the caller and the argument, for the message.

    Raises:
        InputError: another dtype, another number of axes, or no pixels.
    """
    array = np.asarray(values)
    if array.dtype != np.bool_:
        raise InputError(
            f"{what} must be a bool array, got {array.dtype}; threshold a score map first (scores > 0.5), "
            "and turn a mask of 0 and 1 or 0 and 255 into bool with mask > 0."
        )
    return _stack(array, what)


def check_scores(values: ArrayLike, what: str) -> Scores:
    """Check score maps and return them as (N, H, W).

    Args:
        values: (H, W) or (N, H, W) float in [0, 1].
        what: the caller and the argument, for the message.

    Raises:
        InputError: not a float array, another number of axes, no pixels, NaN, or a value outside [0, 1].
    """
    array = _stack(_floats(values, what), what)
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):  # written so that NaN fails
        raise InputError(
            f"{what} must lie in [0, 1], got values from {low:.4g} to {high:.4g}; "
            "apply a sigmoid to logits, once, and replace NaN."
        )
    return array


def check_logits(values: ArrayLike, what: str) -> Scores:
    """Check unbounded float maps and return them as (N, H, W); only NaN and infinity are refused (InputError)."""
    array = _stack(_floats(values, what), what)
    if not np.isfinite(array).all():
        raise InputError(f"{what} must be finite, found NaN or infinity; check the model that produced them.")
    return array


def check_labels(values: ArrayLike, num_classes: int, what: str, ignore_index: int | None = None) -> Labels:
    """Check label maps and return them as (N, H, W).

    Args:
        values: (H, W) or (N, H, W) integers in [0, num_classes), or equal to ``ignore_index``.
        num_classes: number of classes, background included.
        what: the caller and the argument, for the message.
        ignore_index: one label that is allowed beside the classes.

    Raises:
        InputError: not an integer array, another number of axes, no pixels, or a label that is no class.
    """
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(
            f"{what} must be an integer label map, got {array.dtype}; use scores.argmax(0) or astype(int)."
        )
    array = _stack(array, what)
    valid = (array >= 0) & (array < num_classes)
    if ignore_index is not None:
        valid |= array == ignore_index
    if not valid.all():
        also = "" if ignore_index is None else f" or {ignore_index}"
        raise InputError(
            f"{what} must hold labels from 0 to {num_classes - 1}{also}, found {array[~valid].flat[0]}; "
            "map the labels of the file to class indices, or give the right number of classes."
        )
    return array


def check_same_shape(first: NDArray[Any], second: NDArray[Any], what: str) -> None:
    """Raise InputError unless both stacks have the same frames and the same size."""
    if first.shape != second.shape:
        raise InputError(
            f"{what}: prediction and target must have the same shape, got {first.shape[-2:]} and {second.shape[-2:]} "
            f"for {len(first)} and {len(second)} frames; resize the score map to the target, not the target."
        )


def is_two_valued(score_map: Scores) -> bool:
    """Whether a (H, W) score map holds only the two values of a hard mask, or 1 everywhere.

    A map of one value below 1 does not count as such: it is the score map of an empty result.
    """
    low, high = score_map.min(), score_map.max()
    if low == high:
        return bool(low == 1)
    return bool(((score_map == low) | (score_map == high)).all())


def _floats(values: ArrayLike, what: str) -> Scores:
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.floating):
        hint = "a mask is not a score map; pass the map it was thresholded from"
        raise InputError(f"{what} must be a float score map, got {array.dtype}; {hint}.")
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _stack(array: NDArray[Any], what: str) -> NDArray[Any]:
    if array.ndim not in (2, 3) or array.size == 0:
        raise InputError(f"{what} must be (H, W) or (N, H, W) with at least one pixel, got shape {array.shape}.")
    return array if array.ndim == 3 else array[None]
