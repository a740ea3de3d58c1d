"""Standardised similarities: how far above what is usual for a model an item is like a phrase.

CLAP gives almost every pair of audio and text a cosine near some offset of its own, CLIP likewise near another one, so
a raw cosine says nothing by itself. Before similarities are compared, multiplied or thresholded, each is standardised,
phrase by phrase, against a bank of unlabelled items: ``z = (s - mean) / sd``, the number of standard deviations by
which this item is more similar to this phrase than items usually are. A new phrase costs one matrix product.

The bank is the one that the encoder ships (``encoder.sound_bank``, ``encoder.picture_bank``), or one of a user's own
files. Otherwise it is made of synthetic audio clips or images (:mod:`zsavs.calibration.bank`) that the model embeds
once; the embeddings are cached, keyed by how the model itself answers, so that other weights never meet the wrong bank.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration import bank
from zsavs.language.prompts import embed_phrases, templates
from zsavs.protocols import AudioTextEncoder, ImageTextEncoder, TextEncoder
from zsavs.types import AudioClip

__all__ = ["AudioScorer", "ImageScorer", "standardise", "usual_similarities"]


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
        """Embed K phrases in this scorer's prompt templates: (K, D), unit rows."""
        return embed_phrases(self.encoder, phrases, self.prompts)

    def standardise(self, embeddings: NDArray[np.float32], phrases: Sequence[str]) -> NDArray[np.float32]:
        """As calling it, for items that are embedded already: (N, D) gives (N, K)."""
        if not phrases:
            return np.zeros((len(embeddings), 0), np.float32)
        return standardise(embeddings, self.bank.embeddings, self.text(phrases))


class AudioScorer(_Scorer):
    """Standardised similarity between audio clips and phrases.

    Args:
        encoder: encoder of audio and text in one space.
        prompts: prompt templates; the shipped "sound" templates by default.
    """

    encoder: AudioTextEncoder

    def __init__(self, encoder: AudioTextEncoder, prompts: Sequence[str] | None = None) -> None:
        super().__init__(encoder, templates("sound") if prompts is None else prompts)

    @functools.cached_property
    def bank(self) -> bank.Bank:
        """Embeddings of unlabelled audio clips."""
        return bank.of_audio(self.encoder)

    def embed(self, items: Sequence[AudioClip]) -> NDArray[np.float32]:
        """Embed N clips: (N, D), unit rows."""
        return self.encoder.encode_audio(items)


class ImageScorer(_Scorer):
    """Standardised similarity between images and phrases.

    Args:
        encoder: encoder of images and text in one space.
        prompts: prompt templates; the shipped "photo" templates by default.
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
    """Similarities standardised against a bank, phrase by phrase: ``z = (s - mean) / sqrt(sd^2 + spread^2)``.

    ``spread`` is the bank's standard deviation along an average direction of the space. It bounds the scores
    of a phrase with which the bank's similarity hardly varies, and does not depend on the other phrases.

    Args:
        items: (N, D) rows to score.
        bank: (B, D) rows of what is usual.
        text: (K, D) rows of the phrases.

    Returns:
        (N, K) float32, unbounded; 0 is what is usual.
    """
    mean, deviation = usual_similarities(bank, text)
    return np.asarray((items.astype(np.float64) @ text.T - mean) / deviation, np.float32)


def usual_similarities(
    bank: NDArray[np.floating[Any]], text: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The usual similarity of each of K phrases: its mean over the bank, and its deviation ``sqrt(sd^2 + spread^2)``.

    Args:
        bank: (B, D) rows of what is usual.
        text: (K, D) rows of the phrases.

    Returns:
        (K,) and (K,), the second above 0.
    """
    similarities = bank.astype(np.float64) @ text.T
    spread = bank.var(axis=0, dtype=np.float64).mean()
    return similarities.mean(axis=0), np.sqrt(similarities.var(axis=0) + spread + 1e-12)
