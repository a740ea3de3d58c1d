"""The decision what is heard at all: the thresholds that phrases must pass, and the empty query where none does.

``top_k``, ``min_z`` and ``max_gap`` of the strategies are applied here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.media.arrays import frozen
from zsavs.types import Evidence, Query, note_of_left_out

__all__ = ["check_limits", "evidence_to_query"]


def check_limits(what: str, top_k: int, **scores: float) -> None:
    """Refuse limits of :func:`evidence_to_query` that mean nothing, before they empty answers without a word.

    Args:
        what: the strategy.
        top_k: the most rows.
        scores: by name, thresholds and gaps in standard deviations.

    Raises:
        InputError: ``top_k`` is no whole number of at least 0, or a score is no number.
    """
    if isinstance(top_k, bool) or not isinstance(top_k, (int, np.integer)) or top_k < 0:
        raise InputError(f"{what}: top_k is a whole number of at least 0, got {top_k!r}.")
    for name, score in scores.items():
        if isinstance(score, bool) or not isinstance(score, Real) or math.isnan(score):
            raise InputError(f"{what}: {name} is a number of standard deviations, got {score!r}.")


def evidence_to_query(
    phrases: Sequence[str], z: NDArray[np.float32], *, top_k: int, min_z: float, max_gap: float
) -> Query:
    """The query of those phrases that there is evidence for; without rows where there is evidence for none.

    A phrase stays if its score exceeds ``min_z`` (absolute: a clip in which nothing is heard keeps none) and lies
    within ``max_gap`` of the best one (relative: a clear answer keeps none of its neighbours). Its weight is
    ``sigmoid(z - min_z)``, so every kept weight is above 0.5.

    Args:
        phrases: K phrases.
        z: (K,) standardised scores; minus infinity rules a phrase out.
        top_k: the most phrases to keep.
        min_z: the score that a phrase must exceed, in standard deviations.
        max_gap: how far below the best score another one may lie, in standard deviations.

    Returns:
        At most ``top_k`` rows, heaviest first; equal scores keep the order of ``phrases``. The query carries the
        evidence that it was chosen from, and notes what ``top_k`` left out.
    """
    evidence = Evidence(tuple(phrases), frozen(z), top_k, min_z, max_gap)
    if not len(phrases):
        return Query((), np.zeros(0, np.float32), evidence=evidence)
    kept = np.flatnonzero((z > min_z) & (z >= z.max() - max_gap))
    kept = kept[np.argsort(-z[kept], kind="stable")]
    kept, left_out = kept[:top_k], [phrases[int(i)] for i in kept[top_k:]]
    weights = 1.0 / (1.0 + np.exp(-(z[kept].astype(np.float64) - min_z)))
    return Query(
        tuple(phrases[int(i)] for i in kept),
        weights.astype(np.float32),
        evidence=evidence,
        notes=note_of_left_out(top_k, left_out),
    )
