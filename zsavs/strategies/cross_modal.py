"""Cross-modal verification: noun phrases of the image's caption, verified by the audio (BAaV, d)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zsavs.calibration.abstention import check_limits, evidence_to_query
from zsavs.calibration.scorers import AudioScorer
from zsavs.language.noun_phrases import noun_phrases
from zsavs.protocols import AudioTextEncoder, Captioner
from zsavs.types import AVSample, Query

__all__ = ["CrossModal"]


class CrossModal:
    """The noun phrases of the image's caption that CLAP hears, as the query.

    Panel (d) of BAaV (Lee & Seo, "Bridging Audio and Vision", Interspeech 2025, arXiv 2506.06537). Their released
    code scores the whole caption instead of its phrases and so always answers with the first one, and takes the best
    phrase however low its score; here every phrase is scored, and audio that fits none gives an empty query.

    Args:
        captioner: captions images.
        audio_text: encoder of audio and text in one space.
        vocabulary: labels of the world of an encoder that ships a bank, as for
            :class:`zsavs.calibration.scorers.AudioScorer`; no phrase has to be among them.
        top_k: the most sources.
        min_z: the score that a phrase must exceed, in standard deviations above usual.
        max_gap: how far below the best phrase, in standard deviations, another one may be.
        nouns: gives a caption's noun phrases.

    Raises:
        InputError: a limit that means nothing.
    """

    def __init__(
        self,
        captioner: Captioner,
        audio_text: AudioTextEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        top_k: int = 3,
        min_z: float = 2.0,
        max_gap: float = 2.0,
        nouns: Callable[[str], list[str]] = noun_phrases,
    ) -> None:
        check_limits("cross_modal", top_k, min_z=min_z, max_gap=max_gap)
        self.captioner = captioner
        self.audio_scorer = AudioScorer(audio_text, vocabulary)
        self.nouns = nouns
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The noun phrases of each image's caption that there is evidence for in its audio."""
        captions = self.captioner.caption([sample.image for sample in samples])  # 1. image captions
        distinct = self.audio_scorer.meanings.distinct
        phrases = [distinct(self.nouns(caption), looks=True) for caption in captions]  # 2. noun phrases, one a meaning
        heard = self.audio_scorer.listen([sample.audio for sample in samples])  # 3. audible windows
        queries = [
            evidence_to_query(  # 5. phrases with evidence
                nouns,
                self.audio_scorer.pooled([each], nouns)[0],  # 4. audio with phrases  (K,)
                top_k=self.top_k,
                min_z=self.min_z,
                max_gap=self.max_gap,
            )
            for nouns, each in zip(phrases, heard, strict=True)
        ]
        return list(map(self.audio_scorer.timed, queries, heard))  # 6. and when they are heard
