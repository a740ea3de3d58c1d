"""Standardised similarities: how far an item stands out for a phrase, against what is usual and against other labels.

CLAP gives almost every pair of audio and text a cosine near some offset of its own, CLIP likewise near another one, so
a raw cosine says nothing by itself. Before similarities are compared, multiplied or thresholded, they are standardised
(:func:`standardise`; ``docs/calibration.md`` has the reasons and ``benchmarks/calibration.md`` what was measured):

1. *An offset for each phrase*: a quantile of its similarity with a bank of unlabelled items, which those items that
   resemble the phrase do not move; so no label is inaudible because of the bank's items.
2. *One deviation for all*: that of the bank, or of the rivals in this very item, whichever is larger. Rivals are the
   labels of a general vocabulary; of an unknown sound many are a little similar, and none stands out.
3. *Nothing*: a sound that fits a text for silence or noise, or that resembles an item of a blank bank, one in which no
   source sounds, has to fit a label so much better. The penalty is the same for all labels: it changes no order.

The bank is the one that the encoder ships (``encoder.sound_bank``, ``encoder.picture_bank``), or one of a user's own
files. Otherwise it is made of synthetic audio clips or images (:mod:`zsavs.calibration.bank`) that the model embeds
once; the embeddings are cached, keyed by how the model itself answers, so that other weights never meet the wrong bank.
An encoder that ships a bank knows a world of its own, of which that bank says what is usual; it has no rivals and no
texts for nothing, as a word that it never saw may lie anywhere in its space.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.directions import unit
from zsavs.calibration import bank
from zsavs.calibration.heard import Heard, listen, pool, times_of
from zsavs.language.meanings import Meanings
from zsavs.language.prompts import embed_phrases, templates
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import AudioTextEncoder, ImageTextEncoder, TextEncoder
from zsavs.types import AudioClip, Query

__all__ = ["AudioScorer", "ImageScorer", "Usual", "standardise"]

Rows = NDArray[np.floating[Any]]

#: The quantile of a bank's similarities that is a label's offset: of blank items, where half are noise, the lower
#: quartile, which three quarters of them may resemble the label without moving; else the median.
_BLANK_OFFSET, _OFFSET = 0.25, 0.5
#: Distance between the quartiles of a normal distribution, in standard deviations.
_QUARTILES_APART = 1.349
#: How fast an item's resemblance to a blank one fades with their cosine.
_FADING = 4
#: A text for nothing that scores more than this, in standard deviations, takes what is above it from every label.
_NOTHING = 2.5
#: Frames that are scored at once: an hour has 90 000, each to be compared with all rivals.
_ROWS_AT_ONCE = 4096


class Usual(NamedTuple):
    """What similarities are standardised against.

    Args:
        bank: (B, D) rows of unlabelled items.
        labels: (L, D) texts of labels, whose similarities with the bank vary as those of any label do.
        rivals: (V, D) texts of a general vocabulary, which compete for every item; V may be 0.
        nothing: (M, D) texts for items in which there is no source; M may be 0.
        blank: whether no item of the bank has a source.
    """

    bank: Rows
    labels: Rows
    rivals: Rows
    nothing: Rows
    blank: bool

    def offset(self, text: Rows) -> NDArray[np.float64]:
        """The usual similarity of each of K phrases, (K,)."""
        quantile = _BLANK_OFFSET if self.blank else _OFFSET
        return np.asarray(np.quantile(self.bank.astype(np.float64) @ text.T, quantile, axis=0), np.float64)

    def deviation(self) -> float:
        """The deviation of similarities in the bank, above 0: the median over the labels.

        At least half the deviation along an average direction of the space, for texts along which nothing varies.
        """
        spread = float(np.sqrt(self.bank.var(axis=0, dtype=np.float64).mean()))
        return max(float(np.median((self.bank.astype(np.float64) @ self.labels.T).std(axis=0))), spread / 2, 1e-6)


class _Scorer(ABC):
    """Standardised similarity between items and phrases in one encoder's space."""

    #: The encoder's attribute with the bank that it ships, if it ships one.
    shipped: ClassVar[str]

    def __init__(self, encoder: TextEncoder, vocabulary: str | Sequence[str], prompts: Sequence[str]) -> None:
        self.encoder = encoder
        self.vocabulary = load_vocabulary(vocabulary)
        self.prompts = tuple(prompts)

    @functools.cached_property
    @abstractmethod
    def bank(self) -> bank.Bank:
        """The bank that similarities are standardised against."""

    @functools.cached_property
    @abstractmethod
    def usual(self) -> Usual:
        """All that similarities are standardised against."""

    @functools.cached_property
    def meanings(self) -> Meanings:
        """Which phrases mean the same; by word alone for an encoder that knows a world of its own."""
        return Meanings(None if bank.is_shipped(self.encoder, self.shipped) else self.text)

    @functools.cached_property
    def temperature(self) -> float:
        """That of a softmax over cosines: what the encoder was trained with, else one deviation of the bank."""
        own = getattr(self.encoder, "temperature", None)
        return float(own) if own else self.usual.deviation()

    @abstractmethod
    def embed(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """Embed N items: (N, D), unit rows."""

    def __call__(self, items: Sequence[Any], phrases: Sequence[str]) -> NDArray[np.float32]:
        """Standardised similarity of N items with K phrases: (N, K) float32, unbounded; 0 is what is usual."""
        return self.standardise(self.embed(items), phrases)

    def text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K phrases in this scorer's prompt templates: (K, D), unit rows."""
        return embed_phrases(self.encoder, phrases, self.prompts)

    def standardise(self, embeddings: Rows, phrases: Sequence[str]) -> NDArray[np.float32]:
        """As calling it, for items that are embedded already: (N, D) gives (N, K)."""
        if not phrases:
            return np.zeros((len(embeddings), 0), np.float32)
        return standardise(embeddings, self.text(phrases), self.usual)

    def _usual(self, rivals: Sequence[str], nothing: Sequence[str]) -> Usual:
        """With these shipped vocabularies, for an encoder that knows no world of its own."""
        none = np.zeros((0, self.bank.embeddings.shape[1]), np.float32)
        if bank.is_shipped(self.encoder, self.shipped):
            return Usual(self.bank.embeddings, self.text(self.vocabulary), none, none, self.bank.blank)
        texts = self.text([label for name in rivals for label in load_vocabulary(name)])
        blanks = [label for name in nothing for label in load_vocabulary(name)]
        return Usual(self.bank.embeddings, texts, texts, self.text(blanks) if blanks else none, self.bank.blank)


class AudioScorer(_Scorer):
    """Standardised similarity between audio clips and phrases.

    Args:
        encoder: encoder of audio and text in one space.
        vocabulary: labels of the world of an encoder that ships a bank; others have everyday labels as rivals.
        prompts: prompt templates; the shipped "sound" templates by default.
    """

    encoder: AudioTextEncoder
    shipped = "sound_bank"

    def __init__(
        self,
        encoder: AudioTextEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        prompts: Sequence[str] | None = None,
    ) -> None:
        super().__init__(encoder, vocabulary, templates("sound") if prompts is None else prompts)

    @functools.cached_property
    def bank(self) -> bank.Bank:
        """Embeddings of unlabelled audio clips."""
        return bank.of_audio(self.encoder)

    @functools.cached_property
    def usual(self) -> Usual:
        """The bank, everyday labels as rivals, and texts for silence and noise."""
        return self._usual(["everyday"], ["nothing"])

    def embed(self, items: Sequence[AudioClip]) -> NDArray[np.float32]:
        """Embed N clips, each as a whole: (N, D), unit rows."""
        return self.encoder.encode_audio(items)

    def __call__(self, items: Sequence[AudioClip], phrases: Sequence[str]) -> NDArray[np.float32]:
        """The evidence for K phrases in N clips, pooled over time: (N, K) float32, unbounded; 0 is what is usual."""
        return self.pooled(self.listen(items), phrases)

    def listen(self, clips: Sequence[AudioClip]) -> list[Heard]:
        """The audible windows of N clips."""
        return listen(self.encoder, clips)

    def pooled(self, heard: Sequence[Heard], phrases: Sequence[str]) -> NDArray[np.float32]:
        """As calling it, for clips that have been listened to: (N, K)."""
        rows = [pool(self.standardise(each.embeddings, phrases)) for each in heard]
        return np.stack(rows) if rows else np.zeros((0, len(phrases)), np.float32)

    def clearest(self, heard: Heard, phrases: Sequence[str]) -> NDArray[np.float32]:
        """The embedding of the window in which each of K phrases is heard best: (K, D), unit rows."""
        best = self.standardise(heard.embeddings, phrases).argmax(axis=0)
        return np.asarray(heard.embeddings[best], np.float32)

    def timed(self, query: Query, heard: Heard) -> Query:
        """The query with the times at which each of its rows is heard, where the encoder can tell.

        That is in a clip which is longer than a window, and in any clip by an encoder of frames.
        """
        if not len(query) or (heard.whole and heard.frames is None):
            return query
        rows, starts_s, length_s = heard.frames or (heard.embeddings, heard.starts_s, heard.window_s)
        some = range(0, len(rows), _ROWS_AT_ONCE)
        z = [self.standardise(rows[at : at + _ROWS_AT_ONCE].astype(np.float32), query.phrases) for at in some]
        times = (times_of(row, starts_s, length_s, heard.active) for row in np.concatenate(z).T)
        return replace(query, times=tuple(times))


class ImageScorer(_Scorer):
    """Standardised similarity between images and phrases.

    Args:
        encoder: encoder of images and text in one space.
        vocabulary: labels of the world of an encoder that ships a bank; others have everyday labels as rivals.
        prompts: prompt templates; the shipped "photo" templates by default.
    """

    encoder: ImageTextEncoder
    shipped = "picture_bank"

    def __init__(
        self,
        encoder: ImageTextEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        prompts: Sequence[str] | None = None,
    ) -> None:
        super().__init__(encoder, vocabulary, templates("photo") if prompts is None else prompts)

    @functools.cached_property
    def bank(self) -> bank.Bank:
        """Embeddings of unlabelled images."""
        return bank.of_images(self.encoder)

    @functools.cached_property
    def usual(self) -> Usual:
        """The bank, and labels of sounding and silent things as rivals."""
        return self._usual(["everyday", "silent"], [])

    def embed(self, items: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed N images: (N, D), unit rows."""
        return self.encoder.encode_image(items)


def standardise(items: Rows, text: Rows, usual: Usual) -> NDArray[np.float32]:
    """Similarities in deviations above usual: ``z = (s - offset - middle) / deviation - penalty``, phrase by phrase.

    ``offset`` is the phrase's (:meth:`Usual.offset`). ``middle`` is the median of the rivals' similarities less their
    offsets, in this item, and ``deviation`` theirs or the bank's, whichever is larger. ``penalty`` is the item's, so
    that it changes no order: how far a text for nothing scores above 2.5, or what the best rival scores for a blank
    item as far as this one resembles it, whichever is larger. Other phrases never change a phrase's score.

    Args:
        items: (N, D) rows to score.
        text: (K, D) rows of the phrases.
        usual: what is usual.

    Returns:
        (N, K) float32, unbounded; 0 is what is usual.
    """
    middle, deviation = _among_rivals(items, usual)
    z = (_above_offset(items, text, usual) - middle) / deviation  # (N, K)
    penalty = np.zeros((len(items), 1))
    if len(usual.nothing):
        nothing = (_above_offset(items, usual.nothing, usual) - middle) / deviation
        penalty = np.maximum(penalty, nothing.max(axis=1, keepdims=True) - _NOTHING)
    if usual.blank and len(usual.rivals):
        penalty = np.maximum(penalty, _as_blank(items, usual))
    return np.asarray(z - penalty, np.float32)


def _above_offset(items: Rows, text: Rows, usual: Usual) -> NDArray[np.float64]:
    return np.asarray(items.astype(np.float64) @ text.T - usual.offset(text), np.float64)


def _among_rivals(items: Rows, usual: Usual) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle and deviation of each item, (N, 1) both: 0 and the bank's where there are no rivals."""
    of_bank = usual.deviation()
    if not len(usual.rivals):
        return np.zeros((len(items), 1)), np.full((len(items), 1), of_bank)
    rivals = _above_offset(items, usual.rivals, usual)
    low, middle, high = np.quantile(rivals, [0.25, 0.5, 0.75], axis=1)[..., None]
    return middle, np.maximum(of_bank, (high - low) / _QUARTILES_APART)


def _as_blank(items: Rows, usual: Usual) -> NDArray[np.float64]:
    """What the best rival scores for the blank item that each item resembles most, (N, 1), as far as it does so."""
    middle, deviation = _among_rivals(usual.bank, usual)
    scores = ((_above_offset(usual.bank, usual.rivals, usual) - middle) / deviation).max(axis=1)  # (B,)
    centre = usual.bank.mean(axis=0, dtype=np.float64)  # what all of the bank have in common
    resemblance = np.clip(unit(items - centre) @ unit(usual.bank - centre).T, 0, 1) ** _FADING  # (N, B)
    return np.asarray((resemblance * scores).max(axis=1, keepdims=True), np.float64)
