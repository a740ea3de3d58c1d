"""Two opinions on one list of labels, what is heard and what is seen, made into one.

A product of two softmaxes is the softmax of the summed scores. So the product of AV2T-SAM's kind and the sum of
TAViS's kind are the same rule, the log-linear pool, and differ in how much each side counts.
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
    """Pool log evidence: ``share * heard + (1 - share) * seen``, broadcast together.

    Args:
        heard: (..., K) standardised scores of K labels.
        seen: (..., K) likewise.
        share: how much what is heard counts, in [0, 1]; (..., 1) for a share of each pair's own.
    """
    pooled: NDArray[Any] = share * heard + (1 - share) * seen
    return pooled


def sure_share(heard: Scores, seen: Scores, temperature: float = 1.0) -> NDArray[np.float64]:
    """How much what is heard should count: each side by the inverse entropy of its answer.

    TAViS adds both sides with the same weight and names that as a limit of its method (arXiv 2506.11436). Here the
    side that is sure counts more: ``(1 / H_heard) / (1 / H_heard + 1 / H_seen)``.

    Args:
        heard: (..., K) standardised scores of K labels.
        seen: (..., K) likewise, broadcast against ``heard``.
        temperature: of the softmax over labels, in standard deviations.

    Returns:
        (..., 1) in [0, 1]; a half where both are equally sure.
    """
    doubts = [_entropy(log_softmax(scores, temperature)) for scores in (heard, seen)]
    share: NDArray[np.float64] = doubts[1] / (doubts[0] + doubts[1])
    return share


def _entropy(log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., K) to (..., 1) in nats, and a little more, so that two sides that are both certain share evenly."""
    entropy: NDArray[np.float64] = -(np.exp(log_p) * log_p).sum(axis=-1, keepdims=True) + 1e-6
    return entropy
