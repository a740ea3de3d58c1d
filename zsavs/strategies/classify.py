"""Classify: the audio's tags, whose visible sources a detector is asked for (BAaV, a)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from zsavs.calibration.tags import TagListener, check_tagging
from zsavs.language.sound_sources import LabelPhrases
from zsavs.protocols import AudioTagger
from zsavs.types import AVSample, Query

__all__ = ["Classify"]


class Classify:
    """An audio tagger's labels as the query, each in the words that a detector is asked.

    Panel (a) of BAaV (Lee & Seo, "Bridging Audio and Vision", Interspeech 2025, arXiv 2506.06537), where a classifier's
    best class is the query, whatever it is and however unsure. Here a label has to be more probable than an absolute
    threshold, so a clip that no label fits gives an empty query; labels without a visible source ("Echo", "Rock music")
    give no row; several labels may stay, each a source of its own; and "Male speech, man speaking" becomes "man".

    Labels with the same phrase are one source, with the largest of their probabilities: "Bark" and "Dog" are two names
    of the same evidence, and a noisy-or would count it twice. Where "Dog" is heard, the more general "Animal" gives no
    row (:func:`zsavs.language.sound_sources.most_specific`). Weights are the tagger's own probabilities; they are not
    calibrated, and the default threshold has not been tuned on any data.

    Args:
        audio_tagger: gives probabilities for a fixed list of labels.
        top_k: the most sources, at least 0.
        min_probability: the probability that a label must exceed, in [0, 1].
        min_share: the share of the surest label's probability that a label must have, in [0, 1]; 0 for none. The weak
            labels beside a clear one are mostly confusions with it.
        table: labels and their phrases, in place of AudioSet's or beside them
            (:class:`zsavs.language.sound_sources.LabelPhrases`); or what gives a label's phrase, "" for none.

    Raises:
        InputError: ``top_k``, ``min_probability`` or ``min_share`` is out of range.
        VocabularyError: the table cannot be read.
    """

    def __init__(
        self,
        audio_tagger: AudioTagger,
        *,
        top_k: int = 3,
        min_probability: float = 0.25,
        min_share: float = 0.0,
        table: str | Path | Mapping[str, str | None] | Callable[[str], str] | None = None,
    ) -> None:
        check_tagging("classify", top_k, min_probability, min_share)
        self.top_k = top_k
        self.phrase_of = table if callable(table) else LabelPhrases(table)
        self.tags = TagListener(
            audio_tagger,
            self.phrase_of,
            min_probability=min_probability,
            min_share=min_share,
        )

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The visible sources of each clip's tags, whatever the image shows; with times, where the tagger has any."""
        return self.tags.listen([sample.audio for sample in samples], self.top_k)
