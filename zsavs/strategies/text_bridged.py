"""Text-bridged: audio decomposed into sources by label texts, which bridge to the regions (TAViS)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from zsavs.calibration.abstention import check_limits
from zsavs.calibration.scorers import AudioScorer
from zsavs.decomposition import pursue_over_time
from zsavs.errors import InputError
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import JointEncoder
from zsavs.types import AVSample, Query

__all__ = ["TextBridged"]


class TextBridged:
    """Query decomposition of each window's audio embedding by label texts; one row for each source.

    TAViS (Luo et al., ICCV 2025, arXiv 2506.11436) learns queries that decompose ImageBind's audio tokens into
    sources, a pseudo text for each of them from text prototypes, and masks; its classes are the sum of audio and region
    logits. Here nothing is learned:

    - *Query decomposition.* The sources are those few labels whose texts add up to the audio embedding (non-negative
      pursuit in calibrated units, :mod:`zsavs.decomposition.pursuit`), so that two sources at once are two rows, and
      labels with the same meaning are one source.
    - *Text prototypes.* Attention over the label texts damps what is in a source's embedding and in no label
      (:func:`zsavs.decomposition.pursuit.attend`).
    - *Text-bridged alignment.* Pseudo text, regions and the additive class decision are the verifier's
      (:class:`zsavs.verification.joint_rescoring.JointVerifier`).

    Args:
        joint: encoder of audio, images and text in one space.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        top_k: the most sources, in one window and in all.
        min_z: the score that a source must exceed beside the others, in standard deviations above usual.
        max_gap: how far below the first source, in standard deviations, another one may be.
        attention: how far a source's embedding moves to its text prototype, in [0, 1].
        whole: how much the score of the whole audio counts in the choice of the next source, beside that of what the
            sources so far leave, in [0, 1].

    Raises:
        InputError: a setting out of range.
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
        attention: float = 0.5,
        whole: float = 0.0,
    ) -> None:
        if not 0 <= attention <= 1 or not 0 <= whole <= 1:
            raise InputError(
                f"text_bridged: attention and whole are shares and lie in [0, 1], got {attention} and {whole}."
            )
        check_limits("text_bridged", top_k, min_z=min_z, max_gap=max_gap)
        self.vocabulary = load_vocabulary(vocabulary)
        self.audio_scorer = AudioScorer(joint, self.vocabulary)
        self.vocabulary = self.audio_scorer.meanings.distinct(self.vocabulary)
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap
        self.attention, self.whole = attention, whole

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """One row for each source that is heard, with its own embedding and, in a longer clip, when it is heard."""
        heard = self.audio_scorer.listen([sample.audio for sample in samples])  # 1. audible windows
        return [  # 2. query decomposition of each window, with attention over the text prototypes; 3. one query of all
            pursue_over_time(
                each,
                self.audio_scorer,
                self.vocabulary,
                top_k=self.top_k,
                min_z=self.min_z,
                max_gap=self.max_gap,
                attention=self.attention,
                whole=self.whole,
            )
            for each in heard
        ]
