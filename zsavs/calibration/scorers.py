"""Calibration: raw cosines say nothing by themselves, so they are compared with what is usual for the model.

CLAP gives almost every pair of sound and text a cosine near some offset of its own, CLIP likewise near another
one. Before similarities are compared, multiplied or thresholded, each is therefore standardised, phrase by phrase,
against a bank of unlabelled items: ``z = (s - mean) / sd``, the number of standard deviations by which this sound
is more like this phrase than sounds usually are. Statistics for a new phrase are one matrix product.

The bank comes with the encoder where it ships one (``encoder.bank``). Otherwise it is made of synthetic sounds or
images (:mod:`zsavs.calibration.bank`) that the model embeds once; the embeddings are kept in the user's cache, keyed
by how the model itself answers, so that other weights never meet the wrong statistics.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration import bank
from zsavs.errors import InputError
from zsavs.language.prompts import embed_phrases, templates
from zsavs.media.arrays import frozen
from zsavs.protocols import AudioTextEncoder, ImageTextEncoder, TextEncoder
from zsavs.types import AudioClip, Evidence, Query

__all__ = [
    "AudioScorer",
    "ImageScorer",
    "check_limits",
    "evidence_to_query",
    "standardise",
    "usual",
]


class _Scorer(ABC):
    """Standardised similarity between items and phrases in one encoder's space."""

    def __init__(self, encoder: TextEncoder, prompts: Sequence[str]) -> None:
        self.encoder = encoder
        self.prompts = tuple(prompts)

    @functools.cached_property
    @abstractmethod
    def bank(self) -> bank.Bank:
        """The bank that similarities are standardised against."""

    @abstractmethod
    def embed(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """Embed N items: (N, D), unit rows."""

    def __call__(self, items: Sequence[Any], phrases: Sequence[str]) -> NDArray[np.float32]:
        """Standardised similarity of N items with K phrases: (N, K) float32, unbounded; 0 is what is usual."""
        return self.standardise(self.embed(items), phrases)

    def text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K phrases in this scorer's prompts: (K, D), unit rows."""
        return embed_phrases(self.encoder, phrases, self.prompts)

    def standardise(self, embeddings: NDArray[np.float32], phrases: Sequence[str]) -> NDArray[np.float32]:
        """As calling it, for items that are embedded already: (N, D) gives (N, K)."""
        if not phrases:
            return np.zeros((len(embeddings), 0), np.float32)
        return standardise(embeddings, self.bank.embeddings, self.text(phrases))


class AudioScorer(_Scorer):
    """How much more a sound is like a phrase than sounds usually are.

    Args:
        encoder: sound and text in one space.
        prompts: templates around the phrase; the shipped "sound" templates by default.
    """

    encoder: AudioTextEncoder

    def __init__(self, encoder: AudioTextEncoder, prompts: Sequence[str] | None = None) -> None:
        super().__init__(encoder, templates("sound") if prompts is None else prompts)

    @functools.cached_property
    def bank(self) -> bank.Bank:
        """Embeddings of unlabelled sounds."""
        return bank.of_audio(self.encoder)

    def embed(self, items: Sequence[AudioClip]) -> NDArray[np.float32]:
        """Embed N clips: (N, D), unit rows."""
        return self.encoder.encode_audio(items)


class ImageScorer(_Scorer):
    """How much more an image is like a phrase than images usually are.

    Args:
        encoder: images and text in one space.
        prompts: templates around the phrase; the shipped "photo" templates by default.
    """

    encoder: ImageTextEncoder

    def __init__(self, encoder: ImageTextEncoder, prompts: Sequence[str] | None = None) -> None:
        super().__init__(encoder, templates("photo") if prompts is None else prompts)

    @functools.cached_property
    def bank(self) -> bank.Bank:
        """Embeddings of unlabelled images."""
        return bank.of_images(self.encoder)

    def embed(self, items: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed N images: (N, D), unit rows."""
        return self.encoder.encode_image(items)


def standardise(
    items: NDArray[np.floating[Any]], bank: NDArray[np.floating[Any]], text: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Standardise similarities against a bank, phrase by phrase: ``z = (s - mean) / sqrt(sd^2 + spread^2)``.

    ``spread`` is the bank's standard deviation along an average direction of the space. It keeps a phrase that the
    bank happens not to move from getting huge scores, and does not depend on which other phrases are asked.

    Args:
        items: (N, D) rows to score.
        bank: (B, D) rows of what is usual.
        text: (K, D) rows of the phrases.

    Returns:
        (N, K) float32, unbounded; 0 is what is usual.
    """
    mean, deviation = usual(bank, text)
    return np.asarray((items.astype(np.float64) @ text.T - mean) / deviation, np.float32)


def usual(
    bank: NDArray[np.floating[Any]], text: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is usual for each of K phrases: the mean of its similarities with the bank, and ``sqrt(sd^2 + spread^2)``.

    Args:
        bank: (B, D) rows of what is usual.
        text: (K, D) rows of the phrases.

    Returns:
        (K,) and (K,), the second above 0.
    """
    similarities = bank.astype(np.float64) @ text.T
    spread = bank.var(axis=0, dtype=np.float64).mean()
    return similarities.mean(axis=0), np.sqrt(similarities.var(axis=0) + spread + 1e-12)


def check_limits(what: str, top_k: int, **scores: float) -> None:
    """Refuse limits of :func:`evidence_to_query` that mean nothing, before they find nothing or too little in silence.

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
    """Keep the phrases that there is evidence for.

    A phrase stays if its score exceeds ``min_z`` (absolute: a sound that says nothing keeps none) and lies within
    ``max_gap`` of the best one (relative: of a clear answer's neighbours none). Its weight is
    ``sigmoid(z - min_z)``, so every kept weight is above 0.5.

    Args:
        phrases: K phrases.
        z: (K,) standardised scores.
        top_k: the most phrases to keep.

    Returns:
        At most ``top_k`` rows, heaviest first; equal scores keep the order of ``phrases``. The query carries the
        evidence that it was chosen from.
    """
    evidence = Evidence(tuple(phrases), frozen(z), top_k, min_z, max_gap)
    if not len(phrases):
        return Query((), np.zeros(0, np.float32), evidence=evidence)
    kept = np.flatnonzero((z > min_z) & (z >= z.max() - max_gap))
    kept = kept[np.argsort(-z[kept], kind="stable")][:top_k]
    weights = 1.0 / (1.0 + np.exp(-(z[kept].astype(np.float64) - min_z)))
    return Query(tuple(phrases[int(i)] for i in kept), weights.astype(np.float32), evidence=evidence)
