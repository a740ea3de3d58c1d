"""Joint embedding: look for whatever embeds like the sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from zsavs.calibration.abstention import check_limits, evidence_to_query
from zsavs.calibration.scorers import AudioScorer
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import JointEncoder
from zsavs.types import AVSample, Query

__all__ = ["JointEmbedding"]


class JointEmbedding:
    """A joint space embeds the sound; class-agnostic regions are compared with it, and named afterwards.

    OWOD-BIND (Bhosale et al., arXiv 2309.06728): ImageBind scores proposals without names against the sound. There a
    softmax over the proposals of one image decides, so that something is always found. Here both ends are absolute:
    a sound that is like no label more than sounds usually are asks for nothing, and a region has to fit the sound
    better than other things would (:class:`zsavs.verification.joint.JointVerifier`).

    Every row carries the embedding of the whole sound; the phrases are the names that a region of it may get. A
    recording of several sources is so looked for as a whole; ``text_bridged`` takes it apart.

    Args:
        joint: sound, images and text in one space.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        top_k: the most names.
        min_z: how far above usual, in standard deviations, a label must be heard.
        max_gap: how far below the best label, in standard deviations, another one may be.

    Raises:
        InputError: a limit that means nothing.
    """

    #: Regions without a name, judged in the joint space.
    stages: ClassVar[dict[str, str]] = {"grounder": "segments", "verifier": "joint"}

    def __init__(
        self,
        joint: JointEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        top_k: int = 3,
        min_z: float = 2.5,
        max_gap: float = 2.0,
    ) -> None:
        check_limits("joint_embedding", top_k, min_z=min_z, max_gap=max_gap)
        self.hear, self.space = AudioScorer(joint), joint.space
        self.vocabulary = load_vocabulary(vocabulary)
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The sound's embedding under each name that there is evidence for, whatever the image shows."""
        sounds = self.hear.embed([sample.audio for sample in samples])  # 1. hear                 (N, D)
        z = self.hear.standardise(sounds, self.vocabulary)  # 2. sound against labels (N, K)
        queries = [  # 3. names with evidence   at most top_k rows each
            evidence_to_query(self.vocabulary, row, top_k=self.top_k, min_z=self.min_z, max_gap=self.max_gap)
            for row in z
        ]
        return [  # 4. the sound under each of them
            replace(query, embeddings=np.tile(sound, (len(query), 1)), space=self.space)
            for query, sound in zip(queries, sounds, strict=True)
        ]
