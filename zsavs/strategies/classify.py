"""Classify: the audio's tags, whose visible sources a detector is asked for (BAaV, a)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zsavs.errors import InputError
from zsavs.language.sound_sources import LabelPhrases, most_specific
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
        table: labels and their phrases, in place of AudioSet's or beside them
            (:class:`zsavs.language.sound_sources.LabelPhrases`).

    Raises:
        InputError: ``top_k`` or ``min_probability`` is out of range.
        VocabularyError: the table cannot be read.
    """

    def __init__(
        self,
        audio_tagger: AudioTagger,
        *,
        top_k: int = 3,
        min_probability: float = 0.25,
        table: str | Path | Mapping[str, str | None] | None = None,
    ) -> None:
        if top_k < 0 or not 0 <= min_probability <= 1:
            raise InputError(
                f"classify: top_k must be at least 0 and min_probability in [0, 1], got {top_k} and {min_probability}."
            )
        self.audio_tagger = audio_tagger
        self.phrase_of = LabelPhrases(table)
        self.top_k, self.min_probability = top_k, min_probability

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The visible sources of each clip's tags, whatever the image shows."""
        tagged = self.audio_tagger.tag([sample.audio for sample in samples])  # 1. labels with probabilities
        return [self._query(labels) for labels in tagged]

    def _query(self, labels: Sequence[tuple[str, float]]) -> Query:
        heard: dict[str, float] = {}
        for label, probability in labels:
            if probability > self.min_probability:  # 2. labels that are heard
                phrase = self.phrase_of(label)  # 3. their visible sources
                heard[phrase] = max(probability, heard.get(phrase, 0.0))
        heard.pop("", None)  # labels without a visible source
        things = most_specific(heard)  # 4. one phrase for each source
        return Query(tuple(things), np.array(list(things.values()), np.float32)).top(self.top_k)
