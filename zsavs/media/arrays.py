"""Arrays from outside: checked for shape, dtype and range, and made read-only so that no stage changes another's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import ContractError, ImageError, ZsavsError, first_line

__all__ = ["as_array", "box_numbers", "checked_floats", "checked_unit_range", "frozen", "image_size", "row_numbers"]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A contiguous read-only view of ``array``, copied only if it is not contiguous.

    An array that is both already comes back itself: features are memoised by an array's identity, and a sample that
    was made from another one's image shares them.
    """
    if array.flags.c_contiguous and not array.flags.writeable:
        return array
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def as_array(values: Any, what: str, error: type[ZsavsError]) -> NDArray[Any]:
    """The array of what was given for the argument ``what``.

    Raises:
        error: it is none: rows of different lengths, or a tensor on another device or with a gradient.
    """
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as reason:
        raise error(f"{what} is not an array ({first_line(reason)}); give a numpy array.") from reason


def checked_floats(values: ArrayLike, shape: tuple[int | None, ...], what: str) -> NDArray[np.float32]:
    """A float array, checked and read-only; ``None`` in ``shape`` stands for any length.

    Raises:
        ContractError: another shape, NaN or infinity; names the argument ``what``.
    """
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        wanted = tuple("any" if n is None else n for n in shape)
        raise ContractError(f"{what}: expected shape {wanted}, got {array.shape}.")
    if not np.isfinite(array).all():
        raise ContractError(f"{what}: every value must be finite, found NaN or infinity.")
    return frozen(array)


def checked_unit_range(values: ArrayLike, shape: tuple[int | None, ...], what: str) -> NDArray[np.float32]:
    """As :func:`checked_floats`, and every value lies in [0, 1].

    Raises:
        ContractError: as :func:`checked_floats`, or a value out of range.
    """
    array = checked_floats(values, shape, what)
    if array.size and (array.min() < 0 or array.max() > 1):
        raise ContractError(f"{what}: values must lie in [0, 1], got [{array.min():.4g}, {array.max():.4g}].")
    return array


def row_numbers(index: Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
    """Row numbers from row numbers, or from a mask over all rows."""
    rows = np.asarray(index)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)


def image_size(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Height and width of an image, after a check that it is one.

    Raises:
        ImageError: it is not (H, W, 3) uint8 with at least one pixel.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ImageError(f"expected an image (height, width, 3) uint8, got {got}.")
    if image.size == 0:
        raise ImageError(f"the image has no pixels, its shape is {image.shape}.")
    return image.shape[0], image.shape[1]


def box_numbers(values: ArrayLike) -> NDArray[np.float64]:
    """Box coordinates as float64.

    Raises:
        ImageError: they are no numbers, or rows of different lengths.
    """
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ImageError(f"expected boxes of numbers x0, y0, x1, y1, got {values!r:.80}.") from error
