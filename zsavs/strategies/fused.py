"""Fused: labels that are both heard and seen, by the product of CLIP and CLAP (AV2T-SAM)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.common_space import RidgeMap, gate, ridge
from zsavs.algebra.log_linear_pooling import log_linear
from zsavs.calibration.abstention import check_limits, evidence_to_query
from zsavs.calibration.scorers import AudioScorer, ImageScorer
from zsavs.errors import InputError, UnknownName, VocabularyError
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import AudioTextEncoder, ImageTextEncoder
from zsavs.types import AVSample, Query

__all__ = ["Fused"]

_VARIANTS = ("label", "embedding")


class Fused:
    """Labels scored by the product of CLAP's audio score and CLIP's image score, as the query.

    AV2T-SAM (Lee, Zhang, Duan, arXiv 2502.16359) multiplies the two embeddings, ``f_CLIP * f_CLAP``, each through a
    *learned* projection. Without training the raw product of two spaces is noise (two negative coordinates give a
    positive one), so the product is taken where it is defined:

    ``label``: over the labels. Each label's score is that of the audio times that of the image,
    ``s_audio ** alpha * s_image ** (1 - alpha)``, from calibrated scores. That is the log-linear pool of both,
    ``alpha * z_audio + (1 - alpha) * z_image`` as log evidence.

    ``embedding``: in a common space. Both text encoders embed the same labels, so ridge regression between their
    label embeddings maps CLAP's space into CLIP's in closed form; the product of the mapped audio and the image is
    gated to the coordinates on which both agree in sign, ``g = sign(v) sqrt(|a v|)``, and compared with each label.

    Args:
        audio_text: encoder of audio and text in one space.
        image_text: encoder of images and text in one space.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        variant: "label" or "embedding".
        alpha: the share of the audio beside the image, in [0, 1] (``label``).
        top_k: the most sources.
        min_z: the score that a label must exceed for the audio, in standard deviations above usual.
        min_seen: the score that it must exceed for the whole image; low, as things can be small.
        max_gap: how far below the best label, in standard deviations, another one may be.

    Raises:
        UnknownName: no such variant.
        InputError: ``alpha`` is not in [0, 1], or a limit that means nothing.
        VocabularyError: the vocabulary cannot be read, or has a single label (``embedding``).
    """

    def __init__(
        self,
        audio_text: AudioTextEncoder,
        image_text: ImageTextEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        variant: Literal["label", "embedding"] = "label",
        alpha: float = 0.5,
        top_k: int = 3,
        min_z: float = 2.0,
        min_seen: float = 0.0,
        max_gap: float = 2.0,
    ) -> None:
        if variant not in _VARIANTS:
            raise UnknownName("variant of the fused strategy", str(variant), _VARIANTS)
        if not 0 <= alpha <= 1:
            raise InputError(f"fused: alpha is the audio's share and lies in [0, 1], got {alpha}.")
        check_limits("fused", top_k, min_z=min_z, min_seen=min_seen, max_gap=max_gap)
        self.vocabulary = load_vocabulary(vocabulary)
        self.audio_scorer = AudioScorer(audio_text, self.vocabulary)
        self.vocabulary = self.audio_scorer.meanings.distinct(self.vocabulary)
        self.image_scorer = ImageScorer(image_text, self.vocabulary)
        if variant == "embedding" and len(self.vocabulary) < 2:
            raise VocabularyError("fused by embedding tells labels apart and needs two at least; use variant='label'.")
        self.variant, self.alpha = variant, alpha
        self.top_k, self.min_z, self.min_seen, self.max_gap = top_k, min_z, min_seen, max_gap

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The labels that there is evidence for in audio and image together."""
        if not samples:
            return []
        audible = self.audio_scorer.listen([sample.audio for sample in samples])  # 1. f_CLAP, by window
        images = self.image_scorer.embed([sample.image for sample in samples])  # 2. f_CLIP            (N, D_V)
        heard = self.audio_scorer.pooled(audible, self.vocabulary)  # 3. audio with labels              (N, K)
        seen = self.image_scorer.standardise(images, self.vocabulary)  # 4. image with labels         (N, K)
        if self.variant == "label":
            fused = log_linear(heard, seen, self.alpha)  # 5. log of their product  (N, K)
            least = self.alpha * self.min_z + (1 - self.alpha) * self.min_seen
        else:
            # Of the window in which the best label is heard best.
            best = [self.vocabulary[int(row.argmax())] for row in heard]
            audio = [self.audio_scorer.clearest(each, [label]) for each, label in zip(audible, best, strict=True)]
            fused, least = self._in_common_space(np.concatenate(audio), images), self.min_seen
        # 6. "Heard, off screen" and "seen, silent" have the same product: each side must exceed its threshold alone.
        fused = np.where((heard > self.min_z) & (seen > self.min_seen), fused, -np.inf)
        queries = [
            evidence_to_query(self.vocabulary, row, top_k=self.top_k, min_z=least, max_gap=self.max_gap)
            for row in fused
        ]
        return list(map(self.audio_scorer.timed, queries, audible))  # 7. and when they are heard

    @functools.cached_property
    def _common_space(self) -> tuple[RidgeMap, NDArray[np.float32], NDArray[np.float64], float]:
        """The map from audio to images, label embeddings (K, D_V) in that space, and what is usual in it; made once.

        Usual is what each label scores, (K,), over all pairs of an audio clip and an image from the banks, and how much
        scores vary there. The image belongs to the evidence: against other audio with *the same* image, what is seen
        would cancel, and the audio alone would rank the labels.
        """
        to_images = ridge(self.audio_scorer.text(self.vocabulary), self.image_scorer.text(self.vocabulary))
        labels = to_images.centred_targets(self.image_scorer.text(self.vocabulary))
        audio, images = self.audio_scorer.bank.embeddings, self.image_scorer.bank.embeddings
        mapped, centred = to_images(audio - audio.mean(axis=0)), images - images.mean(axis=0)
        # Image by image, as all pairs with a large bank would not fit into memory.
        scores = (gate(mapped, image).astype(np.float64) @ labels.T for image in centred)
        means, squares = zip(*((score.mean(axis=0), (score**2).mean()) for score in scores), strict=True)
        usual = np.mean(means, axis=0)
        return to_images, labels, usual, float(np.sqrt(max(0.0, np.mean(squares) - usual.mean() ** 2)))

    def _in_common_space(self, audio: NDArray[np.float32], images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardised scores of the gated product against each label: (N, K)."""
        to_images, labels, usual, spread = self._common_space
        # The modality gap: audio is centred on audio and images on images, not on text.
        mapped = to_images(audio - self.audio_scorer.bank.embeddings.mean(axis=0))
        centred = images - self.image_scorer.bank.embeddings.mean(axis=0)
        fused = (gate(mapped, centred).astype(np.float64) @ labels.T - usual) / (spread + 1e-12)
        return np.asarray(fused, np.float32)
