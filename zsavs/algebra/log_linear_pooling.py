"""The log-linear pool: audio scores and image scores of the same labels, combined into one list.

A product of two softmaxes is the softmax of the summed scores. So the product of AV2T-SAM and the sum of TAViS are the
same rule, the log-linear pool, with other weights for the two sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_linear", "log_softmax", "sure_share"]

Scores = NDArray[np.floating[Any]]


def log_softmax(z: NDArray[np.floating[Any]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Logarithm of the softmax over the last axis, in float64: finite where z is, however improbable."""
    scaled = np.asarray(z, np.float64) / temperature
    scaled = scaled - scaled.max(axis=-1, keepdims=True)
    log_p: NDArray[np.float64] = scaled - np.log(np.exp(scaled).sum(axis=-1, keepdims=True))
    return log_p


def log_linear(heard: Scores, seen: Scores, share: float | Scores) -> NDArray[Any]:
    """Pooled log evidence: ``share * heard + (1 - share) * seen``, broadcast together.

    Args:
        heard: (..., K) standardised audio scores of K labels.
        seen: (..., K) image scores likewise.
        share: the weight of the audio, in [0, 1]; (..., 1) for one of each pair's own.
    """
    pooled: NDArray[Any] = share * heard + (1 - share) * seen
    return pooled


def sure_share(heard: Scores, seen: Scores, temperature: float = 1.0) -> NDArray[np.float64]:
    """The weight of the audio in the pool: each side weighs the inverse entropy of its softmax.

    TAViS adds both sides with the same weight and names that as a limit of its method (arXiv 2506.11436). Here the
    side with the lower entropy weighs more: ``(1 / H_heard) / (1 / H_heard + 1 / H_seen)``.

    Args:
        heard: (..., K) standardised audio scores of K labels.
        seen: (..., K) image scores likewise, broadcast against ``heard``.
        temperature: of the softmax over labels, in standard deviations.

    Returns:
        (..., 1) in [0, 1]; a half where both have the same entropy.
    """
    entropies = [_entropy(log_softmax(scores, temperature)) for scores in (heard, seen)]
    share: NDArray[np.float64] = entropies[1] / (entropies[0] + entropies[1])
    return share


def _entropy(log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., K) to (..., 1) in nats, and a little more, so that two sides of entropy 0 have equal weights."""
    entropy: NDArray[np.float64] = -(np.exp(log_p) * log_p).sum(axis=-1, keepdims=True) + 1e-6
    return entropy
