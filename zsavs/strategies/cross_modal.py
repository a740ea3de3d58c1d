"""Cross-modal verification: name what is visible, let the sound choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zsavs.calibration.abstention import check_limits, evidence_to_query
from zsavs.calibration.scorers import AudioScorer
from zsavs.language.noun_phrases import noun_phrases
from zsavs.protocols import AudioTextEncoder, Captioner
from zsavs.types import AVSample, Query

__all__ = ["CrossModal"]


class CrossModal:
    """A captioner names what is visible; CLAP scores every noun phrase against the sound; the heard ones are kept.

    Panel (d) of BAaV (Lee & Seo, "Bridging Audio and Vision", Interspeech 2025, arXiv 2506.06537). Their released
    code scores the whole caption instead of its phrases and so always answers with the first one, and takes the best
    phrase however little it fits; here every phrase is scored, and a sound that fits none finds nothing.

    Args:
        captioner: describes images.
        audio_text: sound and text in one space.
        top_k: the most sources to look for.
        min_z: how far above usual, in standard deviations, a phrase must be heard.
        max_gap: how far below the best phrase, in standard deviations, another one may be.
        nouns: cuts a caption into noun phrases.

    Raises:
        InputError: a limit that means nothing.
    """

    def __init__(
        self,
        captioner: Captioner,
        audio_text: AudioTextEncoder,
        *,
        top_k: int = 3,
        min_z: float = 2.0,
        max_gap: float = 2.0,
        nouns: Callable[[str], list[str]] = noun_phrases,
    ) -> None:
        check_limits("cross_modal", top_k, min_z=min_z, max_gap=max_gap)
        self.captioner = captioner
        self.hear = AudioScorer(audio_text)
        self.nouns = nouns
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The visible things that each sound gives evidence for."""
        captions = self.captioner.caption([sample.image for sample in samples])  # 1. what is visible
        phrases = [self.nouns(caption) for caption in captions]  # 2. its noun phrases
        sounds = self.hear.embed([sample.audio for sample in samples])  # 3. what is audible         (N, D)
        return [
            evidence_to_query(  # 5. phrases with evidence
                nouns,
                self.hear.standardise(sound[None], nouns)[0],  # 4. sound against phrases   (K,)
                top_k=self.top_k,
                min_z=self.min_z,
                max_gap=self.max_gap,
            )
            for nouns, sound in zip(phrases, sounds, strict=True)
        ]
