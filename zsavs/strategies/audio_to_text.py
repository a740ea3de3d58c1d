"""Audio to text: zero-shot labels of the audio, which a detector is asked for (AT-GDINO-SAM)."""

from __future__ import annotations

from collections.abc import Sequence

from zsavs.calibration.abstention import check_limits, evidence_to_query
from zsavs.calibration.scorers import AudioScorer
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import AudioTextEncoder
from zsavs.types import AVSample, Query

__all__ = ["AudioToText"]


class AudioToText:
    """CLAP's zero-shot labels of the audio as the query; a detector grounds them, and CLIP verifies the regions.

    AT-GDINO-SAM (Bhosale et al., arXiv 2309.06728) tags the audio, grounds the tags and segments the boxes. Here an
    open vocabulary stands in place of a tagger's labels. The image plays no part until the labels are known.

    Args:
        audio_text: encoder of audio and text in one space.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        top_k: the most sources.
        min_z: the score that a label must exceed, in standard deviations above usual.
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
        min_z: float = 3.0,
        max_gap: float = 2.0,
    ) -> None:
        check_limits("audio_to_text", top_k, min_z=min_z, max_gap=max_gap)
        self.vocabulary = load_vocabulary(vocabulary)
        self.audio_scorer = AudioScorer(audio_text, self.vocabulary)
        self.vocabulary = self.audio_scorer.meanings.distinct(self.vocabulary)
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The labels that there is evidence for in each audio clip, whatever the image shows."""
        heard = self.audio_scorer.listen([sample.audio for sample in samples])  # 1. audible windows
        z = self.audio_scorer.pooled(heard, self.vocabulary)  # 2. audio with labels                     (N, K)
        queries = [  # 3. labels with evidence, at most top_k
            evidence_to_query(self.vocabulary, row, top_k=self.top_k, min_z=self.min_z, max_gap=self.max_gap)
            for row in z
        ]
        return list(map(self.audio_scorer.timed, queries, heard))  # 4. and when they are heard
