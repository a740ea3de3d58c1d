"""A recording as a sum of few sources, found by their label texts.

In a joint space, what a sound has beyond any sound is nearly what its label's text has beyond any text, and a mixture
of sounds is nearly the sum of both. So the sources are a non-negative sparse code of the sound over the label texts.
It is found by orthogonal matching pursuit, with calibrated scores as the criterion: what is left must be like a label
by more standard deviations than sounds usually are, or nothing more is there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.directions import common_part
from zsavs.algebra.log_linear_pooling import log_softmax
from zsavs.calibration.scorers import usual_similarities

__all__ = ["Source", "attend", "pursue"]

Rows = NDArray[np.floating[Any]]

#: Of the softmax over labels that a source attends to, in standard deviations.
_TEMPERATURE = 0.35


class Source(NamedTuple):
    """One source: its label's number, how far above usual it is heard beside the others, its own unit embedding."""

    label: int
    z: float
    embedding: NDArray[np.float32]


def pursue(
    sound: Rows, bank: Rows, text: Rows, *, top_k: int, min_z: float, max_gap: float, attention: float
) -> list[Source]:
    """Take a sound apart.

    Args:
        sound: (D,) embedding of the sound.
        bank: (B, D) embeddings of what is usual, as for :func:`zsavs.calibration.scorers.standardise`.
        text: (K, D) embeddings of the labels.
        top_k: the most sources.
        min_z: how far above usual, in standard deviations, what is left must be like a label to be one more source.
        max_gap: how far below the first source another one may be.
        attention: how far each source's embedding moves to the texts that it is like; see :func:`attend`.

    Returns:
        Sources, the first one found first; their labels differ. The first one is the best label of the whole sound,
        so a sound is heard to say nothing exactly when no label reaches ``min_z``.
    """
    centre = bank.mean(axis=0, dtype=np.float64)
    text = text.astype(np.float64)
    directions = text - common_part(text)
    _, deviation = usual_similarities(bank, text)
    whole = sound - centre
    chosen: list[int] = []
    refused: list[int] = []
    amounts = np.zeros(0)
    best = -np.inf
    while len(chosen) < min(top_k, len(text)):
        z = (whole - amounts @ directions[chosen]) @ text.T / deviation
        z[chosen + refused] = -np.inf
        label = int(z.argmax())
        if not z[label] > min_z or z[label] < best - max_gap:
            break
        best = z[label] if not chosen else best
        fitted = np.linalg.lstsq(directions[[*chosen, label]].T, whole, rcond=None)[0]
        if (fitted > 0).all() or not chosen:
            chosen, amounts = [*chosen, label], np.maximum(fitted, 0)
        else:  # it would need a negative amount of something: another word for what is there already
            refused.append(label)
    sources = []
    for place, label in enumerate(chosen):
        others = np.delete(np.arange(len(chosen)), place)
        own = whole - amounts[others] @ directions[[chosen[other] for other in others]]
        z = own @ text.T / deviation
        own = attend(own, z, directions, attention)
        row = centre + own
        sources.append(Source(label, float(z[label]), (row / np.linalg.norm(row)).astype(np.float32)))
    return sources


def attend(own: Rows, z: Rows, directions: Rows, share: float) -> NDArray[np.float64]:
    """Turn a source towards the label texts that it is like: text-prototype attention, which damps everything else.

    Args:
        own: (D,) what the source has beyond any sound.
        z: (K,) its standardised scores.
        directions: (K, D) what each label's text has beyond any text.
        share: 0 leaves the source as it is, 1 leaves nothing of it but text.

    Returns:
        (D,) as long as ``own``.
    """
    prototype = np.exp(log_softmax(z, _TEMPERATURE)) @ directions
    lengths = [float(np.linalg.norm(part)) + 1e-12 for part in (own, prototype)]
    mixed = (1 - share) * own / lengths[0] + share * prototype / lengths[1]
    turned: NDArray[np.float64] = mixed * lengths[0] / (np.linalg.norm(mixed) + 1e-12)
    return turned
