"""Arrays that are handed over: checked, and made read-only so that no stage can change what another one sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import ContractError, ZsavsError, first_line

__all__ = ["as_array", "checked_floats", "checked_unit_range", "frozen", "row_numbers"]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a contiguous read-only view of ``array``, copying only if it is not contiguous.

    An array that is both already comes back itself: features are remembered by an array's identity, and a sample that
    was made from another one's image shares them.
    """
    if array.flags.c_contiguous and not array.flags.writeable:
        return array
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def as_array(values: Any, what: str, error: type[ZsavsError]) -> NDArray[Any]:
    """An array of what somebody handed over.

    Raises:
        error: it is none: rows of different lengths, or a tensor on another device or with a gradient.
    """
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as reason:
        raise error(f"{what} is not an array ({first_line(reason)}); hand over a numpy array.") from reason


def checked_floats(values: ArrayLike, shape: tuple[int | None, ...], what: str) -> NDArray[np.float32]:
    """Check and freeze a float array; ``None`` in ``shape`` stands for any length."""
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        wanted = tuple("any" if n is None else n for n in shape)
        raise ContractError(f"{what}: expected shape {wanted}, got {array.shape}.")
    if not np.isfinite(array).all():
        raise ContractError(f"{what}: every value must be finite, found NaN or infinity.")
    return frozen(array)


def checked_unit_range(values: ArrayLike, shape: tuple[int | None, ...], what: str) -> NDArray[np.float32]:
    """As :func:`checked_floats`, and every value lies in [0, 1]."""
    array = checked_floats(values, shape, what)
    if array.size and (array.min() < 0 or array.max() > 1):
        raise ContractError(f"{what}: values must lie in [0, 1], got [{array.min():.4g}, {array.max():.4g}].")
    return array


def row_numbers(index: Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
    """Row numbers from row numbers, or from a mask over all rows."""
    rows = np.asarray(index)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
