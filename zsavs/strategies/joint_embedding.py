"""Joint embedding: region embeddings compared with the audio embedding in a joint space (OWOD-BIND)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from zsavs.calibration.abstention import check_limits, evidence_to_query
from zsavs.calibration.scorers import AudioScorer
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import JointEncoder
from zsavs.types import AVSample, Query

__all__ = ["JointEmbedding"]


class JointEmbedding:
    """The audio embedding as the query; class-agnostic regions are compared with it, and labelled afterwards.

    OWOD-BIND (Bhosale et al., arXiv 2309.06728) scores class-agnostic region proposals by ImageBind's similarity with
    the audio. There a softmax over the proposals of one image decides, so that some region is always found. Here both
    ends are absolute: audio that exceeds ``min_z`` for no label gives an empty query, and a region has to fit the audio
    better than other labels would (:class:`zsavs.verification.joint_rescoring.JointVerifier`).

    Every row has the embedding of the whole clip; the phrases are the labels that a region may get. So several sources
    are looked for as one; ``text_bridged`` decomposes them.

    Args:
        joint: encoder of audio, images and text in one space.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        top_k: the most labels.
        min_z: the score that a label must exceed, in standard deviations above usual.
        max_gap: how far below the best label, in standard deviations, another one may be.

    Raises:
        InputError: a limit that means nothing.
    """

    #: Class-agnostic regions, rescored in the joint space.
    stages: ClassVar[dict[str, str]] = {"grounder": "segments", "verifier": "joint"}

    def __init__(
        self,
        joint: JointEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        top_k: int = 3,
        min_z: float = 3.0,
        max_gap: float = 2.0,
    ) -> None:
        check_limits("joint_embedding", top_k, min_z=min_z, max_gap=max_gap)
        self.vocabulary = load_vocabulary(vocabulary)
        self.audio_scorer, self.space = AudioScorer(joint, self.vocabulary), joint.space
        self.vocabulary = self.audio_scorer.meanings.distinct(self.vocabulary)
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The audio embedding under each label that there is evidence for, whatever the image shows."""
        heard = self.audio_scorer.listen([sample.audio for sample in samples])  # 1. audible windows
        z = self.audio_scorer.pooled(heard, self.vocabulary)  # 2. audio with labels                  (N, K)
        queries = [  # 3. labels with evidence, at most top_k
            evidence_to_query(self.vocabulary, row, top_k=self.top_k, min_z=self.min_z, max_gap=self.max_gap)
            for row in z
        ]
        return [  # 4. the audio embedding under each of them, of the window where it is heard best
            replace(
                self.audio_scorer.timed(query, each),
                embeddings=self.audio_scorer.clearest(each, query.phrases),
                space=self.space,
            )
            for query, each in zip(queries, heard, strict=True)
        ]
