"""Audio to text: name the sound, then look for the name."""

from __future__ import annotations

from collections.abc import Sequence

from zsavs.calibration.abstention import check_limits, evidence_to_query
from zsavs.calibration.scorers import AudioScorer
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import AudioTextEncoder
from zsavs.types import AVSample, Query

__all__ = ["AudioToText"]


class AudioToText:
    """CLAP names the sound over a vocabulary; a detector looks for the names; CLIP checks what it finds.

    This is the design of audio-tagging pipelines with grounding (AT-GDINO-SAM, Bhosale et al., arXiv 2309.06728),
    with an open vocabulary in place of a tagger. The image plays no part until the names are known.

    Args:
        audio_text: sound and text in one space.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        top_k: the most sources to look for.
        min_z: how far above usual, in standard deviations, a label must be heard.
        max_gap: how far below the best label, in standard deviations, another one may be.

    Raises:
        InputError: a limit that means nothing.
    """

    def __init__(
        self,
        audio_text: AudioTextEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        top_k: int = 3,
        min_z: float = 2.5,
        max_gap: float = 2.0,
    ) -> None:
        check_limits("audio_to_text", top_k, min_z=min_z, max_gap=max_gap)
        self.hear = AudioScorer(audio_text)
        self.vocabulary = load_vocabulary(vocabulary)
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The labels that each sound gives evidence for, whatever the image shows."""
        z = self.hear([sample.audio for sample in samples], self.vocabulary)  # 1. sound against labels   (N, K)
        return [  # 2. labels with evidence  at most top_k rows each
            evidence_to_query(self.vocabulary, row, top_k=self.top_k, min_z=self.min_z, max_gap=self.max_gap)
            for row in z
        ]
