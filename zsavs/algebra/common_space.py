"""A common space of two text-aligned spaces, in closed form: no training, no paired audio and images.

Both text encoders embed the same K labels, X (K, D_A) and Y (K, D_V). Ridge regression of the centred Y on the
centred X maps one space into the other; its strength is chosen by leave-one-out error, which has a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RidgeMap", "gate", "ridge"]

_STRENGTHS = tuple(10.0**exponent for exponent in range(-6, 2))


@dataclass(frozen=True, eq=False)
class RidgeMap:
    """A linear map between two embedding spaces.

    Args:
        matrix: (D_A, D_V) float64.
        target_mean: (D_V,) mean of the target labels.
        strength: the ridge strength chosen by leave-one-out error, per label.
        retrieval: share of labels whose left-out prediction is nearest to the label's own target: a health check
            of the map that needs no data; 1 / K is chance.
    """

    matrix: NDArray[np.float64]
    target_mean: NDArray[np.float64]
    strength: float
    retrieval: float

    def __call__(self, centred: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(N, D_A) rows, centred in their own modality, mapped to (N, D_V) unit rows."""
        return _unit(centred.astype(np.float64) @ self.matrix)

    def centred_targets(self, y: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """The target labels (K, D_V), centred, as unit rows."""
        return _unit(y - self.target_mean)


def ridge(x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> RidgeMap:
    """The map from the space of ``x`` into that of ``y``, by ridge regression over K labels that both embed.

    ``M = (Xc' Xc + l K I)^-1 Xc' Yc``, solved in float64 through one thin singular value decomposition
    ``Xc = U S V'``, as text embeddings are badly conditioned: ``M = V S / (S^2 + l K) U' Yc``. The strength l is the
    one of a grid with the least leave-one-out error ``e_i = (y_i - yhat_i) / (1 - 1/K - H_ii)``.

    Args:
        x: (K, D_A) unit rows.
        y: (K, D_V) unit rows for the same labels, in the same order.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    count = len(x)
    x_centred, y_mean = x - x.mean(axis=0), y.mean(axis=0)
    y_centred = y - y_mean
    left, singular, right = np.linalg.svd(x_centred, full_matrices=False)
    along = left.T @ y_centred
    best = (np.inf, 0.0, np.zeros_like(y_centred))
    for strength in _STRENGTHS:
        shrink = singular**2 / (singular**2 + strength * count)
        slack = np.maximum(1 - 1 / count - left**2 @ shrink, 1e-9)
        left_out = (y_centred - (left * shrink) @ along) / slack[:, None]
        error = float((left_out**2).sum())
        if error < best[0]:
            best = (error, strength, y_centred - left_out)
    _, strength, predictions = best
    matrix = right.T @ ((singular / (singular**2 + strength * count))[:, None] * along)
    nearest = (_unit(predictions) @ _unit(y_centred).T).argmax(axis=1)
    return RidgeMap(matrix, y_mean, strength, float((nearest == np.arange(count)).mean()))


def gate(a: NDArray[np.floating[Any]], v: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The sign-aware product: ``sign(v) sqrt(|a v|)`` where a and v agree in sign, else 0; unit rows.

    A plain product of two negative coordinates is positive; here a row gated with itself is itself.

    Args:
        a: (N, D).
        v: (N, D) or (D,).
    """
    product = np.asarray(a, np.float64) * v
    return _unit(np.where(product > 0, np.sign(v) * np.sqrt(np.abs(product)), 0.0))


def _unit(rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Rows of unit length; a zero row stays zero."""
    norm = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norm, 1e-12), np.float32)
