"""An omni model assembled from others: a captioner and a joint encoder in place of a language model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.directions import unit
from zsavs.calibration.scorers import AudioScorer, ImageScorer
from zsavs.language.noun_phrases import noun_phrases
from zsavs.protocols import Captioner, JointEncoder, Judged, Sought, Translation
from zsavs.types import AudioClip, AVSample

__all__ = ["AssembledOmni"]


class AssembledOmni:
    """What a captioner and a joint encoder say between them, behind the verbs of an omni model.

    It is none: nobody is asked in words, and its log odds are no language model's
    (:class:`zsavs.protocols.OmniModel`). It names the noun phrases of the image's caption whose text fits the sound in
    the joint space at least as well as is usual. Its log odds of a region are how well the region's embedding fits that
    of the best audible window, in standard deviations above how well it fits the sounds of the encoder's bank.

    Args:
        captioner: captions images.
        joint: encoder of audio, images and text in one space.
        vocabulary: labels of the joint encoder's world, as for :class:`zsavs.calibration.scorers.AudioScorer`.
        min_z: of a phrase that is named, in standard deviations above usual.
    """

    def __init__(
        self,
        captioner: Captioner,
        joint: JointEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        min_z: float = 0.0,
    ) -> None:
        self.captioner, self.joint, self.min_z = captioner, joint, min_z
        self.audio_scorer, self.image_scorer = AudioScorer(joint, vocabulary), ImageScorer(joint, vocabulary)

    def name_sources(self, samples: Sequence[AVSample]) -> list[Translation]:
        """For each sample the things in its image's caption that fit its sound."""
        captions = self.captioner.caption([sample.image for sample in samples])
        heard = self.audio_scorer.listen([sample.audio for sample in samples])
        named = []
        for caption, each in zip(captions, heard, strict=True):
            things = noun_phrases(caption)
            z = self.audio_scorer.pooled([each], things)[0] if things else np.zeros(0)
            sources = [
                Sought(thing, f"{score:.1f} deviations above usual", "the caption names it, and it fits the sound")
                for thing, score in zip(things, z, strict=True)
                if score > self.min_z
            ]
            named.append(Translation(tuple(sources), {"by": "assembled", "seen": caption}))
        return named

    def judge(self, images: Sequence[NDArray[np.uint8]], clips: Sequence[AudioClip], phrases: Sequence[str]) -> Judged:
        """How well each image fits its clip, against the clips of the bank; phrases play no part."""
        if not images:
            return Judged(np.zeros(0, np.float32), 0)
        usual = self.audio_scorer.bank.embeddings.astype(np.float64)
        middle = usual.mean(axis=0)
        known = {id(image): image for image in images}  # a region is asked about several times, and embedded once
        embedded = dict(zip(known, self.joint.encode_image(list(known.values())), strict=True))
        centre = self.image_scorer.bank.embeddings.mean(axis=0, dtype=np.float64)
        z = []
        for image, heard in zip(images, self.audio_scorer.listen(clips), strict=True):
            region = embedded[id(image)] - centre
            fit = unit(heard.embeddings - middle) @ region  # each audible window
            of_bank = unit(usual - middle) @ region
            z.append((fit.max() - of_bank.mean()) / (of_bank.std() + 1e-12))
        return Judged(np.array(z, np.float32), 0)
