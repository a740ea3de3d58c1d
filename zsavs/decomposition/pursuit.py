"""An audio embedding as a sum of few sources, by orthogonal matching pursuit over the label texts.

In a joint space an audio embedding less the mean of all audio is nearly its label's text less what all texts share, and
the embedding of a mixture is nearly the sum of its sources'. So the sources are a non-negative sparse code of the
embedding over the label texts. The criterion of the pursuit is the calibrated score: the residual must exceed ``min_z``
for some label, or there is no further source. What is left after two sources is less like any label than audio is; so
the score of the whole embedding can count beside the residual's (``whole``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.directions import common_part
from zsavs.algebra.log_linear_pooling import log_softmax
from zsavs.calibration.abstention import evidence_to_query
from zsavs.calibration.heard import Heard, by_chance
from zsavs.calibration.scorers import AudioScorer
from zsavs.types import Query

__all__ = ["Source", "attend", "pursue", "pursue_over_time"]

Rows = NDArray[np.floating[Any]]

#: Of the softmax over labels that a source attends to, in standard deviations.
_TEMPERATURE = 0.35


class Source(NamedTuple):
    """One source: its label's number, its standardised score beside the others, its own unit embedding (D,)."""

    label: int
    z: float
    embedding: NDArray[np.float32]


def pursue(
    audio: Rows,
    scorer: AudioScorer,
    labels: Sequence[str],
    *,
    top_k: int,
    min_z: float,
    max_gap: float,
    attention: float,
    whole: float = 0.0,
) -> list[Source]:
    """The sources of one audio embedding.

    Args:
        audio: (D,) the embedding.
        scorer: standardises the similarity of an embedding with labels.
        labels: K labels.
        top_k: the most sources.
        min_z: the score that the residual must exceed for a label to be one more source, in standard deviations.
        max_gap: how far below the first source another one may be.
        attention: how far each source's embedding moves to its text prototype; see :func:`attend`.
        whole: how much the score of the whole embedding counts in the choice of the next source beside that of the
            residual, in [0, 1].

    Returns:
        Sources in the order of the pursuit, each with another label. The first is the best label of the whole
        embedding, so there is no source exactly where no label exceeds ``min_z``.
    """
    centre = scorer.bank.embeddings.mean(axis=0, dtype=np.float64)
    text = scorer.text(labels).astype(np.float64)
    directions = text - common_part(text)
    centred = audio - centre
    of_whole = scorer.standardise((centre + centred)[None], labels)[0]
    chosen: list[int] = []
    rejected: list[int] = []
    amounts = np.zeros(0)
    best = -np.inf
    while len(chosen) < min(top_k, len(text)):
        z = of_whole.copy()
        if chosen:
            residual = centred - amounts @ directions[chosen]
            z = (1 - whole) * scorer.standardise((centre + residual)[None], labels)[0] + whole * of_whole
        z[chosen + rejected] = -np.inf
        label = int(z.argmax())
        if not z[label] > min_z or z[label] < best - max_gap:
            break
        best = z[label] if not chosen else best
        fitted = np.linalg.lstsq(directions[[*chosen, label]].T, centred, rcond=None)[0]
        if (fitted > 0).all() or not chosen:
            chosen, amounts = [*chosen, label], np.maximum(fitted, 0)
        else:  # it needs a negative amount of some label: a synonym of one that is chosen already
            rejected.append(label)
    sources = []
    for place, label in enumerate(chosen):
        others = np.delete(np.arange(len(chosen)), place)
        own = centred - amounts[others] @ directions[[chosen[other] for other in others]]
        z = scorer.standardise((centre + own)[None], labels)[0]
        own = attend(own, z, directions, attention)
        row = centre + own
        sources.append(Source(label, float(z[label]), (row / np.linalg.norm(row)).astype(np.float32)))
    return sources


def pursue_over_time(
    heard: Heard,
    scorer: AudioScorer,
    labels: Sequence[str],
    *,
    top_k: int,
    min_z: float,
    max_gap: float,
    attention: float,
    whole: float = 0.0,
) -> Query:
    """One query of a clip's windows: each label once, with its own embedding in the window where it scores highest.

    Args:
        heard: the clip's audible windows.
        scorer, labels, top_k, min_z, max_gap, attention, whole: as for :func:`pursue`; ``top_k`` of one window and of
            all.

    Returns:
        Rows with embeddings in the scorer's space, heaviest first, and with times where the clip is longer than a
        window.
    """
    found = [
        pursue(row, scorer, labels, top_k=top_k, min_z=min_z, max_gap=max_gap, attention=attention, whole=whole)
        for row in heard.embeddings
    ]
    best = {labels[source.label]: source for source in sorted(chain(*found), key=lambda source: source.z)}
    z = np.array([source.z - by_chance(len(found)) for source in best.values()], np.float32)
    query = evidence_to_query(list(best), z, top_k=top_k, min_z=min_z, max_gap=max_gap)
    if not len(query):
        return query
    embeddings = np.stack([best[phrase].embedding for phrase in query.phrases])
    return replace(scorer.timed(query, heard), embeddings=embeddings, space=scorer.encoder.space)


def attend(own: Rows, z: Rows, directions: Rows, share: float) -> NDArray[np.float64]:
    """A source's embedding, moved towards its text prototype: attention over label texts damps all that is in none.

    Args:
        own: (D,) the source's embedding less the mean of the bank.
        z: (K,) its standardised scores.
        directions: (K, D) each label's text less what all texts share.
        share: 0 leaves the source as it is, 1 leaves only the text prototype.

    Returns:
        (D,) as long as ``own``.
    """
    prototype = np.exp(log_softmax(z, _TEMPERATURE)) @ directions
    lengths = [float(np.linalg.norm(part)) + 1e-12 for part in (own, prototype)]
    mixed = (1 - share) * own / lengths[0] + share * prototype / lengths[1]
    turned: NDArray[np.float64] = mixed * lengths[0] / (np.linalg.norm(mixed) + 1e-12)
    return turned
