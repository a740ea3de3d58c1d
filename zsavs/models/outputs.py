"""What comes out of a model: checked for NaN, and brought to rows of unit length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import WeightsError

if TYPE_CHECKING:
    import torch

__all__ = ["check_finite", "finite", "normalise", "ranked", "unit_rows"]


def check_finite(model: str, *arrays: NDArray[np.float32]) -> None:
    """Refuse arrays that hold NaN or infinity, as half precision or broken weights can cause.

    Raises:
        WeightsError: naming the model.
    """
    if not all(np.isfinite(array).all() for array in arrays):
        raise WeightsError(
            f"{model} returned NaN or infinity; load it with dtype='float32', and if that does not help, "
            "the weights are broken: zsavs download NAME compares their checksums and says which file to replace"
        )


def finite(features: torch.Tensor, model: str) -> NDArray[np.float32]:
    """A tensor of any floating dtype and device as float32 on the CPU.

    Args:
        features: what the model returned.
        model: the model's name, for the message.

    Raises:
        WeightsError: as :func:`check_finite`.
    """
    values: NDArray[np.float32] = features.detach().float().cpu().numpy()
    check_finite(model, values)
    return values


def unit_rows(features: torch.Tensor, model: str) -> NDArray[np.float32]:
    """Normalise the rows of an (N, D) tensor in float32: (N, D) float32 on the CPU.

    Raises:
        WeightsError: as :func:`finite`.
    """
    return normalise(finite(features, model))


def normalise(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring the rows of an (N, D) array to unit length; a row of zeros stays as it is."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit


def ranked(labels: Sequence[str], probabilities: NDArray[np.float32]) -> list[tuple[str, float]]:
    """L labels with their probabilities (L,), largest first; equal ones keep the order of the labels."""
    order = np.argsort(-probabilities, kind="stable")
    return [(labels[i], float(probabilities[i])) for i in order]
