"""Non-negative matrix factorisation of tokens, into components and their activations.

``X ~ U V`` with ``U, V >= 0`` and least squares: a row of ``X`` is a token, a row of ``V`` a component, a column
of ``U`` a component's activation at each token. Initialisation and steps are deterministic (NNDSVD: Boutsidis and
Gallopoulos, "SVD based initialization", Pattern Recognition 2008; multiplicative updates: Lee and Seung, "Algorithms
for Non-negative Matrix Factorization", NIPS 2000), so that the same tokens have the same components.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Factors", "factorise", "objective"]

#: Keeps a division from 0 by 0; far below anything that is of consequence.
_EPSILON = 1e-12


class Factors(NamedTuple):
    """``activations`` (N, K) of K components at N tokens; ``components`` (K, C) of unit length; none below 0."""

    activations: NDArray[np.float64]
    components: NDArray[np.float64]


def factorise(tokens: NDArray[np.floating[Any]], count: int, steps: int = 100) -> Factors:
    """The factors of N tokens of C features.

    Args:
        tokens: (N, C), none below 0, N and C at least 1.
        count: the most components, at least 1; never more than N or C.
        steps: multiplicative updates of both factors; none of them makes the fit worse.
    """
    x = np.asarray(tokens, np.float64)
    activations, components = _nndsvd(x, min(count, *x.shape))
    for _ in range(steps):
        components *= (activations.T @ x) / (activations.T @ activations @ components + _EPSILON)
        activations *= (x @ components.T) / (activations @ (components @ components.T) + _EPSILON)
    lengths = np.maximum(np.linalg.norm(components, axis=1), _EPSILON)
    return Factors(activations * lengths, components / lengths[:, None])


def objective(tokens: NDArray[np.floating[Any]], factors: Factors) -> float:
    """The Frobenius norm of the residual."""
    return float(np.linalg.norm(np.asarray(tokens, np.float64) - factors.activations @ factors.components))


def _nndsvd(x: NDArray[np.float64], count: int) -> Factors:
    """Initial factors: the larger non-negative part of each singular pair, which does not depend on their signs.

    Zeros would stay zeros under multiplicative updates, and become a hundredth of the mean.
    """
    left, values, right = np.linalg.svd(x, full_matrices=False)
    activations, components = np.zeros((len(x), count)), np.zeros((count, x.shape[1]))
    for k in range(count):
        halves = [(np.maximum(sign * left[:, k], 0), np.maximum(sign * right[k], 0)) for sign in (1.0, -1.0)]
        lengths = [(float(np.linalg.norm(u)), float(np.linalg.norm(v))) for u, v in halves]
        best = int(lengths[1][0] * lengths[1][1] > lengths[0][0] * lengths[0][1])
        (u, v), (long_u, long_v) = halves[best], lengths[best]
        if long_u * long_v > 0:
            scale = np.sqrt(values[k] * long_u * long_v)
            activations[:, k], components[k] = scale * u / long_u, scale * v / long_v
    little = 0.01 * x.mean()
    return Factors(np.where(activations > 0, activations, little), np.where(components > 0, components, little))
