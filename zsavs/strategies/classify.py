"""Classify: the audio's tags, whose visible sources a detector is asked for (BAaV, a)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.heard import HOP_S, WINDOW_S, times_of
from zsavs.errors import InputError
from zsavs.language.sound_sources import LabelPhrases, most_specific
from zsavs.media.activity import active_times, audible_windows, unite
from zsavs.protocols import AudioTagger, TimedAudioTagger
from zsavs.types import AudioClip, AVSample, Query, Times

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
        if top_k < 0 or not 0 <= min_probability <= 1 or not 0 <= min_share <= 1:
            raise InputError(
                f"classify: top_k must be at least 0, min_probability and min_share in [0, 1], got {top_k}, "
                f"{min_probability} and {min_share}."
            )
        self.audio_tagger = audio_tagger
        self.phrase_of = table if callable(table) else LabelPhrases(table)
        self.top_k, self.min_probability, self.min_share = top_k, min_probability, min_share

    @functools.cached_property
    def _phrases(self) -> NDArray[np.str_]:
        """The phrase of each label of a tagger that says when."""
        assert isinstance(self.audio_tagger, TimedAudioTagger)
        return np.array([self.phrase_of(label) for label in self.audio_tagger.labels])

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The visible sources of each clip's tags, whatever the image shows; with times, where the tagger has any."""
        clips = [sample.audio for sample in samples]
        if not isinstance(self.audio_tagger, TimedAudioTagger):
            return self._by_windows(clips)
        tagged = self.audio_tagger.tag(clips)  # 1. labels with probabilities
        queries = [self._query(labels) for labels in tagged]
        by_window = self.audio_tagger.tag_windows(clips)
        return [
            replace(query, times=self._times(self.audio_tagger, query, windows, clip.duration_s))
            if len(query)
            else query
            for query, windows, clip in zip(queries, by_window, clips, strict=True)
        ]

    def _by_windows(self, clips: Sequence[AudioClip]) -> list[Query]:
        """For a tagger that does not say when: the audible windows of each clip, tagged one by one."""
        windows = [audible_windows(clip, WINDOW_S, HOP_S) for clip in clips]
        tagged = iter(self.audio_tagger.tag([window for each in windows for _, window in each]))
        queries = []
        for clip, each in zip(clips, windows, strict=True):
            by_window = [dict(next(tagged)) for _ in each]
            largest = {label: max(tags[label] for tags in by_window) for label in by_window[0]}
            query = self._query(sorted(largest.items(), key=lambda tag: -tag[1]))
            if len(query) and clip.duration_s > WINDOW_S:
                of_phrase = {
                    phrase: [label for label in largest if self.phrase_of(label) == phrase] for phrase in query.phrases
                }
                starts = np.array([start for start, _ in each])
                active = active_times(clip)
                times = [
                    times_of(
                        np.array([max(tags[label] for label in labels) for tags in by_window]), starts, WINDOW_S, active
                    )
                    for labels in of_phrase.values()
                ]
                query = replace(query, times=tuple(times))
            queries.append(query)
        return queries

    def _query(self, labels: Sequence[tuple[str, float]]) -> Query:
        heard: dict[str, float] = {}
        least = self.min_share * max((probability for _, probability in labels), default=0.0)
        for label, probability in labels:
            if probability > self.min_probability and probability >= least:  # 2. labels that are heard
                phrase = self.phrase_of(label)  # 3. their visible sources
                heard[phrase] = max(probability, heard.get(phrase, 0.0))
        heard.pop("", None)  # labels without a visible source
        things = most_specific(heard)  # 4. one phrase for each source
        return Query(tuple(things), np.array(list(things.values()), np.float32)).top(self.top_k)

    def _times(
        self, tagger: TimedAudioTagger, query: Query, by_window: NDArray[np.float32], duration_s: float
    ) -> tuple[Times, ...]:
        """For each phrase the windows in which one of its labels is heard."""
        heard = by_window > self.min_probability
        starts = np.arange(len(by_window)) * tagger.hop_s
        return tuple(
            unite(
                (on, min(on + tagger.window_s, duration_s))
                for on in starts[heard[:, self._phrases == phrase].any(axis=1)]
            )
            for phrase in query.phrases
        )
