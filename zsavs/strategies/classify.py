"""Classify: a tagger names the sound, a detector looks for what makes it."""

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
    """A sound tagger's labels become the phrases that a detector looks for.

    Panel (a) of BAaV (Lee & Seo, "Bridging Audio and Vision", Interspeech 2025, arXiv 2506.06537), where a classifier's
    best class is the query, whatever it is and however unsure. Here a label has to be more probable than an absolute
    threshold, so a sound that no label fits finds nothing; labels that nothing visible makes ("Echo", "Rock music")
    ask for nothing; several labels may stay, each a source of its own; and "Male speech, man speaking" asks for a man.

    Labels that ask for the same phrase are one source, with the largest of their probabilities: "Bark" and "Dog" are
    two names of the same evidence, and a noisy-or would count it twice. Where "Dog" is heard, "Animal" is its shadow
    and asks for nothing (:func:`zsavs.language.sound_sources.most_specific`). Weights are the tagger's own
    probabilities, as it gives them; they are not calibrated, and the default threshold has not been tuned on any data.

    Args:
        audio_tagger: names sounds from a fixed list of labels.
        top_k: the most sources to look for, at least 0.
        min_probability: how probable a label must be, in [0, 1]; it has to be above.
        table: labels and their phrases, laid over AudioSet's (:class:`zsavs.language.sound_sources.LabelPhrases`).

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
        """The visible sources of what each sound is tagged with, whatever the image shows."""
        tagged = self.audio_tagger.tag([sample.audio for sample in samples])  # 1. scored labels of each sound
        return [self._look_for(labels) for labels in tagged]

    def _look_for(self, labels: Sequence[tuple[str, float]]) -> Query:
        heard: dict[str, float] = {}
        for label, probability in labels:
            if probability > self.min_probability:  # 2. labels that are heard
                phrase = self.phrase_of(label)  # 3. what makes that sound
                heard[phrase] = max(probability, heard.get(phrase, 0.0))
        heard.pop("", None)  # nothing visible does
        things = most_specific(heard)  # 4. one phrase for each source
        return Query(tuple(things), np.array(list(things.values()), np.float32)).top(self.top_k)
